//! Clocks that jump, streams that pause, and an analysis that does not keep up.

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};

use super::*;

const HOUR: u64 = 3_600_000;
const FACE: Detection = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };

fn frame_at(millis: u64) -> gst::Buffer {
    let mut buffer = frame(0);
    let time = gst::ClockTime::from_mseconds(millis);
    buffer.get_mut().unwrap().set_pts(time);
    buffer
}

/// Pushes a frame; the report that it comes out with.
fn report(harness: &mut gst_check::Harness, millis: u64) -> FrameReport {
    harness.push(frame_at(millis)).unwrap();
    let buffer = harness.pull().unwrap();
    assert_eq!(buffer.pts(), Some(gst::ClockTime::from_mseconds(millis)));
    crate::meta::read(&buffer).unwrap()
}

fn ids(report: &FrameReport) -> Vec<u64> {
    report.faces.iter().map(|face| face.track).collect()
}

#[test]
fn a_jump_of_a_day_or_back_and_an_hours_pause_begin_anew() {
    let (mut harness, _element, bus) = harness(|_| Ok(vec![FACE]), |_| vec![0.0; 7]);
    for (index, start) in [1000, 24 * HOUR, 25 * HOUR, HOUR, 0].into_iter().enumerate() {
        for millis in (start..start + 800).step_by(40) {
            assert_eq!(ids(&report(&mut harness, millis)), [index as u64 + 1], "at {millis}");
        }
    }
    assert_eq!(count(&bus, gst::MessageType::Warning), 0);
}

/// An element that analyses in the background as soon as it is let: one frame for each unit sent.
fn held() -> (gst_check::Harness, super::super::super::FerDetect, Sender<()>) {
    let (release, held) = channel::<()>();
    let detect = move |_: &Frame<'_>| {
        // Without a sender there is nothing to wait for.
        let _ = held.recv();
        Ok(vec![FACE])
    };
    let (harness, element, _bus) = harness(detect, |_| vec![0.0; 7]);
    set_mode(&element, FerAnalysis::Background);
    (harness, element, release)
}

/// Converters and cameras take their frames from a pool.
#[test]
fn a_pools_frame_gets_its_report_while_it_is_analysed() {
    let (mut harness, element, _release) = held();
    let bus = element.bus().unwrap();
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(None, 64 * 64, 0, 0);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    for millis in [0, 40] {
        let mut buffer = pool.acquire_buffer(None).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(millis));
        harness.push(buffer).unwrap();
        assert!(crate::meta::read(&harness.pull().unwrap()).is_some(), "at {millis}");
    }
    assert_eq!(count(&bus, gst::MessageType::Warning), 0);
    pool.set_active(false).unwrap();
}

/// Pushes frames of one time until they carry a face.
fn wait_for_a_face(harness: &mut gst_check::Harness, millis: u64) -> Vec<u64> {
    for _ in 0..5000 {
        let ids = ids(&report(harness, millis));
        if !ids.is_empty() {
            return ids;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("no result ever came");
}

#[test]
fn in_the_background_no_face_is_carried_over_a_pause_or_back_in_time() {
    let (mut harness, _element, release) = held();
    report(&mut harness, HOUR);
    release.send(()).unwrap();
    let first = wait_for_a_face(&mut harness, HOUR + 40);
    assert_eq!(ids(&report(&mut harness, 2 * HOUR)), [] as [u64; 0], "after an hour's pause");
    assert_eq!(ids(&report(&mut harness, 0)), [] as [u64; 0], "back in time");
    drop(release);
    assert_ne!(wait_for_a_face(&mut harness, 40), first);
}

#[test]
fn in_the_background_a_frame_that_comes_seldom_has_its_own_report() {
    let (mut harness, _element, release) = held();
    drop(release);
    for millis in [0, 6000, 12_000, 12_600] {
        let report = report(&mut harness, millis);
        let is_fresh = report.faces.first().is_some_and(|face| face.detected);
        // The first one may be of video at any rate.
        assert_eq!(is_fresh, millis > 0, "at {millis}");
    }
}

/// Whoever looks for a place in a paused video sees one frame of each that they try.
#[test]
fn in_the_background_the_frame_after_a_seek_has_its_own_report() {
    let (mut harness, _element, release) = held();
    drop(release);
    report(&mut harness, 0);
    for millis in [3000, 5000, 2000, 2040, 1000] {
        assert!(harness.push_event(gst::event::FlushStart::new()));
        assert!(harness.push_event(gst::event::FlushStop::new(true)));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(harness.push_event(gst::event::Segment::new(&segment)));
        let report = report(&mut harness, millis);
        assert!(report.faces.first().is_some_and(|face| face.detected), "at {millis}");
    }
}

#[test]
fn an_analysis_that_does_not_keep_up_is_told_of_now_and_then() {
    let (mut harness, element, release) = held();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (told, address) = (Arc::clone(&lines), element.as_ptr() as usize);
    gst::log::set_threshold_for_name("ferdetect", gst::DebugLevel::Warning);
    gst::log::add_log_function(move |category, level, _, _, _, object, message| {
        let is_ours = object.is_some_and(|object| object.as_ptr() as usize == address);
        if category.name() == "ferdetect" && level == gst::DebugLevel::Warning && is_ours {
            lock(&told).extend(message.get().map(|text| text.to_string()));
        }
    });
    for millis in (0..12_000).step_by(40) {
        report(&mut harness, millis);
    }
    let behind = || element.property::<gst::Structure>("stats").get::<f64>("behind-ms").unwrap();
    assert_eq!(behind(), 11_960.0);
    let told = lock(&lines).clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("1.0 s behind the video, "), "{told:?}");
    assert!(told[1].contains("11.0 s behind"), "{told:?}");
    drop(release);
    wait_for_a_face(&mut harness, 12_000);
    assert!(behind() < 11_960.0);
}

#[test]
fn at_one_frame_a_second_and_at_240_faces_are_looked_for_as_often_as_was_asked() {
    for (rate, looks) in [(1, 5), (240, 50)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let detect = move |_: &Frame<'_>| {
            counter.fetch_add(1, Relaxed);
            Ok(vec![FACE])
        };
        let (mut harness, element, _bus) = harness(detect, |_| vec![0.0; 7]);
        element.set_property("inference-interval", 100u32);
        let caps = format!("video/x-raw,format=GRAY8,width=64,height=64,framerate={rate}/1");
        harness.set_src_caps_str(&caps);
        for index in 0..5 * rate {
            let mut buffer = frame(0);
            let pts = gst::ClockTime::SECOND.mul_div_floor(index, rate).unwrap();
            buffer.get_mut().unwrap().set_pts(pts);
            harness.push(buffer).unwrap();
            let report = crate::meta::read(&harness.pull().unwrap()).unwrap();
            assert_eq!(ids(&report), [1], "{rate} a second, frame {index}");
        }
        assert_eq!(calls.load(Relaxed), looks, "{rate} a second");
    }
}
