//! Risk and coverage: how right the answers are that are sure enough.

use serde::{Deserialize, Serialize};

use crate::metrics::{Distributions, top};

/// Thresholds from 0 in steps of a twentieth.
const STEPS: usize = 20;

/// What is kept where answers below a threshold are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The least top probability that is kept, 0 to 1.
    pub threshold: f64,
    /// Images that are kept.
    pub images: usize,
    /// Fraction of the images that is kept.
    pub coverage: f64,
    /// Fraction of the kept images that is right; none where nothing is kept.
    pub accuracy: Option<f64>,
}

/// What is kept at thresholds 0, .05, … .95, of predictions for images with these labels.
pub fn coverage(rows: &Distributions, labels: &[usize]) -> Vec<Kept> {
    let answers: Vec<(f64, bool)> = rows
        .rows()
        .zip(labels)
        .map(|(row, &label)| {
            let (class, probability) = top(row);
            (probability, class == label)
        })
        .collect();
    let kept = |step: usize| {
        let threshold = step as f64 / STEPS as f64;
        let kept = answers.iter().filter(|(probability, _)| *probability >= threshold);
        let images = kept.clone().count();
        let right = kept.filter(|(_, right)| *right).count();
        Kept {
            threshold,
            images,
            coverage: images as f64 / answers.len().max(1) as f64,
            accuracy: (images > 0).then(|| right as f64 / images as f64),
        }
    };
    (0..STEPS).map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_by_hand() {
        // Right at .9 and .5, wrong at .8 and .6.
        let mut rows = Distributions::new(2);
        for row in [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.5, 0.5]] {
            rows.push(row);
        }
        let kept = coverage(&rows, &[0, 1, 0, 0]);
        assert_eq!(kept.len(), 20);
        let figures = |step: usize| (kept[step].images, kept[step].coverage, kept[step].accuracy);
        assert_eq!(figures(0), (4, 1.0, Some(0.5)));
        // A probability that equals the threshold is kept.
        assert_eq!(figures(10), (4, 1.0, Some(0.5)));
        assert_eq!(figures(13), (2, 0.5, Some(0.5)));
        assert_eq!(figures(17), (1, 0.25, Some(1.0)));
        assert_eq!(figures(19), (0, 0.0, None));
        assert_eq!(kept[19].threshold, 0.95);
    }
}
