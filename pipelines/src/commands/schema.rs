//! `fer schema`.

use std::process::ExitCode;

use anyhow::Result;
use pipelines::config::json_schema;

pub(crate) fn run() -> Result<ExitCode> {
    super::init()?;
    super::print(&serde_json::to_string_pretty(&json_schema())?)?;
    Ok(ExitCode::SUCCESS)
}
