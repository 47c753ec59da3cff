//! What happens when the analysis fails while the video runs.

mod odd_input;
mod upstream;

use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::config::Config;
use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::fake::{FnClassifier, FnDetector};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;

use super::super::analysis::Analysis;
use super::super::stats::Timed;
use super::*;

/// A playing element whose detector and classifier are the given functions.
fn harness(
    detect: impl FnMut(&Frame<'_>) -> Result<Vec<Detection>, BackendError> + Send + 'static,
    classify: impl FnMut(&[f32]) -> Vec<f32> + Send + 'static,
) -> (gst_check::Harness, super::super::FerDetect, gst::Bus) {
    gst::init().unwrap();
    crate::meta::register();
    let element = glib::Object::new::<super::super::FerDetect>();
    element.set_property("detector", "none");
    element.set_property("inference-interval", 0u32);
    // A harness says that it is live, and live sources are analysed in the background.
    element.set_property_from_str("analysis", "inline");
    let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let imp = element.imp();
    let detector: Box<dyn FaceDetector> = Box::new(FnDetector(detect));
    let timed = Timed { inner: detector, stats: Arc::clone(&imp.stats) };
    let source = FaceSource::Detector(Box::new(timed));
    let config = Config { inference_interval: std::time::Duration::ZERO, ..Config::default() };
    let analyzer =
        Analyzer::new(config, source, Some(Box::new(FnClassifier::new(classify)))).unwrap();
    let analysis = Analysis::new(analyzer, false, &imp.stats);
    *lock(&imp.stream) = Some(Stream::new(analysis, &imp.stats));
    harness.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    (harness, element, bus)
}

/// What the property said when the run began, which in a harness was before a test can say it.
fn set_mode(element: &super::super::FerDetect, mode: FerAnalysis) {
    *lock(&element.imp().mode) = mode;
}

fn frame(index: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; 64 * 64]);
    let buffer_ref = buffer.get_mut().unwrap();
    buffer_ref.set_pts(gst::ClockTime::from_mseconds(40) * index);
    buffer
}

fn count(bus: &gst::Bus, kind: gst::MessageType) -> usize {
    std::iter::from_fn(|| bus.pop_filtered(&[kind])).count()
}

#[test]
fn nan_is_warned_of_once_counted_and_the_video_goes_on() {
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    let (mut harness, element, bus) = harness(move |_| Ok(vec![face]), |_| vec![f32::NAN; 7]);
    for index in 0..10 {
        harness.push(frame(index)).unwrap();
        assert_eq!(crate::meta::read(&harness.pull().unwrap()), None);
    }
    assert_eq!(count(&bus, gst::MessageType::Warning), 1);
    assert_eq!(count(&bus, gst::MessageType::Error), 0);
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("errors"), Ok(10));
}

#[test]
fn an_output_whose_shape_changes_is_warned_of_and_what_follows_is_analysed_again() {
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    let mut calls = 0;
    let classify = move |_: &[f32]| {
        calls += 1;
        vec![0.0; if (4..7).contains(&calls) { 6 } else { 7 }]
    };
    let (mut harness, element, bus) = harness(move |_| Ok(vec![face]), classify);
    element.set_property("reclassify-interval", 0u32);
    let reports: Vec<bool> = (0..10)
        .map(|index| {
            harness.push(frame(index)).unwrap();
            crate::meta::read(&harness.pull().unwrap()).is_some()
        })
        .collect();
    assert_eq!(reports, [[true; 3].as_slice(), &[false; 3], &[true; 4]].concat());
    assert_eq!(count(&bus, gst::MessageType::Warning), 1);
    assert_eq!(count(&bus, gst::MessageType::Error), 0);
    assert_eq!(element.property::<gst::Structure>("stats").get::<u64>("errors"), Ok(3));
}

#[test]
fn one_warning_does_not_hide_another() {
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    let (mut harness, _element, bus) = harness(move |_| Ok(vec![face]), |_| vec![f32::NAN; 7]);
    let mut tags = gst::TagList::new();
    tags.get_mut()
        .unwrap()
        .add::<gst::tags::ImageOrientation>(&"rotate-90", gst::TagMergeMode::Replace);
    for _ in 0..2 {
        assert!(harness.push_event(gst::event::Tag::new(tags.clone())));
        harness.push(frame(0)).unwrap();
    }
    let told: Vec<String> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]))
        .map(|message| match message.view() {
            gst::MessageView::Warning(warning) => warning.error().to_string(),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("rotate-90") && told[1].contains("NaN"), "{told:?}");
}

#[test]
fn a_panic_in_the_analysis_is_an_element_error() {
    let (mut harness, _element, bus) = harness(|_| panic!("on purpose"), |_| vec![0.0; 7]);
    assert_eq!(harness.push(frame(0)), Err(gst::FlowError::Error));
    assert_eq!(count(&bus, gst::MessageType::Error), 1);
    // It stays an error; nothing crashes.
    assert_eq!(harness.push(frame(1)), Err(gst::FlowError::Error));
}

/// Frames go on while the detector is at work, and carry what is known when it has come back.
#[test]
fn in_the_background_no_frame_waits() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    let detect = move |_: &Frame<'_>| {
        // Without a sender there is nothing to wait for.
        let _ = held.recv();
        Ok(vec![face])
    };
    let (mut harness, element, bus) = harness(detect, |_| vec![3.0, 0., 0., 0., 0., 0., 0.]);
    set_mode(&element, FerAnalysis::Background);
    for index in 0..10 {
        harness.push(frame(index)).unwrap();
        let report = crate::meta::read(&harness.pull().unwrap()).unwrap();
        assert_eq!((report.frame, report.faces.len()), (index, 0));
    }
    drop(release);
    let mut index = 10;
    let carried = loop {
        harness.push(frame(index)).unwrap();
        let report = crate::meta::read(&harness.pull().unwrap()).unwrap();
        if !report.faces.is_empty() {
            break report;
        }
        index += 1;
        assert!(index < 5000, "no result ever came");
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let face = &carried.faces[0];
    assert_eq!((carried.frame, face.detected), (index, false));
    let emotion = face.emotion.as_ref().unwrap();
    assert!(!emotion.inferred && emotion.age >= std::time::Duration::from_millis(40));
    assert!(harness.push_event(gst::event::Eos::new()));
    let told: Vec<String> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
        .map(|message| message.structure().unwrap().get::<String>("event").unwrap())
        .collect();
    assert_eq!(told.first().map(String::as_str), Some("face-appeared"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("face-lost"), "{told:?}");
    let stats = element.property::<gst::Structure>("stats");
    assert!(stats.get::<u64>("skipped").unwrap() >= 8, "{stats:?}");
}

/// What is lost is told once, also where new beginnings follow each other faster than the analysis.
#[test]
fn in_the_background_no_event_is_lost_when_all_begins_anew() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    let detect = move |_: &Frame<'_>| {
        let _ = held.recv();
        Ok(vec![face])
    };
    let (mut harness, element, bus) = harness(detect, |_| vec![3.0, 0., 0., 0., 0., 0., 0.]);
    set_mode(&element, FerAnalysis::Background);
    let mut index = 0;
    let mut go_on_until = |harness: &mut gst_check::Harness, done: &dyn Fn(&Stats) -> bool| {
        for _ in 0..5000 {
            if done(&element.imp().stats) {
                return;
            }
            harness.push(frame(index)).unwrap();
            let _ = harness.pull().unwrap();
            index += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("the analysis does not go on");
    };
    // Each result is of before the next new beginning.
    for scans in 1..=4 {
        let scanned = |stats: &Stats| stats.structure().get::<u64>("scans").unwrap() >= scans;
        release.send(()).unwrap();
        go_on_until(&mut harness, &scanned);
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(harness.push_event(gst::event::Segment::new(&segment)));
    }
    drop(release);
    assert!(harness.push_event(gst::event::Eos::new()));
    let told: Vec<(String, u64)> =
        std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
            .map(|message| {
                let structure = message.structure().unwrap();
                (structure.get("event").unwrap(), structure.get("id").unwrap())
            })
            .collect();
    let of = |kind: &str| -> Vec<u64> {
        told.iter().filter(|(event, _)| event == kind).map(|(_, id)| *id).collect()
    };
    assert!(of("face-appeared").len() >= 2, "{told:?}");
    assert_eq!(of("face-appeared"), of("face-lost"), "{told:?}");
}

/// So that a frame need neither wait for the scan that it comes in the middle of, nor for the one that it
/// begins.
#[cfg(target_os = "linux")]
#[test]
fn the_background_has_a_lower_priority_than_the_frames() {
    let scheduling = || {
        // SAFETY: 0 is the calling thread, which is there.
        let policy = unsafe { libc::sched_getscheduler(0) };
        (rustix::process::getpriority_process(None).unwrap(), policy)
    };
    let (tell, told) = std::sync::mpsc::channel();
    let detect = move |_: &Frame<'_>| {
        tell.send(scheduling()).unwrap();
        Ok(Vec::new())
    };
    let (mut harness, element, _bus) = harness(detect, |_| vec![0.0; 7]);
    set_mode(&element, FerAnalysis::Background);
    let before = scheduling();
    harness.push(frame(0)).unwrap();
    // 19 is the lowest there is.
    assert_eq!(told.recv().unwrap(), ((before.0 + 5).min(19), libc::SCHED_BATCH));
    assert_eq!(scheduling(), before);
}

#[test]
fn a_panic_in_the_background_is_an_element_error_with_a_later_frame() {
    let (mut harness, element, bus) = harness(|_| panic!("on purpose"), |_| vec![0.0; 7]);
    set_mode(&element, FerAnalysis::Background);
    let failed = (0..5000).find(|index| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        harness.push(frame(*index)).is_err()
    });
    assert!(failed.is_some());
    assert_eq!(count(&bus, gst::MessageType::Error), 1);
}

#[test]
fn a_live_source_is_not_waited_for() {
    let face = Detection { rect: Rect::new(8., 8., 40., 40.), confidence: 1.0 };
    for (mode, count) in [(FerAnalysis::Auto, 0), (FerAnalysis::Inline, 1)] {
        let (mut harness, element, _bus) = harness(move |_| Ok(vec![face]), |_| vec![0.0; 7]);
        set_mode(&element, mode);
        harness.push(frame(0)).unwrap();
        let report = crate::meta::read(&harness.pull().unwrap()).unwrap();
        assert_eq!(report.faces.len(), count, "{mode:?}");
    }
}
