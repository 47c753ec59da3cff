//! `fer doctor`.

use std::process::ExitCode;

use anyhow::Result;
use pipelines::doctor::{self, Check, State};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let checks = doctor::examine();
    if arguments.json {
        super::print(&serde_json::to_string_pretty(&checks)?)?;
    } else {
        let lines: Vec<String> = checks.iter().map(line).collect();
        super::print(&lines.join("\n"))?;
    }
    let failed = checks.iter().any(|check| check.state == State::Failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(check: &Check) -> String {
    let state = match check.state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failed => "failed",
    };
    let mend = check.mend.as_ref().map(|mend| format!("\n{:9}→ {mend}", "")).unwrap_or_default();
    format!("{state:8} {}: {}{mend}", check.name, check.found)
}
