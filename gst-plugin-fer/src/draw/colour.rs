//! Colours: the palette, and what a colour is in the frame's own components.

use fer_core::emotion::{Emotion, StableLabel};
use gst_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoFormatInfo};

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Rgb {
    pub(crate) const WHITE: Self = Self(255, 255, 255);
    /// Text on bright colours.
    pub(crate) const INK: Self = Self(18, 18, 20);

    /// The colour of a stable label; `None` is uncertain, or not classified yet.
    ///
    /// Okabe and Ito's palette (Color Universal Design, 2008), which stays distinct under the
    /// common forms of colour blindness.
    pub(crate) const fn of(stable: StableLabel) -> Self {
        match stable {
            Some(Emotion::Anger) => Self(213, 94, 0),
            Some(Emotion::Disgust) => Self(0, 158, 115),
            Some(Emotion::Fear) => Self(204, 121, 167),
            Some(Emotion::Happiness) => Self(240, 228, 66),
            Some(Emotion::Sadness) => Self(0, 114, 178),
            Some(Emotion::Surprise) => Self(230, 159, 0),
            Some(Emotion::Neutral) => Self(236, 239, 241),
            None => Self(144, 150, 156),
        }
    }

    /// White or near-black: whichever contrasts more with this colour (WCAG 2.1, 1.4.3).
    pub(crate) fn ink_on(self) -> Self {
        let luminance = self.luminance();
        let white = 1.05 / (luminance + 0.05);
        let black = (luminance + 0.05) / (Self::INK.luminance() + 0.05);
        if white > black { Self::WHITE } else { Self::INK }
    }

    fn luminance(self) -> f32 {
        let linear = |value: u8| {
            let value = f32::from(value) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// As cairo takes colours: 0 to 1.
    pub(crate) fn unit(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|value| f64::from(value) / 255.0)
    }
}

/// How a premultiplied colour (r, g, b, a) becomes one component: a weighted sum, in 16.16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    pub(crate) r: i32,
    pub(crate) g: i32,
    pub(crate) b: i32,
    /// The component's zero (16 or 128) comes in by way of alpha, so that a premultiplied colour
    /// stays premultiplied.
    pub(crate) a: i32,
}

impl Mix {
    fn new(r: f64, g: f64, b: f64, zero: f64) -> Self {
        let fixed = |value: f64| (value * 65536.0).round() as i32;
        Self { r: fixed(r), g: fixed(g), b: fixed(b), a: fixed(zero / 255.0) }
    }
}

/// The frame's colour space.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Space {
    Rgb,
    /// Grey is luma alone.
    Yuv {
        kr: f64,
        kb: f64,
        limited: bool,
    },
}

impl Space {
    pub(crate) fn of(format: &VideoFormatInfo, colorimetry: &VideoColorimetry) -> Self {
        if format.is_rgb() {
            return Self::Rgb;
        }
        // Kr and Kb of ITU-R BT.709-6, BT.2020-2, SMPTE 240M, FCC 73.682 and BT.601-7.
        let (kr, kb) = match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => (0.2126, 0.0722),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            VideoColorMatrix::Smpte240m => (0.212, 0.087),
            VideoColorMatrix::Fcc => (0.30, 0.11),
            _ => (0.299, 0.114),
        };
        let limited = match colorimetry.range() {
            VideoColorRange::Range0_255 => false,
            VideoColorRange::Range16_235 => true,
            _ => !format.is_gray(),
        };
        Self::Yuv { kr, kb, limited }
    }

    /// The weights of component `index`: R, G, B or Y, U, V.
    pub(crate) fn mix(&self, index: usize) -> Mix {
        match (*self, index) {
            // Alpha's own value: full where the drawn colour is.
            (_, 3) => Mix::new(0.0, 0.0, 0.0, 255.0),
            (Self::Rgb, _) => {
                let weight = |component| if component == index { 1.0 } else { 0.0 };
                Mix::new(weight(0), weight(1), weight(2), 0.0)
            }
            (Self::Yuv { kr, kb, limited }, _) => {
                let kg = 1.0 - kr - kb;
                let (luma, chroma, zero) =
                    if limited { (219.0 / 255.0, 224.0 / 255.0, 16.0) } else { (1.0, 1.0, 0.0) };
                let (u, v) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
                match index {
                    0 => Mix::new(kr * luma, kg * luma, kb * luma, zero),
                    1 => Mix::new(-kr * u, -kg * u, (1.0 - kb) * u, 128.0),
                    _ => Mix::new((1.0 - kr) * v, -kg * v, -kb * v, 128.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_contrasts_with_every_label() {
        for stable in Emotion::ALL.into_iter().map(Some).chain([None]) {
            let (back, ink) = (Rgb::of(stable), Rgb::of(stable).ink_on());
            let (a, b) = (back.luminance() + 0.05, ink.luminance() + 0.05);
            let ratio = a.max(b) / a.min(b);
            assert!(ratio >= 4.5, "{stable:?}: {ratio:.1} is below WCAG's 4.5");
        }
        assert_eq!(Rgb::of(Some(Emotion::Sadness)).ink_on(), Rgb::WHITE);
        assert_eq!(Rgb::of(Some(Emotion::Happiness)).ink_on(), Rgb::INK);
    }
}
