//! What streams do: seeks, flushes, gaps, ends, caps, times.

use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};

use super::*;

const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A started element that takes faces from regions of interest, and the bus it posts to.
fn harness() -> (Harness, gst::Bus) {
    init();
    let element = gst::ElementFactory::make("ferdetect")
        .property("detector", "upstream")
        .property_from_str("analysis", "inline")
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    element.set_bus(Some(&bus));
    harness.set_src_caps(info(VideoFormat::Gray8, 64, 64).to_caps().unwrap());
    (harness, bus)
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height).fps(gst::Fraction::new(25, 1)).build().unwrap()
}

fn buffer(size: usize, pts: Option<gst::ClockTime>) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![100_u8; size]);
    buffer.get_mut().unwrap().set_pts(pts);
    buffer
}

/// A frame of 64 × 64 with a face in it.
fn frame(pts: Option<gst::ClockTime>) -> gst::Buffer {
    let mut buffer = buffer(64 * 64, pts);
    VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", (10, 10, 30, 30));
    buffer
}

fn problems(bus: &gst::Bus) -> Vec<gst::Message> {
    let kinds = [gst::MessageType::Error, gst::MessageType::Warning];
    std::iter::from_fn(|| bus.pop_filtered(&kinds)).collect()
}

/// Pushes a frame; it comes out as it went in, with a report.
fn through(harness: &mut Harness, pts: Option<gst::ClockTime>) -> fer_core::report::FrameReport {
    harness.push(frame(pts)).unwrap();
    let out = harness.pull().unwrap();
    assert_eq!(out.pts(), pts);
    gstfer::meta::read(&out).unwrap()
}

#[test]
fn seeks_of_every_kind_start_anew_and_lose_nothing() {
    let (mut harness, bus) = harness();
    let second = gst::ClockTime::SECOND;
    for (rate, flags) in [
        (1.0, gst::SegmentFlags::RESET),
        (-1.0, gst::SegmentFlags::RESET),
        (4.0, gst::SegmentFlags::TRICKMODE | gst::SegmentFlags::TRICKMODE_KEY_UNITS),
        (-8.0, gst::SegmentFlags::TRICKMODE),
        (0.25, gst::SegmentFlags::SEGMENT),
        (1.0, gst::SegmentFlags::SEGMENT),
    ] {
        harness.push_event(gst::event::FlushStart::new());
        harness.push_event(gst::event::FlushStop::new(true));
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_rate(rate);
        segment.set_flags(flags);
        segment.set_start(10 * second);
        segment.set_stop(20 * second);
        segment.set_time(10 * second);
        harness.push_event(gst::event::Segment::new(&segment));
        let mut last = None;
        for index in 0..25 {
            let offset = FRAME * index;
            let pts = if rate < 0.0 { 20 * second - offset } else { 10 * second + offset };
            let report = through(&mut harness, Some(pts));
            assert!(last.is_none_or(|last| last < report.time), "rate {rate}, frame {index}");
            last = Some(report.time);
        }
        // A segment that ends is no end of the stream.
        harness.push_event(gst::event::SegmentDone::new(20 * second));
    }
    assert!(problems(&bus).is_empty());
}

#[test]
fn the_end_may_come_twice_and_the_stream_go_on_after_it() {
    let (mut harness, bus) = harness();
    for round in 0..3 {
        for index in 0..5 {
            through(&mut harness, Some(FRAME * (round * 10 + index)));
        }
        harness.push_event(gst::event::Eos::new());
        harness.push_event(gst::event::Eos::new());
        harness.push_event(gst::event::FlushStart::new());
        harness.push_event(gst::event::FlushStop::new(true));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        harness.push_event(gst::event::Segment::new(&segment));
    }
    // Each end tells of the face's loss once.
    let lost = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
        .filter(|message| message.structure().unwrap().get("event") == Ok("face-lost"))
        .count();
    assert_eq!(lost, 3);
}

#[test]
fn gaps_go_through() {
    let (mut harness, bus) = harness();
    for index in 0..20 {
        if index % 3 == 0 {
            let gap = gst::event::Gap::builder(FRAME * index).duration(FRAME).build();
            assert!(harness.push_event(gap));
        } else {
            through(&mut harness, Some(FRAME * index));
        }
    }
    let gaps = std::iter::from_fn(|| harness.try_pull_event())
        .filter(|event| event.type_() == gst::EventType::Gap)
        .count();
    assert_eq!(gaps, 7);
    assert!(problems(&bus).is_empty());
}

#[test]
fn times_may_be_missing_stand_still_jump_and_wrap() {
    let (mut harness, bus) = harness();
    let day = gst::ClockTime::from_seconds(86_400);
    let largest = gst::ClockTime::from_nseconds(u64::MAX - 1);
    let mut times =
        vec![None, Some(FRAME), Some(FRAME), None, Some(day), Some(gst::ClockTime::ZERO)];
    times.extend([Some(largest), Some(gst::ClockTime::ZERO), Some(largest), None, Some(FRAME)]);
    for (index, pts) in times.iter().cycle().take(often(200)).enumerate() {
        let mut buffer = frame(*pts);
        if index % 7 == 0 {
            buffer.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
        }
        if index % 5 == 0 {
            buffer.get_mut().unwrap().set_duration(largest);
        }
        harness.push(buffer).unwrap();
        let out = harness.pull().unwrap();
        assert_eq!(out.pts(), *pts);
        assert!(gstfer::meta::read(&out).is_some());
    }
    assert!(problems(&bus).is_empty());
}

#[test]
fn caps_may_change_with_every_frame() {
    let (mut harness, bus) = harness();
    let mut random = fastrand::Rng::with_seed(2);
    let formats = [
        VideoFormat::Gray8,
        VideoFormat::I420,
        VideoFormat::Nv12,
        VideoFormat::Yuy2,
        VideoFormat::Rgb,
        VideoFormat::Bgra,
    ];
    for index in 0..often(200) {
        let format = formats[random.usize(..formats.len())];
        // The least sides that are taken, odd ones and larger ones.
        let side = |random: &mut fastrand::Rng| match random.u32(..4) {
            0 => 16,
            1 => random.u32(16..40),
            _ => random.u32(40..400),
        };
        let info = info(format, side(&mut random), side(&mut random));
        harness.set_src_caps(info.to_caps().unwrap());
        let pts = Some(FRAME * index as u64);
        let mut buffer = buffer(info.size(), pts);
        let face = [(); 4].map(|()| random.u32(..500));
        let face = (face[0], face[1], face[2], face[3]);
        VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", face);
        let before = buffer.map_readable().unwrap().to_vec();
        harness.element().unwrap().set_property("draw", false);
        harness.push(buffer).unwrap_or_else(|error| panic!("{:?}: {error}", info.to_caps()));
        let out = harness.pull().unwrap();
        assert_eq!(out.pts(), pts);
        assert!(out.map_readable().unwrap().as_slice() == before, "{:?}", info.to_caps());
    }
    assert!(problems(&bus).is_empty());
}

#[test]
fn ten_thousand_faces_leave_nothing_behind() {
    let (mut harness, bus) = harness();
    // The smallest network: each of them is classified.
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fer-tiny.yaml");
    let element = harness.element().unwrap();
    element.set_state(gst::State::Null).unwrap();
    element.set_property("model-file", model);
    harness.play();
    let mut random = fastrand::Rng::with_seed(3);
    let mut most = 0;
    let frames = often(1000);
    for index in 0..frames {
        let mut buffer = buffer(64 * 64, Some(FRAME * index as u64));
        // Nobody is where somebody was.
        for _ in 0..10 {
            let (x, y) = (random.u32(..56), random.u32(..56));
            let face = (x, y, random.u32(4..9), random.u32(4..9));
            VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", face);
        }
        harness.push(buffer).unwrap();
        let report = gstfer::meta::read(&harness.pull().unwrap()).unwrap();
        most = most.max(report.faces.len());
    }
    // Faces are believed in for half a second: twelve frames of ten.
    assert!(most <= 130, "{most} faces in a report");
    // Two seconds without anybody, and nobody is known.
    for index in frames..frames + 50 {
        harness.push(buffer(64 * 64, Some(FRAME * index as u64))).unwrap();
        let report = gstfer::meta::read(&harness.pull().unwrap()).unwrap();
        most = report.faces.len();
    }
    assert_eq!(most, 0);
    assert!(problems(&bus).is_empty());
}
