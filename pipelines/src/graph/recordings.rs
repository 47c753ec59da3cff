//! Recordings one after another, each decoded in a pipeline of its own, so that a broken one
//! breaks no other.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use gst::glib;
use gst::prelude::*;

use super::{GraphError, element, reason, source, upright};
use crate::integrity::{self, Flaw};

/// The message of a recording that could not be played, or not to its end; its `reason` is text and
/// says what becomes of it.
pub const BROKEN: &str = "fer-broken-recording";
/// How often the bus is looked at while no frame comes.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// Assumed of a frame without a duration.
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A source that plays recordings in turn; their times go on from one to the next.
pub(super) fn source(paths: Vec<PathBuf>) -> Result<gst::Element, GraphError> {
    let entry = pushed()?;
    entry.set_property("handle-segment-change", true);
    let waiting = Mutex::new(Some(paths));
    entry.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |entry, _| {
                let paths = waiting.lock().ok().and_then(|mut paths| paths.take());
                if let Some(paths) = paths {
                    in_a_thread(entry, move |entry| play_all(entry, &paths));
                }
            })
            .build(),
    );
    Ok(entry.upcast())
}

/// An element that frames are pushed into, which waits where there is no room for more.
pub(super) fn pushed() -> Result<gst_app::AppSrc, GraphError> {
    let entry = element("appsrc")?;
    entry.set_property_from_str("format", "time");
    entry.set_property("block", true);
    entry.set_property("max-buffers", 4_u64);
    entry.set_property("max-bytes", 0_u64);
    Ok(entry.downcast().map_err(|_| glib::bool_error!("no appsrc"))?)
}

/// Lets a thread of its own push frames.
pub(super) fn in_a_thread(
    entry: &gst_app::AppSrc,
    push: impl FnOnce(&gst_app::AppSrc) + Send + 'static,
) {
    let pushed = entry.clone();
    if let Err(error) = std::thread::Builder::new().spawn(move || push(&pushed)) {
        gst::element_error!(entry, gst::ResourceError::NoSpaceLeft, ("no thread: {error}"));
    }
}

/// Why a recording is left before its end.
enum Left {
    /// Nobody wants more.
    Unwanted,
    /// It is broken.
    Broken(String),
}

fn play_all(entry: &gst_app::AppSrc, paths: &[PathBuf]) {
    let mut reached = gst::ClockTime::ZERO;
    for path in paths {
        let said = |reason: String| tell(entry, &format!("{}: {reason}", path.display()));
        match integrity::flaw(path) {
            Ok(Some(flaw @ Flaw::NoIndex)) => {
                said(format!("{flaw}; it is left"));
                continue;
            }
            Ok(Some(flaw @ Flaw::CutOff { .. })) => {
                said(format!("{flaw}; what is there is processed"))
            }
            // One that cannot be read is told when it is played.
            Ok(None) | Err(_) => {}
        }
        match play(entry, path, &mut reached) {
            Ok(()) => {}
            Err(Left::Unwanted) => return,
            Err(Left::Broken(reason)) => said(format!("{reason}; it is left")),
        }
    }
    // Refused when the pipeline has gone meanwhile.
    let _ = entry.end_of_stream();
}

fn tell(entry: &gst_app::AppSrc, reason: &str) {
    let details = gst::Structure::builder(BROKEN).field("reason", reason).build();
    // Refused when the pipeline has gone meanwhile.
    let _ = entry.post_message(gst::message::Element::builder(details).src(entry).build());
}

/// Plays one recording from `reached` on, and moves that to its end.
fn play(entry: &gst_app::AppSrc, path: &Path, reached: &mut gst::ClockTime) -> Result<(), Left> {
    let (pipeline, sink) = decoder(path).map_err(|error| Left::Broken(error.to_string()))?;
    // The reason of a failure is on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let played = pump(entry, &pipeline, &sink, reached);
    // What cannot be brought down is dropped.
    let _ = pipeline.set_state(gst::State::Null);
    played
}

fn decoder(path: &Path) -> Result<(gst::Pipeline, gst_app::AppSink), GraphError> {
    let pipeline = gst::Pipeline::new();
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(4).build();
    let mut chain = upright()?;
    chain.push(sink.clone().upcast());
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    source::recording(&pipeline, path, &chain[0], None)?;
    Ok((pipeline, sink))
}

fn pump(
    entry: &gst_app::AppSrc,
    pipeline: &gst::Pipeline,
    sink: &gst_app::AppSink,
    reached: &mut gst::ClockTime,
) -> Result<(), Left> {
    let (start, mut first) = (*reached, true);
    let mut since = Instant::now();
    let error = || pipeline.bus()?.pop_filtered(&[gst::MessageType::Error]);
    loop {
        let Some(sample) = sink.try_pull_sample(TICK) else {
            if let Some(message) = error()
                && let gst::MessageView::Error(error) = message.view()
            {
                return Err(Left::Broken(reason(&error.error())));
            }
            if sink.is_eos() {
                let empty = || Left::Broken("there is no video in it".to_owned());
                return if first { Err(empty()) } else { Ok(()) };
            }
            if since.elapsed() > source::STUCK {
                return Err(Left::Broken(format!("no frame for {} s", source::STUCK.as_secs())));
            }
            continue;
        };
        let (shifted, end) = shift(&sample, start, *reached);
        entry.push_sample(&shifted).map_err(|_| Left::Unwanted)?;
        (*reached, first) = (end.max(*reached), false);
        // Until there is room for more nobody is waited for.
        since = Instant::now();
    }
}

/// A frame whose time is counted from `start`, and its end; one without a time comes at `next`. Its segment
/// is the recording's own: nobody is followed from one into the next.
fn shift(
    sample: &gst::SampleRef,
    start: gst::ClockTime,
    next: gst::ClockTime,
) -> (gst::Sample, gst::ClockTime) {
    let mut buffer = sample.buffer().map(gst::BufferRef::to_owned).unwrap_or_default();
    let frame = buffer.make_mut();
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    let running = segment.and_then(|segment| segment.to_running_time(frame.pts()?));
    let time = running.map_or(next, |running| start.saturating_add(running));
    frame.set_pts(time);
    frame.set_dts(gst::ClockTime::NONE);
    let end = time.saturating_add(frame.duration().unwrap_or(FRAME));
    let mut own = gst::FormattedSegment::<gst::ClockTime>::new();
    own.set_start(start);
    own.set_time(start);
    own.set_base(start);
    let shifted = gst::Sample::builder().buffer(&buffer).segment(&own);
    (shifted.caps_if_some(sample.caps_owned().as_ref()).build(), end)
}
