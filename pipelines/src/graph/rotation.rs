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
use std::time::Duration;

use gst::prelude::*;
use gst_video::{DownstreamForceKeyUnitEvent, UpstreamForceKeyUnitEvent};

use super::encode::{Container, before_encoder};
use super::{GraphError, bring_down, element};
use crate::config::Rotate;

/// Says which files a video goes into.
pub trait VideoFiles: Send + Sync {
    /// Where the next one is written, whose first frame came so long `ago`.
    fn next(&self, ago: Duration) -> PathBuf;
    /// The one that was given last is whole.
    ///
    /// # Errors
    ///
    /// It cannot get its name.
    fn whole(&self) -> Result<(), String>;
}

/// How long a file may take to be finished: less than a pipeline may take to go.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// A sink for what `encoder` makes, which it asks for key frames where files begin.
pub(super) fn sink(
    container: Container,
    encoder: &[gst::Element],
    rotate: Rotate,
    files: Option<Arc<dyn VideoFiles>>,
    is_live: bool,
) -> Result<gst::Element, GraphError> {
    // What is missing is better told before there is anything to write.
    container.muxer()?;
    let sink =
        gst_app::AppSink::builder().caps(&container.coded()).sync(false).max_buffers(1).build();
    let Some(files) = files else { return Ok(sink.upcast()) };
    let entry = before_encoder(encoder).and_then(|element| element.static_pad("src"));
    if let (Some(pad), Some(time)) = (entry, rotate.time) {
        cut(&pad, time.0);
    }
    let writer = Writer { container, rotate, files, is_live, stretches: None, file: None };
    let writer = Arc::new(Mutex::new(writer));
    let ending = Arc::clone(&writer);
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = writer.take(&sample, sink.upcast_ref());
            taken.map(|()| gst::FlowSuccess::Ok).map_err(|reason| {
                gst::element_error!(sink, gst::ResourceError::Write, ("{reason}"));
                gst::FlowError::Error
            })
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

/// Time in stretches of the same length: whoever knows the first frame knows where each of them begins,
/// before the encoder as after it.
#[derive(Debug, Clone, Copy)]
struct Stretches {
    origin: gst::ClockTime,
    length: Duration,
}

impl Stretches {
    /// The number of the stretch that a time lies in, before the first frame as well.
    fn of(self, time: gst::ClockTime) -> i128 {
        let since = i128::from(time.nseconds()) - i128::from(self.origin.nseconds());
        since.div_euclid(self.length.as_nanos().max(1).cast_signed())
    }
}

/// Has the first frame of each stretch encoded as a key frame, however many an encoder keeps back.
pub(super) fn cut(before_encoder: &gst::Pad, length: Duration) {
    let last = Mutex::new(None::<(Stretches, i128)>);
    before_encoder.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) else {
            return gst::PadProbeReturn::Ok;
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let (stretches, before) = last.unwrap_or((Stretches { origin: time, length }, 0));
        let now = stretches.of(time);
        if now != before {
            let wish = DownstreamForceKeyUnitEvent::builder()
                .timestamp(time)
                .stream_time(time)
                .running_time(time)
                .all_headers(true);
            // An encoder that does not listen has key frames of its own, if further apart.
            let _ = pad.push_event(wish.build());
        }
        *last = Some((stretches, now));
        gst::PadProbeReturn::Ok
    });
}

struct Writer {
    container: Container,
    rotate: Rotate,
    files: Arc<dyn VideoFiles>,
    /// Whether frames come as they are taken.
    is_live: bool,
    /// Known with the first frame.
    stretches: Option<Stretches>,
    file: Option<VideoFile>,
}

impl Writer {
    fn take(&mut self, sample: &gst::Sample, sink: &gst::Element) -> Result<(), String> {
        let Some(buffer) = sample.buffer_owned() else { return Ok(()) };
        if let (None, Some(time), Some(origin)) = (self.stretches, self.rotate.time, buffer.pts()) {
            self.stretches = Some(Stretches { origin, length: time.0 });
        }
        if self.file.as_ref().is_some_and(|file| self.is_over(file, sample)) {
            if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
                self.file.iter_mut().for_each(|file| file.ask(sink));
            } else {
                self.finish()?;
            }
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let age = if self.is_live { age(sample, sink) } else { Duration::ZERO };
                VideoFile::begin(&self.files.next(age), self.container, sample)?
            }
        };
        self.file.insert(file).write(buffer)
    }

    /// Whether what comes next is not for this file.
    fn is_over(&self, file: &VideoFile, next: &gst::Sample) -> bool {
        let time = next.buffer().and_then(gst::BufferRef::pts).unwrap_or(file.begun);
        let is_long = self.stretches.is_some_and(|it| it.of(time) != it.of(file.begun));
        let is_large = self.rotate.size.is_some_and(|size| file.bytes >= size.0);
        // Muxers lose what comes before a file's beginning, and what is encoded in another way.
        is_long || is_large || time < file.begun || next.caps() != file.caps.as_deref()
    }

    fn finish(&mut self) -> Result<(), String> {
        let Some(file) = self.file.take() else { return Ok(()) };
        file.finish()?;
        self.files.whole()
    }
}

/// How long ago a frame of a live source came.
fn age(sample: &gst::Sample, sink: &gst::Element) -> Duration {
    let came = sample.segment().and_then(|segment| {
        let segment = segment.downcast_ref::<gst::ClockTime>()?;
        segment.to_running_time(sample.buffer()?.pts()?)
    });
    let age = sink.current_running_time().zip(came).and_then(|(now, came)| now.checked_sub(came));
    age.map_or(Duration::ZERO, Duration::from)
}

/// A file that is being written.
struct VideoFile {
    path: PathBuf,
    pipeline: gst::Pipeline,
    /// Leads into the muxer.
    feed: gst::Pad,
    caps: Option<gst::Caps>,
    /// When its first frame is shown.
    begun: gst::ClockTime,
    bytes: u64,
    /// Whether the encoder was asked for the key frame that the next file begins with.
    has_asked: bool,
}

impl VideoFile {
    /// Begins a file with a key frame, which is not written yet.
    fn begin(path: &Path, container: Container, first: &gst::Sample) -> Result<Self, String> {
        let built = build(path, container);
        let (pipeline, feed) = built.map_err(|error| error.to_string())?;
        let file = Self {
            path: path.to_owned(),
            pipeline,
            feed,
            caps: first.caps_owned(),
            begun: first.buffer().and_then(gst::BufferRef::pts).unwrap_or_default(),
            bytes: 0,
            has_asked: false,
        };
        // Why one is refused is on the bus.
        let refused = |_| file.complaint("it cannot be opened");
        file.pipeline.set_state(gst::State::Playing).map_err(refused)?;
        file.feed.push_event(gst::event::StreamStart::new("video"));
        if let Some(caps) = &file.caps {
            file.feed.push_event(gst::event::Caps::new(caps));
        }
        // Each file begins with its first frame, whatever came before.
        let mut own = gst::FormattedSegment::<gst::ClockTime>::new();
        own.set_start(file.begun);
        file.feed.push_event(gst::event::Segment::new(&own));
        Ok(file)
    }

    /// Asks the encoder, once, for a key frame as soon as can be.
    fn ask(&mut self, sink: &gst::Element) {
        if std::mem::replace(&mut self.has_asked, true) {
            return;
        }
        let wish = UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        if let Some(pad) = sink.static_pad("sink") {
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
            Some(gst::MessageView::Eos(_)) => self.close(),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            _ => Err(self.complaint(&format!("not finished in {} s", PATIENCE.seconds()))),
        }
    }

    /// A disk may refuse what it has taken only now.
    fn close(&self) -> Result<(), String> {
        let _ = self.pipeline.set_state(gst::State::Ready);
        self.failure().map_or(Ok(()), Err)
    }

    /// What the pipeline says of a failure, or else `otherwise`.
    fn complaint(&self, otherwise: &str) -> String {
        self.failure().unwrap_or_else(|| format!("{}: {otherwise}", self.path.display()))
    }

    fn failure(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

impl Drop for VideoFile {
    fn drop(&mut self) {
        // One that does not go is kept, as its pipeline's would be.
        bring_down(self.pipeline.upcast_ref());
    }
}

/// What writes a file, and the pad by which it gets its frames.
fn build(path: &Path, container: Container) -> Result<(gst::Pipeline, gst::Pad), GraphError> {
    let pipeline = gst::Pipeline::new();
    let muxer = container.muxer()?;
    let sink = element("filesink")?;
    sink.set_property("location", path.to_string_lossy().as_ref());
    sink.set_property("sync", false);
    sink.set_property("async", false);
    container.survive_a_cut(&muxer, &sink);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Encoder, Span};

    struct Numbered {
        folder: tempfile::TempDir,
        whole: Mutex<usize>,
    }

    impl VideoFiles for Numbered {
        fn next(&self, _ago: Duration) -> PathBuf {
            self.folder.path().join(self.whole.lock().unwrap().to_string())
        }

        fn whole(&self) -> Result<(), String> {
            *self.whole.lock().unwrap() += 1;
            Ok(())
        }
    }

    /// The frames of each file that is made of what `feed` pushes into a row of elements.
    fn frames(
        mut row: Vec<gst::Element>,
        rotate: Rotate,
        feed: impl FnOnce(&gst_app::AppSrc),
    ) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Numbered { folder, whole: Mutex::default() });
        let target = Arc::clone(&files) as Arc<dyn VideoFiles>;
        let sink = sink(Container::WebM, &row, rotate, Some(target), false).unwrap();
        let source = gst_app::AppSrc::builder().format(gst::Format::Time).build();
        row.insert(0, source.clone().upcast());
        row.push(sink);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&row).unwrap();
        gst::Element::link_many(&row).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        feed(&source);
        source.end_of_stream().unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(PATIENCE, &types).unwrap();
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        let whole = *files.whole.lock().unwrap();
        (0..whole).map(|number| read(&files.folder.path().join(number.to_string()))).collect()
    }

    fn read(file: &Path) -> usize {
        let line =
            format!("filesrc location={} ! matroskademux ! appsink name=out", file.display());
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        sink.set_property("sync", false);
        pipeline.set_state(gst::State::Playing).unwrap();
        let count = std::iter::from_fn(|| sink.pull_sample().ok()).count();
        pipeline.set_state(gst::State::Null).unwrap();
        count
    }

    fn push(source: &gst_app::AppSrc, bytes: usize, millis: u64, is_key: bool) {
        let mut buffer = gst::Buffer::from_slice(vec![100; bytes]);
        let fresh = buffer.get_mut().unwrap();
        fresh.set_pts(gst::ClockTime::from_mseconds(millis));
        if !is_key {
            fresh.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        source.push_buffer(buffer).unwrap();
    }

    fn every(time: u64, size: Option<u64>) -> Rotate {
        let time = Some(Span(Duration::from_secs(time)));
        Rotate { time, size: size.map(crate::config::Amount) }
    }

    #[test]
    fn nothing_is_lost_where_time_goes_back_or_another_size_comes() {
        gst::init().unwrap();
        let caps = |width: i32, format: Option<&str>| {
            let kind = if format.is_some() { "video/x-raw" } else { "video/x-vp8" };
            gst::Caps::builder(kind)
                .field("width", width)
                .field("height", 64)
                .field("framerate", gst::Fraction::new(10, 1))
                .field_if_some("format", format)
                .build()
        };
        // A camera's time goes back.
        let encoder = Container::WebM.file_encoder(Encoder::Software).unwrap();
        let found = frames(encoder, every(1, None), |source| {
            source.set_caps(Some(&caps(64, Some("I420"))));
            for millis in (0..1500).chain(300..2100).step_by(100) {
                push(source, 64 * 64 * 3 / 2, millis, true);
            }
        });
        // It goes on 40 ms after the last frame.
        assert_eq!(found, [10, 11, 10, 2]);
        // What no encoder of ours does: key frames of its own, each fourth, and another size in between.
        let found = frames(Vec::new(), every(3600, None), |source| {
            for (width, start) in [(64, 0), (128, 800)] {
                source.set_caps(Some(&caps(width, None)));
                for frame in 0..8 {
                    push(source, 10, start + frame * 100, frame % 4 == 0);
                }
            }
        });
        assert_eq!(found, [8, 8]);
        let found = frames(Vec::new(), every(3600, Some(50)), |source| {
            source.set_caps(Some(&caps(64, None)));
            (0..20).for_each(|frame| push(source, 10, frame * 100, frame % 4 == 0));
        });
        assert_eq!(found, [8, 8, 4]);
    }

    #[test]
    fn stretches_go_on_before_their_origin() {
        let origin = gst::ClockTime::from_seconds(10);
        let stretches = Stretches { origin, length: Duration::from_secs(3) };
        let of = |seconds| stretches.of(gst::ClockTime::from_seconds(seconds));
        assert_eq!([of(10), of(12), of(13), of(9), of(6)], [0, 0, 1, -1, -2]);
    }
}
