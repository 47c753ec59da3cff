//! `fer watch`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pipelines::config::{File, Output, Pattern, Source, Stream, Test, Webcam, Window};
use pipelines::run;

use super::analysis::Analysis;

/// Its help ends with the keys.
const KEYS: &str = "In the window or the terminal, q or Escape quits, and s saves the frame as it \
                    is shown as fer-DATE-TIME.png in the current folder.";

#[derive(Debug, clap::Args)]
#[command(after_help = KEYS)]
pub(crate) struct Arguments {
    /// The camera; `fer devices` lists them.
    #[arg(long, default_value = "/dev/video0", value_name = "DEVICE")]
    device: PathBuf,
    /// Width and height in pixels, for instance 1280x720; the camera's nearest is taken, its best
    /// if not given.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<[u32; 2]>,
    /// A recording at its own speed, instead of a camera.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["device", "size", "test"])]
    file: Option<PathBuf>,
    /// The bundled portrait, instead of a camera.
    #[arg(long, conflicts_with = "device")]
    test: bool,
    #[command(flatten)]
    analysis: Analysis,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let settings = arguments.analysis.settings()?;
    let (name, source) = arguments.source()?;
    let outputs = vec![Output::Window(Window { overlay: settings.overlay })];
    let well = run::watch(name, &Stream { source, analysis: settings.analysis, outputs })?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Arguments {
    /// What is watched, and the name of the stream.
    fn source(&self) -> Result<(&'static str, Source)> {
        let Self { device, size, file, test, .. } = self;
        if *test {
            let plain = Test::default();
            let size = size.unwrap_or(plain.size);
            return Ok(("test", Source::Test(Test { pattern: Pattern::Face, size, ..plain })));
        }
        if let Some(path) = file {
            std::fs::metadata(path).with_context(|| path.display().to_string())?;
            return Ok(("file", Source::File(File { path: path.clone(), realtime: true })));
        }
        std::fs::metadata(device).with_context(|| {
            let device = device.display();
            format!("{device}: `fer devices` lists the cameras; --file and --test need none")
        })?;
        let camera = Webcam { device: device.clone(), size: *size, rate: None };
        Ok(("webcam", Source::Webcam(camera)))
    }
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let side = |side: &str| side.parse().ok().filter(|side| (1..=16384).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some([side(width)?, side(height)?]))
        .ok_or_else(|| "expected WIDTHxHEIGHT, each 1 to 16384, for instance 1280x720".to_owned())
}
