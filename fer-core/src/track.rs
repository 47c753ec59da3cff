//! Faces keep their identity from scan to scan.

use std::time::Duration;

use crate::detect::Detection;
use crate::geometry::Rect;
use crate::time::MediaTime;

/// A face that is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// From 1, never used twice in a stream.
    pub id: u64,
    /// Where it is now, in pixels.
    pub rect: Rect,
    /// Of the last detection.
    pub confidence: f32,
    /// Whether it was seen often or clearly enough to be told of.
    pub confirmed: bool,
    /// When it was last detected.
    pub last_seen: MediaTime,
}

/// Links the detections of one scan to the faces known from earlier ones.
pub trait Tracker: Send {
    /// Takes a scan's result. Faces that it contains again keep their id.
    fn update(&mut self, detections: &[Detection], now: MediaTime);

    /// Moves the known faces on to a frame that was not scanned.
    fn predict(&mut self, now: MediaTime);

    /// All faces known, by ascending id, unconfirmed ones included.
    fn tracks(&self) -> &[Track];

    /// Forgets all faces. Ids are not used again.
    fn reset(&mut self);

    /// Uses no id up to this one, as another tracker has.
    fn go_on_after(&mut self, id: u64);

    /// Expects scans so far apart, until two of them have shown it.
    fn expect_scans_every(&mut self, interval: Duration);
}

/// Numbers of the [`IouTracker`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// A face not detected for so long is lost; one that was never confirmed, after half of it. Where
    /// scans are further apart, after three of them.
    pub lost_after: Duration,
    /// Scans that must show a face before it is told of, unless it is seen clearly: a false alarm
    /// seldom comes twice at one place.
    pub confirm_scans: u32,
    /// A first detection at least this confident needs no second scan.
    pub confirm_confidence: f32,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self { lost_after: Duration::from_millis(1200), confirm_scans: 2, confirm_confidence: 0.5 }
    }
}

/// Least overlap between a prediction and a detection of the same face. Low, because boxes of a
/// cascade breathe, and faces of one frame seldom overlap at all.
const MIN_IOU: f32 = 0.15;
/// A small face may move further than its size between two scans. What overlap leaves over is linked
/// if the centres are no further apart than this many sizes, and neither box is twice the other.
const MAX_SHIFT: f32 = 1.2;
const MAX_GROWTH: f32 = 1.6;
/// Gains of the g-h filter: the share of the residual that corrects place and velocity.
const GAIN_PLACE: f32 = 0.75;
const GAIN_VELOCITY: f32 = 0.2;
/// The second detection is the first that tells of velocity at all.
const GAIN_FIRST_VELOCITY: f32 = 0.5;
/// So many scans may miss a face, however long that takes.
const SCANS_MISSED: u32 = 3;
/// Two scans that are further apart say nothing of when the next one comes.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// A face that is not looked at slows down with this time constant, in seconds, lest its box run away.
const COAST_SECONDS: f32 = 0.2;

/// What is left of a face's velocity then.
fn decay(time: Duration) -> f32 {
    (-time.as_secs_f32() / COAST_SECONDS).exp()
}

/// How far it comes in that time, as a multiple of its velocity, in seconds.
pub(crate) fn coasted(time: Duration) -> f32 {
    COAST_SECONDS * (1.0 - decay(time))
}

/// Greedy matching by intersection over union, with a g-h filter on the centre.
#[derive(Debug)]
pub struct IouTracker {
    options: TrackOptions,
    next_id: u64,
    tracks: Vec<Track>,
    motions: Vec<Motion>,
    matching: Matching,
    /// When the last scan was.
    scanned: Option<MediaTime>,
    /// How far scans are to be apart.
    interval: Duration,
    /// How far they were last.
    gap: Duration,
}

/// What matching works in, kept from scan to scan so that no memory is asked for again.
#[derive(Debug, Default)]
struct Matching {
    /// Cost, track and detection of what may be one face.
    pairs: Vec<(f32, usize, usize)>,
    is_track_taken: Vec<bool>,
    is_detection_taken: Vec<bool>,
}

/// What is known of a track beside its public face.
#[derive(Clone, Copy, Debug)]
struct Motion {
    /// Pixels a second.
    velocity: (f32, f32),
    updated: MediaTime,
    hits: u32,
}

impl IouTracker {
    /// A tracker without faces.
    pub fn new(options: TrackOptions) -> Self {
        Self {
            options,
            next_id: 1,
            tracks: Vec::new(),
            motions: Vec::new(),
            matching: Matching::default(),
            scanned: None,
            interval: Duration::ZERO,
            gap: Duration::ZERO,
        }
    }

    /// Corrects each track by the detection that is the same face; marks those as taken.
    fn link(&mut self, detections: &[Detection], matching: &mut Matching, now: MediaTime) {
        let Matching { pairs, is_track_taken, is_detection_taken } = matching;
        pairs.clear();
        for (t, track) in self.tracks.iter().enumerate() {
            for (d, detection) in detections.iter().enumerate() {
                let is_box = detection.rect.is_valid();
                if let Some(cost) = is_box.then(|| cost(&track.rect, &detection.rect)).flatten() {
                    pairs.push((cost, t, d));
                }
            }
        }
        // Best pair first; equal ones in a fixed order, so that runs repeat exactly.
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        is_track_taken.clear();
        is_track_taken.resize(self.tracks.len(), false);
        is_detection_taken.clear();
        is_detection_taken.resize(detections.len(), false);
        for &(_, t, d) in &*pairs {
            if !is_track_taken[t] && !is_detection_taken[d] {
                is_track_taken[t] = true;
                is_detection_taken[d] = true;
                self.correct(t, &detections[d], now);
            }
        }
    }

    fn correct(&mut self, index: usize, detection: &Detection, now: MediaTime) {
        let (track, motion) = (&mut self.tracks[index], &mut self.motions[index]);
        let (cx, cy) = track.rect.center();
        let (dx, dy) = detection.rect.center();
        let seconds = now.since(track.last_seen).as_secs_f32();
        if seconds > 0.0 {
            let gain = if motion.hits == 1 { GAIN_FIRST_VELOCITY } else { GAIN_VELOCITY };
            motion.velocity.0 += gain * (dx - cx) / seconds;
            motion.velocity.1 += gain * (dy - cy) / seconds;
        }
        track.rect = track.rect.lerp(&detection.rect, GAIN_PLACE);
        track.confidence = detection.confidence;
        track.last_seen = now;
        motion.hits += 1;
        track.confirmed |= motion.hits >= self.options.confirm_scans
            || detection.confidence >= self.options.confirm_confidence;
    }

    fn add(&mut self, detection: &Detection, now: MediaTime) {
        self.tracks.push(Track {
            id: self.next_id,
            rect: detection.rect,
            confidence: detection.confidence,
            confirmed: self.options.confirm_scans <= 1
                || detection.confidence >= self.options.confirm_confidence,
            last_seen: now,
        });
        self.motions.push(Motion { velocity: (0.0, 0.0), updated: now, hits: 1 });
        self.next_id += 1;
    }

    fn retain(&mut self, keep: impl Fn(&Track) -> bool) {
        let mut tracks = self.tracks.iter();
        self.motions.retain(|_| tracks.next().is_some_and(&keep));
        self.tracks.retain(keep);
    }
}

/// How unlike two boxes are: below 1 where they overlap enough, above 1 where they are merely near,
/// `None` where they can't be one face.
fn cost(track: &Rect, detection: &Rect) -> Option<f32> {
    let iou = track.iou(detection);
    if iou >= MIN_IOU {
        return Some(1.0 - iou);
    }
    let ((ax, ay), (bx, by)) = (track.center(), detection.center());
    let shift = (ax - bx).hypot(ay - by) / track.h.max(detection.h);
    let growth = (track.h / detection.h).max(detection.h / track.h);
    (shift <= MAX_SHIFT && growth <= MAX_GROWTH).then_some(1.0 + shift)
}

impl Tracker for IouTracker {
    fn update(&mut self, detections: &[Detection], now: MediaTime) {
        self.predict(now);
        if let Some(before) = self.scanned.replace(now) {
            self.gap = now.since(before).min(LONGEST_GAP);
        }
        let mut matching = std::mem::take(&mut self.matching);
        self.link(detections, &mut matching, now);
        for (detection, is_taken) in detections.iter().zip(&matching.is_detection_taken) {
            if detection.rect.is_valid() && !is_taken {
                self.add(detection, now);
            }
        }
        self.matching = matching;
        // An unconfirmed face that the next scan doesn't show was a false alarm.
        self.retain(|track| track.rect.is_valid() && (track.confirmed || track.last_seen == now));
    }

    fn predict(&mut self, now: MediaTime) {
        for (track, motion) in self.tracks.iter_mut().zip(&mut self.motions) {
            let passed = now.since(motion.updated);
            let (way, decay) = (coasted(passed), decay(passed));
            track.rect.x += motion.velocity.0 * way;
            track.rect.y += motion.velocity.1 * way;
            motion.velocity = (motion.velocity.0 * decay, motion.velocity.1 * decay);
            motion.updated = now;
        }
        let lost_after = self.options.lost_after.max(SCANS_MISSED * self.gap);
        self.retain(|track| {
            let limit = if track.confirmed { lost_after } else { lost_after / 2 };
            // A box may move further than numbers go.
            track.rect.is_valid() && now.since(track.last_seen) < limit
        });
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn reset(&mut self) {
        self.tracks.clear();
        self.motions.clear();
        self.scanned = None;
        self.gap = self.interval;
    }

    fn go_on_after(&mut self, id: u64) {
        self.next_id = self.next_id.max(id + 1);
    }

    fn expect_scans_every(&mut self, interval: Duration) {
        self.interval = interval.min(LONGEST_GAP);
        self.gap = self.interval;
    }
}

/// The baseline: every detection is a new face, known until the next scan.
#[derive(Debug, Default)]
pub struct NullTracker {
    last_id: u64,
    tracks: Vec<Track>,
}

impl Tracker for NullTracker {
    fn update(&mut self, detections: &[Detection], now: MediaTime) {
        self.tracks.clear();
        for detection in detections.iter().filter(|detection| detection.rect.is_valid()) {
            self.last_id += 1;
            self.tracks.push(Track {
                id: self.last_id,
                rect: detection.rect,
                confidence: detection.confidence,
                confirmed: true,
                last_seen: now,
            });
        }
    }

    fn predict(&mut self, _: MediaTime) {}

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn reset(&mut self) {
        self.tracks.clear();
    }

    fn go_on_after(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
    }

    fn expect_scans_every(&mut self, _: Duration) {}
}

#[cfg(test)]
mod tests {
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
    fn a_face_unseen_for_the_limit_is_lost_and_its_id_not_reused() {
        let mut tracker = IouTracker::new(TrackOptions::default());
        tracker.update(&[seen(0., 0.9)], at(0));
        tracker.predict(at(1199));
        assert_eq!(ids(&tracker), [1]);
        tracker.predict(at(1200));
        assert_eq!(ids(&tracker), [] as [u64; 0]);
        tracker.update(&[seen(0., 0.9)], at(1300));
        assert_eq!(ids(&tracker), [2]);
        // What was seen once, and not clearly, is forgotten sooner.
        tracker.update(&[seen(500., 0.1)], at(1400));
        tracker.predict(at(1999));
        assert_eq!(tracker.tracks().len(), 2);
        tracker.predict(at(2000));
        assert_eq!(tracker.tracks().len(), 1);
        tracker.reset();
        tracker.update(&[seen(0., 0.9)], at(0));
        assert_eq!(ids(&tracker), [4]);
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
        tracker.predict(at(7999));
        assert_eq!(ids(&tracker), [1]);
        tracker.predict(at(8000));
        assert_eq!(ids(&tracker), [] as [u64; 0]);
        // Not expected: the first is lost, then it is known how far scans are apart.
        let mut tracker = IouTracker::new(TrackOptions::default());
        for second in 0..4 {
            tracker.update(&[seen(0., 0.9)], at(second * 2000));
        }
        assert_eq!(ids(&tracker), [2]);
        // A pause of an hour says nothing of the next scan.
        tracker.update(&[seen(0., 0.9)], at(3_606_000));
        assert_eq!(ids(&tracker), [3]);
        tracker.update(&[seen(0., 0.9)], at(3_606_100));
        tracker.predict(at(3_607_300));
        assert_eq!(ids(&tracker), [] as [u64; 0]);
    }

    #[test]
    fn a_face_that_jumps_by_its_own_size_keeps_its_id_and_a_far_one_does_not() {
        let mut tracker = IouTracker::new(TrackOptions::default());
        tracker.update(&[seen(0., 0.9)], at(0));
        tracker.update(&[seen(110., 0.9)], at(100));
        assert_eq!(ids(&tracker), [1]);
        tracker.update(&[seen(600., 0.9)], at(200));
        assert_eq!(ids(&tracker), [1, 2]);
    }

    #[test]
    fn overlap_goes_before_nearness() {
        let mut tracker = IouTracker::new(TrackOptions::default());
        tracker.update(&[seen(0., 0.9), seen(100., 0.9)], at(0));
        // Between the two: overlaps the second, is merely near the first.
        tracker.update(&[seen(95., 0.9)], at(100));
        assert_eq!(tracker.tracks()[0].last_seen, at(0));
        assert_eq!(tracker.tracks()[1].last_seen, at(100));
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
}
