//! The images that a network gets wrong while being most sure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use maud::{Markup, html};

use crate::classes::Classes;
use crate::dataset::{ImageShape, Images};
use crate::metrics::{Distributions, top};

/// One image that was called the wrong class.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The image as PNG.
    pub image: Vec<u8>,
    /// Index of its class.
    pub truth: usize,
    /// Index of the class that it was called.
    pub predicted: usize,
    /// That class's probability.
    pub probability: f64,
}

/// The `count` wrong answers with the highest probability, the most confident first.
///
/// `rows` are the distributions of the same `images`.
///
/// # Errors
///
/// [`ImageError`] where an image cannot be written as PNG.
pub fn worst_mistakes(
    rows: &Distributions,
    images: &Images,
    count: usize,
) -> Result<Vec<Mistake>, ImageError> {
    let answers = rows.rows().map(top).zip(images.labels()).enumerate();
    let mut wrong: Vec<(usize, (usize, f64))> = answers
        .filter(|(_, ((predicted, _), truth))| predicted != *truth)
        .map(|(index, (answer, _))| (index, answer))
        .collect();
    wrong.sort_by(|(_, a), (_, b)| b.1.total_cmp(&a.1));
    let worst = wrong.into_iter().take(count).map(|(index, (predicted, probability))| {
        let image = png(images.image(index), images.shape())?;
        Ok(Mistake { image, truth: images.labels()[index], predicted, probability })
    });
    worst.collect()
}

/// A planar image as PNG.
fn png(pixels: &[u8], shape: ImageShape) -> Result<Vec<u8>, ImageError> {
    let plane = shape.width * shape.height;
    let channels = 0..shape.channels;
    let pixel = |at| channels.clone().map(move |channel| pixels[channel * plane + at]);
    let interleaved: Vec<u8> = (0..plane).flat_map(pixel).collect();
    let colour = if shape.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let (width, height) = (shape.width as u32, shape.height as u32);
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&interleaved, width, height, colour)?;
    Ok(png)
}

/// The mistakes as a grid.
pub(super) fn grid(mistakes: &[Mistake], classes: &Classes) -> Markup {
    html! {
        div.box.mistakes {
            @for mistake in mistakes {
                @let (truth, predicted) = (classes.name(mistake.truth), classes.name(mistake.predicted));
                figure {
                    img alt=(format!("{truth}, called {predicted}"))
                        src=(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(&mistake.image)));
                    (truth) " → " b { (predicted) } br;
                    small { (format!("{:.1} %", mistake.probability * 100.0)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_confident_wrong_answers_come_first() {
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        let mut images = Images::new(shape, 2);
        let mut rows = Distributions::new(2);
        // Image 0 is right; of the wrong ones, 2 is the most confident, then 3, then 1.
        for (image, (label, first)) in [(0, 0.99), (1, 0.6), (1, 0.9), (0, 0.2)].iter().enumerate()
        {
            images.push(&[image as u8, 7], *label);
            rows.push([*first, 1.0 - first]);
        }
        let worst = worst_mistakes(&rows, &images, 2).unwrap();
        let answers: Vec<_> = worst.iter().map(|m| (m.truth, m.predicted, m.probability)).collect();
        assert_eq!(answers, [(1, 0, 0.9), (0, 1, 0.8)]);
        let picture = image::load_from_memory(&worst[0].image).unwrap().into_luma8();
        assert_eq!(picture.into_raw(), [2, 7]);
        assert_eq!(worst_mistakes(&rows, &images, 9).unwrap().len(), 3);
    }

    #[test]
    fn colours_are_interleaved() {
        let shape = ImageShape { width: 2, height: 1, channels: 3 };
        let bytes = png(&[1, 2, 3, 4, 5, 6], shape).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(picture.into_raw(), [1, 3, 5, 2, 4, 6]);
    }
}
