//! Targets and the loss that compares logits with them.

use tch::{Device, Kind, Tensor};

use crate::balance::{class_weights, floats, log_frequencies};
use crate::recipe::BalanceRecipe;

/// Targets `[n, classes]` of class indices `[n]`: `1 − smoothing` on the class and `smoothing`
/// spread evenly over all classes.
pub fn soft_targets(labels: &Tensor, classes: usize, smoothing: f64) -> Tensor {
    smoothed(&labels.one_hot(classes as i64).to_kind(Kind::Float), smoothing)
}

/// Distributions `[n, classes]` with `smoothing` of their mass spread evenly over all classes.
pub fn smoothed(targets: &Tensor, smoothing: f64) -> Tensor {
    let classes = targets.size()[1] as f64;
    targets * (1.0 - smoothing) + smoothing / classes
}

/// Cross-entropy of logits against soft targets, in the form that a recipe's balance asks for.
#[derive(Debug)]
pub struct Loss {
    weights: Tensor,
    shift: Option<Tensor>,
    gamma: f64,
}

impl Loss {
    /// The loss for training images of which each class has as many as `counts` says.
    pub fn new(balance: &BalanceRecipe, counts: &[usize], device: Device) -> Self {
        let even = || floats(&vec![1.0; counts.len()], device);
        let (mut shift, mut gamma) = (None, 0.0);
        let weights = match *balance {
            BalanceRecipe::ClassWeights { power } => floats(&class_weights(counts, power), device),
            BalanceRecipe::Focal { gamma: focus } => {
                gamma = focus;
                even()
            }
            BalanceRecipe::LogitAdjustment { tau } => {
                shift = Some(log_frequencies(counts, device) * tau);
                even()
            }
            BalanceRecipe::None
            | BalanceRecipe::BalancedSampling { .. }
            | BalanceRecipe::Smote { .. } => even(),
        };
        Self { weights, shift, gamma }
    }

    /// The loss of logits `[n, classes]` against distributions `[n, classes]`, averaged over the
    /// weight of the batch.
    pub fn of(&self, logits: &Tensor, targets: &Tensor) -> Tensor {
        let shifted = self.shift.as_ref().map(|shift| logits + shift);
        let logs = shifted.as_ref().unwrap_or(logits).log_softmax(-1, Kind::Float);
        let weighted = targets * &self.weights;
        let mut terms = &weighted * &logs;
        if self.gamma > 0.0 {
            let missing: Tensor = 1.0 - logs.exp();
            // Not 0, where the power has no finite slope for a gamma below 1.
            terms *= missing.clamp_min(1e-6).pow_tensor_scalar(self.gamma);
        }
        -terms.sum(Kind::Float) / weighted.sum(Kind::Float)
    }
}

/// Divergence of a student's logits from teachers' probabilities, both softened by `temperature`,
/// averaged over the batch and multiplied by temperature² so that its gradients keep their size
/// (Hinton et al. 2015).
///
/// `teachers` are the teachers' mean probabilities at that temperature, `[n, classes]`.
pub fn distillation(logits: &Tensor, teachers: &Tensor, temperature: f64) -> Tensor {
    let logs = (logits / temperature).log_softmax(-1, Kind::Float);
    let divergence = teachers * (teachers.clamp_min(1e-12).log() - logs);
    divergence.sum(Kind::Float) * (temperature * temperature / logits.size()[0] as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss_of(balance: BalanceRecipe, counts: &[usize], rows: &[[f64; 2]], labels: &[i64]) -> f64 {
        let logits = Tensor::from_slice2(rows).to_kind(Kind::Float);
        let targets = soft_targets(&Tensor::from_slice(labels), 2, 0.0);
        Loss::new(&balance, counts, Device::Cpu).of(&logits, &targets).double_value(&[])
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn smoothing_by_hand() {
        let targets = soft_targets(&Tensor::from_slice(&[2_i64]), 7, 0.07);
        let row = Vec::<f32>::try_from(targets.view([7])).unwrap();
        for (class, value) in row.iter().enumerate() {
            let expected = if class == 2 { 0.94 } else { 0.01 };
            assert!((value - expected).abs() < 1e-6, "{row:?}");
        }
    }

    #[test]
    fn weighted_cross_entropy_by_hand() {
        // Softmax ½, ½ with truth 0; ¼, ¾ with truth 1. Counts 1 : 3 weigh 3 : 1 up to a factor,
        // which the average over the weights takes out.
        let rows = [[0.0, 0.0], [0.0, 3_f64.ln()]];
        let weighted = BalanceRecipe::ClassWeights { power: 1.0 };
        let expected = (3.0 * 2_f64.ln() + (4.0_f64 / 3.0).ln()) / 4.0;
        close(loss_of(weighted, &[1, 3], &rows, &[0, 1]), expected);
        let plain = (2_f64.ln() + (4.0_f64 / 3.0).ln()) / 2.0;
        close(loss_of(BalanceRecipe::None, &[1, 3], &rows, &[0, 1]), plain);
    }

    #[test]
    fn focal_loss_by_hand() {
        // p = ¾ on the truth: (1 − ¾)² · −ln ¾.
        let focal = BalanceRecipe::Focal { gamma: 2.0 };
        let found = loss_of(focal, &[1, 1], &[[0.0, 3_f64.ln()]], &[1]);
        close(found, (4.0_f64 / 3.0).ln() / 16.0);
        close(
            loss_of(BalanceRecipe::Focal { gamma: 0.0 }, &[1, 1], &[[0.0, 0.0]], &[1]),
            2_f64.ln(),
        );
    }

    #[test]
    fn a_focal_loss_of_what_is_certain_has_a_slope() {
        for gamma in [0.5, 1.0, 2.0] {
            let logits = Tensor::from_slice2(&[[40.0_f32, -40.0]]).set_requires_grad(true);
            let targets = soft_targets(&Tensor::from_slice(&[0_i64]), 2, 0.0);
            let loss = Loss::new(&BalanceRecipe::Focal { gamma }, &[1, 1], Device::Cpu);
            loss.of(&logits, &targets).backward();
            let slope = Vec::<f32>::try_from(logits.grad().view([2])).unwrap();
            assert!(slope.iter().all(|value| value.is_finite()), "{gamma}: {slope:?}");
        }
    }

    #[test]
    fn logit_adjustment_by_hand() {
        // Equal logits, frequencies ¾ and ¼: the shifted softmax is ¾, ¼.
        let adjusted = BalanceRecipe::LogitAdjustment { tau: 1.0 };
        close(loss_of(adjusted, &[3, 1], &[[0.0, 0.0]], &[1]), 4_f64.ln());
        close(loss_of(adjusted, &[3, 1], &[[0.0, 0.0]], &[0]), (4.0_f64 / 3.0).ln());
    }

    #[test]
    fn distillation_by_hand() {
        // Student ½, ½; teacher ¼, ¾: ¼·ln ½ + ¾·ln 3⁄2, times temperature² = 4.
        let logits = Tensor::from_slice2(&[[0.0_f32, 0.0]]);
        let teachers = Tensor::from_slice2(&[[0.25_f32, 0.75]]);
        let expected = 4.0 * (0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln());
        close(distillation(&logits, &teachers, 2.0).double_value(&[]), expected);
        // A student that equals its teacher at that temperature has nothing to learn.
        let logits = (teachers.log() * 2.0).to_kind(Kind::Float);
        close(distillation(&logits, &teachers, 2.0).double_value(&[]), 0.0);
    }
}
