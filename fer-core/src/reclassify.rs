//! When a face whose expression is known is looked at again.

use std::time::Duration;

use crate::frame::Frame;
use crate::geometry::Rect;
use crate::thumbnail::Thumbnail;
use crate::time::{MediaTime, is_due};

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
