//! Lines over a common axis.

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::Circle;
use plotters::series::LineSeries;
use plotters::style::{Color, RGBColor, TRANSPARENT};

use super::{ChartError, FAINT, GRID, INK, MARGIN, Pen, SMALL, colour, legend, svg, title};

const WIDTH: i32 = 560;
const HEIGHT: i32 = 320;

/// Lines through points `(x, y)`, one a series; points that are not finite are left out. The names
/// of the series are shown where there are several.
///
/// # Errors
///
/// [`ChartError::Draw`].
pub fn lines(
    chart_title: &str,
    x_label: &str,
    y_label: &str,
    series: &[(String, Vec<(f64, f64)>)],
) -> Result<String, ChartError> {
    let finite = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let series: Vec<_> = series.iter().map(|(name, points)| (name, finite(points))).collect();
    let points = || series.iter().flat_map(|(_, points)| points);
    let x = range(points().map(|point| point.0));
    let y = padded(&range(points().map(|point| point.1)));
    let whole = points().all(|point| point.0.fract() == 0.0);
    svg(WIDTH, HEIGHT, |canvas| {
        title(canvas, chart_title)?;
        if series.len() > 1 {
            legend(canvas, series.iter().map(|(name, _)| name.as_str()), MARGIN + 34)?;
        }
        let axis = Pen::new(SMALL, FAINT).centred();
        axis.write(canvas, x_label, (WIDTH / 2, HEIGHT - 14))?;
        axis.upwards().write(canvas, y_label, (12, HEIGHT / 2 + 10))?;
        let mut plot = ChartBuilder::on(canvas)
            .margin_top(MARGIN + 50)
            .margin_right(MARGIN)
            .margin_bottom(22)
            .margin_left(20)
            .x_label_area_size(24)
            .y_label_area_size(48)
            .build_cartesian_2d(x, y)?;
        draw_axes(&mut plot, whole)?;
        series
            .iter()
            .enumerate()
            .try_for_each(|(index, (_, points))| draw_line(&mut plot, points, colour(index)))
    })
}

type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Ticks and horizontal grid lines; at whole numbers only, where all `x` are `whole`.
fn draw_axes(plot: &mut Plot<'_>, whole: bool) -> Result<(), ChartError> {
    let (x, y) = (plot.x_range(), plot.y_range());
    let (wide, high) = (x.end - x.start, y.end - y.start);
    let x_text = |value: &f64| match value.fract() {
        0.0 if whole => format!("{value:.0}"),
        _ if whole => String::new(),
        _ => tick_text(*value, wide),
    };
    plot.configure_mesh()
        .disable_x_mesh()
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(Pen::new(SMALL, INK).style())
        .x_labels(if whole { (wide as usize + 1).min(8) } else { 8 })
        .y_labels(6)
        .x_label_formatter(&x_text)
        .y_label_formatter(&|value| tick_text(*value, high))
        .draw()?;
    Ok(())
}

fn draw_line(
    plot: &mut Plot<'_>,
    points: &[(f64, f64)],
    colour: RGBColor,
) -> Result<(), ChartError> {
    plot.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
    // A line through few points hides where they are.
    if points.len() <= 12 {
        plot.draw_series(points.iter().map(|&at| Circle::new(at, 3, colour.filled())))?;
    }
    Ok(())
}

/// From the lowest to the highest value; something around a single one; 0 to 1 without any.
fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        wide if wide > 0.0 => low..high,
        _ if low.is_finite() => {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
            low - room..low + room
        }
        _ => 0.0..1.0,
    }
}

/// A little room above and below, but not below zero for what is not negative.
fn padded(range: &Range<f64>) -> Range<f64> {
    let room = (range.end - range.start) * 0.06;
    let low = range.start - room;
    (if range.start >= 0.0 { low.max(0.0) } else { low })..range.end + room
}

/// A value of an axis that is `wide` long, with as many decimals as its steps need.
fn tick_text(value: f64, wide: f64) -> String {
    let step = wide / 10.0;
    if step < 1e-4 {
        return format!("{value:.1e}");
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 5.0) as usize;
    format!("{value:.decimals$}")
}
