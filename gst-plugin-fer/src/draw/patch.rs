//! Small rendered pictures.

use cairo::{Context, Format, ImageSurface};

use super::area::Area;
use super::aspect::Aspect;
use super::canvas::Canvas;
use super::colour::Rgb;
use super::error::DrawError;

/// A small picture of premultiplied 0xAARRGGBB pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pixels: Vec<u32>,
}

impl Patch {
    /// Renders by cairo onto a transparent ground.
    pub(crate) fn render(
        width: i32,
        height: i32,
        paint: impl FnOnce(&Context) -> Result<(), cairo::Error>,
    ) -> Result<Self, DrawError> {
        let mut surface = ImageSurface::create(Format::ARgb32, width, height)?;
        paint(&Context::new(&surface)?)?;
        surface.flush();
        let stride = surface.stride() as usize;
        let data = surface.data()?;
        let mut pixels = Vec::with_capacity((width * height) as usize);
        for row in data.chunks_exact(stride).take(height as usize) {
            let row = row.chunks_exact(4).take(width as usize);
            pixels.extend(row.map(|p| u32::from_ne_bytes([p[0], p[1], p[2], p[3]])));
        }
        Ok(Self { width, height, pixels })
    }

    /// Renders what reaches `margin` units beyond `width` columns and `height` rows; `paint` gets
    /// the whole size, and paints, in units.
    pub(crate) fn render_around(
        (width, height): (i32, i32),
        margin: i32,
        aspect: Aspect,
        paint: impl FnOnce(&Context, (f64, f64)) -> Result<(), cairo::Error>,
    ) -> Result<Self, DrawError> {
        let across = aspect.covering(margin);
        Self::render(width + 2 * across, height + 2 * margin, |context| {
            aspect.apply(context, across, margin);
            let size =
                (aspect.shown(width) + f64::from(2 * margin), f64::from(height + 2 * margin));
            paint(context, size)
        })
    }

    /// The pixel in column `x` and row `y`, which must be inside.
    #[cfg(test)]
    pub(crate) fn at(&self, x: i32, y: i32) -> u32 {
        self.pixels[(y * self.width + x) as usize]
    }

    /// Whether anything is in column `x`.
    #[cfg(test)]
    pub(crate) fn has_ink(&self, x: i32) -> bool {
        (0..self.height).any(|y| self.at(x, y) != 0)
    }

    /// Draws it with its top left corner at (`x`, `y`).
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, x: i32, y: i32) {
        let area = Area::new(x, y, self.width, self.height);
        canvas.blend(area, |px, py, row| {
            let start = ((py - y) * self.width + (px - x)) as usize;
            row.copy_from_slice(&self.pixels[start..start + row.len()]);
        });
    }
}

/// A patch whose middle row and column are repeated to any size; its corners stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct NinePatch {
    patch: Patch,
    /// Columns and rows of a corner; the patch is one pixel more than two corners each way.
    corner: (i32, i32),
    /// Columns and rows by which the patch reaches beyond what it pictures: the shadow.
    margin: (i32, i32),
}

impl NinePatch {
    /// The outline of a box, `line` wide inside its area, with a soft dark rim on both sides.
    pub(crate) fn outline(
        colour: Rgb,
        line: i32,
        radius: i32,
        shadow: i32,
        aspect: Aspect,
    ) -> Result<Self, DrawError> {
        let corner = radius.max(line) + shadow + line;
        Self::render(corner, shadow, aspect, |context, (width, height)| {
            let (line, margin) = (f64::from(line), f64::from(shadow));
            let inset = margin + line / 2.0;
            let (w, h) = (width - 2.0 * inset, height - 2.0 * inset);
            rounded(context, inset, inset, w, h, radius.into());
            context.set_source_rgba(0.0, 0.0, 0.0, 0.16);
            context.set_line_width(line + 2.0 * margin);
            context.stroke_preserve()?;
            context.set_source_rgba(0.0, 0.0, 0.0, 0.22);
            context.set_line_width(line + margin);
            context.stroke_preserve()?;
            let [r, g, b] = colour.unit();
            context.set_source_rgb(r, g, b);
            context.set_line_width(line);
            context.stroke()
        })
    }

    /// A filled, rounded ground with a soft shadow around it.
    pub(crate) fn ground(
        colour: Rgb,
        opacity: f64,
        radius: i32,
        shadow: i32,
        aspect: Aspect,
    ) -> Result<Self, DrawError> {
        Self::render(radius + shadow, shadow, aspect, |context, size| {
            paint_ground(context, size, colour, opacity, radius, shadow)
        })
    }

    /// `corner` and `margin` are in units; the corner's is without the margin.
    fn render(
        corner: i32,
        margin: i32,
        aspect: Aspect,
        paint: impl FnOnce(&Context, (f64, f64)) -> Result<(), cairo::Error>,
    ) -> Result<Self, DrawError> {
        let (columns, across) = (aspect.covering(corner), aspect.covering(margin));
        let inner = (2 * columns + 1, 2 * corner + 1);
        let patch = Patch::render_around(inner, margin, aspect, paint)?;
        Ok(Self { patch, corner: (columns + across, corner + margin), margin: (across, margin) })
    }

    /// Draws it around and over `area`.
    pub(crate) fn fill(&self, canvas: &mut Canvas<'_>, area: Area) {
        let area = area.grown(self.margin.0, self.margin.1);
        canvas.blend(area, |x, y, row| self.stretched(area, x, y, row));
    }

    /// Draws its rim only, which is all there is of an outline.
    pub(crate) fn stroke(&self, canvas: &mut Canvas<'_>, area: Area) {
        let area = area.grown(self.margin.0, self.margin.1);
        let (columns, rows) = self.corner;
        if area.w <= 2 * columns + 2 || area.h <= 2 * rows + 2 {
            canvas.blend(area, |x, y, row| self.stretched(area, x, y, row));
            return;
        }
        // Parts meet at even coordinates, so that no sample of chroma is blended in two halves.
        let top = (area.y + rows + 1) & !1;
        let bottom = (area.bottom() - rows) & !1;
        let left = (area.x + columns + 1) & !1;
        let right = (area.right() - columns) & !1;
        for part in [
            Area::new(area.x, area.y, area.w, top - area.y),
            Area::new(area.x, bottom, area.w, area.bottom() - bottom),
            Area::new(area.x, top, left - area.x, bottom - top),
            Area::new(right, top, area.right() - right, bottom - top),
        ] {
            canvas.blend(part, |x, y, row| self.stretched(area, x, y, row));
        }
    }

    fn stretched(&self, area: Area, x: i32, y: i32, row: &mut [u32]) {
        let source = fold(y - area.y, area.h, self.corner.1) * self.patch.width;
        let source = &self.patch.pixels[source as usize..][..self.patch.width as usize];
        for (pixel, x) in row.iter_mut().zip(x - area.x..) {
            *pixel = source[fold(x, area.w, self.corner.0) as usize];
        }
    }
}

/// The patch's column or row for the one at `at` of `length`: near corners count from either end.
#[inline]
fn fold(at: i32, length: i32, corner: i32) -> i32 {
    let from_end = length - 1 - at;
    if at <= from_end { at.min(corner) } else { 2 * corner - from_end.min(corner) }
}

/// Paints a rounded ground that fills a picture of `size` up to its shadow.
pub(crate) fn paint_ground(
    context: &Context,
    (width, height): (f64, f64),
    colour: Rgb,
    opacity: f64,
    radius: i32,
    shadow: i32,
) -> Result<(), cairo::Error> {
    let (margin, radius) = (f64::from(shadow), f64::from(radius));
    for step in 0..shadow {
        let inset = f64::from(step);
        let (w, h) = (width - 2.0 * inset, height - 2.0 * inset);
        rounded(context, inset, inset, w, h, radius + margin - inset);
        context.set_source_rgba(0.0, 0.0, 0.0, 0.30 / margin);
        context.fill()?;
    }
    rounded(context, margin, margin, width - 2.0 * margin, height - 2.0 * margin, radius);
    // The shadow must not show through a translucent ground.
    context.set_operator(cairo::Operator::Clear);
    context.fill_preserve()?;
    context.set_operator(cairo::Operator::Over);
    let [r, g, b] = colour.unit();
    context.set_source_rgba(r, g, b, opacity);
    context.fill()
}

/// Adds a rounded rectangle to the path.
pub(crate) fn rounded(context: &Context, x: f64, y: f64, w: f64, h: f64, radius: f64) {
    use std::f64::consts::{FRAC_PI_2, PI};
    let r = radius.min(w / 2.0).min(h / 2.0).max(0.0);
    context.new_sub_path();
    context.arc(x + w - r, y + r, r, -FRAC_PI_2, 0.0);
    context.arc(x + w - r, y + h - r, r, 0.0, FRAC_PI_2);
    context.arc(x + r, y + h - r, r, FRAC_PI_2, PI);
    context.arc(x + r, y + r, r, PI, 3.0 * FRAC_PI_2);
    context.close_path();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_rows_repeat_and_corners_stay() {
        // A corner of 3: columns 0 1 2, then 3 again and again, then 4 5 6.
        let folded: Vec<i32> = (0..10).map(|at| fold(at, 10, 3)).collect();
        assert_eq!(folded, [0, 1, 2, 3, 3, 3, 3, 4, 5, 6]);
        // Too small for both corners: each end keeps its own.
        let folded: Vec<i32> = (0..4).map(|at| fold(at, 4, 3)).collect();
        assert_eq!(folded, [0, 1, 5, 6]);
        let one: Vec<i32> = (0..1).map(|at| fold(at, 1, 3)).collect();
        assert_eq!(one, [0]);
    }

    #[test]
    fn an_outline_is_equally_thick_as_shown() {
        // 4 units are 4 rows and, where pixels are 2 wide, 2 columns; where they are .5 wide, 8.
        for ((numer, denom), margin, columns) in [((1, 1), 2, 4), ((2, 1), 1, 2), ((1, 2), 4, 8)] {
            let aspect = Aspect::new(numer, denom);
            let nine = NinePatch::outline(Rgb(10, 200, 30), 4, 4, 2, aspect).unwrap();
            let (middle_x, middle_y) = nine.corner;
            let across: Vec<i32> =
                (0..middle_x).filter(|&x| nine.patch.at(x, middle_y) == 0xff0a_c81e).collect();
            let down: Vec<i32> =
                (0..middle_y).filter(|&y| nine.patch.at(middle_x, y) == 0xff0a_c81e).collect();
            assert_eq!(across, (margin..margin + columns).collect::<Vec<_>>());
            assert_eq!(down, [2, 3, 4, 5]);
        }
    }

    #[test]
    fn an_outline_is_hollow_and_of_its_colour() {
        let nine = NinePatch::outline(Rgb(10, 200, 30), 2, 4, 1, Aspect::SQUARE).unwrap();
        let middle = nine.corner.0;
        assert_eq!(nine.patch.at(middle, middle), 0);
        assert_eq!(nine.patch.at(middle, 1), 0xff0a_c81e);
        assert_eq!(nine.patch.at(middle, 2), 0xff0a_c81e);
    }
}
