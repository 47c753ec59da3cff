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

    /// Expects scans so far apart, or as far as the last ones were, until two more have shown it.
    fn expect_scans_every(&mut self, interval: Duration);
}

/// Numbers of the [`IouTracker`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// A face that scans have not found for so long is lost; one that was never confirmed, after half of
    /// it. Where scans are further apart, after three of them; where there are none, three seconds later.
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
/// if neither box is twice the other, and the centres are no further apart than this many sizes.
const MAX_SHIFT: f32 = 1.2;
/// Where there is more than one that it could be, no further than this many, and so many more a second
/// since it was last seen: within a moment nobody takes another one's place.
const MIN_SHIFT: f32 = 0.4;
const SHIFT_A_SECOND: f32 = 3.0;
/// After so many seconds a face that moves may well be beside itself, and is seen twice there.
const LONG: f32 = 0.3;
const MAX_GROWTH: f32 = 1.6;
/// Gains of the g-h filter: the share of the residual that corrects place and velocity.
const GAIN_PLACE: f32 = 0.75;
const GAIN_VELOCITY: f32 = 0.2;
/// The second detection is the first that tells of velocity at all.
const GAIN_FIRST_VELOCITY: f32 = 0.5;
/// So many scans may miss a face, however long that takes.
const SCANS_MISSED: u32 = 3;
/// Where nobody looks, as in a pause, nobody is lost for so long. Beyond it others may be there.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
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
    /// How many others each track and each detection may be one face with.
    choices: (Vec<u32>, Vec<u32>),
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
        let Matching { pairs, choices, is_track_taken, is_detection_taken } = matching;
        pairs.clear();
        for (t, track) in self.tracks.iter().enumerate() {
            for (d, detection) in detections.iter().enumerate() {
                let is_box = detection.rect.is_valid();
                let cost = is_box.then(|| cost(&track.rect, &detection.rect)).flatten();
                pairs.extend(cost.map(|cost| (cost, t, d)));
            }
        }
        self.leave_out_doubtful(pairs, choices, detections.len(), now);
        // Best pair first; equal ones in a fixed order, so that runs repeat exactly.
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        is_track_taken.clear();
        is_track_taken.resize(self.tracks.len(), false);
        is_detection_taken.clear();
        is_detection_taken.resize(detections.len(), false);
        for &(cost, t, d) in &*pairs {
            if !is_track_taken[t] && !is_detection_taken[d] {
                is_track_taken[t] = true;
                is_detection_taken[d] = true;
                self.correct(t, &detections[d], cost < MERELY_NEAR, now);
            }
        }
    }

    /// Leaves out pairs that are far apart for the time that has passed, where another could be meant.
    fn leave_out_doubtful(
        &self,
        pairs: &mut Vec<(f32, usize, usize)>,
        (of_tracks, of_detections): &mut (Vec<u32>, Vec<u32>),
        detections: usize,
        now: MediaTime,
    ) {
        of_tracks.clear();
        of_tracks.resize(self.tracks.len(), 0);
        of_detections.clear();
        of_detections.resize(detections, 0);
        for &(_, t, d) in &*pairs {
            of_tracks[t] += 1;
            of_detections[d] += 1;
        }
        pairs.retain(|&(cost, t, d)| {
            let unseen = now.since(self.tracks[t].last_seen).as_secs_f32();
            let is_near = cost <= MERELY_NEAR + MIN_SHIFT + SHIFT_A_SECOND * unseen;
            is_near || (of_tracks[t] == 1 && of_detections[d] == 1)
        });
    }

    fn correct(&mut self, index: usize, detection: &Detection, overlaps: bool, now: MediaTime) {
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
        // Two false alarms beside each other, one shortly after the other, are no face.
        motion.hits += u32::from(overlaps || track.confirmed || seconds >= LONG);
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

    /// Forgets whom scans have not found for too long.
    fn lose(&mut self, now: MediaTime) {
        let lost_after = self.options.lost_after.max(SCANS_MISSED * self.gap);
        // Nobody has looked since the last scan: that misses no face.
        let pause = self.scanned.map_or(Duration::ZERO, |last| now.since(last)).min(LONGEST_PAUSE);
        self.retain(|track| {
            let limit = if track.confirmed { lost_after } else { lost_after / 2 };
            // A box may move further than numbers go.
            track.rect.is_valid() && now.since(track.last_seen) < limit + pause
        });
    }

    fn retain(&mut self, keep: impl Fn(&Track) -> bool) {
        let mut tracks = self.tracks.iter();
        self.motions.retain(|_| tracks.next().is_some_and(&keep));
        self.tracks.retain(keep);
    }
}

/// The least [`cost`] of two boxes that do not overlap enough.
const MERELY_NEAR: f32 = 1.0;

/// How unlike a track and a detection are: below 1 where they overlap enough, from 1 on where they are
/// merely near, `None` where they can't be one face.
fn cost(track: &Rect, detection: &Rect) -> Option<f32> {
    let iou = track.iou(detection);
    if iou >= MIN_IOU {
        return Some(1.0 - iou);
    }
    let ((ax, ay), (bx, by)) = (track.center(), detection.center());
    let shift = (ax - bx).hypot(ay - by) / track.h.max(detection.h);
    let growth = (track.h / detection.h).max(detection.h / track.h);
    (shift <= MAX_SHIFT && growth <= MAX_GROWTH).then_some(MERELY_NEAR + shift)
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
        self.retain(|track| track.confirmed || track.last_seen == now);
        self.lose(now);
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
        self.lose(now);
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
        // Where frames come more seldom than that, it says nothing of scans.
        self.gap = self.gap.max(self.interval);
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
mod tests;
