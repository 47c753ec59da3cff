//! Grouped bars.

use plotters::element::PathElement;

use super::{
    Canvas, ChartError, FAINT, GRID, INK, MARGIN, Pen, SMALL, TEXT, colour, fill, grouped, legend,
    shortened, svg, title, widest,
};

/// Pixels of the whole chart across, and of one bar and the gap between groups down.
const WIDTH: i32 = 760;
const BAR: i32 = 16;
const GAP: i32 = 12;
/// Room for the figure at a bar's end.
const FIGURE: i32 = 64;

/// Horizontal bars from 0, a group for each label, with a bar for each series and its value at
/// the end; figures that are all whole are counts, others get three decimals.
///
/// A value that is not a number is a dash.
///
/// # Errors
///
/// [`ChartError::Length`], [`ChartError::Negative`] or [`ChartError::Draw`].
pub fn bars(
    chart_title: &str,
    labels: &[String],
    series: &[(String, Vec<f64>)],
) -> Result<String, ChartError> {
    check(chart_title, labels, series)?;
    let values = || series.iter().flat_map(|(_, values)| values).filter(|value| value.is_finite());
    let highest = values().fold(0.0_f64, |highest, &value| highest.max(value));
    let whole = values().all(|value| value.fract() == 0.0);
    let figure = |value: f64| match value {
        value if !value.is_finite() => "–".to_owned(),
        value if whole => grouped(value as usize),
        value => format!("{value:.3}"),
    };

    let group = BAR * series.len() as i32 + GAP;
    let top = MARGIN + if series.len() > 1 { 56 } else { 32 };
    let left = MARGIN + widest(labels.iter().map(String::as_str), TEXT) + 10;
    let room = f64::from(WIDTH - FIGURE - left);
    let height = top + group * labels.len() as i32 + MARGIN;
    svg(WIDTH, height, |canvas| {
        title(canvas, chart_title)?;
        if series.len() > 1 {
            legend(canvas, series.iter().map(|(name, _)| name.as_str()), MARGIN + 34)?;
        }
        for (row, label) in labels.iter().enumerate() {
            let y = top + group * row as i32;
            let middle = y + BAR * series.len() as i32 / 2;
            Pen::new(TEXT, INK).right().write(canvas, &shortened(label), (left - 8, middle))?;
            for (index, (_, values)) in series.iter().enumerate() {
                let value = values[row];
                let length =
                    if value.is_finite() { value / highest.max(1e-12) * room } else { 0.0 };
                let (y, end) = (y + BAR * index as i32, left + length.round() as i32);
                fill(canvas, [(left, y), (end, y + BAR - 2)], colour(index))?;
                Pen::new(SMALL, FAINT).write(canvas, &figure(value), (end + 5, y + BAR / 2 - 1))?;
            }
        }
        baseline(canvas, left, [top - 4, height - MARGIN - GAP + 4])
    })
}

fn check(
    chart_title: &str,
    labels: &[String],
    series: &[(String, Vec<f64>)],
) -> Result<(), ChartError> {
    for (name, values) in series {
        let (title, series) = (chart_title.to_owned(), name.clone());
        if values.len() != labels.len() {
            let (values, labels) = (values.len(), labels.len());
            return Err(ChartError::Length { title, series, values, labels });
        }
        if let Some(&value) = values.iter().find(|&&value| value < 0.0) {
            return Err(ChartError::Negative { title, series, value });
        }
    }
    Ok(())
}

fn baseline(canvas: &Canvas<'_>, x: i32, ends: [i32; 2]) -> Result<(), ChartError> {
    Ok(canvas.draw(&PathElement::new(ends.map(|y| (x, y)), GRID))?)
}
