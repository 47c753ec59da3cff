//! What the analysis costs on this machine, beside others at the same work: `fer bench`.
//!
//! Everything is measured within one run on the same frames, because machines differ and are never
//! quite alone.

mod frames;
mod live;
mod speed;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gst::prelude::*;

pub use self::frames::{Frames, Shape};
pub use self::live::{Live, live};
pub use self::speed::{Speed, decoding, speed};

/// What is measured.
#[derive(Debug, Clone)]
pub struct Bench {
    /// A recording; the bundled film, if not given.
    pub recording: Option<PathBuf>,
    /// What its frames are made to be.
    pub shape: Shape,
    /// How many live streams run at once.
    pub streams: usize,
    /// For how long.
    pub length: Duration,
    /// Properties of `ferdetect`, in gst-launch-1.0's syntax; all but `analysis`.
    pub settings: String,
}

/// GStreamer's own element for faces, which takes RGB only.
const FACEDETECT: &str = "videoconvert ! facedetect display=false";

impl Bench {
    /// Measures everything; the figures as Markdown. `tell` hears what is being measured.
    ///
    /// # Errors
    ///
    /// The recording cannot be decoded, or an element fails.
    pub fn run(&self, tell: &dyn Fn(&str)) -> Result<String> {
        tell("decoding");
        let frames = Frames::load(self.recording.as_deref(), self.shape)?;
        let mut text = self.heading(&frames);
        self.full_speed(&frames, &mut text, tell)?;
        self.live(&frames, &mut text, tell)?;
        Ok(text)
    }

    fn heading(&self, frames: &Frames) -> String {
        let Shape { width, height, rate, .. } = self.shape;
        let film = "the bundled film of a portrait".to_owned();
        let name =
            |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!(
            "{} frames of {width}×{height} at {rate} a second, I420, decoded beforehand: {}.\n{}, \
             {}.{}\n\n",
            frames.buffers.len(),
            self.recording.as_ref().map_or(film, name),
            machine(),
            gst::version_string(),
            if self.settings.is_empty() { String::new() } else { format!(" {}", self.settings) },
        )
    }

    /// Frames as fast as they go, `ferdetect` beside others.
    fn full_speed(&self, frames: &Frames, text: &mut String, tell: &dyn Fn(&str)) -> Result<()> {
        let ours = format!("ferdetect name=fer draw=false analysis=inline {}", self.settings);
        tell("ferdetect, inline");
        let ours = speed(frames, &ours)?;
        tell("a scan of every frame");
        let every = format!(
            "ferdetect draw=false {} analysis=inline inference-interval=0 scan-interval=0 \
             reclassify-interval=0",
            self.settings
        );
        let every = speed(frames, &every)?;
        let mut rows = vec![("`ferdetect`, inline".to_owned(), ours.clone())];
        rows.push(("the same, everything in every frame".to_owned(), every));
        if gst::ElementFactory::find("facedetect").is_some() {
            tell("facedetect");
            rows.push(("`facedetect` as it comes".to_owned(), speed(frames, FACEDETECT)?));
            let smallest = self.smallest_face()?.round();
            let sizes = format!("min-size-width={smallest} min-size-height={smallest}");
            let alike = speed(frames, &format!("{FACEDETECT} {sizes}"))?;
            rows.push(("`facedetect`, faces of the same size".to_owned(), alike));
        }
        tell("decoding H.264");
        let decoded = decoding(frames);
        if let Ok(row) = &decoded {
            rows.push(("for comparison: `avdec_h264`, one thread".to_owned(), row.clone()));
        }
        let _ = writeln!(text, "| at full speed | frames/s | CPU ms a frame | `ferdetect` takes |");
        let _ = writeln!(text, "|---|---|---|---|");
        for (name, row) in &rows {
            let ratio = ours.cpu_millis() / row.cpu_millis();
            let (rate, cpu) = (row.rate(), row.cpu_millis());
            let _ = writeln!(text, "| {name} | {rate:.0} | {cpu:.2} | {ratio:.2} of it |");
        }
        let _ = writeln!(text, "\n{}\n", stages(&ours).context("no statistics")?);
        // What else was measured is not lost for want of an encoder.
        if let Err(error) = decoded {
            let _ = writeln!(text, "Decoding H.264 was not measured: {error:#}\n");
        }
        Ok(())
    }

    /// The height of the smallest face that is looked for, in pixels.
    fn smallest_face(&self) -> Result<f64> {
        let element = gst::parse::launch(&format!("ferdetect {}", self.settings))?;
        let side = self.shape.width.min(self.shape.height);
        Ok(f64::from(side) * element.property::<f64>("min-face"))
    }

    /// Live streams: alone, and many at once.
    fn live(&self, frames: &Frames, text: &mut String, tell: &dyn Fn(&str)) -> Result<()> {
        let _ = writeln!(
            text,
            "| live, in the background | frames in | out | CPU of the machine | held back p50 / p99 / \
             most, ms | not analysed | classified a second, least – most | memory a further stream |"
        );
        let _ = writeln!(text, "|---|---|---|---|---|---|---|---|");
        for streams in BTreeSet::from([1, self.streams]) {
            tell(&format!("{streams} live streams for {} s", self.length.as_secs()));
            let live = live(frames, streams, self.length, &self.settings)?;
            let millis = |quantile| 1e3 * live.held(quantile).as_secs_f64();
            let memory =
                live.memory.map_or("–".to_owned(), |bytes| format!("{:.1} MB", bytes / 1e6));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} % | {:.2} / {:.2} / {:.1} | {:.0} % | {:.1} – {:.1} | {memory} |",
                if streams == 1 { "one stream".to_owned() } else { format!("{streams} streams") },
                live.frames.0,
                live.frames.1,
                100.0 * live.load,
                millis(0.5),
                millis(0.99),
                millis(1.0),
                100.0 * live.skipped,
                live.refreshed.0,
                live.refreshed.1,
            );
        }
        Ok(())
    }
}

/// Lets a pipeline play, or says why it does not.
fn start(pipeline: &gst::Pipeline) -> Result<()> {
    let Err(refused) = pipeline.set_state(gst::State::Playing) else { return Ok(()) };
    let told = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    // It never played.
    let _ = pipeline.set_state(gst::State::Null);
    match told.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => bail!("{}", error.error()),
        _ => Err(refused.into()),
    }
}

/// Where `ferdetect`'s time went.
fn stages(speed: &Speed) -> Option<String> {
    let stats = speed.stats.as_ref()?;
    let count = |name: &str| stats.get::<u64>(name).unwrap_or_default();
    let each =
        |name: &str, count: u64| stats.get::<f64>(name).unwrap_or_default() / count.max(1) as f64;
    let (scans, near) = (count("scans"), count("searches-near"));
    Some(format!(
        "`ferdetect` scanned {scans} whole frames and looked near known faces in {near}, {:.2} ms each on \
         average; it classified {} faces, {:.2} ms each.",
        each("detect-ms", scans + near),
        count("faces-classified"),
        each("classify-ms", count("faces-classified")),
    ))
}

/// The processor and how many cores of it there are.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("processor", |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{cores} cores of {model}")
}
