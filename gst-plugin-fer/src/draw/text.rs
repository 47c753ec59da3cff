//! Rendered text, kept.

use std::collections::HashMap;
use std::sync::Arc;

use fer_core::emotion::{Language, StableLabel};

use super::aspect::Aspect;
use super::colour::Rgb;
use super::error::DrawError;
use super::patch::Patch;

/// Fonts in order of liking; fontconfig takes the next where one lacks a glyph.
const FAMILIES: &str = "Inter, Noto Sans, Roboto, DejaVu Sans, Sans";

/// When so many are kept, all are forgotten: track numbers go on for ever.
const MOST_KEPT: usize = 1024;

/// A piece of text, in a form that costs nothing to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    /// A stable label; `None` is uncertain.
    Label(StableLabel, Language),
    /// Whole percent.
    Percent(u8),
    /// A track's number.
    Track(u64),
}

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Face {
    /// Pixels an em.
    pub(crate) size: i32,
    pub(crate) bold: bool,
    pub(crate) ink: Rgb,
    /// Percent.
    pub(crate) opacity: u8,
}

/// Texts that were rendered before.
#[derive(Default)]
pub(crate) struct Texts {
    aspect: Aspect,
    kept: HashMap<(Text, Face), Arc<Patch>>,
}

impl Texts {
    /// For pixels of this shape.
    pub(crate) fn new(aspect: Aspect) -> Self {
        Self { aspect, kept: HashMap::new() }
    }

    pub(crate) const fn aspect(&self) -> Aspect {
        self.aspect
    }

    /// The rendered text: its line's full height, so that neighbours share a baseline.
    pub(crate) fn get(&mut self, text: Text, face: Face) -> Result<Arc<Patch>, DrawError> {
        if let Some(patch) = self.kept.get(&(text, face)) {
            return Ok(Arc::clone(patch));
        }
        let aspect = self.aspect;
        let patch = Arc::new(match text {
            Text::Label(label, language) => render(word(label, language), face, aspect)?,
            Text::Percent(value) => render(&format!("{value} %"), face, aspect)?,
            Text::Track(track) => render(&format!("#{track}"), face, aspect)?,
        });
        if self.kept.len() >= MOST_KEPT {
            self.kept.clear();
        }
        self.kept.insert((text, face), Arc::clone(&patch));
        Ok(patch)
    }
}

/// A stable label as people read it.
pub(crate) const fn word(label: StableLabel, language: Language) -> &'static str {
    match label {
        Some(emotion) => emotion.display(language),
        None => language.uncertain(),
    }
}

/// Width and height of one line of text where pixels are squares; at least 1.
pub(crate) fn measure(text: &str, face: Face) -> Result<(i32, i32), DrawError> {
    let probe = cairo::ImageSurface::create(cairo::Format::ARgb32, 1, 1)?;
    let (width, height) = layout(&cairo::Context::new(&probe)?, text, face).pixel_size();
    Ok((width.max(1), height.max(1)))
}

fn render(text: &str, face: Face, aspect: Aspect) -> Result<Patch, DrawError> {
    let (width, height) = measure(text, face)?;
    Patch::render(aspect.covering(width), height, |context| {
        aspect.apply(context, 0, 0);
        show(context, text, face, 0.0, f64::from(height) / 2.0)
    })
}

/// Paints one line of text from `x` on, its middle at `y`.
pub(crate) fn show(
    context: &cairo::Context,
    text: &str,
    face: Face,
    x: f64,
    y: f64,
) -> Result<(), cairo::Error> {
    let layout = layout(context, text, face);
    let (_, height) = layout.pixel_size();
    let [r, g, b] = face.ink.unit();
    context.set_source_rgba(r, g, b, f64::from(face.opacity) / 100.0);
    context.move_to(x, (y - f64::from(height) / 2.0).round());
    let matrix = context.matrix();
    if matrix.xx() == matrix.yy() {
        pangocairo::functions::show_layout(context, &layout);
        return Ok(());
    }
    // Glyphs go to whole columns, which opens gaps in words; outlines go where they belong.
    pangocairo::functions::layout_path(context, &layout);
    context.fill()
}

fn layout(context: &cairo::Context, text: &str, face: Face) -> pango::Layout {
    // Pango spaces letters wrongly where across and down are scaled differently.
    let scaled = context.matrix();
    context.identity_matrix();
    let layout = pangocairo::functions::create_layout(context);
    context.set_matrix(scaled);
    let mut font = pango::FontDescription::from_string(FAMILIES);
    font.set_weight(if face.bold { pango::Weight::Bold } else { pango::Weight::Normal });
    font.set_absolute_size(f64::from(face.size * pango::SCALE));
    layout.set_font_description(Some(&font));
    layout.set_text(text);
    layout
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::Emotion;

    use super::*;

    const FACE: Face = Face { size: 20, bold: true, ink: Rgb::WHITE, opacity: 100 };

    #[test]
    fn cyrillic_is_no_row_of_empty_boxes() {
        let surface = cairo::ImageSurface::create(cairo::Format::ARgb32, 1, 1).unwrap();
        let context = cairo::Context::new(&surface).unwrap();
        for label in Emotion::ALL.into_iter().map(Some).chain([None]) {
            let text = word(label, Language::Ru);
            assert_eq!(layout(&context, text, FACE).unknown_glyphs_count(), 0, "{text}");
        }
        let rendered = |text| render(text, FACE, Aspect::SQUARE).unwrap();
        // No font has glyphs for the private use area: these are seven equal boxes.
        let missing = "\u{f8fe}".repeat(7);
        assert_eq!(layout(&context, &missing, FACE).unknown_glyphs_count(), 7);
        assert_ne!(rendered("радость"), rendered(&missing));
        assert_ne!(rendered("радость"), rendered("грусть."));
    }

    #[test]
    fn text_is_as_wide_as_shown_on_pixels_of_any_shape() {
        let (width, height) = measure("sadness", FACE).unwrap();
        let on = |numer, denom| render("sadness", FACE, Aspect::new(numer, denom)).unwrap();
        for (patch, columns) in [
            (on(1, 1), width),
            (on(2, 1), (width + 1) / 2),
            (on(64, 45), (width * 45 + 63) / 64),
            (on(1, 2), 2 * width),
        ] {
            assert_eq!((patch.width, patch.height), (columns, height));
            // The word reaches from the one end to the other.
            let ends = [0..columns / 8, columns - columns / 8..columns];
            assert!(ends.into_iter().all(|mut end| end.any(|x| patch.has_ink(x))), "{columns}");
        }
    }

    #[test]
    fn text_is_rendered_once() {
        let mut texts = Texts::default();
        let first = texts.get(Text::Percent(92), FACE).unwrap();
        assert!(Arc::ptr_eq(&first, &texts.get(Text::Percent(92), FACE).unwrap()));
        assert!(first.width > first.height, "{}×{}", first.width, first.height);
        for track in 0..3000 {
            texts.get(Text::Track(track), Face { size: 10, ..FACE }).unwrap();
        }
        assert!(texts.kept.len() <= MOST_KEPT);
    }
}
