//! ONVIF documents out of `ferjson`. What is in one is tested with `fer_core::onvif`.

use std::time::{SystemTime, UNIX_EPOCH};

use fer_core::report::FrameReport;
use gst::prelude::*;
use gst_check::Harness;

use super::{CAPS, FRAME, buffer, empty_report, init, pull_event, report, text, warnings};

const SECOND: u64 = 1_000_000_000;
/// 2026-11-26 11:20:18.
const START: u64 = 1_795_692_018 * SECOND;
const START_TEXT: &str = "2026-11-26T11:20:18Z";

/// A playing element with that `start-utc`, and the bus it posts to.
fn harness(start: Option<&str>) -> (Harness, gst::Bus) {
    init();
    let element = gst::ElementFactory::make("ferjson")
        .property_from_str("format", "onvif")
        .property("start-utc", start)
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    harness.play();
    harness.set_src_caps_str(CAPS);
    (harness, bus)
}

fn document(report: &FrameReport, utc: u64, source: Option<&str>) -> String {
    String::from_utf8(fer_core::onvif::document(report, utc, source).unwrap()).unwrap()
}

/// What a buffer's reference says of its time, in nanoseconds since 1970.
fn reference(buffer: &gst::Buffer) -> Option<u64> {
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    let meta = buffer.iter_meta::<gst::ReferenceTimestampMeta>().next()?;
    assert_eq!(meta.reference(), &*unix);
    Some(meta.timestamp().nseconds())
}

fn utc_time(buffer: &gst::Buffer) -> u64 {
    let text = text(buffer);
    let document = roxmltree::Document::parse(&text).unwrap();
    let frame = document.descendants().find(|node| node.tag_name().name() == "Frame").unwrap();
    let time = humantime::parse_rfc3339(frame.attribute("UtcTime").unwrap()).unwrap();
    time.duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

fn with_reference(mut frame: gst::Buffer, caps: &str, seconds: u64) -> gst::Buffer {
    let caps: gst::Caps = caps.parse().unwrap();
    let time = gst::ClockTime::from_seconds(seconds);
    gst::ReferenceTimestampMeta::add(frame.get_mut().unwrap(), &caps, time, None);
    frame
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

#[test]
fn each_frame_gives_its_document_at_its_time() {
    let (mut harness, bus) = harness(Some(START_TEXT));
    for n in 0..10 {
        harness.push(buffer(n, Some(&report(n)))).unwrap();
    }
    for n in 0..10 {
        let out = harness.pull().unwrap();
        assert_eq!(
            (out.pts(), out.dts(), out.duration()),
            (Some(FRAME * n), Some(FRAME * n), Some(FRAME))
        );
        let utc = START + n * FRAME.nseconds();
        assert_eq!(text(&out), document(&report(n), utc, None));
        assert_eq!(reference(&out), Some(utc));
    }
    assert_eq!(warnings(&bus), 0);
    let caps = harness.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(
        caps.to_string(),
        "application/x-onvif-metadata, encoding=(string)utf8, parsed=(boolean)true"
    );
}

#[test]
fn names_are_escaped() {
    let (mut harness, _bus) = harness(Some(START_TEXT));
    harness.element().unwrap().set_property("source", "rtsp://h/?a=1&b=\"<2>\"");
    let named = FrameReport { stream_id: "<A & \"B\">".into(), ..report(0) };
    let text = text(&harness.push_and_pull(buffer(0, Some(&named))).unwrap());
    let document = roxmltree::Document::parse(&text).unwrap();
    let frame = document.descendants().find(|node| node.tag_name().name() == "Frame").unwrap();
    assert_eq!(frame.attribute("Source"), Some("<A & \"B\">"));
    let source = frame.attribute((fer_core::onvif::NAMESPACE, "VideoSource"));
    assert_eq!(source, Some("rtsp://h/?a=1&b=\"<2>\""));
}

#[test]
fn what_the_source_says_of_the_time_counts_before_all() {
    let (mut harness, _bus) = harness(Some(START_TEXT));
    for (caps, seconds, expected) in [
        ("timestamp/x-unix", 1_000, Some(1_000)),
        // NTP counts from 1900, 2,208,988,800 seconds before 1970.
        ("timestamp/x-ntp, host=(string)pool.ntp.org", 2_208_989_800, Some(1_000)),
        ("timestamp/x-ntp", 5, None),
        ("timestamp/x-camera-stream", 1_000, None),
    ] {
        let frame = with_reference(buffer(25, Some(&report(25))), caps, seconds);
        let out = harness.push_and_pull(frame).unwrap();
        let expected = expected.map_or(START + SECOND, |seconds| seconds * SECOND);
        assert_eq!(utc_time(&out), expected, "{caps}");
        assert_eq!(reference(&out), Some(expected), "{caps}");
    }
}

#[test]
fn a_recordings_time_is_the_place_in_it() {
    let (mut harness, _bus) = harness(Some(START_TEXT));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(10));
    segment.set_time(gst::ClockTime::from_seconds(3));
    segment.set_base(gst::ClockTime::from_seconds(100));
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    // 11 s is 1 s into the segment, which begins 3 s into the recording; 9 s lies before it.
    for (n, place) in [(275, 4), (225, 2)] {
        let out = harness.push_and_pull(buffer(n, Some(&report(n)))).unwrap();
        assert_eq!(utc_time(&out), START + place * SECOND);
    }
}

#[test]
fn without_a_start_the_wall_clock_counts() {
    let (mut harness, _bus) = harness(None);
    harness.use_testclock();
    harness.set_time(gst::ClockTime::from_seconds(11)).unwrap();
    let before = now();
    // Taken at 10 s, it comes at 11 s.
    let first = utc_time(&harness.push_and_pull(buffer(250, Some(&report(250)))).unwrap());
    // To the microsecond.
    let range = (before - before % 1_000)..=now();
    assert!(range.contains(&(first + SECOND)), "{first} {range:?}");
    let second = utc_time(&harness.push_and_pull(buffer(275, Some(&report(275)))).unwrap());
    assert_eq!(second, first + SECOND);

    // Without a timestamp it is as it comes.
    let mut frame = buffer(0, Some(&report(5)));
    frame.get_mut().unwrap().set_pts(None);
    let before = now();
    let out = harness.push_and_pull(frame).unwrap();
    assert!(((before - before % 1_000)..=now()).contains(&utc_time(&out)));
}

#[test]
fn a_frame_that_was_not_looked_at_has_no_document() {
    let (mut harness, bus) = harness(Some(START_TEXT));
    for n in 0..3 {
        harness.push(buffer(n, None)).unwrap();
    }
    assert_eq!(harness.buffers_in_queue(), 0);
    let gap = pull_event(&mut harness, gst::EventType::Gap);
    let gst::EventView::Gap(gap) = gap.view() else { unreachable!() };
    assert_eq!(gap.get(), (gst::ClockTime::ZERO, Some(FRAME)));
    assert_eq!(warnings(&bus), 1);
}

#[test]
fn the_first_frame_without_faces_is_written_always() {
    for (skip_empty, expected) in [(false, vec![0, 1, 2, 3, 4, 5]), (true, vec![2, 3])] {
        let (mut harness, _bus) = harness(Some(START_TEXT));
        harness.element().unwrap().set_property("skip-empty", skip_empty);
        for n in 0..6 {
            // As when late results are too old: the face is gone without an event.
            let report = if n == 2 { report(n) } else { empty_report(n) };
            harness.push(buffer(n, Some(&report))).unwrap();
        }
        let mut written = Vec::new();
        while harness.buffers_in_queue() > 0 {
            let out = harness.pull().unwrap();
            written.push((utc_time(&out) - START) / FRAME.nseconds());
        }
        assert_eq!(written, expected);
    }
}

#[test]
fn gaps_flushes_and_the_end_pass_through() {
    let (mut harness, _bus) = harness(None);
    // As before a pipeline plays.
    harness.element().unwrap().set_clock(None::<&gst::Clock>).unwrap();
    let first = utc_time(&harness.push_and_pull(buffer(250, Some(&report(250)))).unwrap());
    assert!(harness.push_event(gst::event::Gap::builder(FRAME * 251).build()));
    pull_event(&mut harness, gst::EventType::Gap);
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(FRAME);
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    // Running time begins anew, the time of day does not.
    let second = utc_time(&harness.push_and_pull(buffer(1, Some(&report(1)))).unwrap());
    assert!((first..=now()).contains(&second), "{first} {second}");
    assert!(harness.push_event(gst::event::Eos::new()));
    pull_event(&mut harness, gst::EventType::Eos);
}

#[test]
fn a_frame_before_its_caps_is_an_error() {
    init();
    let element =
        gst::ElementFactory::make("ferjson").property_from_str("format", "onvif").build().unwrap();
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    harness.play();
    assert!(harness.push_event(gst::event::StreamStart::new("test")));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    assert_eq!(harness.push(buffer(0, None)), Err(gst::FlowError::NotNegotiated));
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_some());
}

#[test]
fn a_start_that_is_no_time_fails_the_start_and_can_be_mended() {
    init();
    let element =
        gst::ElementFactory::make("ferjson").property("start-utc", "today").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    let told = error.error().to_string();
    assert!(told.contains("start-utc=\"today\"") && told.contains(START_TEXT), "{told}");
    element.set_state(gst::State::Null).unwrap();
    element.set_property("start-utc", START_TEXT);
    assert!(element.set_state(gst::State::Paused).is_ok());
    element.set_state(gst::State::Null).unwrap();
}

/// Those of gst-plugins-rs, which may be absent, take these.
#[test]
fn what_takes_onvif_metadata_can_be_linked() {
    init();
    for (caps, expected) in [
        ("application/x-onvif-metadata", Ok(gst::FlowSuccess::Ok)),
        ("application/x-onvif-metadata,encoding=utf8", Ok(gst::FlowSuccess::Ok)),
        ("application/x-onvif-metadata,parsed=true", Ok(gst::FlowSuccess::Ok)),
        ("application/x-json", Err(gst::FlowError::NotNegotiated)),
    ] {
        let line = format!("ferjson format=onvif ! capsfilter caps={caps}");
        let mut harness = Harness::new_parse(&line);
        harness.set_src_caps_str(CAPS);
        harness.play();
        assert_eq!(harness.push(buffer(0, Some(&report(0)))), expected, "{caps}");
    }
}
