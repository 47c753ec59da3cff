//! Whether anything has moved since the whole picture was last looked at.

use crate::frame::Frame;
use crate::geometry::Rect;

/// The picture is compared in cells of which the smallest face wanted has so many on a side: one that
/// comes covers several of them whole.
const CELLS_A_FACE: f32 = 4.0;
/// No smaller, in pixels: there is nothing to average.
const SMALLEST_CELL: f32 = 4.0;
/// Luma is read at so many places across and down a cell.
const SAMPLES: usize = 4;
/// A cell whose mean luma differs by this much has changed: what a codec does to a still picture is
/// less.
const CHANGE: f32 = 3.0;
/// Noise of a camera in the dark is told by the median of all differences; what it does to one cell in
/// ten thousand is this multiple of it.
const NOISE: f32 = 6.0;
/// From this median on most of the picture has changed, by more than noise.
const ALL: f32 = 2.0;
/// So much of a face's size around its place is looked at anyway, more often.
const MARGIN: f32 = 0.5;

/// Compares pictures with one that it keeps, coarsely.
#[derive(Clone, Debug, Default)]
pub struct MotionDetector {
    grid: Grid,
    reference: Vec<f32>,
    seen: Vec<f32>,
    differences: Vec<f32>,
}

impl MotionDetector {
    /// Keeps a picture to compare later ones with; `min_face` is the height, in pixels, of the
    /// smallest face that is not to be overlooked.
    pub fn keep(&mut self, frame: &Frame<'_>, min_face: f32) {
        self.grid = Grid::new(frame, min_face);
        self.grid.means(frame, &mut self.reference);
    }

    /// Whether `frame` differs from the picture kept, other than near `known` faces (pixels of the
    /// frame). Always, without such a picture or for one of another size.
    pub fn has_moved(&mut self, frame: &Frame<'_>, known: &[Rect]) -> bool {
        if !self.grid.fits(frame) {
            return true;
        }
        self.grid.means(frame, &mut self.seen);
        self.differences.clear();
        for (index, (seen, kept)) in self.seen.iter().zip(&self.reference).enumerate() {
            let (x, y) = self.grid.center(index);
            if !known.iter().any(|face| face.expanded(MARGIN).contains(x, y)) {
                self.differences.push((seen - kept).abs());
            }
        }
        if self.differences.is_empty() {
            return false;
        }
        let middle = self.differences.len() / 2;
        let (_, &mut median, _) =
            self.differences.select_nth_unstable_by(middle, |a, b| a.total_cmp(b));
        let change = CHANGE.max(NOISE * median);
        median >= ALL || self.differences.iter().any(|&difference| difference >= change)
    }
}

/// A frame cut into cells.
#[derive(Clone, Debug, Default)]
struct Grid {
    width: usize,
    height: usize,
    columns: usize,
    rows: usize,
}

impl Grid {
    fn new(frame: &Frame<'_>, min_face: f32) -> Self {
        let cell = (min_face / CELLS_A_FACE).max(SMALLEST_CELL);
        let cells = |side: usize| (side as f32 / cell).ceil() as usize;
        let (width, height) = (frame.width(), frame.height());
        Self { width, height, columns: cells(width), rows: cells(height) }
    }

    fn fits(&self, frame: &Frame<'_>) -> bool {
        (self.width, self.height) == (frame.width(), frame.height())
    }

    /// Mean luma of each cell, row by row.
    fn means(&self, frame: &Frame<'_>, means: &mut Vec<f32>) {
        means.clear();
        means.resize(self.columns * self.rows, 0.0);
        let (across, down) = (self.columns * SAMPLES, self.rows * SAMPLES);
        for line in 0..down {
            let y = (2 * line + 1) * self.height / (2 * down);
            let cells = &mut means[line / SAMPLES * self.columns..][..self.columns];
            for place in 0..across {
                let x = (2 * place + 1) * self.width / (2 * across);
                cells[place / SAMPLES] += f32::from(frame.luma(x, y));
            }
        }
        let count = (SAMPLES * SAMPLES) as f32;
        means.iter_mut().for_each(|mean| *mean /= count);
    }

    /// The middle of a cell, in pixels.
    fn center(&self, index: usize) -> (f32, f32) {
        let middle = |place: usize, count: usize, side: usize| {
            (place as f32 + 0.5) * side as f32 / count as f32
        };
        (
            middle(index % self.columns, self.columns, self.width),
            middle(index / self.columns, self.rows, self.height),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 80 × 40 pixels; faces of 16 and more: cells of 4 × 4, each pixel read once.
    const SIZE: (usize, usize) = (80, 40);
    const MIN_FACE: f32 = 16.0;

    fn picture(luma: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..SIZE.0 * SIZE.1).map(|i| luma(i % SIZE.0, i / SIZE.0)).collect()
    }

    fn frame(data: &[u8]) -> Frame<'_> {
        Frame::grey(SIZE.0, SIZE.1, data).unwrap()
    }

    /// Whether the second of two pictures differs from the first.
    fn moved(before: &[u8], after: &[u8], known: &[Rect]) -> bool {
        let mut motion = MotionDetector::default();
        motion.keep(&frame(before), MIN_FACE);
        motion.has_moved(&frame(after), known)
    }

    #[test]
    fn one_cell_that_changes_enough_is_motion_except_near_a_known_face() {
        let before = picture(|_, _| 100);
        let patch = |by: u8| {
            picture(move |x, y| {
                100 + if (40..44).contains(&x) && (20..24).contains(&y) { by } else { 0 }
            })
        };
        assert!(!moved(&before, &before, &[]));
        assert!(!moved(&before, &patch(2), &[]), "what a codec does");
        assert!(moved(&before, &patch(3), &[]));
        // The cell's middle is 42, 22. With half of its size around it the first face holds 32 to 48
        // across and 14 to 30 down, the second begins at 43 and 23.
        assert!(!moved(&before, &patch(3), &[Rect::new(36., 18., 8., 8.)]));
        assert!(moved(&before, &patch(3), &[Rect::new(47., 27., 8., 8.)]));
        let all = Rect::new(0., 0., 80., 40.);
        assert!(!moved(&before, &picture(|_, _| 200), &[all]), "nothing else is in the picture");
    }

    #[test]
    fn a_face_as_small_as_wanted_is_motion_wherever_it_comes() {
        let before = picture(|_, _| 100);
        for (left, top) in [(0, 0), (1, 2), (30, 11), (64, 24)] {
            // Dark over light by 5 levels, as a face in a poor light.
            let after = picture(|x, y| {
                let inside = (left..left + 16).contains(&x) && (top..top + 16).contains(&y);
                if !inside {
                    100
                } else if y < top + 8 {
                    95
                } else {
                    105
                }
            });
            assert!(moved(&before, &after, &[]), "{left}, {top}");
        }
    }

    #[test]
    fn noise_is_no_motion_and_a_pan_is() {
        // Cells differ by 0 and 1.5 in turn: the median is 1.5, and 6 × 1.5 = 9 is taken for noise.
        let before = picture(|_, _| 100);
        let noise = |patch: u8| {
            picture(move |x, y| match (x / 4, y / 4) {
                (10, 5) => 100 + patch,
                (column, _) if column % 4 == 3 => 100,
                _ => 101 + (x + y) as u8 % 2,
            })
        };
        assert!(!moved(&before, &noise(8), &[]));
        assert!(moved(&before, &noise(9), &[]));
        let stripes = |shift: usize| {
            picture(move |x, _| if ((x + shift) / 8).is_multiple_of(2) { 90 } else { 110 })
        };
        assert!(moved(&stripes(0), &stripes(2), &[]));
    }

    #[test]
    fn another_size_or_no_picture_is_motion() {
        let data = picture(|_, _| 100);
        let mut motion = MotionDetector::default();
        assert!(motion.has_moved(&frame(&data), &[]));
        motion.keep(&frame(&data), MIN_FACE);
        assert!(motion.has_moved(&Frame::grey(40, 80, &data).unwrap(), &[]));
        assert!(!motion.has_moved(&frame(&data), &[]));
        // Faces larger than the frame, and smaller than a pixel.
        for min_face in [1000.0, 0.1] {
            motion.keep(&frame(&data), min_face);
            assert!(!motion.has_moved(&frame(&data), &[]));
            assert!(motion.has_moved(&frame(&picture(|_, _| 150)), &[]));
        }
    }
}
