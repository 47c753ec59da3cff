//! Rectangles, and the one definition of overlap in this project.

use serde::{Deserialize, Serialize};

/// An axis-aligned rectangle. Pixels or fractions of the frame: the owner of the value says which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, ≥ 0.
    pub w: f32,
    /// Height, ≥ 0.
    pub h: f32,
}

impl Rect {
    /// The whole frame in normalised coordinates.
    pub const UNIT: Self = Self::new(0.0, 0.0, 1.0, 1.0);

    /// A rectangle from its top-left corner and size.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// A rectangle from its centre and size.
    pub fn from_center(cx: f32, cy: f32, w: f32, h: f32) -> Self {
        Self::new(cx - w / 2.0, cy - h / 2.0, w, h)
    }

    /// The centre.
    pub fn center(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Right edge, exclusive.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge, exclusive.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Whether a point lies inside; left and top edges belong to it, right and bottom ones do not.
    pub fn contains(&self, x: f32, y: f32) -> bool {
        (self.x..self.right()).contains(&x) && (self.y..self.bottom()).contains(&y)
    }

    /// Width × height.
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// Whether all four numbers are finite and both sides are above 0.
    pub fn is_valid(&self) -> bool {
        [self.x, self.y, self.w, self.h].iter().all(|v| v.is_finite())
            && self.w > 0.0
            && self.h > 0.0
    }

    /// The common part of two rectangles; of zero size when they only touch or lie apart.
    pub fn intersection(&self, other: &Self) -> Self {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        let w = (self.right().min(other.right()) - x).max(0.0);
        let h = (self.bottom().min(other.bottom()) - y).max(0.0);
        // Far from the origin edges are rounded by more than a small rectangle's size.
        Self::new(x, y, w.min(self.w).min(other.w), h.min(self.h).min(other.h))
    }

    /// Intersection over union, 0 to 1: 1 for equal rectangles, 0 for disjoint or empty ones and for
    /// what is not [valid](Self::is_valid).
    pub fn iou(&self, other: &Self) -> f32 {
        if !self.is_valid() || !other.is_valid() {
            return 0.0;
        }
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        // Areas beyond what an f32 holds give no number.
        if union > 0.0 && union.is_finite() { (common / union).min(1.0) } else { 0.0 }
    }

    /// Multiplies x and w by `sx`, y and h by `sy`: pixels ↔ fractions, one resolution ↔ another.
    pub fn scaled(&self, sx: f32, sy: f32) -> Self {
        Self::new(self.x * sx, self.y * sy, self.w * sx, self.h * sy)
    }

    /// Grows each side by `margin` times the rectangle's size on that axis (negative shrinks).
    pub fn expanded(&self, margin: f32) -> Self {
        let (cx, cy) = self.center();
        Self::from_center(cx, cy, self.w * (1.0 + 2.0 * margin), self.h * (1.0 + 2.0 * margin))
    }

    /// The square with the same centre whose side is the longer one.
    pub fn squared(&self) -> Self {
        let (cx, cy) = self.center();
        let side = self.w.max(self.h);
        Self::from_center(cx, cy, side, side)
    }

    /// Linear blend: `self` at `t = 0`, `other` at `t = 1`.
    pub fn lerp(&self, other: &Self, t: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        Self::new(
            mix(self.x, other.x),
            mix(self.y, other.y),
            mix(self.w, other.w),
            mix(self.h, other.h),
        )
    }
}

/// A rectangle of whole pixels that lies inside a frame and is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// The leftmost column.
    pub x: u32,
    /// The topmost row.
    pub y: u32,
    /// Columns, ≥ 1.
    pub w: u32,
    /// Rows, ≥ 1.
    pub h: u32,
}

impl Rect {
    /// The pixels inside a frame of `width` × `height` pixels that this rectangle, in pixels too, covers
    /// by more than half. `None` if there are none, or if it is not [valid](Self::is_valid).
    pub fn covered_pixels(&self, width: u32, height: u32) -> Option<PixelRect> {
        self.pixels(width, height, f32::round, f32::round)
    }

    /// The pixels inside the frame that this rectangle touches at all; else as
    /// [`covered_pixels`](Self::covered_pixels).
    pub fn touched_pixels(&self, width: u32, height: u32) -> Option<PixelRect> {
        self.pixels(width, height, f32::floor, f32::ceil)
    }

    fn pixels(
        &self,
        width: u32,
        height: u32,
        start: impl Fn(f32) -> f32,
        end: impl Fn(f32) -> f32,
    ) -> Option<PixelRect> {
        let side = |from: f32, to: f32, size: u32| {
            let edge = |value: f32| value.clamp(0.0, size as f32) as u32;
            let (from, to) = (edge(start(from)), edge(end(to)));
            (to > from).then(|| (from, to - from))
        };
        if !self.is_valid() {
            return None;
        }
        let ((x, w), (y, h)) =
            (side(self.x, self.right(), width)?, side(self.y, self.bottom(), height)?);
        Some(PixelRect { x, y, w, h })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn r(x: f32, y: f32, w: f32, h: f32) -> Rect {
        Rect::new(x, y, w, h)
    }

    #[test]
    fn whole_pixels_lie_inside_the_frame() {
        let pixels = |x, y, w, h| Some(PixelRect { x, y, w, h });
        for (rect, covered, touched) in [
            (r(10., 20., 30., 40.), pixels(10, 20, 30, 40), pixels(10, 20, 30, 40)),
            (r(10.4, 20.6, 30.2, 40.2), pixels(10, 21, 31, 40), pixels(10, 20, 31, 41)),
            (r(-5., 90., 20., 20.), pixels(0, 90, 15, 10), pixels(0, 90, 15, 10)),
            (r(10.1, 10., 0.2, 5.), None, pixels(10, 10, 1, 5)),
            (r(200., 10., 5., 5.), None, None),
            (r(-10., 10., 10., 5.), None, None),
            (r(10., 10., 0., 5.), None, None),
            (r(f32::NAN, 10., 5., 5.), None, None),
        ] {
            assert_eq!(rect.covered_pixels(200, 100), covered, "{rect:?}");
            assert_eq!(rect.touched_pixels(200, 100), touched, "{rect:?}");
        }
    }

    #[test]
    fn iou_of_hand_worked_pairs() {
        let cases = [
            (r(0., 0., 10., 10.), r(0., 0., 10., 10.), 1.0),
            (r(0., 0., 10., 10.), r(10., 0., 10., 10.), 0.0),
            (r(0., 0., 10., 10.), r(20., 20., 5., 5.), 0.0),
            // Common 5×10 = 50; union 100 + 100 − 50 = 150.
            (r(0., 0., 10., 10.), r(5., 0., 10., 10.), 1.0 / 3.0),
            // Common 25; union 175.
            (r(0., 0., 10., 10.), r(5., 5., 10., 10.), 1.0 / 7.0),
            // Contained: 25 / 100.
            (r(0., 0., 10., 10.), r(2., 2., 5., 5.), 0.25),
            (r(0., 0., 0., 0.), r(0., 0., 0., 0.), 0.0),
            (r(-5., -5., 10., 10.), r(0., 0., 5., 5.), 0.25),
            // Neither a number nor a size below zero has anything in common.
            (r(0., 0., 100., 1.), r(f32::NAN, 0., 1., 1.), 0.0),
            (r(0., 0., 10., 10.), r(10., 10., -10., -10.), 0.0),
            // 8000 + 0.0003 − 8000 is 0.00049 in an f32.
            (r(8000., 0., 0.0003, 1.), r(8000., 0., 0.0003, 1.), 1.0),
        ];
        for (a, b, expected) in cases {
            assert!((a.iou(&b) - expected).abs() < 1e-6, "{a:?} {b:?}");
            assert!((b.iou(&a) - expected).abs() < 1e-6, "{b:?} {a:?}");
        }
    }

    #[test]
    fn points_on_two_edges_lie_inside() {
        let rect = r(10., 20., 5., 5.);
        assert!(rect.contains(10., 20.) && rect.contains(14.9, 24.9));
        assert!(!rect.contains(15., 22.) && !rect.contains(12., 25.) && !rect.contains(9.9, 22.));
    }

    #[test]
    fn expansion_keeps_the_centre() {
        let e = r(10., 20., 10., 20.).expanded(0.1);
        assert_eq!(e.center(), (15., 30.));
        assert!((e.w - 12.).abs() < 1e-5 && (e.h - 24.).abs() < 1e-5);
    }

    #[test]
    fn square_takes_the_longer_side() {
        assert_eq!(r(0., 0., 10., 20.).squared(), r(-5., 0., 20., 20.));
    }

    #[test]
    fn scaling_there_and_back() {
        let pixels = r(64., 36., 128., 72.);
        let unit = pixels.scaled(1. / 640., 1. / 360.);
        assert_eq!(unit, r(0.1, 0.1, 0.2, 0.2));
    }
}
