//! Draws a report on a frame.

use std::collections::HashMap;
use std::sync::Arc;

use fer_core::report::{FaceReport, FrameReport};
use gst_video::VideoFrameRef;

use super::area::Area;
use super::aspect::Aspect;
use super::canvas::Canvas;
use super::colour::Rgb;
use super::error::DrawError;
use super::label::Label;
use super::layout::{FACING, Gap, Scene, around_for_chart, around_for_label};
use super::panel::{Look, Panel, Panels};
use super::patch::NinePatch;
use super::style::{Sizes, Style};
use super::text::Texts;

/// Draws reports, one frame after the other, of one stream.
///
/// Keeps what was rendered, and where each track's label and chart stood, so that they don't jump.
#[derive(Default)]
pub(crate) struct Painter {
    /// The shape of the pixels for which all that is kept was rendered.
    aspect: Aspect,
    texts: Texts,
    panels: Panels,
    shapes: HashMap<Shape, Arc<NinePatch>>,
    habits: HashMap<u64, Habit>,
    scene: Scene,
}

/// When so many shapes are kept, all are forgotten: sizes change with the caps.
const MOST_SHAPES: usize = 256;

/// A chart's room: faces smaller than this many of its heights get the small one, and keep it
/// until they are larger than the second number.
const SMALL_BELOW: f32 = 0.80;
const LARGE_FROM: f32 = 0.95;

/// A face less than this many chart heights tall has none: charts would bury a crowd.
const LEAST_FACE: f32 = 0.5;

/// The most that a chart may have in common with something foreign, or with its own face.
const MOST_FOREIGN: f32 = 0.08;
const MOST_OWN: f32 = 0.45;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Outline { colour: Rgb, line: i32, radius: i32, shadow: i32 },
    Ground { colour: Rgb, radius: i32, shadow: i32 },
}

/// What was chosen for a track in the frame before.
#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    small: bool,
    label: Option<usize>,
    chart: Option<usize>,
}

/// One face's box and what belongs to it.
struct Item<'r> {
    face: &'r FaceReport,
    area: Area,
    label: Option<(Label, Area)>,
    chart: Option<(Arc<Panel>, Area)>,
}

impl Painter {
    fn new(aspect: Aspect) -> Self {
        let (texts, panels) = (Texts::new(aspect), Panels::new(aspect));
        Self { aspect, texts, panels, ..Self::default() }
    }

    /// Draws every face of `report` that lies in the frame, at least in part.
    ///
    /// On frames too small for text only boxes are drawn. Pixels on which nothing is drawn, the
    /// unused byte of formats like BGRx and the padding of rows keep their values.
    ///
    /// # Errors
    /// The format is not of 8 bits a component, the buffer is shorter than its format needs, or
    /// cairo has no memory left; what was drawn before the error stays.
    pub(crate) fn draw(
        &mut self,
        frame: &mut VideoFrameRef<&mut gst::BufferRef>,
        report: &FrameReport,
        style: &Style,
    ) -> Result<(), DrawError> {
        let mut canvas = Canvas::new(frame)?;
        if self.aspect != canvas.aspect {
            *self = Self::new(canvas.aspect);
        }
        self.habits.retain(|track, _| report.faces.iter().any(|face| face.track == *track));
        let shown = self.aspect.shown(canvas.width).round() as i32;
        let sizes = Sizes::new(shown, canvas.height, style.scale);
        let mut items: Vec<Item<'_>> = report
            .faces
            .iter()
            .filter_map(|face| {
                let area = Area::of(&face.rect, canvas.width, canvas.height)?;
                Some(Item { face, area, label: None, chart: None })
            })
            .collect();
        if sizes.text {
            self.arrange(&canvas, &mut items, style, &sizes)?;
        }
        self.paint(&mut canvas, &items, &sizes)
    }

    /// Forgets the tracks' places: another stream begins.
    pub(crate) fn reset(&mut self) {
        self.habits.clear();
    }

    /// Finds a place for each label, then for each chart.
    fn arrange(
        &mut self,
        canvas: &Canvas<'_>,
        items: &mut [Item<'_>],
        style: &Style,
        sizes: &Sizes,
    ) -> Result<(), DrawError> {
        self.scene.frame = canvas.area().grown(-self.aspect.covering(sizes.shadow), -sizes.shadow);
        self.scene.taken.clear();
        self.scene.faces.clear();
        self.scene.faces.extend(items.iter().map(|item| item.area));
        for (own, item) in items.iter_mut().enumerate() {
            self.arrange_label(own, item, style, sizes)?;
        }
        if style.bars {
            for (own, item) in items.iter_mut().enumerate() {
                self.arrange_chart(own, item, style, sizes)?;
            }
        }
        Ok(())
    }

    fn arrange_label(
        &mut self,
        own: usize,
        item: &mut Item<'_>,
        style: &Style,
        sizes: &Sizes,
    ) -> Result<(), DrawError> {
        let habit = self.habits.entry(item.face.track).or_default();
        let share = item.area.h as f32 / (7 * sizes.row[0]) as f32;
        habit.small = share < if habit.small { LARGE_FROM } else { SMALL_BELOW };
        let size = sizes.font[usize::from(habit.small)];
        let room = self.scene.frame.w;
        let label = Label::new(&mut self.texts, item.face, style.language, size, room)?;
        let Some(label) = label else { return Ok(()) };
        let gap = Gap::new(sizes.gap, self.aspect);
        let places = around_for_label(&item.area, label.width, label.height, gap);
        let place = self.scene.best(&places, own, &item.area, habit.label);
        habit.label = place.map(|place| place.side);
        if let Some(place) = place {
            self.scene.taken.push(place.area);
            item.label = Some((label, place.area));
        }
        Ok(())
    }

    fn arrange_chart(
        &mut self,
        own: usize,
        item: &mut Item<'_>,
        style: &Style,
        sizes: &Sizes,
    ) -> Result<(), DrawError> {
        let Some(emotion) = &item.face.emotion else { return Ok(()) };
        let habit = self.habits.entry(item.face.track).or_default();
        let row = sizes.row[usize::from(habit.small)];
        let (stable, language, shadow) = (emotion.stable, style.language, sizes.shadow);
        let accent = FACING[habit.chart.unwrap_or(0)];
        let look = Look { stable, language, row, shadow, accent };
        let panel = self.panels.get(look)?;
        if (item.area.h as f32) < LEAST_FACE * panel.height as f32 {
            return Ok(());
        }
        let gap = Gap::new(sizes.gap, self.aspect);
        let places = around_for_chart(&item.area, panel.width, panel.height, gap);
        // In the corner of a large face a chart hides little of it.
        let spacious = item.area.size() > 8 * i64::from(panel.width * panel.height);
        // Detectors' boxes end above the chin.
        let mut whole = item.area;
        whole.h += whole.h / 4;
        let place = self
            .scene
            .best(&places, own, &whole, habit.chart)
            .filter(|place| place.foreign() <= MOST_FOREIGN && (place.own <= MOST_OWN || spacious));
        habit.chart = place.map(|place| place.side);
        if let Some(place) = place {
            self.scene.taken.push(place.area);
            let panel = self.panels.get(Look { accent: FACING[place.side], ..look })?;
            item.chart = Some((panel, place.area));
        }
        Ok(())
    }

    fn paint(
        &mut self,
        canvas: &mut Canvas<'_>,
        items: &[Item<'_>],
        sizes: &Sizes,
    ) -> Result<(), DrawError> {
        for Item { face, area, .. } in items {
            let colour = Rgb::of(face.emotion.as_ref().and_then(|emotion| emotion.stable));
            let least = (self.aspect.shown(area.w) as i32).min(area.h);
            let line = sizes.line.min((least / 6).max(1));
            let radius = sizes.radius.min(least / 4);
            let shadow = sizes.shadow.min(least / 8);
            let outline = Shape::Outline { colour, line, radius, shadow };
            self.shape(outline)?.stroke(canvas, *area);
        }
        for Item { face, chart, .. } in items {
            if let (Some((panel, area)), Some(emotion)) = (chart, &face.emotion) {
                panel.draw(canvas, *area, &emotion.smoothed);
            }
        }
        for (label, area) in items.iter().filter_map(|item| item.label.as_ref()) {
            let (colour, radius, shadow) = (label.colour, label.height / 4, sizes.shadow);
            self.shape(Shape::Ground { colour, radius, shadow })?.fill(canvas, *area);
            label.draw(canvas, *area);
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) -> Result<Arc<NinePatch>, DrawError> {
        if let Some(kept) = self.shapes.get(&shape) {
            return Ok(Arc::clone(kept));
        }
        let rendered = Arc::new(match shape {
            Shape::Outline { colour, line, radius, shadow } => {
                NinePatch::outline(colour, line, radius, shadow, self.aspect)?
            }
            Shape::Ground { colour, radius, shadow } => {
                NinePatch::ground(colour, 0.94, radius, shadow, self.aspect)?
            }
        });
        if self.shapes.len() >= MOST_SHAPES {
            self.shapes.clear();
        }
        self.shapes.insert(shape, Arc::clone(&rendered));
        Ok(rendered)
    }
}

#[cfg(test)]
mod tests;
