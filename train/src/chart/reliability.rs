//! The reliability diagram.

use plotters::element::PathElement;
use plotters::style::{Color, RGBColor};

use super::{
    Canvas, ChartError, FAINT, GRID, INK, MARGIN, PALETTE, Pen, SMALL, TEXT, fill, grouped, svg,
    title,
};
use crate::metrics::{Metrics, ReliabilityBin};

/// Pixels of the square that the diagram is, and of the counts below it.
const SIDE: i32 = 450;
const COUNTS: i32 = 84;
const LEFT: i32 = MARGIN + 44;
const TOP: i32 = MARGIN + 60;
const GAP: i32 = 30;
/// Too sure of itself.
const OVER: RGBColor = PALETTE[3];

/// Accuracy against confidence, a bar a bin, with the diagonal on which a calibrated model lies,
/// a mark at each bin's mean confidence, and how many images each bin holds (DeGroot and Fienberg
/// 1983; Guo et al. 2017).
///
/// # Errors
///
/// [`ChartError::Draw`].
pub fn reliability(metrics: &Metrics) -> Result<String, ChartError> {
    let width = LEFT + SIDE + MARGIN;
    let height = TOP + SIDE + GAP + COUNTS + 38;
    svg(width, height, |canvas| {
        title(canvas, &format!("Reliability: ECE {:.3}", metrics.ece))?;
        key(canvas)?;
        axes(canvas)?;
        let bins = &metrics.reliability;
        let highest = bins.iter().map(|bin| bin.images).max().unwrap_or(0).max(1);
        for (index, bin) in bins.iter().enumerate() {
            let edge = |index: usize| LEFT + SIDE * index as i32 / bins.len() as i32;
            draw_bin(canvas, bin, [edge(index), edge(index + 1)], highest)?;
        }
        let corners = [(LEFT, TOP + SIDE), (LEFT + SIDE, TOP)];
        Ok(canvas.draw(&PathElement::new(corners, FAINT.stroke_width(1)))?)
    })
}

/// What the colours mean.
fn key(canvas: &Canvas<'_>) -> Result<(), ChartError> {
    let y = MARGIN + 34;
    fill(canvas, [(MARGIN, y - 5), (MARGIN + 10, y + 5)], PALETTE[0])?;
    let pen = Pen::new(TEXT, INK);
    pen.write(canvas, "accuracy of the bin", (MARGIN + 16, y))?;
    fill(canvas, [(MARGIN + 170, y - 1), (MARGIN + 184, y + 2)], OVER)?;
    pen.write(canvas, "its mean confidence", (MARGIN + 190, y))?;
    canvas.draw(&PathElement::new([(MARGIN + 346, y + 5), (MARGIN + 360, y - 5)], FAINT))?;
    pen.write(canvas, "the two equal", (MARGIN + 366, y))
}

fn axes(canvas: &Canvas<'_>) -> Result<(), ChartError> {
    let tick = Pen::new(SMALL, INK);
    for fifth in 0..=5 {
        let (text, along) = (format!("{:.1}", f64::from(fifth) / 5.0), SIDE * fifth / 5);
        let y = TOP + SIDE - along;
        canvas.draw(&PathElement::new([(LEFT, y), (LEFT + SIDE, y)], GRID))?;
        tick.right().write(canvas, &text, (LEFT - 8, y))?;
        tick.centred().write(canvas, &text, (LEFT + along, TOP + SIDE + GAP + COUNTS + 12))?;
    }
    let axis = Pen::new(SMALL, FAINT).centred();
    axis.upwards().write(canvas, "accuracy", (MARGIN + 2, TOP + SIDE / 2))?;
    axis.upwards().write(canvas, "images", (MARGIN + 2, TOP + SIDE + GAP + COUNTS / 2))?;
    axis.write(canvas, "confidence", (LEFT + SIDE / 2, TOP + SIDE + GAP + COUNTS + 28))?;
    let bottom = TOP + SIDE + GAP + COUNTS;
    Ok(canvas.draw(&PathElement::new([(LEFT, bottom), (LEFT + SIDE, bottom)], GRID))?)
}

/// One bin between two edges; `highest` is the count of the fullest.
fn draw_bin(
    canvas: &Canvas<'_>,
    bin: &ReliabilityBin,
    [left, right]: [i32; 2],
    highest: usize,
) -> Result<(), ChartError> {
    let centre = (left + right) / 2;
    let bottom = TOP + SIDE + GAP + COUNTS;
    let pen = Pen::new(SMALL - 1.0, FAINT).centred();
    let room = f64::from(COUNTS - 16);
    let tall = (bin.images as f64 / highest as f64 * room).round() as i32;
    fill(canvas, [(left + 1, bottom - tall), (right - 1, bottom)], RGBColor(0xb8, 0xbf, 0xc8))?;
    pen.write(canvas, &grouped(bin.images), (centre, bottom - tall - 7))?;
    if bin.images == 0 {
        return Ok(());
    }
    let at = |value: f64| TOP + SIDE - (value * f64::from(SIDE)).round() as i32;
    fill(canvas, [(left + 1, at(bin.accuracy)), (right - 1, TOP + SIDE)], PALETTE[0])?;
    let confidence = at(bin.confidence);
    fill(canvas, [(left + 1, confidence - 1), (right - 1, confidence + 2)], OVER)
}
