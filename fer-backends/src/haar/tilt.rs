//! Heads held to a side, which cascades know upright only.

use fer_core::geometry::Rect;
use opencv::core::{BORDER_REPLICATE, Mat, Point2f, Rect as Area, Scalar, Size};
use opencv::imgproc;

/// How far a picture is turned, in degrees. Cascades see a head that is tilted by up to 20 or 25 degrees, so
/// that these are for 5 to 45.
pub(super) const ANGLES: [f64; 2] = [-20.0, 20.0];

/// Turns a picture counterclockwise around its middle.
pub(super) fn turn(
    picture: &Mat,
    degrees: f64,
    turned: &mut Mat,
    size: Size,
) -> opencv::Result<()> {
    let (x, y) = middle(size);
    let matrix = imgproc::get_rotation_matrix_2d(Point2f::new(x, y), degrees, 1.0)?;
    let (filter, beyond) = (imgproc::INTER_LINEAR, BORDER_REPLICATE);
    imgproc::warp_affine(picture, turned, &matrix, size, filter, beyond, Scalar::default())
}

/// Where a box of the turned picture was before that: around the same middle, as large, and upright.
pub(super) fn turned_back(found: Area, degrees: f64, size: Size) -> Area {
    let Area { x, y, width, height } = found;
    let found = Rect::new(x as f32, y as f32, width as f32, height as f32);
    let ((x, y), (mx, my)) = (found.center(), middle(size));
    let (sin, cos) = (degrees as f32).to_radians().sin_cos();
    let (dx, dy) = (x - mx, y - my);
    let (x, y) = (mx + cos * dx - sin * dy, my + sin * dx + cos * dy);
    let rect = Rect::from_center(x, y, found.w, found.h);
    Area { x: rect.x.round() as i32, y: rect.y.round() as i32, width, height }
}

fn middle(size: Size) -> (f32, f32) {
    (size.width as f32 / 2.0, size.height as f32 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::prelude::*;

    #[test]
    fn what_is_turned_is_found_where_it_was() {
        let size = Size::new(60, 40);
        let mut luma = vec![0_u8; 60 * 40];
        // 4 × 4 pixels, right of and above the middle.
        for y in 10..14 {
            luma[60 * y + 40..][..4].fill(255);
        }
        let picture = Mat::new_rows_cols_with_data(40, 60, &luma).unwrap();
        for degrees in ANGLES {
            let mut turned = Mat::default();
            turn(&picture.try_clone().unwrap(), degrees, &mut turned, size).unwrap();
            let bright: Vec<_> = turned.data_bytes().unwrap().iter().enumerate().collect();
            let bright = bright.iter().filter(|(_, luma)| **luma > 128).map(|(pixel, _)| pixel);
            let (mut left, mut top, mut right, mut bottom) = (60, 40, 0, 0);
            for pixel in bright {
                let (x, y) = ((pixel % 60) as i32, (pixel / 60) as i32);
                (left, right) = (left.min(x), right.max(x + 1));
                (top, bottom) = (top.min(y), bottom.max(y + 1));
            }
            let found = Area::new(left, top, right - left, bottom - top);
            let back = turned_back(found, degrees, size);
            let (x, y) = (back.x + back.width / 2, back.y + back.height / 2);
            assert!((x - 42).abs() <= 1 && (y - 12).abs() <= 1, "{degrees}: {found:?} to {back:?}");
        }
    }
}
