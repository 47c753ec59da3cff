//! `fer annotate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use pipelines::batch::{self, Ending, Recording};
use pipelines::speech::tell;

use super::analysis::Analysis;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The recording: anything that GStreamer decodes.
    input: PathBuf,
    /// The annotated video (mp4, mkv or webm), its JSON Lines beside it; or the JSON Lines alone
    /// (jsonl). If not given, NAME.annotated.mp4 beside the recording.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace results that are there already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    analysis: Analysis,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let Arguments { input, output, force, analysis } = arguments;
    let settings = analysis.settings()?;
    let recording = recording(input, output.as_deref())?;
    analysis.needs_video(recording.video.is_some(), "an --output that is one")?;
    let made = || recording.video.iter().chain([&recording.lines]);
    if let Some(there) = made().find(|path| !force && path.exists()) {
        bail!("{} is there already; expected another --output, or --force", there.display());
    }
    let ending = match batch::annotate(&recording, &settings) {
        Ok(ending) => ending,
        Err(failure) if failure.is_told => return Ok(ExitCode::FAILURE),
        Err(failure) => bail!(failure.reason),
    };
    if ending == Ending::Stopped {
        tell("fer: interrupted; nothing is kept");
        return Ok(super::interrupted());
    }
    let summary = batch::summary(&recording.lines).map_err(anyhow::Error::msg)?;
    let made: Vec<String> = made().map(|path| format!("  {}", path.display())).collect();
    super::print(&format!("{}\n{}", made.join("\n"), super::totals::text(&summary)))?;
    Ok(match ending {
        Ending::Flawed(_) => ExitCode::FAILURE,
        Ending::Ended | Ending::Stopped => ExitCode::SUCCESS,
    })
}

fn recording(input: &Path, output: Option<&Path>) -> Result<Recording> {
    match std::fs::metadata(input) {
        Err(error) => bail!("{}: {error}", input.display()),
        Ok(data) if data.is_dir() => {
            bail!("{}: it is a folder; expected a recording, or `fer batch`", input.display())
        }
        // Who would wait for one that nobody writes to could not be stopped.
        Ok(data) if !data.is_file() => {
            bail!("{}: expected a file, not a pipe or a device", input.display())
        }
        Ok(_) => {}
    }
    let output = output.map_or_else(|| input.with_extension("annotated.mp4"), Path::to_owned);
    let ending = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let video = match ending.as_str() {
        "mp4" | "mkv" | "webm" => Some(output.clone()),
        "jsonl" => None,
        _ => {
            bail!("{}: expected a name that ends in .mp4, .mkv, .webm or .jsonl", output.display())
        }
    };
    // A pipe has no place of its own.
    let is_same = |place: PathBuf| output.canonicalize().is_ok_and(|output| output == place);
    if input.canonicalize().is_ok_and(is_same) {
        bail!(
            "{}: the recording itself would be replaced; expected another --output",
            output.display()
        );
    }
    let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Recording { input: input.to_owned(), name, lines: output.with_extension("jsonl"), video })
}
