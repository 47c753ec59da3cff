//! How a report is drawn, and the sizes that follow from the frame's.

use fer_core::emotion::Language;

/// What the user chooses about drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    /// The labels' language.
    pub(crate) language: Language,
    /// Whether a chart of the seven probabilities stands beside each face.
    pub(crate) bars: bool,
    /// Multiplies the size of text, lines and charts; 1 suits viewing the whole frame.
    pub(crate) scale: f32,
}

impl Default for Style {
    fn default() -> Self {
        Self { language: Language::En, bars: true, scale: 1.0 }
    }
}

/// Below this shorter side, in pixels, no text is legible and only boxes are drawn.
const LEAST_SIDE_WITH_TEXT: i32 = 64;
/// Text of fewer pixels is a smear.
const LEAST_FONT: f32 = 10.0;
const LEAST_ROW: f32 = 13.0;

/// Sizes in pixels for one frame size; across, where pixels are not squares, in their heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Whether there is room for text at all.
    pub(crate) text: bool,
    /// Width of a box's line.
    pub(crate) line: i32,
    /// Radius of a box's corners.
    pub(crate) radius: i32,
    /// How far shadows reach.
    pub(crate) shadow: i32,
    /// Between a box and what belongs to it.
    pub(crate) gap: i32,
    /// Text of a label: usual, and for small faces.
    pub(crate) font: [i32; 2],
    /// Height of a chart's row: usual, and for small faces.
    pub(crate) row: [i32; 2],
}

impl Sizes {
    /// Sizes relative to the frame's height, or to the width in which it is shown if that is less.
    pub(crate) fn new(width: i32, height: i32, scale: f32) -> Self {
        let side = width.min(height) as f32 * scale;
        let at_least = |value: f32, least: f32| value.max(least).round() as i32;
        let (font, row) = (side * 0.0225, side * 0.022);
        Self {
            text: width.min(height) >= LEAST_SIDE_WITH_TEXT,
            line: at_least(side / 270.0 + 0.2, 1.0),
            radius: at_least(side * 0.011, 2.0),
            shadow: at_least(side / 400.0, 1.0),
            gap: at_least(side / 180.0, 2.0),
            font: [at_least(font, LEAST_FONT + 2.0), at_least(font * 0.72, LEAST_FONT)],
            row: [at_least(row, LEAST_ROW), at_least(row * 0.68, LEAST_ROW)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_shorter_side() {
        let full_hd = Sizes::new(1920, 1080, 1.0);
        assert_eq!((full_hd.line, full_hd.font[0], full_hd.row[0]), (4, 24, 24));
        assert_eq!(full_hd, Sizes::new(1080, 1920, 1.0));
        assert_eq!(Sizes::new(3840, 2160, 0.5), full_hd);
        let tiny = Sizes::new(16, 16, 1.0);
        assert!(!tiny.text);
        assert_eq!(tiny.line, 1);
    }
}
