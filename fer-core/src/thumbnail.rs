//! Pictures at so few places that any two can be compared.

use std::ops::Range;

use crate::detect::FAINT;
use crate::frame::Frame;
use crate::geometry::Rect;

/// Cells across and down.
const SIDE: usize = 16;
/// A deviation below so many grey levels is mostly noise, not to be blown up.
const LEAST_DEVIATION: f32 = 8.0;
/// Luma up to this is black: what video calls black is 16, and codecs blur it.
const BLACK: f32 = 20.0;
/// A picture takes at least this share of its frame; where less is lit, the dark belongs to it.
const LEAST_PICTURE: f32 = 0.25;

/// Luma (0 to 255) of the cells of a coarse grid: one pixel or the mean of a few of each.
#[derive(Clone, Debug)]
pub struct Thumbnail([f32; SIDE * SIDE]);

/// A part of the grid.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    columns: Range<usize>,
    rows: Range<usize>,
}

impl Thumbnail {
    /// Of what is at `rect` (pixels of `frame`), a tenth of its size inside on each side: what is
    /// around a face moves with the camera, not with the expression.
    pub fn new(frame: &Frame<'_>, rect: &Rect) -> Self {
        Self::sampled(frame, rect, 1)
    }

    /// Of the middle of a frame. Its noise and its fine patterns are averaged away.
    pub fn of_frame(frame: &Frame<'_>) -> Self {
        let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
        Self::sampled(frame, &whole, 4)
    }

    /// Each cell is the mean of so many places across and down.
    fn sampled(frame: &Frame<'_>, rect: &Rect, samples: usize) -> Self {
        let region = rect.expanded(-0.1);
        let place = |start: f32, length: f32, index: usize, limit: usize| {
            let position = start + length * (index as f32 + 0.5) / (SIDE * samples) as f32;
            (position.max(0.0) as usize).min(limit - 1)
        };
        let mut values = [0.0; SIDE * SIDE];
        for row in 0..SIDE * samples {
            let y = place(region.y, region.h, row, frame.height());
            for column in 0..SIDE * samples {
                let x = place(region.x, region.w, column, frame.width());
                values[row / samples * SIDE + column / samples] += f32::from(frame.luma(x, y));
            }
        }
        Self(values.map(|sum| sum / (samples * samples) as f32))
    }

    /// Whether there is nothing to be seen: black, white or fog.
    pub fn is_blank(&self) -> bool {
        self.mean_and_deviation(&Window::ALL).1 < LEAST_DEVIATION
    }

    /// Whether a detector may need another look to see a face here.
    pub fn is_faint(&self) -> bool {
        FAINT.contains(&self.mean_and_deviation(&Window::ALL).1)
    }

    /// Whether there is nothing to be seen between the bars that both have.
    pub fn is_blank_beside(&self, other: &Self) -> bool {
        let picture = self.picture(other).without_edges();
        self.mean_and_deviation(&picture).1 < LEAST_DEVIATION
    }

    /// Mean absolute difference of luma with mean 0 and deviation 1, so that light doesn't count: 0
    /// for the same picture, about 1.1 for two that have nothing to do with each other.
    pub fn difference(&self, other: &Self) -> f32 {
        self.difference_in(other, &Window::ALL)
    }

    /// The [`difference`](Self::difference) without the black bars that both have beside or above
    /// their pictures, which would make any two alike.
    pub fn difference_without_bars(&self, other: &Self) -> f32 {
        self.difference_in(other, &self.picture(other))
    }

    fn difference_in(&self, other: &Self, window: &Window) -> f32 {
        let ((mean, deviation), (other_mean, other_deviation)) =
            (self.mean_and_deviation(window), other.mean_and_deviation(window));
        let (scale, other_scale) =
            (1.0 / deviation.max(LEAST_DEVIATION), 1.0 / other_deviation.max(LEAST_DEVIATION));
        let of = |cell: usize| {
            ((self.0[cell] - mean) * scale - (other.0[cell] - other_mean) * other_scale).abs()
        };
        window.cells().map(of).sum::<f32>() / window.len() as f32
    }

    fn mean_and_deviation(&self, window: &Window) -> (f32, f32) {
        let count = window.len() as f32;
        let mean = window.cells().map(|cell| self.0[cell]).sum::<f32>() / count;
        let squares = window.cells().map(|cell| (self.0[cell] - mean).powi(2)).sum::<f32>();
        (mean, (squares / count).sqrt())
    }

    /// What is lit in at least one of two frames.
    fn picture(&self, other: &Self) -> Window {
        let is_lit = |x: usize, y: usize| {
            let cell = y * SIDE + x;
            self.0[cell].max(other.0[cell]) > BLACK
        };
        let lit = Window {
            columns: span(|x| (0..SIDE).any(|y| is_lit(*x, y))),
            rows: span(|y| (0..SIDE).any(|x| is_lit(x, *y))),
        };
        let is_picture = lit.len() as f32 >= LEAST_PICTURE * Window::ALL.len() as f32;
        if is_picture { lit } else { Window::ALL }
    }
}

/// From the first to the last of a side's cells for which something holds.
fn span(holds: impl Fn(&usize) -> bool) -> Range<usize> {
    let (first, last) = ((0..SIDE).find(&holds), (0..SIDE).rev().find(&holds));
    first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
}

impl Window {
    const ALL: Self = Self { columns: 0..SIDE, rows: 0..SIDE };

    /// Cells at the edge of a bar are partly of it.
    fn without_edges(self) -> Self {
        let inside = |cells: Range<usize>| match cells.len() {
            SIDE | 0..4 => cells,
            _ => cells.start + 1..cells.end - 1,
        };
        Self { columns: inside(self.columns), rows: inside(self.rows) }
    }

    fn len(&self) -> usize {
        self.columns.len() * self.rows.len()
    }

    fn cells(&self) -> impl Iterator<Item = usize> + use<> {
        let (columns, rows) = (self.columns.clone(), self.rows.clone());
        rows.flat_map(move |y| columns.clone().map(move |x| y * SIDE + x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of 160 × 160, ten pixels a cell of a thumbnail of all of it.
    fn thumbnail(luma: impl Fn(usize, usize) -> u8) -> Thumbnail {
        let cell = |i: usize| luma(i % 160 / 10, i / 160 / 10);
        let data: Vec<u8> = (0..160 * 160).map(cell).collect();
        let frame = Frame::grey(160, 160, &data).unwrap();
        // So that it is the whole frame a tenth inside.
        Thumbnail::new(&frame, &Rect::new(-20.0, -20.0, 200.0, 200.0))
    }

    #[test]
    fn light_is_no_difference_and_the_opposite_is_two() {
        let halves = |left: u8, right: u8| thumbnail(|x, _| if x < 8 { left } else { right });
        let picture = halves(50, 150);
        assert!(picture.difference(&halves(10, 110)) < 1e-5, "darker");
        assert!(picture.difference(&halves(90, 110)) < 1e-5, "less contrast");
        assert!((picture.difference(&halves(150, 50)) - 2.0).abs() < 1e-5);
        // 2 of 8 grey levels' deviation: a quarter of what it was, plus three quarters.
        assert!((picture.difference(&halves(98, 102)) - 0.75).abs() < 1e-5);
        assert!(halves(98, 102).is_blank());
        assert!(!picture.is_blank());
    }

    #[test]
    fn bars_that_both_have_do_not_make_them_alike() {
        let between_bars = |upper: u8, lower: u8| {
            thumbnail(move |x, y| match (x, y) {
                (0..5 | 11.., _) => 16,
                (_, 0..8) => upper,
                _ => lower,
            })
        };
        let (one, other) = (between_bars(60, 160), between_bars(160, 60));
        assert_eq!(one.picture(&other), Window { columns: 5..11, rows: 0..16 });
        assert!((one.difference_without_bars(&other) - 2.0).abs() < 1e-5);
        assert!(one.difference(&other) < 0.8);
        // In front of bars that only one has, all of it is compared.
        let whole = thumbnail(|_, y| if y < 8 { 60 } else { 160 });
        assert_eq!(one.picture(&whole), Window::ALL);
        // A lamp in the dark is no picture of its own.
        let lamp = |at: usize| thumbnail(move |x, _| if x / 2 == at { 200 } else { 10 });
        assert_eq!(lamp(2).picture(&lamp(2)), Window::ALL);
        assert_eq!(thumbnail(|_, _| 0).picture(&thumbnail(|_, _| 0)), Window::ALL);
    }
}
