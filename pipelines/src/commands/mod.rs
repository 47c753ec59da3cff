//! One module a command.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod manual;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
mod summary;

use anyhow::Result;

/// GStreamer, with our elements in it.
fn init() -> Result<()> {
    gst::init()?;
    Ok(gstfer::plugin_register_static()?)
}

/// A command's result belongs on stdout.
#[allow(clippy::print_stdout, reason = "this is what the user asked for")]
fn print(text: &str) {
    println!("{text}");
}
