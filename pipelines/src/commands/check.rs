//! `fer check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pipelines::config::{PipelineFile, without_passwords};
use pipelines::graph;
use pipelines::speech::{count, tell};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The pipeline files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change a value first, for instance `streams.door.source.rtsp.latency=50`.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    sets: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        match PipelineFile::load(path, &arguments.sets, &|name| std::env::var(name).ok()) {
            Ok(file) => {
                let problems = graph::problems(&file);
                if problems.is_empty() {
                    let outputs: usize = file.streams.values().map(|s| s.outputs.len()).sum();
                    let outputs = count(outputs as u64, "output");
                    let streams = count(file.streams.len() as u64, "stream");
                    super::print(&format!("{}: fine ({streams}, {outputs})", path.display()))?;
                } else {
                    code = ExitCode::FAILURE;
                }
                for problem in problems {
                    tell(&without_passwords(&format!("{}: {problem}", path.display())));
                }
            }
            Err(error) => {
                tell(&without_passwords(&error.to_string()));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
