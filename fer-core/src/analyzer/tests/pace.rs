//! Frames that come seldom, pauses, and elements upstream that look now and then.

use super::*;

fn ids(report: &FrameReport) -> Vec<u64> {
    report.faces.iter().map(|face| face.track).collect()
}

#[test]
fn at_a_frame_a_second_a_face_is_told_of_beyond_a_look_that_misses_it() {
    let mut looks = 0;
    let faces = move |frame: &Frame<'_>| {
        looks += 1;
        if looks == 2 { Vec::new() } else { one_face(frame) }
    };
    let mut analyzer = analyzer(Config::default(), faces, &Arc::new(Mutex::new(Neutral)));
    for millis in [0, 1000, 2000] {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        assert_eq!(ids(&report), [1], "at {millis}");
        assert_eq!(report.faces[0].detected, millis != 1000);
    }
}

#[test]
fn a_pause_in_which_nobody_looks_costs_no_face_its_identity() {
    let mut analyzer = analyzer(Config::default(), one_face, &Arc::new(Mutex::new(Neutral)));
    let mut events = Vec::new();
    for millis in (0..990).step_by(33).chain((2257..4000).step_by(33)) {
        let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
        assert_eq!(ids(&report), [1], "at {millis}");
        events.extend(kinds(&report));
    }
    let named = EventKind::EmotionChanged { from: None, to: Some(Neutral) };
    assert_eq!(events, [EventKind::FaceAppeared, named]);
}

/// The times at which a face is told of, at 25 frames a second, where an element upstream looks in each
/// fifth frame and sees it for two seconds.
fn told_of_upstream(config: Config, confidence: f32) -> Vec<u64> {
    let mut analyzer = Analyzer::new(config, FaceSource::Upstream, None).unwrap();
    let faces = one_face(&frame()).into_iter().map(|face| Detection { confidence, ..face });
    let faces: Vec<Detection> = faces.collect();
    let mut told = Vec::new();
    for millis in (0..4000).step_by(40) {
        let is_found = millis % 200 == 0 && millis <= 2000;
        let upstream = if is_found { &faces[..] } else { &[] };
        let report = analyzer.analyze(&frame(), at(millis), upstream).unwrap();
        assert!(report.faces.iter().all(|face| face.detected == is_found), "at {millis}");
        told.extend((!report.faces.is_empty()).then_some(millis));
    }
    told
}

#[test]
fn frames_in_which_nobody_upstream_looks_miss_no_face() {
    // Until .6 s after the last look that has seen it.
    let from = |millis: u64| (millis..2600).step_by(40).collect::<Vec<_>>();
    assert_eq!(told_of_upstream(Config::default(), 0.9), from(0));
    // A faint face takes two looks, and how far those are apart is known after two.
    assert_eq!(told_of_upstream(Config::default(), 0.3), from(400));
    let interval = Duration::from_millis(200);
    let config = Config { inference_interval: interval, ..Config::default() };
    assert_eq!(told_of_upstream(config, 0.3), from(200));
}

#[test]
fn where_somebody_upstream_looks_in_every_frame_a_false_alarm_is_soon_forgotten() {
    let mut analyzer = Analyzer::new(Config::default(), FaceSource::Upstream, None).unwrap();
    let faint = [Detection { confidence: 0.3, ..one_face(&frame())[0] }];
    // After the interval of 100 ms, not before.
    let mut told = Vec::new();
    for (millis, found) in [(0, true), (40, false), (80, false), (120, false), (160, true)] {
        let upstream = if found { &faint[..] } else { &[] };
        told.push(analyzer.analyze(&frame(), at(millis), upstream).unwrap().faces.len());
    }
    assert_eq!(told, [0; 5]);
}

#[test]
fn a_pause_brings_nobody_back_who_has_gone_meanwhile() {
    let is_there = |frame: &Frame<'_>, millis: u64| match millis < 1000 {
        true => one_face(frame),
        false => Vec::new(),
    };
    let mut analyzer = Analyzer::new(Config::default(), FaceSource::Upstream, None).unwrap();
    for millis in (0..1000).step_by(40).chain((4000..4400).step_by(40)) {
        let faces = is_there(&frame(), millis);
        let report = analyzer.analyze(&frame(), at(millis), &faces).unwrap();
        assert_eq!(report.faces.len(), usize::from(millis < 1000), "at {millis}");
    }
}

#[test]
fn who_is_found_upstream_after_long_is_gone_soon_all_the_same() {
    let mut analyzer = Analyzer::new(Config::default(), FaceSource::Upstream, None).unwrap();
    let face = one_face(&frame());
    let mut told = Vec::new();
    for millis in (0..12_000).step_by(40) {
        let upstream = if [0, 10_000].contains(&millis) { &face[..] } else { &[] };
        let report = analyzer.analyze(&frame(), at(millis), upstream).unwrap();
        told.extend((!report.faces.is_empty()).then_some(millis));
    }
    let seen = |from: u64| (from..from + 600).step_by(40);
    assert_eq!(told, seen(0).chain(seen(10_000)).collect::<Vec<_>>());
}
