use super::*;

fn seen(x: f32, confidence: f32) -> Detection {
    Detection { rect: Rect::new(x, 0., 100., 100.), confidence }
}

fn at(millis: u64) -> MediaTime {
    MediaTime::from_millis(millis)
}

fn ids(tracker: &dyn Tracker) -> Vec<u64> {
    tracker.tracks().iter().filter(|track| track.confirmed).map(|track| track.id).collect()
}

#[test]
fn a_faint_face_needs_a_second_scan_and_a_clear_one_does_not() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.2), seen(500., 0.9)], at(0));
    assert_eq!(ids(&tracker), [2]);
    tracker.update(&[seen(2., 0.2), seen(500., 0.9)], at(100));
    assert_eq!(ids(&tracker), [1, 2]);
}

#[test]
fn a_false_alarm_is_never_told_of() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.2)], at(0));
    tracker.update(&[], at(100));
    tracker.update(&[seen(0., 0.2)], at(200));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
}

#[test]
fn a_moving_face_keeps_its_id_and_is_carried_on() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    for step in 0..20 {
        tracker.update(&[seen(step as f32 * 20., 0.9)], at(step * 100));
    }
    assert_eq!(ids(&tracker), [1]);
    // 20 px in 100 ms; half of it in 50 ms, less what the decay takes.
    let before = tracker.tracks()[0].rect.x;
    tracker.predict(at(1950));
    let moved = tracker.tracks()[0].rect.x - before;
    assert!((3.0..=12.0).contains(&moved), "{moved}");
}

#[test]
fn a_face_looked_for_in_vain_for_the_limit_is_lost_and_its_id_not_reused() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.9)], at(0));
    tracker.update(&[], at(1199));
    assert_eq!(ids(&tracker), [1]);
    tracker.update(&[], at(1200));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
    tracker.update(&[seen(0., 0.9)], at(1300));
    assert_eq!(ids(&tracker), [2]);
    tracker.reset();
    tracker.update(&[seen(0., 0.9)], at(0));
    assert_eq!(ids(&tracker), [3]);
}

#[test]
fn a_face_that_nobody_looks_for_is_kept_three_seconds_longer() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.9), seen(500., 0.1)], at(0));
    // What was seen once, and not clearly, is forgotten sooner: .6 + 3 s.
    tracker.predict(at(3599));
    assert_eq!(tracker.tracks().len(), 2);
    tracker.predict(at(3600));
    assert_eq!(tracker.tracks().len(), 1);
    tracker.predict(at(4199));
    assert_eq!(ids(&tracker), [1]);
    tracker.predict(at(4200));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
}

#[test]
fn a_pause_in_which_nobody_looked_costs_no_identity() {
    for (pause, expected) in [(1300, 1), (4000, 1), (4200, 2)] {
        let mut tracker = IouTracker::new(TrackOptions::default());
        for millis in (0..=1000).step_by(100).chain([1000 + pause, 1100 + pause]) {
            tracker.update(&[seen(0., 0.9)], at(millis));
        }
        assert_eq!(ids(&tracker), [expected], "{pause} ms");
    }
}

#[test]
fn where_scans_are_seldom_a_face_is_known_from_one_to_the_next() {
    // Expected every 2 s, a faint face is confirmed by the second scan.
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.expect_scans_every(Duration::from_secs(2));
    tracker.update(&[seen(0., 0.2)], at(0));
    tracker.predict(at(1999));
    tracker.update(&[seen(0., 0.2)], at(2000));
    assert_eq!(ids(&tracker), [1]);
    // Lost after three of them.
    tracker.update(&[], at(4000));
    tracker.update(&[], at(6000));
    tracker.predict(at(7999));
    assert_eq!(ids(&tracker), [1]);
    tracker.update(&[], at(8000));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
    // Not expected: the first is lost, then it is known how far scans are apart.
    let mut tracker = IouTracker::new(TrackOptions::default());
    for look in 0..4 {
        tracker.update(&[seen(0., 0.9)], at(look * 5000));
    }
    assert_eq!(ids(&tracker), [2]);
    // A pause of an hour says nothing of the next scan.
    tracker.update(&[seen(0., 0.9)], at(3_615_000));
    assert_eq!(ids(&tracker), [3]);
    tracker.update(&[seen(0., 0.9)], at(3_615_100));
    tracker.update(&[], at(3_616_300));
    assert_eq!(ids(&tracker), [3], "missed by one look, 1.2 s after the one before");
    tracker.update(&[], at(3_616_400));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
}

#[test]
fn other_settings_do_not_hide_how_far_scans_are_apart() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    for second in 0..=2 {
        tracker.update(&[seen(0., 0.9)], at(second * 1000));
    }
    tracker.expect_scans_every(Duration::from_millis(100));
    // Three of those that were seen, not of those that are wished for.
    tracker.update(&[], at(3000));
    assert_eq!(ids(&tracker), [1]);
    tracker.expect_scans_every(Duration::from_millis(100));
    tracker.update(&[], at(4000));
    assert_eq!(ids(&tracker), [1]);
    // Those that are to come are further apart.
    tracker.expect_scans_every(Duration::from_secs(10));
    tracker.update(&[seen(0., 0.9)], at(14_000));
    assert_eq!(ids(&tracker), [1]);
}

#[test]
fn a_face_that_jumps_by_its_own_size_keeps_its_id_and_a_far_one_does_not() {
    for (shift, expected) in [(110., vec![1]), (119., vec![1]), (121., vec![1, 2])] {
        let mut tracker = IouTracker::new(TrackOptions::default());
        tracker.update(&[seen(0., 0.9)], at(0));
        tracker.update(&[seen(shift, 0.9)], at(100));
        assert_eq!(ids(&tracker), expected, "{shift} pixels");
    }
    // Nine sizes a second: its way is known after the first step.
    let mut tracker = IouTracker::new(TrackOptions::default());
    for look in 0..12 {
        tracker.update(&[seen(90. * look as f32, 0.9)], at(100 * look));
    }
    assert_eq!(ids(&tracker), [1]);
}

#[test]
fn where_another_could_be_meant_a_face_moves_no_further_than_it_can() {
    // .4 sizes and three a second, 1.2 at the most. Of two faces side by side one is missed, and a third
    // comes beside the other: by less than .73 two boxes overlap.
    for (millis, shift, expected) in [
        (100, 72., vec![1, 2]),
        (100, 76., vec![1, 2, 3]),
        (100, 115., vec![1, 2, 3]),
        (150, 83., vec![1, 2]),
        (150, 87., vec![1, 2, 3]),
        (300, 115., vec![1, 2]),
    ] {
        let mut tracker = IouTracker::new(TrackOptions::default());
        tracker.update(&[seen(0., 0.9), seen(2. * shift + 4., 0.9)], at(0));
        tracker.update(&[seen(shift, 0.9)], at(millis));
        assert_eq!(ids(&tracker), expected, "{shift} pixels in {millis} ms");
    }
}

#[test]
fn what_is_merely_near_a_moment_later_confirms_nothing() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.2)], at(0));
    tracker.update(&[seen(115., 0.2)], at(100));
    assert_eq!(ids(&tracker), [] as [u64; 0]);
    // What comes to one place twice is a face.
    tracker.update(&[seen(115., 0.2)], at(200));
    assert_eq!(ids(&tracker).len(), 1);
    // One that is looked for seldom may have moved by its size.
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.2)], at(0));
    tracker.update(&[seen(115., 0.2)], at(1000));
    assert_eq!(ids(&tracker), [1]);
}

#[test]
fn overlap_goes_before_nearness() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.9), seen(100., 0.9)], at(0));
    // Between the two: overlaps the second, is merely near the first.
    tracker.update(&[seen(95., 0.9)], at(300));
    assert_eq!(tracker.tracks()[0].last_seen, at(0));
    assert_eq!(tracker.tracks()[1].last_seen, at(300));
}

#[test]
fn crossing_candidates_go_to_the_best_overlap() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    tracker.update(&[seen(0., 0.9), seen(60., 0.9)], at(0));
    tracker.update(&[seen(55., 0.9), seen(5., 0.9)], at(100));
    assert!(tracker.tracks()[0].rect.x < 10. && tracker.tracks()[1].rect.x > 50.);
    assert_eq!(ids(&tracker), [1, 2]);
}

#[test]
fn broken_boxes_are_not_followed() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    let broken = [
        Rect::new(f32::NAN, 0., 10., 10.),
        Rect::new(50., 50., 90., f32::NAN),
        Rect::new(50., 50., 90., -90.),
        Rect::new(0., f32::NEG_INFINITY, 100., f32::INFINITY),
    ]
    .map(|rect| Detection { rect, confidence: 1.0 });
    tracker.update(&broken, at(0));
    assert!(tracker.tracks().is_empty());
    // Nor is a face that is known believed to be there.
    tracker.update(&[seen(0., 0.9)], at(40));
    tracker.update(&broken, at(80));
    assert_eq!(tracker.tracks().len(), 1);
    assert_eq!(
        (tracker.tracks()[0].rect, tracker.tracks()[0].last_seen),
        (seen(0., 0.9).rect, at(40))
    );
}

#[test]
fn a_box_that_has_left_all_numbers_is_lost() {
    let mut tracker = IouTracker::new(TrackOptions::default());
    let huge = |x| Detection { rect: Rect::new(x, 0., 3e38, 3e38), confidence: 0.9 };
    tracker.update(&[huge(0.)], at(0));
    tracker.update(&[huge(1e38)], at(1));
    tracker.predict(at(900));
    assert!(tracker.tracks().is_empty());
}

#[test]
fn the_baseline_gives_a_new_id_every_scan() {
    let mut tracker = NullTracker::default();
    tracker.update(&[seen(0., 0.1)], at(0));
    tracker.update(&[seen(0., 0.1)], at(100));
    assert_eq!(ids(&tracker), [2]);
}

#[test]
fn where_a_face_glides_to_does_not_depend_on_how_often_one_asks() {
    let after = |steps: u64| {
        let mut tracker = IouTracker::new(TrackOptions::default());
        for (millis, x) in [(0, 0.0), (100, 20.0), (200, 40.0)] {
            tracker.update(&[seen(x, 0.9)], at(millis));
        }
        (1..=steps).for_each(|step| tracker.predict(at(200 + 800 * step / steps)));
        tracker.tracks()[0].rect.x
    };
    let once = after(1);
    assert!(once > 45.0, "{once}");
    assert!([2, 8, 80].iter().all(|steps| (after(*steps) - once).abs() < 0.01));
}
