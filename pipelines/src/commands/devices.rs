//! `fer devices`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use pipelines::devices::{self, Camera};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let cameras = devices::cameras().context(
        "GStreamer has nothing here that finds cameras (Debian and Ubuntu: gstreamer1.0-plugins-good)",
    );
    let cameras = cameras?;
    if arguments.json {
        super::print(&serde_json::to_string_pretty(&cameras)?)?;
    } else if cameras.is_empty() {
        super::print("no cameras (`fer doctor` says whether they are kept from this user)")?;
    } else {
        let told: Vec<String> = cameras.iter().map(told).collect();
        super::print(&told.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn told(camera: &Camera) -> String {
    let device = camera.device.as_deref().unwrap_or("without a device file");
    let formats = camera.formats.iter().map(|format| format!("\n  {format}"));
    format!("{device}  {}{}", camera.name, formats.collect::<String>())
}
