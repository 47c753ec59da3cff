//! Small rendered pictures.

use cairo::{Context, Format, ImageSurface};

use super::area::Area;
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

    /// The pixel in column `x` and row `y`, which must be inside.
    #[cfg(test)]
    pub(crate) fn at(&self, x: i32, y: i32) -> u32 {
        self.pixels[(y * self.width + x) as usize]
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
    /// Width and height of a corner; the patch is one pixel more than two corners each way.
    corner: i32,
    /// How far the patch reaches beyond what it pictures: the shadow.
    margin: i32,
}

impl NinePatch {
    /// The outline of a box, `line` wide inside its area, with a soft dark rim on both sides.
    pub(crate) fn outline(
        colour: Rgb,
        line: i32,
        radius: i32,
        shadow: i32,
    ) -> Result<Self, DrawError> {
        let corner = radius.max(line) + 2 * shadow + line;
        Self::render(corner, shadow, |context, side| {
            let (line, margin) = (f64::from(line), f64::from(shadow));
            let inset = margin + line / 2.0;
            rounded(context, inset, inset, side - 2.0 * inset, side - 2.0 * inset, radius.into());
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
    ) -> Result<Self, DrawError> {
        let corner = radius + 2 * shadow;
        Self::render(corner, shadow, |context, side| {
            paint_ground(context, (side, side), colour, opacity, radius, shadow)
        })
    }

    fn render(
        corner: i32,
        margin: i32,
        paint: impl FnOnce(&Context, f64) -> Result<(), cairo::Error>,
    ) -> Result<Self, DrawError> {
        let side = 2 * corner + 1;
        let patch = Patch::render(side, side, |context| paint(context, f64::from(side)))?;
        Ok(Self { patch, corner, margin })
    }

    /// Draws it around and over `area`.
    pub(crate) fn fill(&self, canvas: &mut Canvas<'_>, area: Area) {
        let area = area.grown(self.margin);
        canvas.blend(area, |x, y, row| self.stretched(area, x, y, row));
    }

    /// Draws its rim only, which is all there is of an outline.
    pub(crate) fn stroke(&self, canvas: &mut Canvas<'_>, area: Area) {
        let area = area.grown(self.margin);
        if area.w <= 2 * self.corner + 2 || area.h <= 2 * self.corner + 2 {
            canvas.blend(area, |x, y, row| self.stretched(area, x, y, row));
            return;
        }
        // Parts meet at even coordinates, so that no sample of chroma is blended in two halves.
        let top = (area.y + self.corner + 1) & !1;
        let bottom = (area.bottom() - self.corner) & !1;
        let left = (area.x + self.corner + 1) & !1;
        let right = (area.right() - self.corner) & !1;
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
        let source = self.fold(y - area.y, area.h) * self.patch.width;
        let source = &self.patch.pixels[source as usize..][..self.patch.width as usize];
        for (pixel, x) in row.iter_mut().zip(x - area.x..) {
            *pixel = source[self.fold(x, area.w) as usize];
        }
    }

    /// The patch's column for column `at` of `length`: near corners count from either end.
    #[inline]
    fn fold(&self, at: i32, length: i32) -> i32 {
        let from_end = length - 1 - at;
        if at <= from_end {
            at.min(self.corner)
        } else {
            2 * self.corner - from_end.min(self.corner)
        }
    }
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
        let nine = NinePatch::ground(Rgb::WHITE, 1.0, 3, 0).unwrap();
        // A corner of 3: columns 0 1 2, then 3 again and again, then 4 5 6.
        let folded: Vec<i32> = (0..10).map(|at| nine.fold(at, 10)).collect();
        assert_eq!(folded, [0, 1, 2, 3, 3, 3, 3, 4, 5, 6]);
        // Too small for both corners: each end keeps its own.
        let folded: Vec<i32> = (0..4).map(|at| nine.fold(at, 4)).collect();
        assert_eq!(folded, [0, 1, 5, 6]);
        let one: Vec<i32> = (0..1).map(|at| nine.fold(at, 1)).collect();
        assert_eq!(one, [0]);
    }

    #[test]
    fn an_outline_is_hollow_and_of_its_colour() {
        let nine = NinePatch::outline(Rgb(10, 200, 30), 2, 4, 1).unwrap();
        let middle = nine.corner;
        assert_eq!(nine.patch.at(middle, middle), 0);
        assert_eq!(nine.patch.at(middle, 1), 0xff0a_c81e);
        assert_eq!(nine.patch.at(middle, 2), 0xff0a_c81e);
    }
}
