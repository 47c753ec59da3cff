//! Charts: SVG text, and the PNG of any such text.
//!
//! Series are told apart by the palette of Okabe and Ito (2008), which people with the common
//! kinds of colour blindness can read too; quantities by one hue that grows darker.

mod bars;
mod confusion;
mod lines;
mod png;
mod reliability;
#[cfg(test)]
mod tests;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, TextStyle, WHITE,
};

pub use bars::bars;
pub use confusion::confusion;
pub use lines::lines;
pub use png::png;
pub use reliability::reliability;

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// A series does not fit the labels.
    #[error("chart `{title}`, series `{series}`: {values} values; expected {labels}, one a label")]
    Length {
        /// The chart.
        title: String,
        /// The series.
        series: String,
        /// Its length.
        values: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A bar would go to the wrong side.
    #[error("chart `{title}`, series `{series}`: value {value}; expected at least 0")]
    Negative {
        /// The chart.
        title: String,
        /// The series.
        series: String,
        /// The value.
        value: f64,
    },
    /// The SVG could not be written.
    #[error("cannot draw the chart: {0}")]
    Draw(#[from] DrawingAreaErrorKind<std::io::Error>),
    /// The text is not SVG.
    #[error("the chart is not valid SVG: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// Nothing to write text with.
    #[error(
        "no font was found on this system, so a chart would have no text; install one, for \
         instance the package `fonts-dejavu-core`"
    )]
    NoFont,
    /// The PNG could not be made.
    #[error("cannot make a PNG of {width}×{height} pixels: {reason}")]
    Png {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// What was wrong.
        reason: String,
    },
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const INK: RGBColor = RGBColor(0x26, 0x2a, 0x30);
const FAINT: RGBColor = RGBColor(0x6b, 0x72, 0x7c);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
/// Okabe and Ito's palette without black and yellow, which is too light for a white background.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xcc, 0x79, 0xa7),
];

/// Font sizes in pixels.
const TITLE: f64 = 15.0;
const TEXT: f64 = 12.0;
const SMALL: f64 = 10.0;
/// Space around everything.
const MARGIN: i32 = 16;
/// Longest label, in characters.
const LONGEST: usize = 28;

/// The colour of series `index`.
fn colour(index: usize) -> RGBColor {
    PALETTE[index % PALETTE.len()]
}

/// SVG of this size, drawn by `draw` on white.
fn svg(
    width: i32,
    height: i32,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let mut text = String::new();
    let size = (width.unsigned_abs(), height.unsigned_abs());
    let canvas = SVGBackend::with_string(&mut text, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    draw(&canvas)?;
    canvas.present()?;
    drop(canvas);
    Ok(text)
}

/// How a text is written.
#[derive(Clone, Copy)]
struct Pen {
    size: f64,
    colour: RGBColor,
    bold: bool,
    align: HPos,
    upwards: bool,
}

impl Pen {
    fn new(size: f64, colour: RGBColor) -> Self {
        Self { size, colour, bold: false, align: HPos::Left, upwards: false }
    }

    fn centred(self) -> Self {
        Self { align: HPos::Center, ..self }
    }

    fn right(self) -> Self {
        Self { align: HPos::Right, ..self }
    }

    fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// From bottom to top.
    fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    /// Writes `text` with the middle of its line at `at`.
    fn write(self, canvas: &Canvas<'_>, text: &str, at: (i32, i32)) -> Result<(), ChartError> {
        // The backend's middle is a little above that of figures and capitals.
        let shift = (self.size * 0.1).round() as i32;
        let at = if self.upwards { (at.0 + shift, at.1) } else { (at.0, at.1 + shift) };
        Ok(canvas.draw_text(text, &self.style(), at)?)
    }

    fn style(self) -> TextStyle<'static> {
        let transform = if self.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        // The SVG backend divides sizes by this.
        let font = FontDesc::new(FontFamily::SansSerif, self.size * 1.24, style);
        TextStyle {
            font: font.transform(transform),
            color: self.colour.to_backend_color(),
            pos: Pos::new(self.align, VPos::Center),
        }
    }
}

/// The title at the upper left.
fn title(canvas: &Canvas<'_>, text: &str) -> Result<(), ChartError> {
    Pen::new(TITLE, INK).bold().write(canvas, text, (MARGIN, MARGIN + 8))
}

/// Names beside squares of their series' colours, in one row whose middle is at `y`.
fn legend<'a>(
    canvas: &Canvas<'_>,
    names: impl Iterator<Item = &'a str>,
    y: i32,
) -> Result<(), ChartError> {
    let mut x = MARGIN;
    for (index, name) in names.enumerate() {
        fill(canvas, [(x, y - 5), (x + 10, y + 5)], colour(index))?;
        let name = shortened(name);
        Pen::new(TEXT, INK).write(canvas, &name, (x + 16, y))?;
        x += 16 + width_of(&name, TEXT) + 20;
    }
    Ok(())
}

fn fill(canvas: &Canvas<'_>, area: [(i32, i32); 2], colour: RGBColor) -> Result<(), ChartError> {
    Ok(canvas.draw(&Rectangle::new(area, colour.filled()))?)
}

/// About how wide a text is, in pixels: DejaVu Sans, which is wide, takes .6 of its size a letter.
fn width_of(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * size * 0.6).ceil() as i32
}

/// The width of the widest of some labels.
fn widest<'a>(labels: impl Iterator<Item = &'a str>, size: f64) -> i32 {
    labels.map(|label| width_of(&shortened(label), size)).max().unwrap_or(0)
}

/// A label that is too long, cut in its middle: what differs is mostly at the ends.
fn shortened(label: &str) -> String {
    let letters: Vec<char> = label.chars().collect();
    if letters.len() <= LONGEST {
        return label.to_owned();
    }
    let kept = LONGEST / 2;
    letters[..kept].iter().chain(['…'].iter()).chain(&letters[letters.len() - kept + 1..]).collect()
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
