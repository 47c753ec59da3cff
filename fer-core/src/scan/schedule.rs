//! What kind of scan is due.

use std::time::Duration;

use super::Scan;
use crate::time::{MediaTime, is_due};

/// A picture in which nothing moves is looked at as a whole so many times less often. Not never: what
/// was overlooked may be found, and what was invented forgotten.
const STILL: u32 = 4;
/// So many times less often than large ones, small faces are looked for in the whole frame.
const SMALL: u32 = 4;

/// So many times less often than others, faint faces are looked for.
const FAINT: u32 = 2;

/// What a look has not found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Large faces.
    Large,
    /// Small ones, and perhaps large ones too.
    Small,
}

/// Decides where faces are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScanSchedule {
    /// When faces were last looked for at all, how far the last looks were apart, the last one first, and
    /// when it was in the whole frame.
    last: Option<MediaTime>,
    apart: [Option<Duration>; 2],
    last_frame: Option<MediaTime>,
    /// When it was for small faces too.
    last_all: Option<MediaTime>,
    /// When it was for faint faces.
    last_faint: Option<MediaTime>,
    /// A known face was not found where it should be: it may have moved further.
    missed: Option<Missed>,
    /// Something has moved since small faces were last looked for everywhere.
    has_moved: bool,
}

impl ScanSchedule {
    /// What is due: a scan each `inference_interval`; of the whole frame if `scan_interval` has passed since the last
    /// one of that kind, if a face was missed, or if none is known. Where nothing has moved since,
    /// other than known faces, four times that interval must pass: a face that comes moves something,
    /// and the same picture shows the same faces. Four times as long passes between two looks for small
    /// faces, unless one was missed.
    pub(crate) fn due(
        &mut self,
        inference_interval: Duration,
        scan_interval: Duration,
        knows_faces: bool,
        now: MediaTime,
        has_moved: impl FnOnce() -> bool,
    ) -> Scan {
        let due = |last, interval| is_due(last, interval, now);
        if !due(self.last, inference_interval) {
            return Scan::None;
        }
        let is_missed = self.missed.is_some();
        let is_time = due(self.last_frame, scan_interval);
        let wanted = is_missed || !knows_faces || is_time;
        // A look for large faces may have overlooked what moved.
        let overlooked = self.has_moved && is_time && due(self.last_all, SMALL * scan_interval);
        let has_moved = wanted && has_moved();
        let forced = is_missed || overlooked || due(self.last_frame, STILL * scan_interval);
        if !forced && !has_moved {
            return if knows_faces { Scan::Local } else { Scan::None };
        }
        self.has_moved |= has_moved;
        let small = if self.has_moved { SMALL } else { SMALL * STILL };
        if self.missed == Some(Missed::Small) || due(self.last_all, small * scan_interval) {
            Scan::Full
        } else {
            Scan::Large
        }
    }

    /// Whether faint faces are due as well where a look in the whole frame has found nobody: seldom, as
    /// such a look takes as long as the other.
    pub(crate) fn faint_due(&mut self, interval: Duration, now: MediaTime) -> bool {
        let due = is_due(self.last_faint, FAINT * interval, now);
        if due {
            self.last_faint = Some(now);
        }
        due
    }

    /// The scan of the whole frame for faces that have left their places since the last scan: for small
    /// ones too if one of them is `small`, or it is time for those anyway. What has moved is remembered.
    pub(crate) fn for_escaped(
        &mut self,
        small: bool,
        has_moved: bool,
        scan_interval: Duration,
        now: MediaTime,
    ) -> Scan {
        self.has_moved |= has_moved;
        let interval = if self.has_moved { SMALL } else { SMALL * STILL } * scan_interval;
        if small || is_due(self.last_all, interval, now) { Scan::Full } else { Scan::Large }
    }

    /// When faces were last looked for.
    pub(crate) const fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// How far looks are apart; zero before there were two. One pause between them says nothing of those
    /// that come.
    pub(crate) fn apart(&self) -> Duration {
        self.apart.iter().flatten().min().copied().unwrap_or_default()
    }

    /// Whether the last look was one in the whole frame.
    pub(crate) fn was_whole(&self) -> bool {
        self.last.is_some() && self.last == self.last_frame
    }

    /// Faces were looked for.
    pub(crate) fn done(&mut self, scan: Scan, missed: Option<Missed>, now: MediaTime) {
        match scan {
            Scan::None => return,
            Scan::Local => self.missed = missed,
            Scan::Large => (self.last_frame, self.missed) = (Some(now), None),
            Scan::Full => {
                (self.last_frame, self.missed) = (Some(now), None);
                (self.last_all, self.has_moved) = (Some(now), false);
            }
        }
        // Two scans at the same time say nothing of how far they are apart.
        if let Some(last) = self.last.replace(now).filter(|last| *last < now) {
            self.apart = [Some(now.since(last)), self.apart[0]];
        }
    }

    /// Everything is due again.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFERENCE: Duration = Duration::from_millis(100);
    const SCAN: Duration = Duration::from_millis(300);

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn the_frame_is_searched_now_and_then_and_known_faces_in_between() {
        let look = |scans: &mut ScanSchedule, knows, millis| {
            scans.due(INFERENCE, SCAN, knows, at(millis), || true)
        };
        let mut scans = ScanSchedule::default();
        let mut seen = Vec::new();
        for millis in (0..1300).step_by(50) {
            let scan = look(&mut scans, true, millis);
            scans.done(scan, None, at(millis));
            if scan != Scan::None {
                seen.push((millis, scan));
            }
        }
        let expected = (0..13).map(|look| match look {
            0 | 12 => (100 * look, Scan::Full),
            3 | 6 | 9 => (100 * look, Scan::Large),
            _ => (100 * look, Scan::Local),
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        // Nobody is known: there is only the frame to look at.
        assert_eq!(look(&mut scans, false, 1300), Scan::Large);
        for (missed, expected) in [(Missed::Large, Scan::Large), (Missed::Small, Scan::Full)] {
            scans.done(Scan::Local, Some(missed), at(1300));
            assert_eq!(look(&mut scans, true, 1350), Scan::None);
            assert_eq!(look(&mut scans, true, 1400), expected, "{missed:?} was missed");
        }
        scans.reset();
        assert_eq!(look(&mut scans, true, 1401), Scan::Full);
    }

    #[test]
    fn faint_faces_are_looked_for_half_as_often_as_others() {
        let mut scans = ScanSchedule::default();
        let due = |millis: &u64| scans.faint_due(SCAN, at(*millis));
        let looks: Vec<u64> = (0..1000).step_by(100).filter(due).collect();
        assert_eq!(looks, [0, 600]);
        scans.reset();
        assert!(scans.faint_due(SCAN, at(901)));
    }

    #[test]
    fn faces_that_leave_their_places_again_and_again_hide_no_small_ones() {
        let mut scans = ScanSchedule::default();
        scans.done(Scan::Full, None, at(0));
        let mut full = Vec::new();
        for millis in (100..3700).step_by(100) {
            let scan = scans.for_escaped(false, true, SCAN, at(millis));
            scans.done(scan, None, at(millis));
            full.extend((scan == Scan::Full).then_some(millis));
        }
        assert_eq!(full, [1200, 2400, 3600]);
        assert_eq!(scans.for_escaped(true, false, SCAN, at(3700)), Scan::Full, "a small one");
        // Nothing else has moved.
        assert_eq!(scans.for_escaped(false, false, SCAN, at(4900)), Scan::Large);
        assert_eq!(scans.for_escaped(false, true, SCAN, at(4900)), Scan::Full);
    }

    #[test]
    fn where_faces_are_missed_again_and_again_small_ones_are_looked_for_as_often() {
        let mut scans = ScanSchedule::default();
        let mut all = Vec::new();
        for millis in (0..3700).step_by(100) {
            let scan = scans.due(INFERENCE, SCAN, true, at(millis), || true);
            // Each look near known faces misses one.
            scans.done(scan, Some(Missed::Large), at(millis));
            all.extend((scan == Scan::Full).then_some(millis));
        }
        assert_eq!(all, [0, 1200, 2400, 3600]);
    }

    #[test]
    fn a_still_picture_is_looked_at_four_times_less_often() {
        let look = |scans: &ScanSchedule, knows, moved, millis| {
            scans.clone().due(INFERENCE, SCAN, knows, at(millis), || moved)
        };
        let mut scans = ScanSchedule::default();
        scans.done(Scan::Full, None, at(0));
        assert_eq!(look(&scans, true, false, 300), Scan::Local);
        assert_eq!(look(&scans, true, true, 300), Scan::Large);
        assert_eq!(look(&scans, true, false, 1050), Scan::Local);
        assert_eq!(look(&scans, true, false, 1200), Scan::Large);
        assert_eq!(look(&scans, true, true, 1200), Scan::Full);
        assert_eq!(look(&scans, true, false, 4700), Scan::Large);
        assert_eq!(look(&scans, true, false, 4800), Scan::Full);
        // Nobody is known: whatever moves is looked at, and nothing else before the time.
        assert_eq!(look(&scans, false, true, 50), Scan::None);
        assert_eq!(look(&scans, false, true, 100), Scan::Large);
        assert_eq!(look(&scans, false, false, 1050), Scan::None);
        assert_eq!(look(&scans, false, false, 1200), Scan::Large);
        // What moved when small faces were not looked for, and stands still since.
        assert_eq!(scans.due(INFERENCE, SCAN, false, at(400), || true), Scan::Large);
        scans.done(Scan::Large, None, at(400));
        assert_eq!(look(&scans, false, false, 1100), Scan::None);
        assert_eq!(look(&scans, false, false, 1200), Scan::Full);
        scans.done(Scan::Local, Some(Missed::Large), at(400));
        assert_eq!(look(&scans, true, false, 500), Scan::Large, "a face was missed");
        let mut every = ScanSchedule::default();
        every.done(Scan::Full, None, at(0));
        let due = every.due(Duration::ZERO, Duration::ZERO, false, at(1), || false);
        assert_eq!(due, Scan::Full, "every frame");
    }
}
