//! The outputs of a stream, each a bin of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;

use super::branch::{queue, row};
use super::encode::Container;
use super::faces::{self, Change};
use super::hls::{self, Segments};
use super::rotation::{self, VideoFiles};
use super::sound;
use super::{GraphError, element, fragment};
use crate::config::{Fragment, Json, Output, Overlay, Snapshot, Source, Stream, Video};

/// Takes bytes that an output hands to this program: lines of JSON, or pictures.
pub type Taker = Arc<dyn Fn(&[u8]) -> Result<(), String> + Send + Sync>;
/// Takes a face whose emotion changed, and its picture.
pub type FaceTaker = Arc<dyn Fn(&Change, &[u8]) -> Result<(), String> + Send + Sync>;

/// Takes a frame of raw video with its metadata.
pub type FrameTaker = Arc<dyn Fn(&gst::SampleRef) -> Result<(), String> + Send + Sync>;

/// Where outputs put what they make; the answers outlive a pipeline that is built anew.
pub trait Targets {
    /// Whether the output at `index` is wanted: not, once it has failed.
    fn is_open(&self, index: usize) -> bool;
    /// Takes the lines or pictures of the output at `index`.
    fn taker(&self, index: usize) -> Taker;
    /// Takes the faces of the output at `index`.
    fn faces(&self, index: usize) -> FaceTaker;
    /// Takes the frames of the output at `index`.
    fn frames(&self, index: usize) -> FrameTaker;
    /// Says where the segments of the output at `index` go; `None` for another kind of output.
    fn segments(&self, index: usize) -> Option<Arc<dyn Segments>>;
    /// Says which files the video of the output at `index` goes into; `None` for another kind of output.
    fn videos(&self, index: usize) -> Option<Arc<dyn VideoFiles>>;
}

/// Takes everything and keeps nothing, for pipelines that are never to play.
#[derive(Debug)]
pub struct Nowhere;

impl Targets for Nowhere {
    fn is_open(&self, _index: usize) -> bool {
        true
    }

    fn taker(&self, _index: usize) -> Taker {
        Arc::new(|_| Ok(()))
    }

    fn faces(&self, _index: usize) -> FaceTaker {
        Arc::new(|_, _| Ok(()))
    }

    fn frames(&self, _index: usize) -> FrameTaker {
        Arc::new(|_| Ok(()))
    }

    fn segments(&self, _index: usize) -> Option<Arc<dyn Segments>> {
        None
    }

    fn videos(&self, _index: usize) -> Option<Arc<dyn VideoFiles>> {
        None
    }
}

/// The bin of one output.
pub(super) fn bin(
    stream_name: &str,
    index: usize,
    output: &Output,
    stream: &Stream,
    targets: &dyn Targets,
) -> Result<gst::Bin, GraphError> {
    let name = format!("{stream_name}-{index}-{}", output.kind());
    let head = queue(stream.source.is_live())?;
    let elements = match output {
        Output::Window(window) => {
            let sink = element("autovideosink")?;
            // Frames that come at their own pace are shown as they come: by the clock, each would
            // be late by as long as its analysis takes.
            let is_timed = stream.source.is_live() || stream.source.is_paced();
            sink.set_property("sync", !is_timed);
            if matches!(stream.source, Source::Http(_)) {
                // Frames may have the very time at which they came, and have been analysed since.
                sink.set_property("ts-offset", 200_000_000_i64);
            }
            vec![head, overlay(window.overlay, stream)?, element("videoconvert")?, sink]
        }
        Output::Video(settings) => video(head, settings, stream, targets.videos(index))?,
        Output::Json(settings) => json(head, settings, targets.taker(index))?,
        Output::Snapshot(settings) => snapshot(head, settings, stream, targets.taker(index))?,
        Output::Faces(settings) => faces::elements(head, settings, targets.faces(index))?,
        Output::Rtsp(_) => {
            let taker = targets.frames(index);
            vec![head, sink_for(move |sample| taker(sample))]
        }
        Output::Hls(settings) => hls::elements(head, settings, stream, targets.segments(index))?,
        Output::Gst(Fragment { pipeline, overlay: how }) => {
            let elements = fragment(pipeline, "sink")?;
            vec![head, overlay(*how, stream)?, element("videoconvert")?, elements.upcast()]
        }
    };
    row(&name, &elements)
}

pub(super) fn overlay(overlay: Overlay, stream: &Stream) -> Result<gst::Element, GraphError> {
    let element = element("feroverlay")?;
    element.set_property("draw", overlay == Overlay::Draw);
    let privacy = match overlay {
        Overlay::Draw | Overlay::None => "none",
        Overlay::Blur => "blur",
        Overlay::Pixelate => "pixelate",
    };
    element.set_property_from_str("privacy", privacy);
    if let Some(language) = stream.analysis.get("labels-language").and_then(|value| value.as_str())
    {
        element.set_property_from_str("labels-language", language);
    }
    Ok(element)
}

fn video(
    head: gst::Element,
    settings: &Video,
    stream: &Stream,
    files: Option<Arc<dyn VideoFiles>>,
) -> Result<Vec<gst::Element>, GraphError> {
    let container = Container::of(&settings.file);
    let mut elements = vec![head, overlay(settings.overlay, stream)?];
    let encoder = container.file_encoder(settings.encoder)?;
    if let Some(rotate) = settings.rotate {
        let sink = rotation::sink(container, &encoder, rotate, files, stream.source.is_live())?;
        elements.extend(encoder.into_iter().chain([sink]));
        return Ok(elements);
    }
    elements.extend(encoder);
    let sink = element("filesink")?;
    if let Some(files) = files {
        sink.set_property("location", files.next(Duration::ZERO).to_string_lossy().as_ref());
    }
    sink.set_property("sync", false);
    let muxer = container.muxer()?;
    match stream.source {
        // It alone may bring sound.
        Source::File(_) => elements.push(sound::picture_queue()?),
        Source::Files(_) => {}
        _ => container.survive_a_cut(&muxer, &sink),
    }
    elements.extend([muxer, sink]);
    Ok(elements)
}

fn json(
    head: gst::Element,
    settings: &Json,
    taker: Taker,
) -> Result<Vec<gst::Element>, GraphError> {
    let json = element("ferjson")?;
    json.set_property("skip-empty", settings.skip_empty);
    // Lines wait in the queue, not frames.
    Ok(vec![json, head, sink_to(taker)])
}

fn snapshot(
    head: gst::Element,
    settings: &Snapshot,
    stream: &Stream,
    taker: Taker,
) -> Result<Vec<gst::Element>, GraphError> {
    let every = gst::ClockTime::try_from(settings.every.0).unwrap_or(gst::ClockTime::SECOND);
    // Frames of no use do not even wait in the queue.
    if let Some(pad) = head.static_pad("sink") {
        let due = Mutex::new(None::<gst::ClockTime>);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let time = info.buffer().and_then(|buffer| buffer.pts());
            let Ok(mut due) = due.lock() else { return gst::PadProbeReturn::Handled };
            // A time before the last picture is a new beginning.
            let last = due.filter(|&due| {
                time.is_some_and(|time| time < due && time.saturating_add(every) >= due)
            });
            if last.is_some() {
                return gst::PadProbeReturn::Handled;
            }
            *due = time.map(|time| time.saturating_add(every));
            gst::PadProbeReturn::Ok
        });
    }
    let encoder = if settings.file.ends_with(".png") { "pngenc" } else { "jpegenc" };
    let elements = [element("videoconvert")?, element(encoder)?];
    Ok([head, overlay(settings.overlay, stream)?]
        .into_iter()
        .chain(elements)
        .chain([sink_to(taker)])
        .collect())
}

/// A sink that hands every buffer's bytes to `taker`.
fn sink_to(taker: Taker) -> gst::Element {
    sink_for(move |sample| {
        let Some(buffer) = sample.buffer() else { return Ok(()) };
        let bytes = buffer.map_readable().map_err(|error| error.to_string())?;
        taker(&bytes)
    })
}

/// A sink that hands every sample to `taker`, and fails when it does.
pub(super) fn sink_for(
    taker: impl Fn(&gst::SampleRef) -> Result<(), String> + Send + 'static,
) -> gst::Element {
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(16).build();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                taker(&sample).map(|()| gst::FlowSuccess::Ok).map_err(|reason| {
                    gst::element_error!(sink, gst::ResourceError::Write, ("{reason}"));
                    gst::FlowError::Error
                })
            })
            .build(),
    );
    sink.upcast()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A frame's pixels, and who has them.
    struct Pixels(Vec<u8>, #[expect(dead_code, reason = "it is counted")] Arc<()>);

    impl AsRef<[u8]> for Pixels {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn what_waits_for_a_busy_disk_are_lines_and_not_frames() {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
        let (began, busy) = crossbeam_channel::unbounded();
        let (done, free) = crossbeam_channel::bounded::<()>(0);
        let taker: Taker = Arc::new(move |_: &[u8]| {
            began.send(()).unwrap();
            // Ends when the test drops its side.
            let _ = free.recv();
            Ok(())
        });
        let pipeline = gst::Pipeline::new();
        let caps = "video/x-raw, format=GRAY8, width=16, height=16, framerate=10/1";
        let source = gst_app::AppSrc::builder()
            .caps(&caps.parse::<gst::Caps>().unwrap())
            .format(gst::Format::Time)
            .build();
        let settings: Json = serde_yaml::from_str("stdout: true").unwrap();
        let elements = json(queue(true).unwrap(), &settings, taker).unwrap();
        let row = row("output", &elements).unwrap();
        pipeline.add_many([source.upcast_ref::<gst::Element>(), row.upcast_ref()]).unwrap();
        source.link(&row).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let token = Arc::new(());
        for frame in 0..50 {
            let pixels = Pixels(vec![0; 256], Arc::clone(&token));
            let mut buffer = gst::Buffer::from_slice(pixels);
            buffer.get_mut().unwrap().set_pts(frame * gst::ClockTime::from_mseconds(100));
            source.push_buffer(buffer).unwrap();
        }
        busy.recv_timeout(Duration::from_secs(30)).unwrap();
        // The source hands on what it has by itself.
        let held = || Arc::strong_count(&token) - 1;
        let start = Instant::now();
        while held() > 0 && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let held = held();
        drop(done);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(held, 0);
    }
}
