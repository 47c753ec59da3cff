//! A video in one file after the other.
//!
//! ```text
//! … ─► encoder ─► sink ┄► a pipeline a file: muxer ─► filesink
//! ```
//!
//! The sink, on whose thread all of this happens, hands what is encoded to a small pipeline of its own.
//! `splitmuxsink` would do it in the same pipeline, but keeps that from playing until it has a first group
//! of pictures, for which a source that is not live waits for good where there is another output.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst_video::UpstreamForceKeyUnitEvent;

use super::encode::Container;
use super::{GraphError, bring_down, element};
use crate::config::Rotate;

/// Says which files a video goes into.
pub trait VideoFiles: Send + Sync {
    /// Where the next one is written.
    fn next(&self) -> PathBuf;
    /// The one that was given last is whole.
    ///
    /// # Errors
    ///
    /// It cannot get its name.
    fn whole(&self) -> Result<(), String>;
}

/// How long a file may take to be finished.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// A sink for encoded video.
pub(super) fn sink(
    container: Container,
    rotate: Rotate,
    files: Option<Arc<dyn VideoFiles>>,
) -> Result<gst::Element, GraphError> {
    // What is missing is better told before there is anything to write.
    container.muxer()?;
    let sink =
        gst_app::AppSink::builder().caps(&container.coded()).sync(false).max_buffers(1).build();
    let Some(files) = files else { return Ok(sink.upcast()) };
    let writer = Arc::new(Mutex::new(Writer { container, rotate, files, file: None }));
    let ending = Arc::clone(&writer);
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.take(&sample, sink.upcast_ref()).map(|()| gst::FlowSuccess::Ok).map_err(
                |reason| {
                    gst::element_error!(sink, gst::ResourceError::Write, ("{reason}"));
                    gst::FlowError::Error
                },
            )
        })
        .eos(move |sink| {
            let mut writer = ending.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(reason) = writer.finish() {
                gst::element_error!(sink, gst::ResourceError::Write, ("{reason}"));
            }
        })
        .build();
    sink.set_callbacks(callbacks);
    Ok(sink.upcast())
}

struct Writer {
    container: Container,
    rotate: Rotate,
    files: Arc<dyn VideoFiles>,
    file: Option<VideoFile>,
}

impl Writer {
    fn take(&mut self, sample: &gst::Sample, sink: &gst::Element) -> Result<(), String> {
        let Some(buffer) = sample.buffer_owned() else { return Ok(()) };
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let is_full = |file: &VideoFile| file.is_full(self.rotate, &buffer);
        if is_key && self.file.as_ref().is_some_and(is_full) {
            self.finish()?;
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => VideoFile::begin(&self.files.next(), self.container, sample)?,
        };
        let file = self.file.insert(file);
        file.ask(self.rotate, sink);
        file.write(buffer)
    }

    fn finish(&mut self) -> Result<(), String> {
        let Some(file) = self.file.take() else { return Ok(()) };
        file.finish()?;
        self.files.whole()
    }
}

/// A file that is being written.
struct VideoFile {
    path: PathBuf,
    pipeline: gst::Pipeline,
    /// Leads into the muxer.
    feed: gst::Pad,
    /// Position and running time of its first frame.
    begun: gst::ClockTime,
    running: Option<gst::ClockTime>,
    bytes: u64,
    asked: Asked,
}

/// Whether the encoder was asked for the key frame that the next file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    /// For when the file has its time.
    ForThen,
    /// As soon as can be: it has its size.
    AtOnce,
}

impl VideoFile {
    /// Begins a file with a key frame, which is not written yet.
    fn begin(path: &Path, container: Container, first: &gst::Sample) -> Result<Self, String> {
        let begun = first.buffer().and_then(gst::BufferRef::pts).unwrap_or_default();
        let segment = first.segment().and_then(|it| it.downcast_ref::<gst::ClockTime>());
        let running = segment.and_then(|segment| segment.to_running_time(begun));
        let built = build(path, container);
        let (pipeline, feed) = built.map_err(|error| error.to_string())?;
        let file = Self {
            path: path.to_owned(),
            pipeline,
            feed,
            begun,
            running,
            bytes: 0,
            asked: Asked::No,
        };
        // Why one is refused is on the bus.
        let refused = |_| file.complaint("it cannot be opened");
        file.pipeline.set_state(gst::State::Playing).map_err(refused)?;
        file.feed.push_event(gst::event::StreamStart::new("video"));
        if let Some(caps) = first.caps_owned() {
            file.feed.push_event(gst::event::Caps::new(&caps));
        }
        // Each file begins with its first frame, whatever came before.
        let mut own = gst::FormattedSegment::<gst::ClockTime>::new();
        own.set_start(begun);
        file.feed.push_event(gst::event::Segment::new(&own));
        Ok(file)
    }

    fn is_full(&self, rotate: Rotate, next: &gst::BufferRef) -> bool {
        let length = next.pts().and_then(|pts| pts.checked_sub(self.begun)).unwrap_or_default();
        let is_long = rotate.time.is_some_and(|time| length.nseconds() >= nanoseconds(time.0));
        is_long || self.is_large(rotate)
    }

    fn is_large(&self, rotate: Rotate) -> bool {
        rotate.size.is_some_and(|size| self.bytes >= size.0)
    }

    /// Asks the encoder, once for each reason, for the key frame that the next file begins with.
    fn ask(&mut self, rotate: Rotate, sink: &gst::Element) {
        let time = rotate.time.map(|time| gst::ClockTime::from_nseconds(nanoseconds(time.0)));
        let (next, at) = match (self.asked, time.zip(self.running)) {
            (Asked::No | Asked::ForThen, _) if self.is_large(rotate) => (Asked::AtOnce, None),
            (Asked::No, Some((time, running))) => {
                (Asked::ForThen, Some(running.saturating_add(time)))
            }
            _ => return,
        };
        self.asked = next;
        let wish = UpstreamForceKeyUnitEvent::builder().running_time(at).all_headers(true).build();
        if let Some(pad) = sink.static_pad("sink") {
            // An encoder that does not listen has key frames of its own, if further apart.
            let _ = pad.push_event(wish);
        }
    }

    fn write(&mut self, buffer: gst::Buffer) -> Result<(), String> {
        self.bytes += buffer.size() as u64;
        self.feed
            .push(buffer)
            .map(|_| ())
            .map_err(|flow| self.complaint(&format!("it takes no more: {flow}")))
    }

    /// Writes what is missing, and closes it.
    fn finish(self) -> Result<(), String> {
        let bus = self.pipeline.bus();
        self.feed.push_event(gst::event::Eos::new());
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = bus.and_then(|bus| bus.timed_pop_filtered(PATIENCE, &types));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            _ => Err(self.complaint(&format!("not finished in {} s", PATIENCE.seconds()))),
        }
    }

    /// What the pipeline says of a failure, or else `otherwise`.
    fn complaint(&self, otherwise: &str) -> String {
        let bus = self.pipeline.bus();
        let message = bus.and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => format!("{}: {otherwise}", self.path.display()),
        }
    }
}

impl Drop for VideoFile {
    fn drop(&mut self) {
        // One that does not go is kept, as its pipeline's would be.
        bring_down(self.pipeline.upcast_ref());
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What writes a file, and the pad by which it gets its frames.
fn build(path: &Path, container: Container) -> Result<(gst::Pipeline, gst::Pad), GraphError> {
    let pipeline = gst::Pipeline::new();
    let muxer = container.muxer()?;
    container.survive_a_cut(&muxer);
    let sink = element("filesink")?;
    sink.set_property("location", path.to_string_lossy().as_ref());
    sink.set_property("sync", false);
    sink.set_property("async", false);
    pipeline.add_many([&muxer, &sink])?;
    muxer.link(&sink)?;
    let refused = || gst::glib::bool_error!("the muxer takes no video");
    let inlet = muxer.request_pad_simple("video_%u").ok_or_else(refused)?;
    let feed = gst::Pad::builder(gst::PadDirection::Src)
        .name("feed")
        .query_function(|pad, parent, query| match query.view_mut() {
            // Nothing has to be waited for.
            gst::QueryViewMut::Latency(latency) => {
                latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build();
    feed.set_active(true)?;
    feed.link(&inlet).map_err(|error| gst::glib::bool_error!("{error}"))?;
    Ok((pipeline, feed))
}
