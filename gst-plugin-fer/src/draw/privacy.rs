//! Makes faces unrecognisable.
//!
//! Both ways keep nothing of a face but the means of at most [`CELLS`] × [`CELLS`] cells a
//! component, whatever its size in pixels: pixelation shows the cells, blur a smooth surface
//! through them. So a blurred face can be no clearer than a pixelated one.

use std::ops::Range;

use fer_core::geometry::Rect;

use super::area::Area;
use super::canvas::{Canvas, Component};

/// How a face is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hide {
    /// A smooth surface.
    Blur,
    /// Coloured squares.
    Pixelate,
}

/// Cells along each side of a region at most. Six on a region that is half as wide again as the
/// face leave it four: an eye has no cell of its own.
pub(crate) const CELLS: usize = 6;
/// Pixels along each side of a cell at least: on small faces there are fewer cells.
const LEAST_CELL: i32 = 4;
/// What a region adds to the face's box on each side: detectors cut off hair, ears and chin.
const MARGIN: f32 = 0.25;

/// The pixels that [`hide`] changes for a face at `rect` (fractions of the frame): the box with
/// its margin, clipped to the frame, edges moved outwards to even coordinates, because pixels
/// share samples of chroma. `None` when nothing of it lies in the frame.
pub(crate) fn region(rect: &Rect, width: i32, height: i32) -> Option<Area> {
    let area = Area::of(&rect.expanded(MARGIN), width, height)?;
    let (x, y) = (area.x & !1, area.y & !1);
    let right = ((area.right() + 1) & !1).min(width);
    let bottom = ((area.bottom() + 1) & !1).min(height);
    Some(Area::new(x, y, right - x, bottom - y))
}

/// Hides the face at `rect` (fractions of the frame) in place. Alpha keeps its values.
pub(crate) fn hide(canvas: &mut Canvas<'_>, rect: &Rect, how: Hide) {
    let Some(area) = region(rect, canvas.width, canvas.height) else { return };
    let cells = |side: i32| ((side / LEAST_CELL) as usize).clamp(1, CELLS);
    let (across, down) = (cells(area.w), cells(area.h));
    for component in &canvas.colours {
        let (x, y) = (area.x >> component.x_shift, area.y >> component.y_shift);
        let right = (area.right() - 1) >> component.x_shift;
        let bottom = (area.bottom() - 1) >> component.y_shift;
        let (width, height) = ((right - x + 1) as usize, (bottom - y + 1) as usize);
        let mut block = Block {
            data: &mut *canvas.planes[component.plane],
            component,
            x: x as usize,
            y: y as usize,
            columns: Axis { length: width, cells: across.min(width) },
            rows: Axis { length: height, cells: down.min(height) },
        };
        let means = block.means();
        match how {
            Hide::Pixelate => block.fill_cells(&means),
            Hide::Blur => block.fill_smoothly(&means),
        }
    }
}

type Means = [[f32; CELLS]; CELLS];

/// Samples of one component that are to be hidden.
struct Block<'a> {
    data: &'a mut [u8],
    component: &'a Component,
    x: usize,
    y: usize,
    columns: Axis,
    rows: Axis,
}

/// Samples along one side, and the equal cells that they are divided into.
#[derive(Clone, Copy)]
struct Axis {
    length: usize,
    cells: usize,
}

impl Axis {
    /// The samples of one cell.
    fn samples(&self, cell: usize) -> Range<usize> {
        let start = |cell: usize| (cell * self.length).div_ceil(self.cells);
        start(cell)..start(cell + 1)
    }

    /// The first of the four values around a sample, in a list that repeats the first and the
    /// last cell twice, and their weights: a uniform cubic B-spline, which never leaves the range
    /// of its values.
    fn taps(&self, at: usize) -> (usize, [f32; 4]) {
        let place = (at as f32 + 0.5) * self.cells as f32 / self.length as f32 - 0.5;
        let t = place - place.floor();
        let (t2, t3) = (t * t, t * t * t);
        let weights = [
            (1.0 - t) * (1.0 - t) * (1.0 - t) / 6.0,
            (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0,
            (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0,
            t3 / 6.0,
        ];
        // The first cell's left half has -1 here, and the list starts with two more of it.
        ((place.floor() as isize + 1).clamp(0, self.cells as isize) as usize, weights)
    }
}

/// One value for each cell, the first and the last twice more.
type Padded = [f32; CELLS + 4];

fn padded(cells: &[f32; CELLS], count: usize) -> Padded {
    std::array::from_fn(|at| cells[at.saturating_sub(2).min(count - 1)])
}

fn dot(values: &[f32], weights: &[f32; 4]) -> f32 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

impl Block<'_> {
    /// The samples of a row.
    fn row(&mut self, y: usize) -> impl ExactSizeIterator<Item = &mut u8> {
        let start = self.component.index(self.x, self.y + y);
        self.data[start..].iter_mut().step_by(self.component.step).take(self.columns.length)
    }

    fn means(&mut self) -> Means {
        let (columns, rows) = (self.columns, self.rows);
        let mut means = [[0.0; CELLS]; CELLS];
        for (cell_y, means) in means.iter_mut().enumerate().take(rows.cells) {
            let mut sums = [0_u64; CELLS];
            for y in rows.samples(cell_y) {
                let mut row = self.row(y);
                for (cell_x, sum) in sums.iter_mut().enumerate().take(columns.cells) {
                    let count = columns.samples(cell_x).len();
                    *sum += row.by_ref().take(count).map(|sample| u64::from(*sample)).sum::<u64>();
                }
            }
            for (cell_x, (mean, sum)) in means.iter_mut().zip(sums).enumerate().take(columns.cells)
            {
                let count = columns.samples(cell_x).len() * rows.samples(cell_y).len();
                *mean = sum as f32 / count as f32;
            }
        }
        means
    }

    fn fill_cells(&mut self, means: &Means) {
        let (columns, rows) = (self.columns, self.rows);
        for (cell_y, means) in means.iter().enumerate().take(rows.cells) {
            for y in rows.samples(cell_y) {
                let mut row = self.row(y);
                for (cell_x, mean) in means.iter().enumerate().take(columns.cells) {
                    let value = mean.round() as u8;
                    let count = columns.samples(cell_x).len();
                    row.by_ref().take(count).for_each(|sample| *sample = value);
                }
            }
        }
    }

    fn fill_smoothly(&mut self, means: &Means) {
        let (columns, rows) = (self.columns, self.rows);
        let taps: Vec<(usize, [f32; 4])> = (0..columns.length).map(|x| columns.taps(x)).collect();
        // By column of cells, so that a row's values come from one place in each.
        let by_column: [Padded; CELLS] =
            std::array::from_fn(|cell_x| padded(&means.map(|row| row[cell_x]), rows.cells));
        for y in 0..rows.length {
            let (first, weights) = rows.taps(y);
            let cells = by_column.map(|column| dot(&column[first..first + 4], &weights));
            let cells = padded(&cells, columns.cells);
            for (sample, (first, weights)) in self.row(y).zip(&taps) {
                *sample = (dot(&cells[*first..*first + 4], weights) + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests;
