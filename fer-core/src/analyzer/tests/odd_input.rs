//! Crowds, faces that do not fit, and clocks that do not run as clocks should.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;

const DAY: u64 = 24 * 3600 * 1000;

/// A neutral analyser, with how often its detector was asked and how many faces were classified.
fn counted(
    mut faces: impl FnMut() -> Vec<Detection> + Send + 'static,
) -> (Analyzer, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let (looks, classified) = (Arc::clone(&counts), Arc::clone(&counts));
    let detector = FnDetector(move |_: &Frame<'_>| {
        looks[0].fetch_add(1, Relaxed);
        Ok(faces())
    });
    let classifier = FnClassifier::new(move |pixels: &[f32]| {
        classified[1].fetch_add(1, Relaxed);
        assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        logits(Neutral, 3.0)
    });
    let source = FaceSource::Detector(Box::new(detector));
    let analyzer = Analyzer::new(Config::default(), source, Some(Box::new(classifier))).unwrap();
    (analyzer, counts)
}

fn taken(counts: &[AtomicUsize; 2]) -> [usize; 2] {
    [counts[0].swap(0, Relaxed), counts[1].swap(0, Relaxed)]
}

fn ids(report: &FrameReport) -> Vec<u64> {
    report.faces.iter().map(|face| face.track).collect()
}

fn seen(rect: Rect) -> Detection {
    Detection { rect, confidence: 0.9 }
}

#[test]
fn three_hundred_faces_keep_their_ids_and_are_classified_no_oftener_than_one() {
    let pixels = vec![128; 1920 * 1080];
    let frame = Frame::grey(1920, 1080, &pixels).unwrap();
    let mut look = 0;
    // Twenty across, fifteen down, all nodding by a few pixels; told of in ever another order.
    let crowd = move || {
        look += 1;
        let mut faces: Vec<Detection> = (0..300)
            .map(|i| {
                let (x, y) = (96 * (i % 20) + look % 4, 72 * (i / 20) + look % 3);
                seen(Rect::new(x as f32, y as f32, 50., 50.))
            })
            .collect();
        faces.rotate_left(37 * look % 300);
        faces
    };
    let (mut analyzer, counts) = counted(crowd);
    for millis in (0..2000).step_by(40) {
        let report = analyzer.analyze(&frame, at(millis), &[]).unwrap();
        assert_eq!(ids(&report), (1..=300).collect::<Vec<_>>(), "at {millis}");
        assert!(report.faces.iter().all(|face| face.emotion.is_some()));
        let events = if millis == 0 { 600 } else { 0 };
        assert_eq!(report.events.len(), events, "each appears and is named once");
    }
    // A look each 120 ms; each face each 200 ms.
    assert_eq!(taken(&counts), [17, 300 * 10]);
}

#[test]
fn a_face_larger_than_the_frame_is_cut_out_and_what_is_no_face_is_not() {
    let larger = Rect::new(-100., -75., 400., 250.);
    let impossible = [
        Rect::new(0., 0., 1e9, 1e9),
        Rect::new(0., 0., f32::INFINITY, 10.),
        Rect::new(f32::NAN, 0., 10., 10.),
        Rect::new(0., 0., 0., 10.),
    ];
    let all: Vec<Detection> = impossible.into_iter().chain([larger]).map(seen).collect();
    let (told, upstream) = (all.clone(), all);
    let (mut detecting, _) = counted(move || told.clone());
    let mut following = Analyzer::new(Config::default(), FaceSource::Upstream, None).unwrap();
    for report in [
        detecting.analyze(&frame(), at(0), &[]).unwrap(),
        following.analyze(&frame(), at(0), &upstream).unwrap(),
    ] {
        assert_eq!(report.faces.len(), 1, "{report:?}");
        // −100 and 400 of 200 across, −75 and 250 of 100 down.
        assert!(report.faces[0].rect.iou(&Rect::new(-0.5, -0.75, 2.0, 2.5)) > 0.9999);
    }
}

#[test]
fn after_a_day_or_an_hour_and_when_time_runs_backwards_everything_begins_anew() {
    let (mut analyzer, counts) = counted(|| one_face(&frame()));
    let mut id = 0;
    for start in [10_000, DAY, 2 * DAY + 3_600_000, DAY, 0, u64::MAX / 1_000_000 - 5000] {
        id += 1;
        taken(&counts);
        let mut events = Vec::new();
        for millis in (start..start + 2000).step_by(40) {
            let report = analyzer.analyze(&frame(), at(millis), &[]).unwrap();
            assert_eq!(ids(&report), [id], "at {millis}");
            let emotion = report.faces[0].emotion.as_ref().unwrap();
            assert!(emotion.age <= Duration::from_millis(200) && emotion.since >= at(start));
            events.extend(kinds(&report));
        }
        let named = EventKind::EmotionChanged { from: None, to: Some(Neutral) };
        let lost = (id > 1).then_some(EventKind::FaceLost);
        let expected: Vec<_> = lost.into_iter().chain([EventKind::FaceAppeared, named]).collect();
        assert_eq!(events, expected, "at {start}");
        assert_eq!(taken(&counts), [17, 10], "at {start}");
    }
}

#[test]
fn cuts_are_noticed_after_time_ran_backwards() {
    let (mut analyzer, _) = counted(|| one_face(&frame()));
    let [left, right] = [0, 1].map(|side| -> Vec<u8> {
        (0..200 * 100).map(|i| if (i % 200) / 100 == side { 200 } else { 20 }).collect()
    });
    let mut ids_at = |millis, pixels: &[u8]| {
        let frame = Frame::grey(200, 100, pixels).unwrap();
        ids(&analyzer.analyze(&frame, at(millis), &[]).unwrap())
    };
    assert_eq!(ids_at(DAY, &left), [1]);
    assert_eq!(ids_at(DAY + 40, &right), [2], "a cut");
    assert_eq!(ids_at(0, &right), [3], "time runs backwards");
    assert_eq!(ids_at(40, &right), [3]);
    assert_eq!(ids_at(1000, &left), [4], "a cut");
}

#[test]
fn at_any_rate_looks_and_classifications_come_as_the_intervals_say() {
    for (rate, expected) in [(1, [10, 10]), (5, [50, 50]), (240, [100, 50])] {
        let (mut analyzer, counts) = counted(|| one_face(&frame()));
        for index in 0..10 * rate {
            let time = MediaTime::from_nanos(index * 1_000_000_000 / rate);
            let report = analyzer.analyze(&frame(), time, &[]).unwrap();
            assert_eq!(ids(&report), [1], "{rate} a second, frame {index}");
        }
        assert_eq!(taken(&counts), expected, "{rate} a second");
    }
}
