//! The confusion matrix as a heat map.

use plotters::style::RGBColor;

use super::{
    Canvas, ChartError, FAINT, INK, MARGIN, Pen, SMALL, TEXT, TITLE, fill, grouped, shortened, svg,
    title, widest, width_of,
};
use crate::metrics::Metrics;

/// From none to all of a row: one hue, ever darker (ColorBrewer's Blues).
const SHADES: [RGBColor; 5] = [
    RGBColor(0xf4, 0xf8, 0xfd),
    RGBColor(0xc6, 0xdb, 0xef),
    RGBColor(0x6b, 0xae, 0xd6),
    RGBColor(0x21, 0x71, 0xb5),
    RGBColor(0x08, 0x30, 0x6b),
];
/// The matrix's side if cells of a good size allow it.
const SIDE: i32 = 560;
/// Font size of the counts in large cells.
const LARGE: f64 = 14.0;
/// Font size that a bold title seems to have: bold letters are wider.
const BOLD_TITLE: f64 = TITLE * 1.12;

/// Where the cells are.
struct Layout {
    cell: i32,
    left: i32,
    top: i32,
    /// Whether the columns' names are too long to be written across.
    upwards: bool,
}

/// The confusion matrix: a row for each true class, shaded by the share of the row that was called
/// the column's class; the cells hold counts and those shares.
///
/// Meant for 2 to 30 classes.
///
/// # Errors
///
/// [`ChartError::Draw`].
pub fn confusion(metrics: &Metrics) -> Result<String, ChartError> {
    let count = metrics.classes.len() as i32;
    let names = || metrics.classes.iter().map(|class| class.class.as_str());
    let longest = widest(names(), TEXT);
    let cell = (SIDE / count.max(1)).clamp(38, 88);
    let upwards = longest > cell - 6;
    let layout = Layout {
        cell,
        left: MARGIN + 24 + longest + 8,
        top: MARGIN + 50 + if upwards { longest + 8 } else { 20 },
        upwards,
    };
    let heading = format!("Confusion matrix, {} images", grouped(metrics.images));
    let width = (layout.left + cell * count).max(MARGIN + width_of(&heading, BOLD_TITLE)) + MARGIN;
    svg(width, layout.top + cell * count + MARGIN, |canvas| {
        title(canvas, &heading)?;
        names_of_rows_and_columns(canvas, metrics, &layout)?;
        for (truth, row) in metrics.confusion.iter().enumerate() {
            let images: usize = row.iter().sum();
            for (predicted, &count) in row.iter().enumerate() {
                let x = layout.left + cell * predicted as i32;
                let y = layout.top + cell * truth as i32;
                draw_cell(canvas, [x, y], cell, count, images)?;
            }
        }
        Ok(())
    })
}

fn names_of_rows_and_columns(
    canvas: &Canvas<'_>,
    metrics: &Metrics,
    &Layout { cell, left, top, upwards }: &Layout,
) -> Result<(), ChartError> {
    let middle = cell * metrics.classes.len() as i32 / 2;
    let axis = Pen::new(TEXT, FAINT).centred();
    axis.write(canvas, "prediction", (left + middle, MARGIN + 38))?;
    axis.upwards().write(canvas, "truth", (MARGIN + 6, top + middle))?;
    for (index, class) in metrics.classes.iter().enumerate() {
        let centre = cell * index as i32 + cell / 2;
        let name = shortened(&class.class);
        Pen::new(TEXT, INK).right().write(canvas, &name, (left - 8, top + centre))?;
        let pen = Pen::new(TEXT, INK);
        if upwards {
            pen.upwards().write(canvas, &name, (left + centre, top - 8))?;
        } else {
            pen.centred().write(canvas, &name, (left + centre, top - 12))?;
        }
    }
    Ok(())
}

/// One cell: `count` of the row's `images`.
fn draw_cell(
    canvas: &Canvas<'_>,
    [x, y]: [i32; 2],
    cell: i32,
    count: usize,
    images: usize,
) -> Result<(), ChartError> {
    let share = if images == 0 { 0.0 } else { count as f64 / images as f64 };
    fill(canvas, [(x, y), (x + cell - 2, y + cell - 2)], shade(share))?;
    let ink = match share {
        share if share > 0.65 => RGBColor(0xff, 0xff, 0xff),
        _ if count == 0 => FAINT,
        _ => INK,
    };
    let centre = (x + cell / 2 - 1, y + cell / 2 - 1);
    let (large, small) = if cell < 60 { (SMALL, SMALL - 2.0) } else { (LARGE, SMALL) };
    let pen = Pen::new(large, ink).centred();
    if count == 0 {
        return pen.write(canvas, "0", centre);
    }
    let apart = (large * 0.62).round() as i32;
    pen.write(canvas, &grouped(count), (centre.0, centre.1 - apart))?;
    let share = format!("{:.0} %", share * 100.0);
    Pen::new(small, ink).centred().write(canvas, &share, (centre.0, centre.1 + apart))
}

/// The colour of a share from 0 to 1.
fn shade(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (SHADES.len() - 1) as f64;
    let below = (place as usize).min(SHADES.len() - 2);
    let (a, b, part) = (SHADES[below], SHADES[below + 1], place - below as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}
