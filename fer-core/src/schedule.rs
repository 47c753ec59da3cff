//! What is due in a frame: a scan for faces, a classification, or nothing.

use std::time::Duration;

use crate::frame::Frame;
use crate::geometry::Rect;
use crate::thumbnail::Thumbnail;
use crate::time::MediaTime;

/// Frame times are rounded to nanoseconds or milliseconds; an interval of three frames is not to
/// become one of four for it.
const ROUNDING: Duration = Duration::from_millis(2);

/// Whether `interval` has passed since `last`; always due when there was none.
pub fn is_due(last: Option<MediaTime>, interval: Duration, now: MediaTime) -> bool {
    last.is_none_or(|last| now.since(last) + ROUNDING >= interval)
}

/// Where faces are looked for in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Everywhere, for faces of all sizes.
    All,
    /// Everywhere, for large faces alone, which takes a quarter of the time.
    Large,
    /// Around the known faces.
    Faces,
    /// Nowhere: known faces are carried on.
    Nothing,
}

/// A picture in which nothing moves is looked at as a whole so many times less often. Not never: what
/// was overlooked may be found, and what was invented forgotten.
const STILL: u32 = 4;
/// So many times less often than large ones, small faces are looked for in the whole frame.
const SMALL: u32 = 4;

/// What a look has not found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Large faces.
    Large,
    /// Small ones, and perhaps large ones too.
    Small,
}

/// Decides where faces are looked for.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    /// When faces were last looked for at all, how far the last looks were apart, the last one first, and
    /// when it was in the whole frame.
    last: Option<MediaTime>,
    apart: [Option<Duration>; 2],
    last_frame: Option<MediaTime>,
    /// When it was for small faces too.
    last_all: Option<MediaTime>,
    /// A known face was not found where it should be: it may have moved further.
    missed: Option<Missed>,
    /// Something has moved since small faces were last looked for everywhere.
    has_moved: bool,
}

impl Searches {
    /// What is due: a look each `interval`; everywhere if `scan_interval` has passed since the last
    /// one of that kind, if a face was missed, or if none is known. Where nothing has moved since,
    /// other than known faces, four times that interval must pass: a face that comes moves something,
    /// and the same picture shows the same faces. Four times as long passes between two looks for small
    /// faces, unless one was missed.
    pub fn due(
        &mut self,
        (interval, scan_interval): (Duration, Duration),
        knows_faces: bool,
        now: MediaTime,
        has_moved: impl FnOnce() -> bool,
    ) -> Search {
        let due = |last, interval| is_due(last, interval, now);
        if !due(self.last, interval) {
            return Search::Nothing;
        }
        let is_missed = self.missed.is_some();
        let is_time = due(self.last_frame, scan_interval);
        let wanted = is_missed || !knows_faces || is_time;
        // A look for large faces may have overlooked what moved.
        let overlooked = self.has_moved && is_time && due(self.last_all, SMALL * scan_interval);
        let has_moved = wanted && has_moved();
        let forced = is_missed || overlooked || due(self.last_frame, STILL * scan_interval);
        if !forced && !has_moved {
            return if knows_faces { Search::Faces } else { Search::Nothing };
        }
        self.has_moved |= has_moved;
        let small = if self.has_moved { SMALL } else { SMALL * STILL };
        if self.missed == Some(Missed::Small) || due(self.last_all, small * scan_interval) {
            Search::All
        } else {
            Search::Large
        }
    }

    /// When faces were last looked for.
    pub const fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// How far looks are apart; zero before there were two. One pause between them says nothing of those
    /// that come.
    pub fn apart(&self) -> Duration {
        self.apart.iter().flatten().min().copied().unwrap_or_default()
    }

    /// Whether the last look was one in the whole frame.
    pub fn was_whole(&self) -> bool {
        self.last.is_some() && self.last == self.last_frame
    }

    /// Faces were looked for.
    pub fn done(&mut self, search: Search, missed: Option<Missed>, now: MediaTime) {
        match search {
            Search::Nothing => return,
            Search::Faces => self.missed = missed,
            Search::Large => (self.last_frame, self.missed) = (Some(now), None),
            Search::All => {
                (self.last_frame, self.missed) = (Some(now), None);
                (self.last_all, self.has_moved) = (Some(now), false);
            }
        }
        if let Some(last) = self.last.replace(now) {
            self.apart = [Some(now.since(last)), self.apart[0]];
        }
    }

    /// Everything is due again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// An element upstream that has found nobody for longer than that has looked, however seldom it does.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// Tells frames in which an element upstream has found nobody from those in which it has not looked: it
/// may do so in each fifth one alone, and say nothing of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upstream {
    /// When it last found somebody, and how long after the time before.
    last: Option<MediaTime>,
    apart: Duration,
}

impl Upstream {
    /// Whether it has looked in a frame: it finds somebody, or has not for `interval`, or for as long as
    /// it did not between the last two times.
    pub fn has_looked(&mut self, finds: bool, interval: Duration, now: MediaTime) -> bool {
        if finds {
            let apart = self.last.replace(now).map_or(Duration::ZERO, |last| now.since(last));
            // After an absence it says nothing of how often it looks.
            self.apart = if apart > LONGEST_SILENCE { Duration::ZERO } else { apart };
        }
        finds || is_due(self.last, interval.max(self.apart), now)
    }
}

/// When a known face is classified again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReclassifyOptions {
    /// At the latest after so long.
    pub interval: Duration,
    /// When its centre has moved by this fraction of its size, or its size changed by it.
    pub movement: f32,
    /// When its picture has changed by this much: the [difference](Thumbnail::difference) of
    /// thumbnails, where 1 is the picture's own standard deviation.
    pub appearance: f32,
}

impl Default for ReclassifyOptions {
    fn default() -> Self {
        Self { interval: Duration::from_millis(200), movement: 0.15, appearance: 0.35 }
    }
}

/// How a face looked when it was last classified.
#[derive(Clone, Debug)]
pub struct Appearance {
    time: MediaTime,
    rect: Rect,
    thumbnail: Thumbnail,
}

impl Appearance {
    /// Remembers the face at `rect` (pixels of `frame`).
    pub fn new(frame: &Frame<'_>, rect: &Rect, now: MediaTime) -> Self {
        Self { time: now, rect: *rect, thumbnail: Thumbnail::new(frame, rect) }
    }

    /// When that was.
    pub const fn time(&self) -> MediaTime {
        self.time
    }

    /// Whether the face has moved or changed enough, or long enough ago, to be looked at again.
    pub fn is_stale(
        &self,
        options: &ReclassifyOptions,
        frame: &Frame<'_>,
        rect: &Rect,
        now: MediaTime,
    ) -> bool {
        is_due(Some(self.time), options.interval, now)
            || self.movement(rect, frame.pixel_aspect()) >= options.movement
            || self.thumbnail.difference(&Thumbnail::new(frame, rect)) >= options.appearance
    }

    /// The larger of shift and change of size, as a fraction of the size.
    fn movement(&self, rect: &Rect, pixel_aspect: f32) -> f32 {
        let ((ax, ay), (bx, by)) = (self.rect.center(), rect.center());
        let size = self.rect.h.max(1.0);
        let shift = ((ax - bx) * pixel_aspect).hypot(ay - by) / size;
        shift.max((rect.h - self.rect.h).abs() / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn an_interval_of_three_frames_is_three_frames() {
        let interval = Duration::from_millis(100);
        let frame = |n: u64| MediaTime::from_nanos(n * 33_333_333);
        assert!(is_due(None, interval, frame(0)));
        assert!(!is_due(Some(frame(0)), interval, frame(2)));
        assert!(is_due(Some(frame(0)), interval, frame(3)));
    }

    const INTERVALS: (Duration, Duration) =
        (Duration::from_millis(100), Duration::from_millis(300));

    #[test]
    fn the_frame_is_searched_now_and_then_and_known_faces_in_between() {
        let look = |searches: &mut Searches, knows, millis| {
            searches.due(INTERVALS, knows, at(millis), || true)
        };
        let mut searches = Searches::default();
        let mut seen = Vec::new();
        for millis in (0..1300).step_by(50) {
            let search = look(&mut searches, true, millis);
            searches.done(search, None, at(millis));
            if search != Search::Nothing {
                seen.push((millis, search));
            }
        }
        let expected = (0..13).map(|look| match look {
            0 | 12 => (100 * look, Search::All),
            3 | 6 | 9 => (100 * look, Search::Large),
            _ => (100 * look, Search::Faces),
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        // Nobody is known: there is only the frame to look at.
        assert_eq!(look(&mut searches, false, 1300), Search::Large);
        for (missed, expected) in [(Missed::Large, Search::Large), (Missed::Small, Search::All)] {
            searches.done(Search::Faces, Some(missed), at(1300));
            assert_eq!(look(&mut searches, true, 1350), Search::Nothing);
            assert_eq!(look(&mut searches, true, 1400), expected, "{missed:?} was missed");
        }
        searches.reset();
        assert_eq!(look(&mut searches, true, 1401), Search::All);
    }

    #[test]
    fn where_faces_are_missed_again_and_again_small_ones_are_looked_for_as_often() {
        let mut searches = Searches::default();
        let mut all = Vec::new();
        for millis in (0..3700).step_by(100) {
            let search = searches.due(INTERVALS, true, at(millis), || true);
            // Each look near known faces misses one.
            searches.done(search, Some(Missed::Large), at(millis));
            all.extend((search == Search::All).then_some(millis));
        }
        assert_eq!(all, [0, 1200, 2400, 3600]);
    }

    #[test]
    fn a_still_picture_is_looked_at_four_times_less_often() {
        let look = |searches: &Searches, knows, moved, millis| {
            searches.clone().due(INTERVALS, knows, at(millis), || moved)
        };
        let mut searches = Searches::default();
        searches.done(Search::All, None, at(0));
        assert_eq!(look(&searches, true, false, 300), Search::Faces);
        assert_eq!(look(&searches, true, true, 300), Search::Large);
        assert_eq!(look(&searches, true, false, 1050), Search::Faces);
        assert_eq!(look(&searches, true, false, 1200), Search::Large);
        assert_eq!(look(&searches, true, true, 1200), Search::All);
        assert_eq!(look(&searches, true, false, 4700), Search::Large);
        assert_eq!(look(&searches, true, false, 4800), Search::All);
        // Nobody is known: whatever moves is looked at, and nothing else before the time.
        assert_eq!(look(&searches, false, true, 50), Search::Nothing);
        assert_eq!(look(&searches, false, true, 100), Search::Large);
        assert_eq!(look(&searches, false, false, 1050), Search::Nothing);
        assert_eq!(look(&searches, false, false, 1200), Search::Large);
        // What moved when small faces were not looked for, and stands still since.
        assert_eq!(searches.due(INTERVALS, false, at(400), || true), Search::Large);
        searches.done(Search::Large, None, at(400));
        assert_eq!(look(&searches, false, false, 1100), Search::Nothing);
        assert_eq!(look(&searches, false, false, 1200), Search::All);
        searches.done(Search::Faces, Some(Missed::Large), at(400));
        assert_eq!(look(&searches, true, false, 500), Search::Large, "a face was missed");
        let mut every = Searches::default();
        every.done(Search::All, None, at(0));
        let zero = (Duration::ZERO, Duration::ZERO);
        assert_eq!(every.due(zero, false, at(1), || false), Search::All, "every frame");
    }

    fn picture(brightness: u8, bar: usize) -> Vec<u8> {
        (0..64 * 64).map(|i| brightness + if (i % 64) / 16 == bar { 100 } else { 0 }).collect()
    }

    #[test]
    fn a_face_is_stale_by_time_movement_or_appearance() {
        let options = ReclassifyOptions::default();
        let data = picture(20, 1);
        let frame = Frame::grey(64, 64, &data).unwrap();
        let rect = Rect::new(0., 0., 64., 64.);
        let seen = Appearance::new(&frame, &rect, at(0));
        assert!(!seen.is_stale(&options, &frame, &rect, at(100)));
        assert!(seen.is_stale(&options, &frame, &rect, at(200)));
        assert!(seen.is_stale(&options, &frame, &Rect::new(12., 0., 64., 64.), at(100)));
        assert!(seen.is_stale(&options, &frame, &Rect::new(-6., -6., 76., 76.), at(100)));

        let brighter = picture(60, 1);
        let frame = Frame::grey(64, 64, &brighter).unwrap();
        assert!(!seen.is_stale(&options, &frame, &rect, at(100)), "light alone");
        let changed = picture(20, 2);
        let frame = Frame::grey(64, 64, &changed).unwrap();
        assert!(seen.is_stale(&options, &frame, &rect, at(100)), "another picture");
    }
}
