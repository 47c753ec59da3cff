use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use fer_core::config::Config;
use fer_core::detect::Detection;
use fer_core::geometry::Rect;
use fer_core::registry::trackers;
use fer_core::time::MediaTime;
use fer_core::track::{Track, Tracker};
use proptest::prelude::*;

use crate::support::{any_detection, cases, origin, step};

/// What may be done to a tracker.
#[derive(Clone, Debug)]
enum Act {
    Scan(Vec<Detection>),
    /// The detections of the last scan again, moved by a little.
    Again(f32),
    Predict,
    Reset,
}

fn acts() -> impl Strategy<Value = Vec<(Duration, Act)>> {
    let act = prop_oneof![
        4 => prop::collection::vec(any_detection(), 0..6).prop_map(Act::Scan),
        4 => (-20.0..20.0_f32).prop_map(Act::Again),
        3 => Just(Act::Predict),
        1 => Just(Act::Reset),
    ];
    prop::collection::vec((step(), act), 1..40)
}

/// Performs acts, the first at `origin`; gives the tracks after each.
fn perform(
    tracker: &mut dyn Tracker,
    acts: &[(Duration, Act)],
    origin: Duration,
    mut check: impl FnMut(&[Track], &[Detection], MediaTime, bool),
) {
    let mut now = MediaTime::ZERO + origin;
    let mut last = Vec::new();
    for (step, act) in acts {
        now = now + *step;
        let mut scanned = &[] as &[Detection];
        match act {
            Act::Scan(faces) => last.clone_from(faces),
            Act::Again(shift) => {
                for face in &mut last {
                    face.rect.x += shift;
                    face.rect.h += shift / 4.0;
                }
            }
            Act::Predict => tracker.predict(now),
            Act::Reset => tracker.reset(),
        }
        if matches!(act, Act::Scan(_) | Act::Again(_)) {
            tracker.update(&last, now);
            scanned = &last;
        }
        check(tracker.tracks(), scanned, now, matches!(act, Act::Reset));
    }
}

/// A face may be missed by three scans that are a minute apart, and then not be looked for.
const LONGEST: Duration = Duration::from_secs(183);

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn tracks_are_sound_whatever_detectors_say(acts in acts()) {
        for name in trackers().names() {
            let config = Config::default();
            let mut tracker = trackers().build(name, &config).unwrap();
            let (mut known, mut highest) = (BTreeSet::new(), 0);
            let mut recent: VecDeque<(MediaTime, usize)> = VecDeque::new();
            perform(&mut *tracker, &acts, Duration::ZERO, |tracks, scanned, now, reset| {
                let ids: Vec<u64> = tracks.iter().map(|track| track.id).collect();
                assert!(ids.is_sorted_by(|a, b| a < b) && !ids.contains(&0), "{name}: {ids:?}");
                for id in &ids {
                    assert!(known.contains(id) || *id > highest, "{name}: {id} was used before");
                }
                highest = highest.max(ids.last().copied().unwrap_or(0));
                known = ids.into_iter().collect();
                for track in tracks {
                    assert!(track.rect.is_valid() && track.last_seen <= now, "{name}: {track:?}");
                }
                if reset {
                    assert!(tracks.is_empty(), "{name}");
                    recent.clear();
                }
                // A scan makes no more tracks than it has faces, and none outlives the limit.
                recent.push_back((now, scanned.len()));
                recent.retain(|(seen, _)| now.since(*seen) < LONGEST);
                if name != "none" {
                    let most: usize = recent.iter().map(|(_, faces)| faces).sum();
                    assert!(tracks.len() <= most, "{name}: {} of {most}", tracks.len());
                } else if !scanned.is_empty() {
                    assert!(tracks.len() <= scanned.len(), "{name}");
                }
            });
        }
    }

    #[test]
    fn tracks_do_not_depend_on_the_origin_of_time(acts in acts(), origin in origin()) {
        for name in trackers().names() {
            let run = |origin: Duration| {
                let mut tracker = trackers().build(name, &Config::default()).unwrap();
                let (mut told, start) = (Vec::new(), MediaTime::ZERO + origin);
                perform(&mut *tracker, &acts, origin, |tracks, _, _, _| {
                    for track in tracks {
                        let seen = track.last_seen.since(start);
                        told.push((seen, track.id, track.rect, track.confirmed));
                    }
                });
                told
            };
            prop_assert_eq!(run(Duration::ZERO), run(origin), "{}", name);
        }
    }

    /// What is found next is the same face if the two overlap enough, or are near.
    #[test]
    fn a_face_that_is_near_is_the_same(
        shift in (-300.0..300.0_f32, -300.0..300.0_f32), millis in 1..1000_u64,
    ) {
        let mut tracker = trackers().build("iou", &Config::default()).unwrap();
        let first = Rect::new(500., 500., 200., 200.);
        let then = Rect { x: first.x + shift.0, y: first.y + shift.1, ..first };
        for (rect, millis) in [(first, 0), (then, millis)] {
            let face = Detection { rect, confidence: 0.9 };
            tracker.update(&[face], MediaTime::from_millis(millis));
        }
        let moved = shift.0.hypot(shift.1) / 200.0;
        prop_assume!((moved - 1.2).abs() > 1e-4);
        prop_assert_eq!(tracker.tracks().len(), if moved < 1.2 { 1 } else { 2 });
    }

    /// However a face moves, if each step is within the bounds of the property before, by overlap at any
    /// rate, there is one.
    #[test]
    fn a_face_that_is_seen_in_every_scan_stays_one(
        steps in prop::collection::vec((-40.0..40.0_f32, -40.0..40.0_f32), 1..60),
        millis in 30..500_u64,
    ) {
        let mut tracker = trackers().build("iou", &Config::default()).unwrap();
        let mut rect = Rect::new(500., 500., 200., 200.);
        for (index, (dx, dy)) in steps.iter().enumerate() {
            (rect.x, rect.y) = (rect.x + dx, rect.y + dy);
            let now = MediaTime::from_millis(millis * index as u64);
            tracker.update(&[Detection { rect, confidence: 0.9 }], now);
            let ids: Vec<u64> = tracker.tracks().iter().map(|track| track.id).collect();
            prop_assert_eq!(ids, [1]);
            prop_assert!(tracker.tracks()[0].rect.iou(&rect) > 0.5);
        }
    }
}
