//! `fer batch`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pipelines::batch::{Batch, TABLE};

use super::analysis::Analysis;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Recordings: files, folders (with those below) and globs in quotes.
    #[arg(required = true, value_name = "FILE|FOLDER|GLOB")]
    inputs: Vec<String>,
    /// The folder for what is made; what is finished there is not made again.
    #[arg(long, short, default_value = "out/batch", value_name = "FOLDER")]
    out: PathBuf,
    /// Make annotated videos too.
    #[arg(long, value_name = "CONTAINER", num_args = 0..=1, default_missing_value = "mp4",
          require_equals = true, value_parser = ["mp4", "mkv", "webm"])]
    video: Option<String>,
    /// Recordings at once [default: half of the processor's cores].
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Make again what is finished.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    analysis: Analysis,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let Arguments { inputs, out, video, jobs, again, analysis } = arguments;
    analysis.needs_video(video.is_some(), "--video")?;
    // A recording keeps more than one core busy: it is decoded, analysed and encoded at once.
    let half = || std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let batch = Batch {
        inputs: inputs.clone(),
        out: out.clone(),
        video: video.clone(),
        jobs: jobs.map_or_else(half, NonZeroUsize::get),
        again: *again,
        settings: analysis.settings()?,
    };
    let outcome = batch.run()?;
    let mut text = format!("{} done, {} failed", outcome.done, outcome.failed.len());
    if outcome.left > 0 {
        text += &format!(", {} left: the same command goes on with them", outcome.left);
    }
    for (name, reason) in outcome.failed.iter().chain(&outcome.flawed) {
        text += &format!("\n  {name}: {reason}");
    }
    super::print(&format!("{text}\n{}", out.join(TABLE).display()))?;
    Ok(match outcome.left {
        1.. => super::interrupted(),
        0 if outcome.failed.is_empty() && outcome.flawed.is_empty() => ExitCode::SUCCESS,
        0 => ExitCode::FAILURE,
    })
}
