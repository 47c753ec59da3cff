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
    /// Everywhere.
    Frame,
    /// Around the known faces.
    Faces,
    /// Nowhere: known faces are carried on.
    Nothing,
}

/// A picture in which nothing moves is looked at as a whole so many times less often. Not never: what
/// was overlooked may be found, and what was invented forgotten.
const STILL: u32 = 4;

/// Decides where faces are looked for.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    /// When faces were last looked for at all, and in the whole frame.
    last: Option<MediaTime>,
    last_frame: Option<MediaTime>,
    /// A known face was not found where it should be: it may have moved further.
    missed: bool,
}

impl Searches {
    /// What is due: a look each `interval`; everywhere if `frame_interval` has passed since the last
    /// one of that kind, if a face was missed, or if none is known. Where nothing has moved since,
    /// other than known faces, four times that interval must pass: a face that comes moves something,
    /// and the same picture shows the same faces.
    pub fn due(
        &self,
        interval: Duration,
        frame_interval: Duration,
        knows_faces: bool,
        now: MediaTime,
        has_moved: impl FnOnce() -> bool,
    ) -> Search {
        let due = |last, interval| is_due(last, interval, now);
        if !due(self.last, interval) {
            return Search::Nothing;
        }
        let wanted = !knows_faces || due(self.last_frame, frame_interval);
        let forced = self.missed || due(self.last_frame, STILL * frame_interval);
        if forced || (wanted && has_moved()) {
            Search::Frame
        } else if knows_faces {
            Search::Faces
        } else {
            Search::Nothing
        }
    }

    /// When faces were last looked for.
    pub const fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// Faces were looked for.
    pub fn done(&mut self, search: Search, missed: bool, now: MediaTime) {
        match search {
            Search::Nothing => return,
            Search::Faces => self.missed = missed,
            Search::Frame => (self.last_frame, self.missed) = (Some(now), false),
        }
        self.last = Some(now);
    }

    /// Everything is due again.
    pub fn reset(&mut self) {
        *self = Self::default();
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

    #[test]
    fn the_frame_is_searched_now_and_then_and_known_faces_in_between() {
        let look = |searches: &Searches, knows_faces, millis| {
            let (interval, frame_interval) =
                (Duration::from_millis(100), Duration::from_millis(300));
            searches.due(interval, frame_interval, knows_faces, at(millis), || true)
        };
        let mut searches = Searches::default();
        let mut seen = Vec::new();
        for millis in (0..800).step_by(50) {
            let search = look(&searches, true, millis);
            searches.done(search, false, at(millis));
            if search != Search::Nothing {
                seen.push((millis, search));
            }
        }
        let expected = [0, 100, 200, 300, 400, 500, 600, 700]
            .map(|millis| (millis, if millis % 300 == 0 { Search::Frame } else { Search::Faces }));
        assert_eq!(seen, expected);
        // Nobody is known: there is only the frame to look at.
        assert_eq!(look(&searches, false, 800), Search::Frame);
        searches.done(Search::Faces, true, at(800));
        assert_eq!(look(&searches, true, 850), Search::Nothing);
        assert_eq!(look(&searches, true, 900), Search::Frame, "a face was missed");
        searches.reset();
        assert_eq!(look(&searches, true, 901), Search::Frame);
    }

    #[test]
    fn a_still_picture_is_looked_at_four_times_less_often() {
        let look = |searches: &Searches, knows_faces, moved, millis| {
            let (interval, frame_interval) =
                (Duration::from_millis(100), Duration::from_millis(300));
            searches.due(interval, frame_interval, knows_faces, at(millis), || moved)
        };
        let mut searches = Searches::default();
        searches.done(Search::Frame, false, at(0));
        assert_eq!(look(&searches, true, false, 300), Search::Faces);
        assert_eq!(look(&searches, true, true, 300), Search::Frame);
        assert_eq!(look(&searches, true, false, 1050), Search::Faces);
        assert_eq!(look(&searches, true, false, 1200), Search::Frame);
        // Nobody is known: whatever moves is looked at, and nothing else before the time.
        assert_eq!(look(&searches, false, true, 50), Search::Nothing);
        assert_eq!(look(&searches, false, true, 100), Search::Frame);
        assert_eq!(look(&searches, false, false, 1050), Search::Nothing);
        assert_eq!(look(&searches, false, false, 1200), Search::Frame);
        searches.done(Search::Faces, true, at(400));
        assert_eq!(look(&searches, true, false, 500), Search::Frame, "a face was missed");
        let every = Searches { last: Some(at(0)), last_frame: Some(at(0)), missed: false };
        let zero = Duration::ZERO;
        assert_eq!(every.due(zero, zero, false, at(1), || false), Search::Frame, "every frame");
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
