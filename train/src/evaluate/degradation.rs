//! How much is lost to distance, blur, noise, dim light and compression.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::dataset::{ImageShape, Images};
use crate::degrade;
use crate::metrics::Metrics;

/// Images that are degraded at a time; larger batches only cost memory.
const BATCH: usize = 512;
/// Seed of the noise.
const SEED: i64 = 0;

/// A way in which images are worse than FER2013's.
struct Condition {
    name: &'static str,
    apply: fn(&Tensor) -> Tensor,
}

/// One strength of each, as a video call, a wide room or an old camera gives them.
const CONDITIONS: [Condition; 5] = [
    Condition { name: "20-pixel faces", apply: |x| degrade::shrink(x, &each(x, 20.0)) },
    Condition {
        name: "blur, sigma 3 % of the side",
        apply: |x| degrade::blur(x, &each(x, 0.03 * x.size()[2] as f64)),
    },
    Condition { name: "noise, sigma .1", apply: |x| degrade::noise(x, &each(x, 0.1)) },
    Condition {
        name: "15 % of the light, noise .02",
        apply: |x| degrade::noise(&degrade::darken(x, &each(x, 0.15)), &each(x, 0.02)),
    },
    Condition { name: "JPEG of quality 20", apply: |x| degrade::jpeg(x, &each(x, 20.0)) },
];

/// Figures where all images are degraded in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Degraded {
    /// In which way, and how strongly.
    pub condition: String,
    /// Fraction that is right.
    pub accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
}

impl Degraded {
    /// Scores `images` with `score` under each condition.
    pub(super) fn measure<E>(
        images: &Images,
        mut score: impl FnMut(&Images) -> Result<Metrics, E>,
    ) -> Result<Vec<Self>, E> {
        tch::manual_seed(SEED);
        CONDITIONS
            .iter()
            .map(|condition| {
                let metrics = score(&condition.of(images))?;
                Ok(Self {
                    condition: condition.name.to_owned(),
                    accuracy: metrics.accuracy,
                    macro_f1: metrics.macro_f1(),
                })
            })
            .collect()
    }
}

impl Condition {
    /// The images under the condition, rounded to bytes.
    fn of(&self, images: &Images) -> Images {
        let ImageShape { width, height, channels } = images.shape();
        let sides = [-1, channels as i64, height as i64, width as i64];
        let mut pixels = Vec::with_capacity(images.pixels().len());
        for bytes in images.pixels().chunks(BATCH * images.shape().len()) {
            let x = Tensor::from_slice(bytes).view(sides).to_kind(Kind::Float) / 255.0;
            let degraded = ((self.apply)(&x) * 255.0).round().to_kind(Kind::Uint8).flatten(0, -1);
            let mut bytes = vec![0; degraded.numel()];
            degraded.copy_data(&mut bytes, degraded.numel());
            pixels.extend(bytes);
        }
        images.with_pixels(pixels)
    }
}

/// The same strength for each image of `x`.
fn each(x: &Tensor, strength: f64) -> Tensor {
    Tensor::full([x.size()[0]], strength, (Kind::Float, x.device()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_changes_the_pixels_and_nothing_else() {
        let mut images = Images::new(ImageShape { width: 30, height: 24, channels: 3 }, 2);
        let pixels: Vec<u8> = (0..30 * 24 * 3).map(|at| (at * 37 % 256) as u8).collect();
        images.push(&pixels, 1);
        images.push(&pixels, 0);
        let mut seen = vec![images.clone()];
        for condition in CONDITIONS {
            let degraded = condition.of(&images);
            assert_eq!((degraded.shape(), degraded.labels()), (images.shape(), images.labels()));
            assert!(!seen.contains(&degraded), "{}", condition.name);
            seen.push(degraded);
        }
        // Dim light: no pixel is brighter than 15 % of white and five deviations of noise.
        assert!(seen[4].pixels().iter().all(|&pixel| pixel <= 64));
    }
}
