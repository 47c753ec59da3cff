//! How much is lost when a detector's box is off.

use fer_core::geometry::Rect;
use serde::{Deserialize, Serialize};

use crate::dataset::Images;
use crate::metrics::Metrics;
use crate::statistic::Statistic;

/// The strengths that are tried: fractions of the side.
const STRENGTHS: [f32; 3] = [0.05, 0.1, 0.15];

/// How the boxes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterOptions {
    /// Seed of the boxes.
    pub seed: u64,
    /// How often every image is scored, each time with another box; at least 2.
    pub repetitions: usize,
}

/// Figures under box jitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Jitter {
    /// Seed of the boxes.
    pub seed: u64,
    /// How often every image was scored at each strength.
    pub repetitions: usize,
    /// From weak to strong.
    pub levels: Vec<JitterLevel>,
}

/// Figures where each edge of the box is off by a random amount up to a fraction of the side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JitterLevel {
    /// The fraction.
    pub jitter: f32,
    /// Fraction that is right.
    pub accuracy: Statistic,
    /// Mean of the classes' F1.
    pub macro_f1: Statistic,
}

impl Jitter {
    /// Scores `images` with `score`, which is given a box for each of them.
    pub(super) fn measure<E>(
        images: &Images,
        options: JitterOptions,
        mut score: impl FnMut(&[Rect]) -> Result<Metrics, E>,
    ) -> Result<Self, E> {
        let whole = images.shape().whole();
        let mut random = fastrand::Rng::with_seed(options.seed);
        let mut levels = Vec::new();
        for jitter in STRENGTHS {
            let (mut accuracy, mut macro_f1) = (Vec::new(), Vec::new());
            for _ in 0..options.repetitions {
                let boxes: Vec<Rect> =
                    (0..images.len()).map(|_| jittered(&whole, jitter, &mut random)).collect();
                let metrics = score(&boxes)?;
                accuracy.push(metrics.accuracy);
                macro_f1.push(metrics.macro_f1());
            }
            let figures = Statistic::of(&accuracy).zip(Statistic::of(&macro_f1));
            levels.extend(figures.map(|(accuracy, macro_f1)| JitterLevel {
                jitter,
                accuracy,
                macro_f1,
            }));
        }
        Ok(Self { seed: options.seed, repetitions: options.repetitions, levels })
    }
}

/// `area` with each edge moved by a uniform random amount, up to `jitter` of the side either way:
/// what `augment.box_jitter` does in training.
fn jittered(area: &Rect, jitter: f32, random: &mut fastrand::Rng) -> Rect {
    let mut offset = || jitter * (2.0 * random.f32() - 1.0);
    let (left, right) = (offset() * area.w, offset() * area.w);
    let (top, bottom) = (offset() * area.h, offset() * area.h);
    Rect::new(area.x + left, area.y + top, area.w + right - left, area.h + bottom - top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_off_by_up_to_the_fraction_of_their_side() {
        let area = Rect::new(10.0, 20.0, 100.0, 50.0);
        let mut random = fastrand::Rng::with_seed(1);
        let mut edges = [(f32::INFINITY, f32::NEG_INFINITY); 4];
        for _ in 0..2000 {
            let r = jittered(&area, 0.1, &mut random);
            for (edge, value) in edges.iter_mut().zip([r.x, r.right(), r.y, r.bottom()]) {
                *edge = (edge.0.min(value), edge.1.max(value));
            }
        }
        // Ten pixels across and five down, nearly reached by two thousand boxes.
        let expected = [(0.0, 20.0), (100.0, 120.0), (15.0, 25.0), (65.0, 75.0)];
        for ((low, high), (least, most)) in edges.into_iter().zip(expected) {
            assert!(low >= least - 1e-3 && high <= most + 1e-3, "{low} to {high}");
            assert!(low < least + 0.1 && high > most - 0.1, "{low} to {high}");
        }
    }
}
