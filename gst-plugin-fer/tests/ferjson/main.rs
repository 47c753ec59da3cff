//! `ferjson` in a harness and in small pipelines. Whether its lines fit the JSON Schema is tested
//! with the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod onvif;

use std::sync::Arc;
use std::time::Duration;

use fer_core::emotion::{Emotion, Probabilities};
use fer_core::event::{Event, EventKind};
use fer_core::geometry::Rect;
use fer_core::record::{FrameContext, FrameRecord};
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst::prelude::*;
use gst_check::Harness;

const CAPS: &str = "video/x-raw,format=I420,width=64,height=32,framerate=25/1";
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
    });
}

/// A playing element that takes frames with `caps`, and the bus it posts to.
fn harness(caps: &str) -> (Harness, gst::Bus) {
    init();
    let mut harness = Harness::new("ferjson");
    let bus = gst::Bus::new();
    harness.element().unwrap().set_bus(Some(&bus));
    // Of live frames it is known when they were taken, and a harness says that its are.
    harness.srcpad().unwrap().add_probe(gst::PadProbeType::QUERY_UPSTREAM, |_, info| {
        match info.query_mut().map(gst::QueryRef::view_mut) {
            Some(gst::QueryViewMut::Latency(latency)) => {
                latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
    harness.set_src_caps_str(caps);
    (harness, bus)
}

fn report(frame: u64) -> FrameReport {
    let time = MediaTime::from_nanos(frame * FRAME.nseconds());
    FrameReport {
        stream_id: "test".into(),
        frame,
        time,
        faces: vec![FaceReport {
            track: 1,
            rect: Rect::new(0.25, 0.25, 0.5, 0.5),
            confidence: 0.75,
            detected: frame == 0,
            emotion: Some(FaceEmotion {
                stable: Some(Emotion::Surprise),
                since: MediaTime::ZERO,
                smoothed: Probabilities::one_hot(Emotion::Surprise),
                raw: Probabilities::UNIFORM,
                model: Arc::from("test"),
                inferred: frame == 0,
                age: Duration::from_nanos(time.nanos()),
            }),
        }],
        events: match frame {
            0 => vec![Event { track: 1, kind: EventKind::FaceAppeared }],
            _ => Vec::new(),
        },
        unseen: false,
    }
}

fn empty_report(frame: u64) -> FrameReport {
    FrameReport { faces: Vec::new(), events: Vec::new(), ..report(frame) }
}

/// Frame `n` of a stream of 25 frames/s; the pixels are never looked at, so there are none.
fn buffer(n: u64, report: Option<&FrameReport>) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().unwrap();
    frame.set_pts(FRAME * n);
    frame.set_dts(FRAME * n);
    frame.set_duration(FRAME);
    if let Some(report) = report {
        gstfer::meta::write(frame, report).unwrap();
    }
    buffer
}

fn text(buffer: &gst::Buffer) -> String {
    String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap()
}

fn record(buffer: &gst::Buffer) -> FrameRecord {
    serde_json::from_str(&text(buffer)).unwrap()
}

/// What the line of frame `n` in [`CAPS`] must be made from.
fn context(n: u64) -> FrameContext<'static> {
    let time = Some(n * FRAME.nseconds());
    FrameContext {
        width: 64,
        height: 32,
        source: None,
        pts: time,
        stream_time: time,
        running_time: time,
        utc: None,
        reverse: false,
    }
}

fn warnings(bus: &gst::Bus) -> usize {
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).count()
}

/// The next downstream event of `kind`; panics if none came.
fn pull_event(harness: &mut Harness, kind: gst::EventType) -> gst::Event {
    std::iter::from_fn(|| harness.try_pull_event()).find(|event| event.type_() == kind).unwrap()
}

#[test]
fn each_frame_gives_its_line_at_its_time() {
    let (mut harness, bus) = harness(CAPS);
    for n in 0..100 {
        harness.push(buffer(n, Some(&report(n)))).unwrap();
    }
    assert_eq!(harness.buffers_in_queue(), 100);
    for n in 0..100 {
        let out = harness.pull().unwrap();
        assert_eq!(
            (out.pts(), out.dts(), out.duration()),
            (Some(FRAME * n), Some(FRAME * n), Some(FRAME))
        );
        let expected = FrameRecord::new(Some(&report(n)), &context(n)).to_line().unwrap();
        assert_eq!(text(&out), expected);
    }
    assert_eq!(warnings(&bus), 0);
    let caps = harness.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(
        caps.to_string(),
        "application/x-json, format=(string)fer-frame, schema-version=(int)1"
    );
}

#[test]
fn a_frame_without_metadata_gives_a_line_and_the_first_a_warning() {
    let (mut harness, bus) = harness(CAPS);
    for n in 0..3 {
        let expected = FrameRecord::new(None, &context(n)).to_line().unwrap();
        assert_eq!(text(&harness.push_and_pull(buffer(n, None)).unwrap()), expected);
    }
    assert_eq!(warnings(&bus), 1);

    // A stop ends the stream: the next one is told again.
    let element = harness.element().unwrap();
    element.set_state(gst::State::Ready).unwrap();
    element.set_state(gst::State::Playing).unwrap();
    harness.set_src_caps_str(CAPS);
    harness.push(buffer(0, None)).unwrap();
    harness.push(buffer(1, None)).unwrap();
    assert_eq!(warnings(&bus), 1);
}

/// `videorate` and `imagefreeze` give a frame out more than once.
#[test]
fn the_events_of_a_frame_are_told_once() {
    let (mut harness, _bus) = harness(CAPS);
    let there = FrameReport { stream_id: "other".into(), ..report(0) };
    let reports = [report(0), report(0), report(1), there.clone(), there];
    let told = reports.iter().zip(0..).map(|(report, n)| {
        let line = record(&harness.push_and_pull(buffer(n, Some(report))).unwrap());
        assert_eq!(line.objects.len(), 1);
        line.events.len()
    });
    assert_eq!(told.collect::<Vec<_>>(), [1, 0, 0, 1, 0]);
}

#[test]
fn borders_that_were_added_after_the_analysis_are_warned_of() {
    for (shape, expected) in [(2.0, 0), (1.0, 1)] {
        let (mut harness, bus) = harness(CAPS);
        for n in 0..3 {
            let mut input = buffer(n, Some(&report(n)));
            gstfer::meta::write_shape(input.get_mut().unwrap(), shape);
            harness.push(input).unwrap();
        }
        assert_eq!(warnings(&bus), expected, "{shape}");
    }
}

#[test]
fn frames_that_were_mirrored_after_the_analysis_are_warned_of() {
    for (direction, expected) in [("identity", 0), ("horiz", 1)] {
        init();
        let line = format!("videoflip video-direction={direction} ! ferjson name=last");
        let mut harness = Harness::new_parse(&line);
        let bus = gst::Bus::new();
        let bin = harness.element().unwrap().downcast::<gst::Bin>().unwrap();
        bin.by_name("last").unwrap().set_bus(Some(&bus));
        harness.set_src_caps_str(CAPS);
        for n in 0..3 {
            let mut input = gst::Buffer::from_mut_slice(vec![0; 64 * 32 * 3 / 2]);
            gstfer::meta::write(input.get_mut().unwrap(), &report(n)).unwrap();
            harness.push(input).unwrap();
        }
        assert_eq!(warnings(&bus), expected, "{direction}");
    }
}

#[test]
fn times_are_those_of_the_segment() {
    let (mut harness, _bus) = harness(CAPS);
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(10));
    segment.set_time(gst::ClockTime::from_seconds(3));
    segment.set_base(gst::ClockTime::from_seconds(100));
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    // 11 s is 1 s into the segment.
    let out = record(&harness.push_and_pull(buffer(275, Some(&report(275)))).unwrap());
    assert_eq!(out.pts_ns, Some(11_000_000_000));
    assert_eq!(out.timestamp, Some(4_000_000_000));
    assert_eq!(out.running_time_ns, Some(101_000_000_000));
    // 9 s lies before it.
    let out = record(&harness.push_and_pull(buffer(225, Some(&report(225)))).unwrap());
    assert_eq!((out.pts_ns, out.running_time_ns), (Some(9_000_000_000), None));
}

#[test]
fn it_is_told_when_a_frame_was_taken_where_that_is_known() {
    init();
    let pushed = |prepare: &dyn Fn(&mut Harness), frame: gst::Buffer| {
        let (mut harness, _bus) = harness(CAPS);
        prepare(&mut harness);
        record(&harness.push_and_pull(frame).unwrap()).utc
    };
    assert_eq!(pushed(&|_| {}, buffer(25, Some(&report(25)))), None, "a recording");
    let begun = |harness: &mut Harness| {
        let element = harness.element().unwrap();
        element.set_state(gst::State::Null).unwrap();
        element.set_property("start-utc", "2026-11-26T11:20:18Z");
        harness.play();
        harness.set_src_caps_str(CAPS);
    };
    // FRAME is 40 ms.
    let told = pushed(&begun, buffer(25, Some(&report(25))));
    assert_eq!(told.as_deref(), Some("2026-11-26T11:20:19.000000Z"));
    let mut referred = buffer(25, None);
    let unix = gst::Caps::builder("timestamp/x-unix").build();
    let time = gst::ClockTime::from_mseconds(1_795_692_018_250);
    gst::ReferenceTimestampMeta::add(referred.get_mut().unwrap(), &unix, time, None);
    let told = pushed(&|_| {}, referred);
    assert_eq!(told.as_deref(), Some("2026-11-26T11:20:18.250000Z"));
    let before = fer_core::time::rfc3339(now());
    let mut live = Harness::new("ferjson");
    live.set_src_caps_str(CAPS);
    let told = record(&live.push_and_pull(buffer(0, None)).unwrap()).utc.unwrap();
    assert!(before <= told && told <= fer_core::time::rfc3339(now()), "{before}, {told}");
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_nanos().try_into().unwrap()
}

#[test]
fn a_frame_without_timestamps_has_null_times() {
    let (mut harness, _bus) = harness(CAPS);
    let mut frame = buffer(0, Some(&report(5)));
    for clear in [gst::BufferRef::set_pts, gst::BufferRef::set_dts, gst::BufferRef::set_duration] {
        clear(frame.get_mut().unwrap(), None);
    }
    let out = harness.push_and_pull(frame).unwrap();
    assert_eq!((out.pts(), out.dts(), out.duration()), (None, None, None));
    let out = record(&out);
    assert_eq!((out.pts_ns, out.timestamp, out.running_time_ns), (None, None, None));
    assert_eq!(out.frame, Some(5));
}

#[test]
fn without_empty_frames_a_gap_takes_their_place() {
    let (mut harness, _bus) = harness(CAPS);
    harness.element().unwrap().set_property("skip-empty", true);
    harness.push(buffer(0, Some(&empty_report(0)))).unwrap();
    harness.push(buffer(1, Some(&report(1)))).unwrap();
    let mut left = empty_report(2);
    left.events.push(Event { track: 1, kind: EventKind::FaceLost });
    harness.push(buffer(2, Some(&left))).unwrap();
    assert_eq!(harness.buffers_in_queue(), 2);
    assert_eq!(record(&harness.pull().unwrap()).frame, Some(1));
    assert_eq!(record(&harness.pull().unwrap()).frame, Some(2));
    let gap = pull_event(&mut harness, gst::EventType::Gap);
    let gst::EventView::Gap(gap) = gap.view() else { unreachable!() };
    assert_eq!(gap.get(), (gst::ClockTime::ZERO, Some(FRAME)));
}

#[test]
fn the_source_is_written_while_it_is_set() {
    let (mut harness, _bus) = harness(CAPS);
    let element = harness.element().unwrap();
    for (value, written) in [(Some("rtsp://door"), true), (Some(""), false), (None, false)] {
        element.set_property("source", value);
        let out = record(&harness.push_and_pull(buffer(0, Some(&report(0)))).unwrap());
        assert_eq!(out.source.as_deref(), value.filter(|_| written));
    }
}

#[test]
fn caps_may_change_at_any_frame() {
    let (mut harness, _bus) = harness(CAPS);
    harness.push(buffer(0, Some(&report(0)))).unwrap();
    harness.set_src_caps_str("video/x-raw,format=NV12,width=128,height=96,framerate=0/1");
    harness.push(buffer(1, Some(&report(1)))).unwrap();
    let boxes = [(); 2].map(|()| {
        let out = record(&harness.pull().unwrap());
        let face = &out.objects[0];
        (out.resolution.width, out.resolution.height, face.x, face.y, face.w, face.h)
    });
    assert_eq!(boxes, [(64, 32, 16, 8, 32, 16), (128, 96, 32, 24, 64, 48)]);
}

#[test]
fn any_raw_format_in_any_memory_will_do() {
    for caps in [
        "video/x-raw,format=GRAY8,width=17,height=33",
        "video/x-raw,format=P010_10LE,width=64,height=32",
        "video/x-raw(memory:GLMemory),format=RGBA,width=64,height=32",
        "video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=NV12,width=64,height=32",
    ] {
        let (mut harness, _bus) = harness(caps);
        assert!(harness.push_and_pull(buffer(0, Some(&report(0)))).is_ok(), "{caps}");
    }
}

#[test]
fn a_frame_before_its_caps_is_an_error() {
    init();
    let mut harness = Harness::new("ferjson");
    let bus = gst::Bus::new();
    harness.element().unwrap().set_bus(Some(&bus));
    harness.play();
    assert!(harness.push_event(gst::event::StreamStart::new("test")));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    assert_eq!(harness.push(buffer(0, None)), Err(gst::FlowError::NotNegotiated));
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_some());
}

#[test]
fn gaps_flushes_and_the_end_pass_through() {
    let (mut harness, _bus) = harness(CAPS);
    harness.push(buffer(0, Some(&report(0)))).unwrap();
    assert!(harness.push_event(gst::event::Gap::builder(FRAME).build()));
    pull_event(&mut harness, gst::EventType::Gap);
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(FRAME);
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    harness.push(buffer(1, Some(&report(1)))).unwrap();
    let mut last = None;
    while harness.buffers_in_queue() > 0 {
        let out = harness.pull().unwrap();
        last = Some(out);
    }
    assert_eq!(record(&last.unwrap()).running_time_ns, Some(0));
    assert!(harness.push_event(gst::event::Eos::new()));
    pull_event(&mut harness, gst::EventType::Eos);
}

#[test]
fn a_late_line_does_not_slow_the_source() {
    let (mut harness, _bus) = harness(CAPS);
    harness.push(buffer(0, Some(&report(0)))).unwrap();
    let late =
        gst::event::Qos::builder(gst::QOSType::Underflow, 2.0, 1_000_000).timestamp(FRAME).build();
    assert!(harness.push_upstream_event(late));
    let qos = std::iter::from_fn(|| harness.try_pull_upstream_event())
        .find(|event| event.type_() == gst::EventType::Qos);
    assert!(qos.is_none());
}

#[test]
fn sinks_of_bytes_take_it() {
    init();
    let sinks = ["filesink", "fdsink", "tcpserversink", "tcpclientsink", "udpsink", "appsink"];
    for sink in sinks {
        if gst::ElementFactory::find(sink).is_none() {
            eprintln!("skipped: {sink} is not installed");
            continue;
        }
        let line = format!("ferjson name=json ! {sink}");
        assert!(gst::parse::launch(&line).is_ok(), "{line}");
    }
}

#[test]
fn a_file_holds_a_line_a_frame() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let line = format!(
        "videotestsrc num-buffers=7 ! video/x-raw,width=64,height=32,framerate=25/1 \
         ! ferjson ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = pipeline.bus().unwrap().timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    let lines = std::fs::read_to_string(path).unwrap();
    let expected: String =
        (0..7).map(|n| FrameRecord::new(None, &context(n)).to_line().unwrap()).collect();
    assert_eq!(lines, expected);
}

#[test]
fn every_property_is_explained() {
    init();
    let element = gst::ElementFactory::make("ferjson").build().unwrap();
    for (name, when) in [
        ("format", gst::PARAM_FLAG_MUTABLE_READY),
        ("start-utc", gst::PARAM_FLAG_MUTABLE_READY),
        ("source", gst::PARAM_FLAG_MUTABLE_PLAYING),
        ("skip-empty", gst::PARAM_FLAG_MUTABLE_PLAYING),
    ] {
        let property = element.find_property(name).unwrap();
        assert!(property.nick() != name && property.blurb().unwrap().len() > 40, "{name}");
        assert!(property.flags().contains(when), "{name}");
    }
}
