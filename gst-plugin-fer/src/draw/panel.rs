//! The bar chart of the seven probabilities.

use std::collections::HashMap;
use std::sync::Arc;

use fer_core::emotion::{Emotion, Language, Probabilities, StableLabel};

use super::area::Area;
use super::aspect::Aspect;
use super::canvas::Canvas;
use super::colour::Rgb;
use super::error::DrawError;
use super::layout::Edge;
use super::patch::{NinePatch, Patch, paint_ground, rounded};
use super::text::{Face, measure, show, word};

/// Bars of labels that are not the stable one.
const PALE: Rgb = Rgb(190, 197, 203);
const GROUND: Rgb = Rgb(18, 20, 24);

/// What a panel looks like before its bars are drawn; its size depends on neither the label nor
/// the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    /// The label that stands out.
    pub(crate) stable: StableLabel,
    pub(crate) language: Language,
    /// Height of a row in pixels.
    pub(crate) row: i32,
    pub(crate) shadow: i32,
    /// Which edge has the stripe.
    pub(crate) accent: Edge,
}

/// A panel without its bars, and where they go.
#[derive(Debug)]
pub(crate) struct Panel {
    ground: Patch,
    aspect: Aspect,
    /// Columns and rows.
    shadow: (i32, i32),
    /// Outer size, the shadow not counted.
    pub(crate) width: i32,
    pub(crate) height: i32,
    row: i32,
    pad: i32,
    /// Columns.
    bar_x: i32,
    bar_w: i32,
    bar_h: i32,
    bar: NinePatch,
    stable_bar: NinePatch,
    stable: StableLabel,
}

/// Panels that were rendered before.
#[derive(Default)]
pub(crate) struct Panels {
    aspect: Aspect,
    kept: HashMap<Look, Arc<Panel>>,
}

/// When so many are kept, all are forgotten: sizes change with the caps.
const MOST_KEPT: usize = 64;

impl Panels {
    /// For pixels of this shape.
    pub(crate) fn new(aspect: Aspect) -> Self {
        Self { aspect, kept: HashMap::new() }
    }

    /// The panel of this look, rendered if it is new.
    pub(crate) fn get(&mut self, look: Look) -> Result<Arc<Panel>, DrawError> {
        if let Some(panel) = self.kept.get(&look) {
            return Ok(Arc::clone(panel));
        }
        let panel = Arc::new(Panel::render(look, self.aspect)?);
        if self.kept.len() >= MOST_KEPT {
            self.kept.clear();
        }
        self.kept.insert(look, Arc::clone(&panel));
        Ok(panel)
    }
}

impl Panel {
    fn render(look: Look, aspect: Aspect) -> Result<Self, DrawError> {
        let Look { stable, language, row, shadow, accent } = look;
        // As wide as the widest word in bold, so that the size is the same for every label.
        let mut text_w = 0;
        for emotion in Emotion::ALL {
            let (width, _) = measure(word(Some(emotion), language), text_face(row, true))?;
            text_w = text_w.max(width);
        }
        let pad = row / 2;
        // Odd, so that a bar's round ends meet in one middle row.
        let bar_h = (row * 2 / 5) | 1;
        let bar_w = aspect.columns(row * 4);
        let bar_x = aspect.columns(pad + text_w + row / 2);
        let width = bar_x + bar_w + aspect.columns(pad + row / 6);
        let height = 7 * row + 2 * pad - row / 4;
        let mut panel = Self {
            ground: Patch::render(1, 1, |_| Ok(()))?,
            aspect,
            shadow: (aspect.covering(shadow), shadow),
            width,
            height,
            row,
            pad,
            bar_x,
            bar_w,
            bar_h,
            bar: NinePatch::ground(PALE, 0.85, bar_h / 2, 0, aspect)?,
            stable_bar: NinePatch::ground(Rgb::of(stable), 1.0, bar_h / 2, 0, aspect)?,
            stable,
        };
        panel.ground = Patch::render_around((width, height), shadow, aspect, |context, size| {
            paint_ground(context, size, GROUND, 0.72, row / 3, shadow)?;
            context.translate(f64::from(shadow), f64::from(shadow));
            panel.paint_accent(context, accent)?;
            panel.paint_rows(context, language)
        })?;
        Ok(panel)
    }

    /// A stripe of the box's colour says whose chart this is where faces are many.
    fn paint_accent(&self, context: &cairo::Context, edge: Edge) -> Result<(), cairo::Error> {
        let (width, height) = (self.aspect.shown(self.width), f64::from(self.height));
        let stripe = f64::from((self.row / 7).max(2));
        context.save()?;
        match edge {
            Edge::Left => context.rectangle(0.0, 0.0, stripe, height),
            Edge::Right => context.rectangle(width - stripe, 0.0, stripe, height),
            Edge::Top => context.rectangle(0.0, 0.0, width, stripe),
            Edge::Bottom => context.rectangle(0.0, height - stripe, width, stripe),
        }
        context.clip();
        rounded(context, 0.0, 0.0, width, height, f64::from(self.row / 3));
        let [r, g, b] = Rgb::of(self.stable).unit();
        context.set_source_rgb(r, g, b);
        context.fill()?;
        context.restore()
    }

    fn paint_rows(&self, context: &cairo::Context, language: Language) -> Result<(), cairo::Error> {
        for emotion in Emotion::ALL {
            let face = text_face(self.row, self.stable == Some(emotion));
            let area = self.bar_area(emotion, 1.0);
            let middle = f64::from(area.y) + f64::from(area.h) / 2.0;
            show(context, word(Some(emotion), language), face, f64::from(self.pad), middle)?;
            let [x, w] = [area.x, area.w].map(|columns| self.aspect.shown(columns));
            let [y, h] = [area.y, area.h].map(f64::from);
            rounded(context, x, y, w, h, h / 2.0);
            context.set_source_rgba(1.0, 1.0, 1.0, 0.16);
            context.fill()?;
        }
        Ok(())
    }

    /// The bar's pixels relative to the panel.
    fn bar_area(&self, emotion: Emotion, probability: f32) -> Area {
        let top = self.pad - self.row / 8 + emotion.index() as i32 * self.row;
        let length = (probability.clamp(0.0, 1.0) * self.bar_w as f32).round() as i32;
        Area::new(self.bar_x, top + (self.row - self.bar_h) / 2, length, self.bar_h)
    }

    /// Draws the panel with its top left corner at `area`'s.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, area: Area, values: &Probabilities) {
        self.ground.draw(canvas, area.x - self.shadow.0, area.y - self.shadow.1);
        for emotion in Emotion::ALL {
            let bar = self.bar_area(emotion, values.of(emotion));
            let shape = if self.stable == Some(emotion) { &self.stable_bar } else { &self.bar };
            shape.fill(canvas, Area::new(area.x + bar.x, area.y + bar.y, bar.w, bar.h));
        }
    }
}

fn text_face(row: i32, stands_out: bool) -> Face {
    let (ink, opacity) = if stands_out { (Rgb::WHITE, 100) } else { (PALE, 100) };
    Face { size: (row * 3 + 2) / 4, bold: stands_out, ink, opacity }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        stable: Some(Emotion::Fear),
        language: Language::En,
        row: 13,
        shadow: 1,
        accent: Edge::Left,
    };

    #[test]
    fn the_stripe_is_two_pixels_at_its_edge_alone() {
        // Fear's (204, 121, 167) is opaque; the ground is not.
        let fear = 0xffcc_79a7;
        for accent in [Edge::Left, Edge::Right, Edge::Top, Edge::Bottom] {
            let panel = Panels::default().get(Look { accent, ..LOOK }).unwrap();
            let (right, bottom) = (panel.width - 1, panel.height - 1);
            // Halfway along each edge, the shadow of one pixel not counted; at the right between
            // two rows, and at the bottom below the last.
            let at = |x: i32, y: i32| panel.ground.at(x + 1, y + 1) == fear;
            let (x, y) = (panel.width / 2, panel.height / 2);
            for (edge, [outer, second, third]) in [
                (Edge::Left, [at(0, y), at(1, y), at(2, y)]),
                (Edge::Right, [at(right, y), at(right - 1, y), at(right - 2, y)]),
                (Edge::Top, [at(x, 0), at(x, 1), at(x, 2)]),
                (Edge::Bottom, [at(x, bottom), at(x, bottom - 1), at(x, bottom - 2)]),
            ] {
                let here = edge == accent;
                assert_eq!([outer, second, third], [here, here, false], "{edge:?} of {accent:?}");
            }
        }
    }

    #[test]
    fn bars_are_as_long_as_their_probability_and_inside() {
        let look = Look { language: Language::Ru, row: 20, shadow: 2, ..LOOK };
        let panel = Panels::default().get(look).unwrap();
        assert_eq!(panel.bar_w, 80);
        assert_eq!(panel.bar_area(Emotion::Fear, 0.25).w, 20);
        assert_eq!(panel.bar_area(Emotion::Fear, 7.0).w, 80);
        let last = panel.bar_area(Emotion::Neutral, 1.0);
        assert!(last.right() < panel.width && last.bottom() < panel.height);
        // Rows are 20 apart.
        assert_eq!(last.y - panel.bar_area(Emotion::Surprise, 1.0).y, 20);
    }

    #[test]
    fn a_chart_keeps_its_shape_on_wide_pixels() {
        let look = Look { row: 20, ..LOOK };
        let square = Panels::default().get(look).unwrap();
        let wide = Panels::new(Aspect::new(2, 1)).get(look).unwrap();
        assert_eq!(wide.height, square.height);
        // Each of three lengths is rounded to columns of 2.
        assert!((2 * wide.width - square.width).abs() <= 3, "{} {}", wide.width, square.width);
        // 4 rows of 20 units.
        assert_eq!((square.bar_w, wide.bar_w), (80, 40));
        assert_eq!(wide.bar_area(Emotion::Fear, 0.25).w, 10);
        assert_eq!((wide.ground.width, wide.ground.height), (wide.width + 2, wide.height + 2));
    }

    #[test]
    fn size_does_not_depend_on_the_label() {
        let mut panels = Panels::default();
        let a = panels.get(LOOK).unwrap();
        let b = panels.get(Look { stable: None, accent: Edge::Top, ..LOOK }).unwrap();
        assert_eq!((a.width, a.height), (b.width, b.height));
        assert!(Arc::ptr_eq(&a, &panels.get(LOOK).unwrap()));
    }
}
