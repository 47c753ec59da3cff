//! Pixels that are not squares.

use cairo::Context;
use gst_video::VideoInfo;

/// How wide a frame's pixels are shown.
///
/// Sizes are thought of in heights of a pixel, "units". Places and whole patches are in columns,
/// so that what is drawn looks the same whatever the pixels' shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aspect(f64);

/// Widths of pixels that are believed, as those of `fer_core::frame::Frame` are.
const BELIEVED: std::ops::RangeInclusive<f64> = 0.1..=10.0;

impl Default for Aspect {
    fn default() -> Self {
        Self::SQUARE
    }
}

impl Aspect {
    pub(crate) const SQUARE: Self = Self(1.0);

    pub(crate) fn of(info: &VideoInfo) -> Self {
        let par = info.par();
        Self::new(par.numer(), par.denom())
    }

    pub(super) fn new(numer: i32, denom: i32) -> Self {
        let width = f64::from(numer) / f64::from(denom);
        if BELIEVED.contains(&width) { Self(width) } else { Self::SQUARE }
    }

    /// How wide `columns` are shown, in units.
    pub(crate) fn shown(self, columns: i32) -> f64 {
        f64::from(columns) * self.0
    }

    /// The columns that come nearest to `units`; at least one, unless that is 0.
    pub(crate) fn columns(self, units: i32) -> i32 {
        ((f64::from(units) / self.0).round() as i32).max(units.signum())
    }

    /// The columns that `units` need to be shown whole.
    pub(crate) fn covering(self, units: i32) -> i32 {
        (f64::from(units) / self.0).ceil() as i32
    }

    /// Lets a context be painted on in units, `units` being at the left edge of `column`.
    pub(crate) fn apply(self, context: &Context, column: i32, units: i32) {
        context.translate(f64::from(column) - f64::from(units) / self.0, 0.0);
        context.scale(1.0 / self.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_the_pixels_shape() {
        let (wide, narrow) = (Aspect::new(64, 45), Aspect::new(1, 2));
        assert_eq!((wide.shown(720), narrow.shown(720)), (1024.0, 360.0));
        // 10 ÷ 64/45 = 7.03; 1 ÷ 64/45 = .70.
        assert_eq!([0, 1, 10].map(|units| wide.columns(units)), [0, 1, 7]);
        assert_eq!([0, 1, 10].map(|units| wide.covering(units)), [0, 1, 8]);
        assert_eq!([0, 1, 10].map(|units| narrow.columns(units)), [0, 2, 20]);
        // A tenth of a column is one all the same.
        assert_eq!(Aspect::new(10, 1).columns(1), 1);
    }

    #[test]
    fn what_no_camera_has_is_not_believed() {
        for (numer, denom) in [(0, 1), (1, 0), (0, 0), (i32::MAX, 1), (1, i32::MAX), (-1, 1)] {
            assert_eq!(Aspect::new(numer, denom), Aspect::SQUARE);
        }
    }
}
