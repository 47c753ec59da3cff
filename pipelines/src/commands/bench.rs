//! `fer bench`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use pipelines::bench::{Bench, Shape};
use pipelines::speech::tell;

use super::analysis::Analysis;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A recording (default: the bundled film of a portrait).
    recording: Option<PathBuf>,
    /// What its frames are scaled to.
    #[arg(long, default_value = "1280x720", value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: (u32, u32),
    /// Frames a second.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=240))]
    rate: u32,
    /// Frames that are held in memory and measured with, at most.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Live streams at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    streams: u32,
    /// Seconds that live streams are run.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Set a property of the analysis, for instance `min-face=0.05`.
    #[arg(long = "set", value_name = "PROPERTY=VALUE")]
    sets: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    // Told with the accepted values, as in pipeline files.
    let settings = Analysis::of(&arguments.sets)?;
    if settings.contains_key("analysis") {
        bail!("--set analysis: both ways are measured; expected another property");
    }
    let settings: Vec<String> = settings
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{key}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        })
        .collect();
    let (width, height) = arguments.size;
    let bench = Bench {
        recording: arguments.recording.clone(),
        shape: Shape { width, height, rate: arguments.rate, count: arguments.frames as usize },
        streams: arguments.streams as usize,
        length: Duration::from_secs(u64::from(arguments.seconds)),
        settings: settings.join(" "),
    };
    let figures = bench.run(&|what| tell(&format!("fer: measuring: {what}")))?;
    super::print(figures.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn size(text: &str) -> Result<(u32, u32)> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match sides {
        Some((width, height)) if (16..=8192).contains(&width) && (16..=8192).contains(&height) => {
            Ok((width, height))
        }
        _ => bail!("expected WIDTHxHEIGHT of 16 to 8192 pixels, for instance 1280x720"),
    }
}
