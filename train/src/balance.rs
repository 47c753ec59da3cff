//! Class weights and the loss that uses them.

use fer_core::emotion::Emotion;
use tch::{Device, Kind, Tensor};

/// A weight for each class: (largest count ÷ its count)^`power`, scaled so that the average over
/// the training images is 1.
///
/// A class without images gets weight 0.
pub fn class_weights(counts: &[usize; Emotion::COUNT], power: f64) -> [f64; Emotion::COUNT] {
    let largest = counts.iter().copied().max().unwrap_or(0) as f64;
    let raw = counts.map(|n| if n == 0 { 0.0 } else { (largest / n as f64).powf(power) });
    let images: usize = counts.iter().sum();
    let total: f64 = raw.iter().zip(counts).map(|(w, &n)| w * n as f64).sum();
    if total == 0.0 { raw } else { raw.map(|w| w * images as f64 / total) }
}

/// Targets `[n, 7]` of class indices `[n]`: `1 − smoothing` on the class and `smoothing` spread
/// evenly over all seven.
pub fn soft_targets(labels: &Tensor, smoothing: f64) -> Tensor {
    let classes = Emotion::COUNT as f64;
    labels.one_hot(Emotion::COUNT as i64).to_kind(Kind::Float) * (1.0 - smoothing)
        + smoothing / classes
}

/// Cross-entropy of logits `[n, 7]` against soft targets `[n, 7]`, classes weighted by `weights`
/// `[7]`, averaged over the weight of the batch.
pub fn weighted_cross_entropy(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Tensor {
    let weighted = targets * weights;
    -(&weighted * logits.log_softmax(-1, Kind::Float)).sum(Kind::Float) / weighted.sum(Kind::Float)
}

/// The weights as a tensor `[7]`.
pub fn weights_tensor(weights: &[f64; Emotion::COUNT], device: Device) -> Tensor {
    Tensor::from_slice(weights.as_slice()).to_kind(Kind::Float).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_hand() {
        // Largest 400. Power 1: 4, 1, and five empty classes. Mean over 500 images:
        // (4·100 + 1·400) / 500 = 1.6, so 2.5 and 0.625.
        let counts = [100, 400, 0, 0, 0, 0, 0];
        let weights = class_weights(&counts, 1.0);
        assert!((weights[0] - 2.5).abs() < 1e-12);
        assert!((weights[1] - 0.625).abs() < 1e-12);
        assert_eq!(weights[2..], [0.0; 5]);
        // Power .5: 2 and 1; mean (200 + 400) / 500 = 1.2.
        let weights = class_weights(&counts, 0.5);
        assert!((weights[0] - 2.0 / 1.2).abs() < 1e-12);
        assert!((weights[1] - 1.0 / 1.2).abs() < 1e-12);
        assert_eq!(class_weights(&[10; 7], 0.5), [1.0; 7]);
        assert_eq!(class_weights(&[0; 7], 0.5), [0.0; 7]);
    }

    #[test]
    fn smoothing_by_hand() {
        let targets = soft_targets(&Tensor::from_slice(&[2_i64]), 0.07);
        let row = Vec::<f32>::try_from(targets.view([7])).unwrap();
        for (class, value) in row.iter().enumerate() {
            let expected = if class == 2 { 0.94 } else { 0.01 };
            assert!((value - expected).abs() < 1e-6, "{row:?}");
        }
    }

    #[test]
    fn cross_entropy_by_hand() {
        // Two rows: logits that give softmax ½, ½ and ¼, ¾ on classes 0 and 1, the rest ~0.
        let low = -1e9_f64;
        let logits = Tensor::from_slice(&[
            0.0,
            0.0,
            low,
            low,
            low,
            low,
            low,
            0.0,
            3_f64.ln(),
            low,
            low,
            low,
            low,
            low,
        ])
        .to_kind(Kind::Float)
        .view([2, 7]);
        let targets = soft_targets(&Tensor::from_slice(&[0_i64, 1]), 0.0);
        let weights = weights_tensor(&[3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], Device::Cpu);
        let loss = weighted_cross_entropy(&logits, &targets, &weights).double_value(&[]);
        let expected = (3.0 * 2_f64.ln() + (4.0_f64 / 3.0).ln()) / 4.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }
}
