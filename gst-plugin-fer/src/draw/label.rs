//! The label of a face: track, stable emotion and its probability, on a coloured ground.

use std::sync::Arc;

use fer_core::emotion::Language;
use fer_core::report::{FaceEmotion, FaceReport};

use super::area::Area;
use super::canvas::Canvas;
use super::colour::Rgb;
use super::error::DrawError;
use super::patch::Patch;
use super::text::{Face, Text, Texts};

/// A label that is ready to be drawn.
pub(crate) struct Label {
    pieces: Vec<Arc<Patch>>,
    pub(crate) colour: Rgb,
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// In columns, as `width` is.
    pad: i32,
    space: i32,
}

impl Label {
    /// The fullest label of at most `room` columns; without room it loses the track, then the
    /// percentage. `None` when even the bare word is too wide.
    pub(crate) fn new(
        texts: &mut Texts,
        face: &FaceReport,
        language: Language,
        size: i32,
        room: i32,
    ) -> Result<Option<Self>, DrawError> {
        let stable = face.emotion.as_ref().and_then(|emotion| emotion.stable);
        let colour = Rgb::of(stable);
        let look = |bold, opacity| Face { size, bold, ink: colour.ink_on(), opacity };
        let track = texts.get(Text::Track(face.track), look(false, 70))?;
        let mut pieces = vec![track];
        if let Some(emotion) = &face.emotion {
            pieces.push(texts.get(Text::Label(stable, language), look(true, 100))?);
            if let Some(percent) = percent(emotion) {
                pieces.push(texts.get(Text::Percent(percent), look(false, 100))?);
            }
        }
        let [pad, space] =
            [(size * 2 + 2) / 5, (size + 1) / 3].map(|units| texts.aspect().columns(units));
        if pieces.len() > 1 && width(&pieces, pad, space) > room {
            pieces.remove(0);
        }
        if pieces.len() > 1 && width(&pieces, pad, space) > room {
            pieces.truncate(1);
        }
        let width = width(&pieces, pad, space);
        let height = pieces.iter().map(|piece| piece.height).max().unwrap_or(0) + (size + 3) / 6;
        Ok((width <= room).then_some(Self { pieces, colour, width, height, pad, space }))
    }

    /// Draws the texts into `area`; the ground is there already.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let mut x = area.x + self.pad;
        for piece in &self.pieces {
            piece.draw(canvas, x, area.y + (area.h - piece.height) / 2);
            x += piece.width + self.space;
        }
    }
}

/// How likely the stable label is; `None` while another leads and the debounce holds the stable
/// one, as nobody understands a label of 10 %.
fn percent(emotion: &FaceEmotion) -> Option<u8> {
    let probability = emotion.smoothed.of(emotion.stable?);
    let leads = probability >= emotion.top().1;
    leads.then(|| (probability * 100.0).round().clamp(0.0, 100.0) as u8)
}

fn width(pieces: &[Arc<Patch>], pad: i32, space: i32) -> i32 {
    let texts: i32 = pieces.iter().map(|piece| piece.width).sum();
    texts + 2 * pad + space * (pieces.len() as i32 - 1).max(0)
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::{Emotion, Probabilities, StableLabel};
    use fer_core::geometry::Rect;

    use super::super::testing;
    use super::*;

    /// In the order of [`Emotion::ALL`]; sums of 20 make each weight 5 %.
    fn face(stable: StableLabel, weights: [f32; 7]) -> FaceReport {
        let mut face = testing::face(3, Rect::new(0.2, 0.2, 0.2, 0.2), stable);
        let emotion = face.emotion.as_mut().unwrap();
        emotion.smoothed = Probabilities::from_weights(weights).unwrap();
        face
    }

    #[test]
    fn a_percentage_is_told_only_of_what_leads() {
        for (stable, weights, percentage) in [
            (Some(Emotion::Fear), [1., 1., 14., 1., 1., 1., 1.], Some(70)),
            (Some(Emotion::Fear), [1., 1., 2., 13., 1., 1., 1.], None),
            (Some(Emotion::Fear), [1., 1., 7., 8., 1., 1., 1.], None),
            (Some(Emotion::Happiness), [1., 1., 2., 13., 1., 1., 1.], Some(65)),
            (Some(Emotion::Happiness), [0., 0., 10., 10., 0., 0., 0.], Some(50)),
            (None, [0., 0., 20., 0., 0., 0., 0.], None),
        ] {
            let face = face(stable, weights);
            assert_eq!(percent(face.emotion.as_ref().unwrap()), percentage, "{stable:?}");
            let label = Label::new(&mut Texts::default(), &face, Language::En, 20, 500);
            let pieces = label.unwrap().unwrap().pieces.len();
            assert_eq!(pieces, 2 + usize::from(percentage.is_some()), "{stable:?}");
        }
    }
}
