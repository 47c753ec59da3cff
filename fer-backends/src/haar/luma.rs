//! The part of a frame's luma that cascades look at, in the size that they need.

use fer_core::frame::{Component, Frame, Pixels, rgb_to_luma};
use opencv::core::{Mat, Rect as Area, Size};
use opencv::imgproc;
use opencv::prelude::*;

/// Resizes an area of the frame's luma into `shrunk`: from the frame's own bytes where they lie pixel by pixel,
/// else from a copy in `scratch`. The range is left as it is: the cascade evens out contrast itself.
pub(super) fn shrink(
    frame: &Frame<'_>,
    area: Area,
    scratch: &mut Vec<u8>,
    shrunk: &mut Mat,
    size: Size,
) -> opencv::Result<()> {
    let (width, height) = (frame.width(), frame.height());
    let enlarges = size.height > area.height;
    let filter = if enlarges { imgproc::INTER_LINEAR } else { imgproc::INTER_AREA };
    match *frame.pixels() {
        Pixels::Grey(y) | Pixels::Yuv { y, .. } if lies_by_rows(&y, width, height) => {
            let (stride, data) = (y.row_stride(), &y.data()[..y.row_stride() * height]);
            let rows = Mat::new_rows_cols_with_data(height as i32, stride as i32, data)?;
            return imgproc::resize(&rows.roi(area)?, shrunk, size, 0.0, 0.0, filter);
        }
        Pixels::Grey(y) | Pixels::Yuv { y, .. } => copy_luma(y, area, scratch),
        Pixels::Rgb { r, g, b } => mix_luma([r, g, b], area, scratch),
    }
    let copy = Mat::new_rows_cols_with_data(area.height, area.width, scratch.as_slice())?;
    imgproc::resize(&copy, shrunk, size, 0.0, 0.0, filter)
}

/// Whether OpenCV can read the component in place. The last row may end before its padding.
fn lies_by_rows(y: &Component<'_>, width: usize, height: usize) -> bool {
    y.pixel_stride() == 1 && y.row_stride() >= width && y.data().len() >= y.row_stride() * height
}

/// The samples of a component that has one for each pixel, in one row of an area.
fn row<'a>(
    component: Component<'a>,
    area: Area,
    row: usize,
) -> impl Iterator<Item = &'a u8> + use<'a> {
    let (x, y) = (area.x as usize, area.y as usize + row);
    let start = y * component.row_stride() + x * component.pixel_stride();
    component.data()[start..].iter().step_by(component.pixel_stride()).take(area.width as usize)
}

fn copy_luma(y: Component<'_>, area: Area, out: &mut Vec<u8>) {
    out.clear();
    for index in 0..area.height as usize {
        out.extend(row(y, area, index));
    }
}

fn mix_luma(components: [Component<'_>; 3], area: Area, out: &mut Vec<u8>) {
    out.clear();
    for index in 0..area.height as usize {
        let [r, g, b] = components.map(|component| row(component, area, index));
        out.extend(r.zip(g).zip(b).map(|((&r, &g), &b)| rgb_to_luma(r, g, b)));
    }
}
