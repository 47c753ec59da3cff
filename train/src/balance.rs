//! Classes of unequal size: weights, and images drawn more or less often.

use tch::{Device, Kind, Tensor};

use crate::recipe::BalanceRecipe;

/// A weight for each class: (largest count ÷ its count)^`power`, scaled so that the average over
/// the training images is 1.
///
/// A class without images gets weight 0.
pub fn class_weights(counts: &[usize], power: f64) -> Vec<f64> {
    let largest = counts.iter().copied().max().unwrap_or(0) as f64;
    let weight = |&n: &usize| if n == 0 { 0.0 } else { (largest / n as f64).powf(power) };
    let raw: Vec<f64> = counts.iter().map(weight).collect();
    let images: usize = counts.iter().sum();
    let total: f64 = raw.iter().zip(counts).map(|(w, &n)| w * n as f64).sum();
    if total == 0.0 { raw } else { raw.iter().map(|w| w * images as f64 / total).collect() }
}

/// How frequent each class is in what a network learns, as fractions: its images, as `balance` weighs
/// or draws them.
pub fn learnt_frequencies(counts: &[usize], balance: &BalanceRecipe) -> Vec<f64> {
    let weighted = |power| {
        let weights = class_weights(counts, power);
        weights.iter().zip(counts).map(|(weight, &n)| weight * n as f64).collect::<Vec<_>>()
    };
    let shares = match *balance {
        BalanceRecipe::None | BalanceRecipe::Focal { .. } => weighted(0.0),
        BalanceRecipe::ClassWeights { power } | BalanceRecipe::BalancedSampling { power } => {
            weighted(power)
        }
        // Logits shifted by tau · log(frequency) leave frequency^(1 − tau) to be learnt.
        BalanceRecipe::LogitAdjustment { tau } => weighted(tau),
        BalanceRecipe::Smote { .. } => weighted(1.0),
    };
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

/// Positions of images for one epoch, drawn with replacement by the weight of their class: as many
/// as there are `labels` `[n]`.
pub fn weighted_order(labels: &Tensor, weights: &[f64]) -> Tensor {
    let weights = floats(weights, labels.device());
    weights.index_select(0, labels).multinomial(labels.size()[0], true)
}

/// log(frequency) of each class, `[classes]`; a class without images counts as half an image.
pub fn log_frequencies(counts: &[usize], device: Device) -> Tensor {
    let images: usize = counts.iter().sum();
    let frequency = |&n: &usize| ((n as f64).max(0.5) / images.max(1) as f64).ln();
    floats(&counts.iter().map(frequency).collect::<Vec<_>>(), device)
}

/// The values as a tensor of `f32`.
pub fn floats(values: &[f64], device: Device) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Float).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_hand() {
        // Largest 400. Power 1: 4, 1, and an empty class. Mean over 500 images:
        // (4·100 + 1·400) / 500 = 1.6, so 2.5 and 0.625.
        let counts = [100, 400, 0];
        let weights = class_weights(&counts, 1.0);
        assert!((weights[0] - 2.5).abs() < 1e-12);
        assert!((weights[1] - 0.625).abs() < 1e-12);
        assert_eq!(weights[2], 0.0);
        // Power .5: 2 and 1; mean (200 + 400) / 500 = 1.2.
        let weights = class_weights(&counts, 0.5);
        assert!((weights[0] - 2.0 / 1.2).abs() < 1e-12);
        assert!((weights[1] - 1.0 / 1.2).abs() < 1e-12);
        assert_eq!(class_weights(&[10; 7], 0.5), [1.0; 7]);
        assert_eq!(class_weights(&[0; 7], 0.5), [0.0; 7]);
    }

    #[test]
    fn what_is_learnt_by_hand() {
        let close = |found: Vec<f64>, expected: [f64; 2]| {
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12, "{found:?} is not {expected:?}");
            }
        };
        let counts = [900, 100];
        close(learnt_frequencies(&counts, &BalanceRecipe::None), [0.9, 0.1]);
        // √900 : √100.
        let half = BalanceRecipe::ClassWeights { power: 0.5 };
        close(learnt_frequencies(&counts, &half), [0.75, 0.25]);
        close(learnt_frequencies(&counts, &BalanceRecipe::Smote { k: 6 }), [0.5, 0.5]);
        let adjusted = BalanceRecipe::LogitAdjustment { tau: 0.5 };
        close(learnt_frequencies(&counts, &adjusted), [0.75, 0.25]);
    }

    #[test]
    fn weighted_draws_even_the_classes_out() {
        // 900 of class 0 and 100 of class 1: with full weights half of the draws are each.
        let labels = Tensor::from_slice(&[[0_i64; 900].as_slice(), &[1; 100]].concat());
        let weights = class_weights(&[900, 100], 1.0);
        let drawn = labels.index_select(0, &weighted_order(&labels, &weights));
        let share = drawn.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        // Five standard deviations of a share over 1,000 draws.
        assert!((share - 0.5).abs() < 5.0 * (0.25_f64 / 1000.0).sqrt(), "{share}");
        assert_eq!(drawn.size(), [1000]);
    }

    #[test]
    fn frequencies_by_hand() {
        let logs = Vec::<f32>::try_from(log_frequencies(&[3, 1, 0], Device::Cpu)).unwrap();
        for (log, frequency) in logs.iter().zip([0.75_f32, 0.25, 0.125]) {
            assert!((log - frequency.ln()).abs() < 1e-6, "{logs:?}");
        }
    }
}
