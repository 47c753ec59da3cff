mod faint;
mod odd_input;
mod pace;
mod sizes;
mod tilted;

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::emotion::Emotion::{self, Happiness, Neutral, Surprise};
use crate::fake::{FnClassifier, FnDetector, logits};

/// A classifier that answers with what the test has set.
fn analyzer(
    config: Config,
    faces: impl FnMut(&Frame<'_>) -> Vec<Detection> + Send + 'static,
    expression: &Arc<Mutex<Emotion>>,
) -> Analyzer {
    let mut faces = faces;
    let expression = Arc::clone(expression);
    let detector = FnDetector(move |frame: &Frame<'_>| Ok(faces(frame)));
    let classifier = FnClassifier::new(move |_: &[f32]| logits(*expression.lock().unwrap(), 3.0));
    Analyzer::new(config, FaceSource::Detector(Box::new(detector)), Some(Box::new(classifier)))
        .unwrap()
}

fn one_face(_: &Frame<'_>) -> Vec<Detection> {
    vec![Detection { rect: Rect::new(20., 20., 40., 40.), confidence: 0.9 }]
}

fn at(millis: u64) -> MediaTime {
    MediaTime::from_millis(millis)
}

fn kinds(report: &FrameReport) -> Vec<EventKind> {
    report.events.iter().map(|event| event.kind).collect()
}

static PICTURE: [u8; 100 * 200] = [128; 100 * 200];

fn frame() -> Frame<'static> {
    Frame::grey(200, 100, &PICTURE).unwrap()
}

#[test]
fn a_face_appears_is_named_and_is_lost() {
    let expression = Arc::new(Mutex::new(Neutral));
    let mut frames = 0;
    let faces = move |frame: &Frame<'_>| {
        frames += 1;
        if frames <= 5 { one_face(frame) } else { Vec::new() }
    };
    let mut analyzer = analyzer(Config::default(), faces, &expression);
    let first = analyzer.analyze(&frame(), at(0), &[]).unwrap();
    let named = EventKind::EmotionChanged { from: None, to: Some(Neutral) };
    assert_eq!(kinds(&first), [EventKind::FaceAppeared, named]);
    // 20 of 200 across, 20 of 100 down.
    assert!(first.faces[0].rect.iou(&Rect::new(0.1, 0.2, 0.2, 0.4)) > 0.9999);
    let mut lost_at = None;
    for millis in (40..2000).step_by(40) {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        if kinds(&report).contains(&EventKind::FaceLost) {
            assert!(report.faces.is_empty());
            lost_at = Some(millis);
        }
    }
    // Scans at 0, 120, …, 480 see it (100 ms rounded up to frames); 1.2 s later it is lost.
    assert_eq!(lost_at, Some(1680));
}

#[test]
fn a_face_that_is_hidden_for_a_second_keeps_its_identity_and_its_label() {
    let expression = Arc::new(Mutex::new(Happiness));
    let mut frames = 0;
    let faces = move |frame: &Frame<'_>| {
        frames += 1;
        // Scans each 120 ms: hidden from 600 to 1560.
        if (6..=13).contains(&frames) { Vec::new() } else { one_face(frame) }
    };
    let mut analyzer = analyzer(Config::default(), faces, &expression);
    let (mut told, mut events) = (Vec::new(), Vec::new());
    for millis in (0..3000).step_by(40) {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        told.push((millis, report.faces.iter().map(|face| face.track).collect::<Vec<_>>()));
        events.extend(kinds(&report));
    }
    assert_eq!(events.len(), 2, "{events:?}");
    let without: Vec<u64> =
        told.iter().filter(|(_, ids)| ids.is_empty()).map(|told| told.0).collect();
    // Told of for .6 s after it was last seen, at 480; seen again at 1560.
    assert_eq!((without.first(), without.last()), (Some(&1080), Some(&1520)));
    assert!(told.iter().all(|(_, ids)| ids.is_empty() || ids == &[1]));
}

#[test]
fn where_a_face_was_nothing_is_read_once_it_is_gone() {
    let expression = Arc::new(Mutex::new(Happiness));
    let gone = Arc::new(Mutex::new(false));
    let is_gone = Arc::clone(&gone);
    let faces = move |frame: &Frame<'_>| match *is_gone.lock().unwrap() {
        true => Vec::new(),
        false => one_face(frame),
    };
    let mut analyzer = analyzer(Config::default(), faces, &expression);
    let mut changes = Vec::new();
    for millis in (0..4000).step_by(40) {
        let left = millis >= 2000;
        *gone.lock().unwrap() = left;
        *expression.lock().unwrap() = if left { Surprise } else { Happiness };
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        changes.extend(kinds(&report));
        let inferred = |face: &FaceReport| face.emotion.as_ref().unwrap().inferred;
        // One look each 120 ms: the next one after it has gone is at 2040.
        assert!(millis < 2040 || !report.faces.iter().any(inferred), "at {millis}");
    }
    let named = EventKind::EmotionChanged { from: None, to: Some(Happiness) };
    assert_eq!(changes, [EventKind::FaceAppeared, named, EventKind::FaceLost]);
}

#[test]
fn the_time_in_which_a_face_is_hidden_speaks_for_no_label() {
    let expression = Arc::new(Mutex::new(Happiness));
    let hidden = Arc::new(Mutex::new(false));
    let is_hidden = Arc::clone(&hidden);
    let faces = move |frame: &Frame<'_>| match *is_hidden.lock().unwrap() {
        true => Vec::new(),
        false => one_face(frame),
    };
    let mut config = Config { smoothing: "none".into(), ..Config::default() };
    config.reclassify.interval = Duration::ZERO;
    config.debounce.hold = Duration::from_secs(1);
    let mut analyzer = analyzer(config, faces, &expression);
    let mut changed = None;
    for millis in (0..2000).step_by(40) {
        // Another expression for a moment, then a second behind a hand, and it is there again: with a
        // lead of .73 it must be seen for .12 of the hold time, 115 ms.
        *expression.lock().unwrap() = if millis < 440 { Happiness } else { Surprise };
        *hidden.lock().unwrap() = (480..1440).contains(&millis);
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        let is_change =
            |kind: &EventKind| matches!(kind, EventKind::EmotionChanged { from: Some(_), .. });
        if kinds(&report).iter().any(is_change) {
            changed = changed.or(Some(millis));
        }
    }
    // Seen so at 440, not any more at 480, and again from 1440 on.
    assert_eq!(changed, Some(1520));
}

#[test]
fn what_happens_while_classification_fails_does_not_pile_up() {
    let broken = Arc::new(Mutex::new(true));
    let is_broken = Arc::clone(&broken);
    let classifier = FnClassifier::new(move |_: &[f32]| match *is_broken.lock().unwrap() {
        true => vec![f32::NAN; Emotion::COUNT],
        false => logits(Neutral, 3.0),
    });
    let source = FaceSource::Upstream;
    let mut analyzer =
        Analyzer::new(Config::default(), source, Some(Box::new(classifier))).unwrap();
    // A face for two seconds, none for two, another one for two, and so on.
    for millis in (0..21_000).step_by(100) {
        let faces = if millis % 4000 < 2000 { one_face(&frame()) } else { Vec::new() };
        assert_eq!(analyzer.analyze(&frame(), at(millis), &faces).is_err(), millis % 4000 < 2000);
    }
    *broken.lock().unwrap() = false;
    let report = analyzer.analyze(&frame(), at(21_000), &one_face(&frame())).unwrap();
    let named = EventKind::EmotionChanged { from: None, to: Some(Neutral) };
    assert_eq!(kinds(&report), [EventKind::FaceAppeared, named]);
    assert_eq!((report.faces[0].track, report.events[0].track), (6, 6));
}

#[test]
fn a_change_comes_after_filter_and_hold_and_only_once() {
    let expression = Arc::new(Mutex::new(Neutral));
    let mut analyzer = analyzer(Config::default(), one_face, &expression);
    let mut changes = Vec::new();
    for millis in (0..4000).step_by(40) {
        *expression.lock().unwrap() = if millis < 2000 { Neutral } else { Happiness };
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        for kind in kinds(&report) {
            if let EventKind::EmotionChanged { to, .. } = kind {
                changes.push((millis, to));
            }
        }
    }
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes[0], (0, Some(Neutral)));
    assert_eq!(changes[1].1, Some(Happiness));
    assert!((2200..2900).contains(&changes[1].0), "{changes:?}");
}

#[test]
fn a_frozen_picture_is_classified_by_the_interval_only() {
    let expression = Arc::new(Mutex::new(Surprise));
    let mut analyzer = analyzer(Config::default(), one_face, &expression);
    let mut inferred = Vec::new();
    for millis in (0..1000).step_by(50) {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        let emotion = report.faces[0].emotion.as_ref().unwrap();
        if emotion.inferred {
            inferred.push(millis);
            assert_eq!(emotion.age, Duration::ZERO);
        } else {
            let last = *inferred.last().unwrap();
            assert_eq!(emotion.age, Duration::from_millis(millis - last));
        }
    }
    assert_eq!(inferred, [0, 200, 400, 600, 800]);
}

#[test]
fn reports_do_not_depend_on_the_origin_of_time() {
    let run = |origin: u64| {
        let expression = Arc::new(Mutex::new(Neutral));
        let mut analyzer = analyzer(Config::default(), one_face, &expression);
        let mut labels = Vec::new();
        for millis in (0..2000).step_by(33) {
            *expression.lock().unwrap() = if millis < 700 { Neutral } else { Surprise };
            let time = at(origin + millis);
            let report = analyzer.analyze(&frame(), time, &[]).unwrap();
            let emotion = report.faces[0].emotion.clone().unwrap();
            labels.push((emotion.stable, emotion.smoothed, emotion.inferred, emotion.age));
        }
        labels
    };
    assert_eq!(run(0), run(25 * 3600 * 1000));
}

#[test]
fn a_reset_and_time_running_backwards_start_anew() {
    let expression = Arc::new(Mutex::new(Neutral));
    let mut analyzer = analyzer(Config::default(), one_face, &expression);
    analyzer.analyze(&frame(), at(5000), &[]).unwrap();
    analyzer.reset();
    let report = analyzer.analyze(&frame(), at(5040), &[]).unwrap();
    assert_eq!(report.faces[0].track, 2);
    assert_eq!(report.events[0].kind, EventKind::FaceLost);
    let report = analyzer.analyze(&frame(), at(0), &[]).unwrap();
    assert_eq!(report.faces[0].track, 3);
    assert_eq!(report.events[0], Event { track: 2, kind: EventKind::FaceLost });
    assert_eq!(analyzer.finish(), [Event { track: 3, kind: EventKind::FaceLost }]);
    let report = analyzer.analyze(&frame(), at(40), &[]).unwrap();
    assert_eq!(report.events[0], Event { track: 4, kind: EventKind::FaceAppeared });
}

#[test]
fn upstream_faces_are_followed_without_a_detector() {
    let mut analyzer = Analyzer::new(Config::default(), FaceSource::Upstream, None).unwrap();
    let face = one_face(&frame());
    let report = analyzer.analyze(&frame(), at(0), &face).unwrap();
    assert_eq!(report.faces.len(), 1);
    assert_eq!(report.faces[0].emotion, None);
}

#[test]
fn a_failing_detector_is_an_error_and_the_next_frame_works() {
    let mut calls = 0;
    let detector = FnDetector(move |frame: &Frame<'_>| {
        calls += 1;
        if calls == 1 { Err(BackendError::Run("broken".into())) } else { Ok(one_face(frame)) }
    });
    let source = FaceSource::Detector(Box::new(detector));
    let mut analyzer = Analyzer::new(Config::default(), source, None).unwrap();
    assert!(analyzer.analyze(&frame(), at(0), &[]).is_err());
    assert_eq!(analyzer.analyze(&frame(), at(40), &[]).unwrap().faces.len(), 1);
}

#[test]
fn nan_from_the_model_is_an_error_that_says_so() {
    let detector = FnDetector(|frame: &Frame<'_>| Ok(one_face(frame)));
    let classifier = FnClassifier::new(|_: &[f32]| vec![f32::NAN; 7]);
    let source = FaceSource::Detector(Box::new(detector));
    let mut analyzer =
        Analyzer::new(Config::default(), source, Some(Box::new(classifier))).unwrap();
    let error = analyzer.analyze(&frame(), at(0), &[]).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
}

#[test]
fn new_settings_keep_faces_and_bad_ones_change_nothing() {
    let expression = Arc::new(Mutex::new(Neutral));
    let mut analyzer = analyzer(Config::default(), one_face, &expression);
    analyzer.analyze(&frame(), at(0), &[]).unwrap();
    let bad = Config { min_face: 7.0, ..Config::default() };
    assert!(analyzer.reconfigure(bad).is_err());
    assert_eq!(analyzer.config(), &Config::default());
    let other = Config { smoothing: "ema".into(), ..Config::default() };
    analyzer.reconfigure(other).unwrap();
    let report = analyzer.analyze(&frame(), at(40), &[]).unwrap();
    assert_eq!(report.faces[0].track, 1);
    assert_eq!(kinds(&report), []);
}

#[test]
fn a_new_name_for_the_stream_does_not_disturb_the_filter() {
    let expression = Arc::new(Mutex::new(Neutral));
    let mut config = Config::default();
    config.reclassify.interval = Duration::ZERO;
    let mut analyzer = analyzer(config.clone(), one_face, &expression);
    for millis in (0..1000).step_by(40) {
        analyzer.analyze(&frame(), at(millis), &[]).unwrap();
    }
    analyzer.reconfigure(Config { stream_id: "hall".into(), ..config }).unwrap();
    *expression.lock().unwrap() = Happiness;
    let report = analyzer.analyze(&frame(), at(1000), &[]).unwrap();
    let emotion = report.faces[0].emotion.as_ref().unwrap();
    assert_eq!((emotion.raw.top().0, emotion.smoothed.top().0), (Happiness, Neutral));
}

/// Where faces may be in a picture of 200 × 100: where it is bright.
const PLACES: [Rect; 2] = [Rect::new(20., 20., 40., 40.), Rect::new(140., 30., 20., 20.)];

/// Finds bright places, and counts how often it scanned the whole frame.
struct Bright(Arc<Mutex<u32>>);

impl FaceDetector for Bright {
    fn detect(&mut self, frame: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        *self.0.lock().unwrap() += 1;
        Ok(self.detect_near(frame, &PLACES)?.unwrap_or_default())
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        let is_face = |rect: &&Rect| {
            let (x, y) = rect.center();
            frame.luma(x as usize, y as usize) > 200
                && places.iter().any(|place| place.iou(rect) > 0.5)
        };
        let faces = PLACES.iter().filter(is_face);
        Ok(Some(faces.map(|&rect| Detection { rect, confidence: 0.9 }).collect()))
    }
}

/// When the whole frame is scanned, and when a second face is told of first, in ten seconds at 25
/// frames a second of pictures in which both places' brightness is given.
fn scans(luma: impl Fn(u64) -> [u8; 2]) -> (Vec<u64>, Option<u64>) {
    let count = Arc::new(Mutex::new(0));
    let source = FaceSource::Detector(Box::new(Bright(Arc::clone(&count))));
    let mut analyzer = Analyzer::new(Config::default(), source, None).unwrap();
    let (mut scans, mut second) = (Vec::new(), None);
    for millis in (0..10_000).step_by(40) {
        let lumas = luma(millis);
        let mut data = PICTURE.to_vec();
        for (index, value) in data.iter_mut().enumerate() {
            let (x, y) = ((index % 200) as f32, (index / 200) as f32);
            let inside = PLACES.iter().zip(lumas).find(|(rect, _)| rect.contains(x, y));
            *value = inside.map_or(*value, |(_, luma)| luma);
        }
        let frame = Frame::grey(200, 100, &data).unwrap();
        let before = *count.lock().unwrap();
        let report = analyzer.analyze(&frame, at(millis), &[]).unwrap();
        if *count.lock().unwrap() > before {
            scans.push(millis);
        }
        if report.faces.len() == 2 && second.is_none() {
            second = Some(millis);
        }
    }
    (scans, second)
}

#[test]
fn a_still_picture_is_scanned_each_two_seconds_whether_there_is_a_face_or_not() {
    let seldom = vec![0, 2000, 4000, 6000, 8000];
    // Looks fall on each third frame where there is a face: 120 ms.
    let (with_face, _) = scans(|_| [255, 128]);
    assert_eq!(with_face, [0, 2040, 4080, 6120, 8160]);
    assert_eq!(scans(|_| [128, 128]).0, seldom);
    // The face itself may do what it likes.
    let (moving, _) = scans(|millis| [if millis.is_multiple_of(80) { 255 } else { 230 }, 128]);
    assert_eq!(moving, with_face);
}

#[test]
fn where_anything_else_moves_the_frame_is_scanned_as_often_as_set() {
    let flicker = |millis: u64| if millis % 1000 < 500 { 120 } else { 128 };
    // Half a second after the last scan, at the next look; not before the picture has changed again.
    let (with_face, _) = scans(|millis| [255, flicker(millis)]);
    assert_eq!(with_face[..6], [0, 600, 1200, 1800, 2400, 3600]);
    let (without, _) = scans(|millis| [128, (millis / 40 % 100) as u8]);
    assert_eq!(without[..4], [0, 120, 240, 360]);
}

#[test]
fn a_new_face_in_a_still_picture_is_found_as_soon_as_ever() {
    // Nobody was known: in the very frame.
    let (scanned, _) = scans(|millis| [128, if millis < 3000 { 128 } else { 255 }]);
    assert_eq!(scanned[..3], [0, 2000, 3000]);
    // Beside a known one: within `scan-interval`, were it due or not.
    for comes in [1000, 3000, 5160] {
        let (_, second) = scans(|millis| [255, if millis < comes { 128 } else { 255 }]);
        let second = second.unwrap();
        assert!((comes..=comes + 500).contains(&second), "{comes}: {second}");
    }
}

#[test]
fn frames_of_another_size_are_a_new_beginning() {
    let mut analyzer = analyzer(Config::default(), one_face, &Arc::new(Mutex::new(Neutral)));
    assert_eq!(analyzer.analyze(&frame(), at(0), &[]).unwrap().faces[0].track, 1);
    let small = Frame::grey(100, 80, &PICTURE[..100 * 80]).unwrap();
    let report = analyzer.analyze(&small, at(40), &[]).unwrap();
    // Looked at anew, though no look is due; nothing of before is in the picture.
    assert_eq!(kinds(&report)[..2], [EventKind::FaceLost, EventKind::FaceAppeared]);
    assert_eq!((report.faces.len(), report.faces[0].track), (1, 2));
    assert!(report.faces[0].rect.iou(&Rect::new(0.2, 0.25, 0.4, 0.5)) > 0.9999);
    assert_eq!(analyzer.analyze(&small, at(80), &[]).unwrap().faces[0].track, 2);
}

#[test]
fn another_tracker_uses_no_id_again() {
    let mut analyzer = analyzer(Config::default(), one_face, &Arc::new(Mutex::new(Neutral)));
    analyzer.analyze(&frame(), at(0), &[]).unwrap();
    for (tracker, expected) in [("none", 2), ("iou", 3), ("none", 4)] {
        let config = Config { tracker: tracker.to_owned(), ..analyzer.config().clone() };
        analyzer.reconfigure(config).unwrap();
        let report = analyzer.analyze(&frame(), at(expected * 100), &[]).unwrap();
        assert_eq!(report.faces[0].track, expected, "{tracker}");
    }
}

#[test]
fn a_face_is_carried_on_between_looks_however_far_they_are_apart() {
    let config = Config { inference_interval: Duration::from_secs(3), ..Config::default() };
    let faint =
        |_: &Frame<'_>| vec![Detection { rect: Rect::new(20., 20., 40., 40.), confidence: 0.3 }];
    let mut analyzer = analyzer(config, faint, &Arc::new(Mutex::new(Happiness)));
    let (mut appeared, mut lost, mut told) = (None, 0, 0);
    // The same where that is changed on the way.
    let seldom = analyzer.config().clone();
    let often = Config { inference_interval: Duration::from_millis(100), ..seldom.clone() };
    analyzer.reconfigure(often).unwrap();
    analyzer.reconfigure(seldom).unwrap();
    for millis in (0..20_000).step_by(500) {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        told += report.faces.len();
        for kind in kinds(&report) {
            match kind {
                EventKind::FaceAppeared => appeared = appeared.or(Some(millis)),
                EventKind::FaceLost => lost += 1,
                EventKind::EmotionChanged { .. } => {}
            }
        }
    }
    // Seen for the second time at 3 s, and told of in all 34 frames from then on.
    assert_eq!((appeared, lost, told), (Some(3000), 0, 34));
}
