//! Pictures of too little contrast for a cascade: in the dark, in haze, against the light.
//!
//! Cascades do not mind how strong contrasts are, but OpenCV passes over each window whose luma deviates by
//! less than ten levels (`HaarEvaluator::setWindow`). Here luma is drawn away from the mean of what is around
//! each pixel until it deviates enough.

use fer_core::detect::FAINT;
use opencv::core::{self, BORDER_DEFAULT, CV_8U, CV_32F, Mat, Point, Rect as Area, Size};
use opencv::imgproc;
use opencv::prelude::*;

/// The deviation, in levels, that evened luma has. Every window then deviates by more than OpenCV asks for,
/// and few pixels leave the range.
const EVEN: f32 = 40.0;
/// Differences are enlarged at most by this much: of a face that deviates by a level and a half enough is
/// left to find it. More would show a blank wall's noise.
const MOST: f32 = 12.0;
/// Of windows that deviate by less OpenCV does not see all: it measures a little inside of them.
const UNSEEN: f32 = 12.0;
/// What the mean becomes.
const MIDDLE: f32 = 128.0;

/// A picture whose contrast has been evened out.
#[derive(Debug, Default)]
pub(super) struct Evened {
    means: Mat,
    squares: Mat,
    pub(super) picture: Mat,
}

impl Evened {
    /// Evens `picture` out, each pixel by the square of `side` pixels around it, and gives the number of
    /// pixels around which contrast is too low, but not none.
    pub(super) fn even_out(&mut self, picture: &Mat, side: i32) -> opencv::Result<usize> {
        // A middle is needed.
        let (size, middle) = (Size::new(side | 1, side | 1), Point::new(-1, -1));
        let Self { means, squares, picture: evened } = self;
        imgproc::box_filter(picture, means, CV_32F, size, middle, true, BORDER_DEFAULT)?;
        imgproc::sqr_box_filter(picture, squares, CV_32F, size, middle, true, BORDER_DEFAULT)?;
        picture.copy_to(evened)?;
        let mut unseen = 0;
        let around = means.data_typed::<f32>()?.iter().zip(squares.data_typed::<f32>()?);
        for (luma, (mean, square)) in evened.data_bytes_mut()?.iter_mut().zip(around) {
            let deviation = (square - mean * mean).max(0.0).sqrt();
            unseen += usize::from((FAINT.start..UNSEEN).contains(&deviation));
            *luma = (MIDDLE + (f32::from(*luma) - mean) * gain(deviation)) as u8;
        }
        Ok(unseen)
    }

    /// Stretches all of `picture` so that a place of it is even, where that is faint, and tells whether it is.
    /// What is around a face against the light has no part in it then.
    pub(super) fn stretch_at(&mut self, picture: &Mat, place: Area) -> opencv::Result<bool> {
        let Some((mean, deviation)) = faint(picture, place)? else { return Ok(false) };
        let gain = gain(deviation);
        let (factor, offset) = (f64::from(gain), f64::from(MIDDLE - mean * gain));
        picture.convert_to(&mut self.picture, CV_8U, factor, offset)?;
        Ok(true)
    }
}

/// How much differences are enlarged where luma deviates so much.
fn gain(deviation: f32) -> f32 {
    (EVEN / deviation.max(1.0)).min(MOST)
}

/// Whether OpenCV may pass over what is at a place of `picture`.
pub(super) fn is_unseen(picture: &Mat, place: Area) -> opencv::Result<bool> {
    Ok(mean_and_deviation(picture, place)?.is_some_and(|(_, deviation)| deviation < UNSEEN))
}

/// So much of a place on each side is not looked at: around a face against the light it is bright.
const RIM: f64 = 0.2;

/// Whether the middle of a place of `picture` (the part of it that is inside) has some contrast, but little.
pub(super) fn is_faint(picture: &Mat, place: Area) -> opencv::Result<bool> {
    Ok(faint(picture, place)?.is_some())
}

/// Mean and deviation of the middle of a place, if that is faint.
fn faint(picture: &Mat, place: Area) -> opencv::Result<Option<(f32, f32)>> {
    let found = mean_and_deviation(picture, middle(place))?;
    Ok(found.filter(|(_, deviation)| FAINT.contains(deviation)))
}

/// Of the part of a place that is inside of `picture`; `None` if nothing is.
fn mean_and_deviation(picture: &Mat, place: Area) -> opencv::Result<Option<(f32, f32)>> {
    let inside = place & Area::new(0, 0, picture.cols(), picture.rows());
    if inside.width <= 0 || inside.height <= 0 {
        return Ok(None);
    }
    let (mut mean, mut deviation) = (core::Scalar::default(), core::Scalar::default());
    core::mean_std_dev_def(&picture.roi(inside)?, &mut mean, &mut deviation)?;
    Ok(Some((mean[0] as f32, deviation[0] as f32)))
}

fn middle(place: Area) -> Area {
    let rim = |side: i32| (RIM * f64::from(side)) as i32;
    let (across, down) = (rim(place.width), rim(place.height));
    Area {
        x: place.x + across,
        y: place.y + down,
        width: place.width - 2 * across,
        height: place.height - 2 * down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 60;

    fn picture(luma: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..SIDE * SIDE).map(|pixel| luma(pixel % SIDE, pixel / SIDE)).collect()
    }

    /// Stripes that deviate by `deviation` from `mean`.
    fn stripes(mean: u8, deviation: u8) -> Vec<u8> {
        picture(|x, _| if x % 2 == 0 { mean - deviation } else { mean + deviation })
    }

    fn mat(luma: &[u8]) -> Mat {
        let rows = Mat::new_rows_cols_with_data(SIDE as i32, SIDE as i32, luma).unwrap();
        rows.try_clone().unwrap()
    }

    fn evened(luma: &[u8]) -> (usize, Vec<u8>) {
        let mut evened = Evened::default();
        let faint = evened.even_out(&mat(luma), 20).unwrap();
        (faint, evened.picture.data_bytes().unwrap().to_vec())
    }

    #[test]
    fn light_and_contrast_are_the_same_everywhere_afterwards() {
        for (mean, deviation) in [(30, 5), (200, 5), (128, 30), (110, 100)] {
            let (_, even) = evened(&stripes(mean, deviation));
            for (x, luma) in even[30 * SIDE + 20..][..20].iter().enumerate() {
                let expected = if x % 2 == 0 { 88.0 } else { 168.0 };
                assert!((f32::from(*luma) - expected).abs() < 6.0, "{mean} ± {deviation}: {luma}");
            }
        }
        // Noise stays below what OpenCV asks for.
        let (_, even) = evened(&stripes(100, 0));
        assert!(even.iter().all(|luma| *luma == 128), "{even:?}");
    }

    #[test]
    fn what_is_faint_is_neither_blank_nor_rich() {
        let whole = Area::new(-20, -20, 100, 100);
        for (deviation, faint) in [(0, false), (2, true), (15, true), (25, false)] {
            let luma = stripes(100, deviation);
            assert_eq!(is_faint(&mat(&luma), whole).unwrap(), faint, "{deviation}");
            let unseen = faint && deviation < 12;
            assert_eq!(evened(&luma).0, if unseen { SIDE * SIDE } else { 0 }, "{deviation}");
            assert_eq!(is_unseen(&mat(&luma), whole).unwrap(), deviation < 12, "{deviation}");
        }
        let luma = stripes(100, 3);
        assert!(!is_faint(&mat(&luma), Area::new(70, 0, 10, 10)).unwrap(), "beyond the picture");
        // 10 to 50 of 60, before a bright wall.
        let inside = |at: usize| (10..50).contains(&at);
        let luma =
            picture(|x, y| if inside(x) && inside(y) { 30 + 6 * (x % 2) as u8 } else { 240 });
        assert!(is_faint(&mat(&luma), Area::new(0, 0, 60, 60)).unwrap());
        assert!(!is_faint(&mat(&luma), Area::new(0, 0, 20, 20)).unwrap());

        let mut evened = Evened::default();
        assert!(evened.stretch_at(&mat(&luma), Area::new(0, 0, 60, 60)).unwrap());
        let row = &evened.picture.data_bytes().unwrap()[30 * SIDE..][..SIDE];
        // 33 ± 3 there, and the wall is as bright as can be.
        assert_eq!((row[5], row[20], row[21]), (255, 92, 164));
        assert!(!evened.stretch_at(&mat(&luma), Area::new(0, 0, 20, 20)).unwrap());
    }
}
