//! A borrowed view of one raw video frame, whatever its pixel format.
//!
//! Every 8-bit format is three (or one) [`Component`]s with their own strides and subsampling,
//! so no code below needs to know the formats' names. Nothing is copied.

use std::ops::Range;

/// One colour component of a frame: where its bytes lie.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    data: &'a [u8],
    row_stride: usize,
    pixel_stride: usize,
    x_shift: u32,
    y_shift: u32,
}

/// Why a buffer can't hold the picture that it is said to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Width or height is zero.
    #[error("frame of {width}×{height} pixels: both sides must be at least 1")]
    Empty {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// A plane is shorter than its strides need.
    #[error(
        "a plane has {actual} bytes, but {width}×{height} pixels at {row_stride} bytes a row \
         need {needed}"
    )]
    Short {
        /// Bytes there are.
        actual: usize,
        /// Bytes there should be at least.
        needed: usize,
        /// Frame width in pixels.
        width: usize,
        /// Frame height in pixels.
        height: usize,
        /// Bytes from one row to the next.
        row_stride: usize,
    },
}

impl<'a> Component<'a> {
    /// A component whose first sample is `data[0]`.
    ///
    /// `pixel_stride` and `row_stride` are in bytes; a shift of 1 means half as many samples as
    /// pixels on that axis (chroma of 4:2:0).
    pub const fn new(
        data: &'a [u8],
        row_stride: usize,
        pixel_stride: usize,
        x_shift: u32,
        y_shift: u32,
    ) -> Self {
        Self { data, row_stride, pixel_stride, x_shift, y_shift }
    }

    /// The bytes, from the first sample on.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes from one row of samples to the next.
    pub const fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// Bytes from one sample to the next in a row.
    pub const fn pixel_stride(&self) -> usize {
        self.pixel_stride
    }

    /// The sample that covers pixel (`x`, `y`); both must lie inside the frame.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.data[(y >> self.y_shift) * self.row_stride + (x >> self.x_shift) * self.pixel_stride]
    }

    /// The samples of a row, where they lie side by side and each covers one pixel.
    fn packed_row(&self, y: usize, columns: Range<usize>) -> Option<&'a [u8]> {
        let packed = self.pixel_stride == 1 && self.x_shift == 0 && self.y_shift == 0;
        // Only here is it known that the rows all lie in the data.
        packed.then(|| {
            let start = y * self.row_stride;
            &self.data[start + columns.start..start + columns.end]
        })
    }

    fn check(&self, width: usize, height: usize) -> Result<(), FrameError> {
        let rows = ((height - 1) >> self.y_shift).saturating_mul(self.row_stride);
        let row = ((width - 1) >> self.x_shift).saturating_mul(self.pixel_stride);
        let needed = rows.saturating_add(row).saturating_add(1);
        if self.data.len() < needed {
            return Err(FrameError::Short {
                actual: self.data.len(),
                needed,
                width,
                height,
                row_stride: self.row_stride,
            });
        }
        Ok(())
    }
}

/// Which values of luma are black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LumaRange {
    /// 0 to 255, as in photographs and RGB.
    #[default]
    Full,
    /// 16 to 235, as in most video.
    Limited,
}

/// The components of a frame.
#[derive(Clone, Copy, Debug)]
pub enum Pixels<'a> {
    /// One luma component.
    Grey(Component<'a>),
    /// Luma and two chroma components (BT.601 or BT.709).
    Yuv {
        /// Luma.
        y: Component<'a>,
        /// Blue difference.
        u: Component<'a>,
        /// Red difference.
        v: Component<'a>,
    },
    /// Red, green, blue.
    Rgb {
        /// Red.
        r: Component<'a>,
        /// Green.
        g: Component<'a>,
        /// Blue.
        b: Component<'a>,
    },
}

/// One raw video frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    width: usize,
    height: usize,
    pixels: Pixels<'a>,
    range: LumaRange,
    bt709: bool,
    pixel_aspect: f32,
}

/// Widths of pixels, in their heights, that are believed.
const PIXEL_ASPECTS: std::ops::RangeInclusive<f32> = 0.1..=10.0;

impl<'a> Frame<'a> {
    /// A frame of `width` × `height` pixels.
    ///
    /// # Errors
    /// A side is zero, or a component's bytes end before the last pixel.
    pub fn new(width: usize, height: usize, pixels: Pixels<'a>) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::Empty { width, height });
        }
        match &pixels {
            Pixels::Grey(y) => y.check(width, height)?,
            Pixels::Yuv { y: a, u: b, v: c } | Pixels::Rgb { r: a, g: b, b: c } => {
                for component in [a, b, c] {
                    component.check(width, height)?;
                }
            }
        }
        let range = LumaRange::Full;
        Ok(Self { width, height, pixels, range, bt709: false, pixel_aspect: 1.0 })
    }

    /// A tightly packed grey frame.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn grey(width: usize, height: usize, data: &'a [u8]) -> Result<Self, FrameError> {
        Self::new(width, height, Pixels::Grey(Component::new(data, width, 1, 0, 0)))
    }

    /// The same frame with its luma range and matrix (`bt709`, else BT.601) named.
    #[must_use]
    pub const fn with_colorimetry(mut self, range: LumaRange, bt709: bool) -> Self {
        self.range = range;
        self.bt709 = bt709;
        self
    }

    /// The same frame, each of whose pixels is `aspect` times as wide as it is high where it is
    /// shown (64 ÷ 45 in wide PAL). Beyond 0.1 to 10 it is not believed: they are square then.
    #[must_use]
    pub fn with_pixel_aspect(mut self, aspect: f32) -> Self {
        self.pixel_aspect = if PIXEL_ASPECTS.contains(&aspect) { aspect } else { 1.0 };
        self
    }

    /// How wide a pixel is where it is shown, in its heights; 1 unless it was named.
    pub const fn pixel_aspect(&self) -> f32 {
        self.pixel_aspect
    }

    /// Pixels across.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Pixels down.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// The components.
    pub const fn pixels(&self) -> &Pixels<'a> {
        &self.pixels
    }

    /// Luma of one pixel on the full scale 0..=255, rounded; BT.601 weights for RGB.
    #[inline]
    pub fn luma(&self, x: usize, y: usize) -> u8 {
        match &self.pixels {
            Pixels::Grey(luma) | Pixels::Yuv { y: luma, .. } => {
                expand_range(luma.at(x, y), self.range)
            }
            Pixels::Rgb { r, g, b } => rgb_to_luma(r.at(x, y), g.at(x, y), b.at(x, y)),
        }
    }

    /// Appends [`luma`](Self::luma) of the pixels `columns` of row `y` to `line`: what is the same for
    /// all of them is looked at once.
    pub fn luma_row(&self, y: usize, columns: Range<usize>, line: &mut Vec<f32>) {
        let packed = match &self.pixels {
            Pixels::Grey(luma) | Pixels::Yuv { y: luma, .. } => luma.packed_row(y, columns.clone()),
            Pixels::Rgb { .. } => None,
        };
        match (packed, self.range) {
            (Some(samples), LumaRange::Full) => line.extend(samples.iter().copied().map(f32::from)),
            (Some(samples), range) => {
                line.extend(samples.iter().map(|&value| f32::from(expand_range(value, range))));
            }
            (None, _) => line.extend(columns.map(|x| f32::from(self.luma(x, y)))),
        }
    }

    /// Red, green and blue of one pixel; grey frames give three equal values.
    #[inline]
    pub fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        match &self.pixels {
            Pixels::Grey(luma) => [expand_range(luma.at(x, y), self.range); 3],
            Pixels::Rgb { r, g, b } => [r.at(x, y), g.at(x, y), b.at(x, y)],
            Pixels::Yuv { y: luma, u, v } => self.yuv_to_rgb(luma.at(x, y), u.at(x, y), v.at(x, y)),
        }
    }

    fn yuv_to_rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let (y_offset, y_gain, c_gain) = match self.range {
            LumaRange::Full => (0.0, 1.0, 1.0),
            LumaRange::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        };
        // Rec. ITU-R BT.601-7 and BT.709-6, section 3: Kr and Kb.
        let (kr, kb) = if self.bt709 { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let kg = 1.0 - kr - kb;
        let luma = (f32::from(y) - y_offset) * y_gain;
        let cb = (f32::from(u) - 128.0) * c_gain;
        let cr = (f32::from(v) - 128.0) * c_gain;
        let red = luma + 2.0 * (1.0 - kr) * cr;
        let blue = luma + 2.0 * (1.0 - kb) * cb;
        let green = (luma - kr * red - kb * blue) / kg;
        [red, green, blue].map(|value| value.round().clamp(0.0, 255.0) as u8)
    }
}

/// BT.601 luma in 8-bit fixed point: 77/256, 150/256, 29/256, which sum to 1.
#[inline]
pub const fn rgb_to_luma(r: u8, g: u8, b: u8) -> u8 {
    ((77 * r as u32 + 150 * g as u32 + 29 * b as u32 + 128) >> 8) as u8
}

#[inline]
fn expand_range(value: u8, range: LumaRange) -> u8 {
    match range {
        LumaRange::Full => value,
        LumaRange::Limited => {
            let scaled = (i32::from(value) - 16) * 255;
            ((scaled + 109).max(0) / 219).min(255) as u8
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_plane_is_refused() {
        assert!(Frame::grey(4, 4, &[0; 16]).is_ok());
        let error = Frame::grey(4, 4, &[0; 15]).unwrap_err();
        assert!(error.to_string().contains("15 bytes"), "{error}");
        for (row, pixel) in [(usize::MAX, 1), (4, usize::MAX), (usize::MAX / 3, usize::MAX / 3)] {
            let far = Pixels::Grey(Component::new(&[0; 16], row, pixel, 0, 0));
            assert!(matches!(Frame::new(4, 4, far), Err(FrameError::Short { .. })));
        }
        // All four rows are one row of samples, whatever lies between rows.
        let flat = Pixels::Grey(Component::new(&[7; 4], usize::MAX, 1, 0, 2));
        let mut line = Vec::new();
        Frame::new(4, 4, flat).unwrap().luma_row(3, 0..4, &mut line);
        assert_eq!(line, [7.0; 4]);
        assert_eq!(Frame::grey(0, 4, &[]).unwrap_err(), FrameError::Empty { width: 0, height: 4 });
    }

    #[test]
    fn luma_of_yuy2_is_read_in_place() {
        // Y U Y V: luma at every second byte.
        let data = [10, 1, 20, 2, 30, 3, 40, 4];
        let y = Component::new(&data, 4, 2, 0, 0);
        let frame = Frame::new(2, 2, Pixels::Grey(y)).unwrap();
        assert_eq!([frame.luma(0, 0), frame.luma(1, 0)], [10, 20]);
        assert_eq!([frame.luma(0, 1), frame.luma(1, 1)], [30, 40]);
    }

    #[test]
    fn odd_sizes_share_the_last_chroma_sample() {
        let y = [128; 9];
        let chroma = [1, 2, 3, 4];
        let component = Component::new(&chroma, 2, 1, 1, 1);
        let pixels = Pixels::Yuv { y: Component::new(&y, 3, 1, 0, 0), u: component, v: component };
        assert!(Frame::new(3, 3, pixels).is_ok());
        assert_eq!(component.at(2, 2), 4);
    }

    #[test]
    fn limited_range_is_stretched() {
        let frame = |value: &'static [u8; 1]| {
            Frame::grey(1, 1, value).unwrap().with_colorimetry(LumaRange::Limited, false)
        };
        assert_eq!(frame(&[16]).luma(0, 0), 0);
        assert_eq!(frame(&[235]).luma(0, 0), 255);
        assert_eq!(frame(&[0]).luma(0, 0), 0);
        assert_eq!(frame(&[255]).luma(0, 0), 255);
        // (126 − 16) × 255 / 219 = 128.08
        assert_eq!(frame(&[126]).luma(0, 0), 128);
    }

    #[test]
    fn primaries_of_limited_bt601() {
        let (y, u, v) = ([81u8], [90u8], [240u8]);
        let pixels = Pixels::Yuv {
            y: Component::new(&y, 1, 1, 0, 0),
            u: Component::new(&u, 1, 1, 0, 0),
            v: Component::new(&v, 1, 1, 0, 0),
        };
        let frame = Frame::new(1, 1, pixels).unwrap().with_colorimetry(LumaRange::Limited, false);
        let [r, g, b] = frame.rgb(0, 0);
        assert!(r >= 253 && g <= 2 && b <= 2, "{r} {g} {b}");
        assert_eq!(rgb_to_luma(255, 255, 255), 255);
        assert_eq!(rgb_to_luma(255, 0, 0), 77);
    }

    #[test]
    fn a_row_of_luma_is_its_pixels() {
        let data: Vec<u8> = (0..60).map(|value| value * 4).collect();
        let packed = Component::new(&data, 12, 1, 0, 0);
        let spread = Component::new(&data[1..], 20, 2, 0, 0);
        for range in [LumaRange::Full, LumaRange::Limited] {
            for pixels in [
                Pixels::Grey(packed),
                Pixels::Yuv { y: packed, u: packed, v: packed },
                Pixels::Yuv { y: spread, u: packed, v: packed },
                Pixels::Rgb { r: packed, g: spread, b: packed },
            ] {
                let frame = Frame::new(9, 3, pixels).unwrap().with_colorimetry(range, false);
                for y in 0..3 {
                    let mut line = vec![7.0];
                    frame.luma_row(y, 2..9, &mut line);
                    let expected = (2..9).map(|x| f32::from(frame.luma(x, y)));
                    assert_eq!(line, std::iter::once(7.0).chain(expected).collect::<Vec<_>>());
                }
            }
        }
    }
}
