//! `fer demo`: the whole way from a picture or video to its annotated copy and JSON Lines.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;

use pipelines::graph::portrait::{Clip, FRAMES, RATE, SIZE, named};
use pipelines::graph::{png, reason, recording};
use pipelines::speech::tell;

use super::summary::Summary;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A video or picture that GStreamer can decode (default: the bundled portrait).
    file: Option<PathBuf>,
    /// The folder for the results; made if it isn't there.
    #[arg(long, short, default_value = "out/demo")]
    out: PathBuf,
    /// Language of the labels that are drawn: en or ru.
    #[arg(long, default_value = "en", value_parser = ["en", "ru"])]
    language: String,
}

/// The names of what is made.
const MADE: [&str; 3] = ["annotated.mp4", "faces.jsonl", "frame.png"];

/// Analyses a file, or the bundled film, and writes the results to a folder.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let Arguments { file, out, language } = arguments;
    if let Some(folder) = file.as_deref().filter(|file| file.is_dir()) {
        bail!("{}: it is a folder; expected a video or a picture", folder.display());
    }
    let file =
        file.as_deref().map(|file| file.canonicalize().with_context(|| file.display().to_string()));
    let file = file.transpose()?;
    std::fs::create_dir_all(out)
        .with_context(|| format!("{}: the folder can't be made", out.display()))?;
    if let Some(file) = &file {
        let made = MADE.map(|name| out.join(name));
        if let Some(made) = made.iter().find(|it| it.canonicalize().is_ok_and(|it| it == *file)) {
            bail!("{}: it would be replaced; expected another --out", made.display());
        }
    }
    let pipeline = pipeline(file.as_deref(), out, language)?;
    let start = Instant::now();
    let ran = play(&pipeline, file.is_none());
    let wall = start.elapsed();
    let detector = named::<gst::Element>(&pipeline, "fer")?;
    let stats = detector.property::<gst::Structure>("stats");
    let whole =
        ran.and_then(|summary| snapshot(&pipeline, &partial(out, MADE[2])).map(|()| summary));
    pipeline.set_state(gst::State::Null)?;
    let whole = whole.and_then(|summary| finish(out).map(|()| summary));
    if whole.is_err() {
        for name in MADE {
            // What was made before stays.
            let _ = std::fs::remove_file(partial(out, name));
        }
    }
    let summary = match &file {
        Some(file) => whole.with_context(|| file.display().to_string())?,
        None => whole?,
    };
    super::print(&format!(
        "{}\n  {}\n  {}\n  {}\n\n{}",
        file.as_deref().map_or("bundled portrait".into(), |file| file.to_string_lossy()),
        out.join(MADE[0]).display(),
        out.join(MADE[1]).display(),
        out.join(MADE[2]).display(),
        summary.table(&stats, wall),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Where something lies until all of it is whole.
fn partial(out: &Path, name: &str) -> PathBuf {
    out.join(format!(".{name}.part"))
}

/// Everything gets its name.
fn finish(out: &Path) -> Result<()> {
    for name in MADE {
        let named = std::fs::rename(partial(out, name), out.join(name));
        named.with_context(|| out.join(name).display().to_string())?;
    }
    Ok(())
}

fn pipeline(file: Option<&Path>, out: &Path, language: &str) -> Result<gst::Pipeline> {
    let source = match file {
        Some(_) => "queue name=in".to_owned(),
        None => format!(
            "appsrc name=in format=time block=true max-bytes=10000000 \
             caps=video/x-raw,format=RGB,width={},height={},framerate={RATE}/1",
            SIZE.0, SIZE.1
        ),
    };
    // H.264 for common players takes even sizes only. The encoder keeps its first frames to itself for seconds: sinks that waited for each other's
    // first buffer (async=true) would block the tee for good.
    let description = format!(
        "{source} ! videoconvert ! videoflip video-direction=auto ! videoconvert ! \
         ferdetect name=fer draw=false ! tee name=t \
         t. ! queue ! feroverlay name=overlay labels-language={language} ! \
         videoconvert ! videoscale ! video/x-raw,format=I420,width=[2,8192,2],height=[2,8192,2] ! \
         x264enc speed-preset=veryfast ! video/x-h264,profile=high ! \
         mp4mux ! filesink name=video async=false \
         t. ! queue ! ferjson ! filesink name=json async=false \
         t. ! queue ! feroverlay labels-language={language} ! \
         appsink name=frames sync=false async=false max-buffers=1 drop=true \
         wait-on-eos=false"
    );
    let pipeline = gst::parse::launch(&description)
        .context("an element is missing (./fer installs what is needed)")?
        .downcast::<gst::Pipeline>()
        .map_err(|_| anyhow!("no pipeline"))?;
    let place = |name: &str, path: &Path| -> Result<()> {
        named::<gst::Element>(&pipeline, name)?
            .set_property("location", path.to_string_lossy().as_ref());
        Ok(())
    };
    if let Some(file) = file {
        recording(&pipeline, file, &named::<gst::Element>(&pipeline, "in")?)?;
        let id = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        named::<gst::Element>(&pipeline, "fer")?.set_property("stream-id", id);
    }
    place("video", &partial(out, MADE[0]))?;
    place("json", &partial(out, MADE[1]))?;
    for sink in ["video", "json"] {
        named::<gst::Element>(&pipeline, sink)?.set_property("sync", false);
    }
    Ok(pipeline)
}

/// Runs to the end, feeding the bundled film if that is what is shown.
fn play(pipeline: &gst::Pipeline, bundled: bool) -> Result<Summary> {
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    let film = if bundled {
        Some((named::<gst_app::AppSrc>(pipeline, "in")?, Clip::load()?))
    } else {
        None
    };
    let mut summary = Summary::default();
    // Even when it fails to start, the reason is on the bus.
    let started = pipeline.set_state(gst::State::Playing);
    // A source that was never started is never stopped either: whoever feeds it would wait for good.
    let feeder = film
        .filter(|_| started.is_ok())
        .map(|(source, clip)| std::thread::spawn(move || feed(&source, &clip)));
    let outcome = watch(&bus, &mut summary, started.is_ok());
    if outcome.is_err() {
        // Ends the feeder, should it still be at work.
        pipeline.set_state(gst::State::Null)?;
    }
    let fed = feeder.map(|feeder| feeder.join().map_err(|_| anyhow!("the demo's film broke off")));
    outcome?;
    fed.transpose()?.transpose()?;
    Ok(summary)
}

fn feed(source: &gst_app::AppSrc, clip: &Clip) -> Result<()> {
    for index in 0..FRAMES {
        source.push_buffer(clip.frame(index)?)?;
    }
    source.end_of_stream()?;
    Ok(())
}

fn watch(bus: &gst::Bus, summary: &mut Summary, started: bool) -> Result<()> {
    let wait = if started { None } else { Some(gst::ClockTime::SECOND) };
    for message in bus.iter_timed(wait) {
        match message.view() {
            gst::MessageView::Eos(_) => return Ok(()),
            gst::MessageView::Error(error) => {
                let source = error.src().map(|src| src.name().to_string()).unwrap_or_default();
                if error.error().matches(gst::CoreError::MissingPlugin) {
                    bail!("{}", reason(&error.error()));
                }
                bail!("{source}: {} ({})", error.error(), error.debug().unwrap_or_default());
            }
            gst::MessageView::Warning(warning) => {
                let debug = warning.debug().unwrap_or_default();
                tell(&format!("fer: warning: {} ({debug})", warning.error()));
            }
            gst::MessageView::Element(element) => {
                if let Some(structure) = element.structure().filter(|s| s.name() == "ferdetect") {
                    summary.take(structure);
                }
            }
            _ => {}
        }
    }
    bail!("the pipeline did not start, and did not say why")
}

/// Writes the last annotated frame as a PNG.
fn snapshot(pipeline: &gst::Pipeline, path: &Path) -> Result<()> {
    let sink = named::<gst_app::AppSink>(pipeline, "frames")?;
    let Some(sample) = sink.property::<Option<gst::Sample>>("last-sample") else {
        bail!("no frame came out: is there a video in the file?");
    };
    std::fs::write(path, png(&sample)?).with_context(|| path.display().to_string())
}
