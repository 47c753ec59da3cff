//! One module a command.

mod analysis;
pub(crate) mod annotate;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod manual;
pub(crate) mod models;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
mod summary;
mod totals;
pub(crate) mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result};
use pipelines::speech;

/// GStreamer, with our elements in it.
fn init() -> Result<()> {
    gst::init()?;
    Ok(gstfer::plugin_register_static()?)
}

/// A command's result belongs on stdout.
fn print(text: &str) -> Result<()> {
    speech::print(text).context("the standard output")
}

/// The exit code of what was ended by a signal, as shells have it for SIGINT.
fn interrupted() -> ExitCode {
    ExitCode::from(130)
}
