//! Rectangles in whole pixels.

use fer_core::geometry::Rect;

/// A rectangle in whole pixels; empty when a side is not above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) w: i32,
    pub(crate) h: i32,
}

impl Area {
    pub(crate) const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w, h }
    }

    /// The pixels of `rect`, given as fractions of a `width` × `height` frame, that lie inside
    /// the frame; `None` when there are none or a number is not finite.
    pub(crate) fn of(rect: &Rect, width: i32, height: i32) -> Option<Self> {
        let scaled = rect.scaled(width as f32, height as f32);
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        let pixels = scaled.covered_pixels(width, height)?;
        Some(Self::new(pixels.x as i32, pixels.y as i32, pixels.w as i32, pixels.h as i32))
    }

    /// One past the last column.
    pub(crate) const fn right(&self) -> i32 {
        self.x + self.w
    }

    /// One past the last row.
    pub(crate) const fn bottom(&self) -> i32 {
        self.y + self.h
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.w <= 0 || self.h <= 0
    }

    /// Pixels in it.
    pub(crate) const fn size(&self) -> i64 {
        if self.is_empty() { 0 } else { self.w as i64 * self.h as i64 }
    }

    /// The common part; empty when there is none.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        Self::new(x, y, self.right().min(other.right()) - x, self.bottom().min(other.bottom()) - y)
    }

    /// Grows by `across` columns to the left and right, by `down` rows above and below.
    pub(crate) const fn grown(&self, across: i32, down: i32) -> Self {
        Self::new(self.x - across, self.y - down, self.w + 2 * across, self.h + 2 * down)
    }

    /// Moved, not shrunk, so that it lies inside `frame`, which must be at least as large.
    pub(crate) fn moved_into(&self, frame: &Self) -> Self {
        let x = self.x.min(frame.right() - self.w).max(frame.x);
        let y = self.y.min(frame.bottom() - self.h).max(frame.y);
        Self::new(x, y, self.w, self.h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_become_pixels_inside_the_frame() {
        let of = |x, y, w, h| Area::of(&Rect::new(x, y, w, h), 200, 100);
        assert_eq!(of(0.1, 0.1, 0.5, 0.5), Some(Area::new(20, 10, 100, 50)));
        assert_eq!(of(-0.1, -0.5, 0.2, 1.0), Some(Area::new(0, 0, 20, 50)));
        assert_eq!(of(0.9, 0.9, 5.0, 5.0), Some(Area::new(180, 90, 20, 10)));
        assert_eq!(of(1.5, 0.0, 0.2, 0.2), None);
        assert_eq!(of(f32::NAN, 0.0, 0.2, 0.2), None);
        assert_eq!(of(0.0, 0.0, f32::INFINITY, 0.2), None);
        assert_eq!(of(-1e30, 0.0, 2e30, 1.0), Some(Area::new(0, 0, 200, 100)));
    }

    #[test]
    fn moving_into_a_frame_keeps_the_size() {
        let frame = Area::new(0, 0, 100, 50);
        assert_eq!(Area::new(-5, 45, 20, 10).moved_into(&frame), Area::new(0, 40, 20, 10));
        assert_eq!(Area::new(95, -3, 20, 10).moved_into(&frame), Area::new(80, 0, 20, 10));
        assert_eq!(Area::new(0, 0, 5, 5).intersection(&Area::new(9, 9, 5, 5)).size(), 0);
    }
}
