//! What several people's votes on an image say of its label.
//!
//! FER+ and FER2013 disagree on a third of the images, and not evenly: whom FER2013 calls sad,
//! taggers often call neutral. So votes are no target as they are. What a label is likely to be
//! where the votes are such is one: less noisy than the one label that there is.

use tch::{Kind, Tensor, no_grad};

/// Full-batch steps of Adam; far beyond where the loss on FER2013 stops moving.
const STEPS: i32 = 400;
const LEARNING_RATE: f64 = 0.1;

/// P(label | votes) `[n, classes]` by softmax regression on the votes' square roots, fitted on the
/// same rows.
///
/// `votes` are distributions `[n, classes]`, all zero where nobody voted; such a row gets its own
/// label. `labels` are class indices `[n]`; both lie on the same device.
pub fn expected_labels(votes: &Tensor, labels: &Tensor) -> Tensor {
    let classes = votes.size()[1];
    let own = labels.one_hot(classes).to_kind(Kind::Float);
    let usable = votes.sum_dim_intlist([1_i64].as_slice(), true, Kind::Float).gt(0.5);
    let rows = usable.squeeze_dim(1).nonzero().squeeze_dim(1);
    if rows.numel() == 0 {
        return own;
    }
    // Square roots tell one vote from none more clearly than nine from ten.
    let features = votes.sqrt();
    let (seen, wanted) = (features.index_select(0, &rows), labels.index_select(0, &rows));
    let mut fit = Regression::new(&features);
    for step in 1..=STEPS {
        fit.step(&seen, &wanted, step);
    }
    let expected = no_grad(|| fit.logits(&features).softmax(-1, Kind::Float));
    expected.where_self(&usable, &own)
}

/// Weights `[classes + 1, classes]`, the last row a bias, with Adam's two moments.
struct Regression {
    weights: Tensor,
    mean: Tensor,
    square: Tensor,
}

impl Regression {
    fn new(features: &Tensor) -> Self {
        let classes = features.size()[1];
        let zeros = || Tensor::zeros([classes + 1, classes], (Kind::Float, features.device()));
        Self { weights: zeros().set_requires_grad(true), mean: zeros(), square: zeros() }
    }

    fn logits(&self, features: &Tensor) -> Tensor {
        let classes = features.size()[1];
        features.matmul(&self.weights.narrow(0, 0, classes)) + self.weights.narrow(0, classes, 1)
    }

    fn step(&mut self, features: &Tensor, labels: &Tensor, step: i32) {
        let loss = self.logits(features).cross_entropy_for_logits(labels);
        let gradient = Tensor::run_backward(&[&loss], &[&self.weights], false, false).remove(0);
        no_grad(|| {
            self.mean = &self.mean * 0.9 + &gradient * 0.1;
            self.square = &self.square * 0.999 + &gradient * &gradient * 0.001;
            let mean = &self.mean / (1.0 - 0.9_f64.powi(step));
            let square = &self.square / (1.0 - 0.999_f64.powi(step));
            let _ = self.weights.subtract_(&(mean / (square.sqrt() + 1e-8) * LEARNING_RATE));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_say_what_labels_go_with_them() {
        // Nine of ten that all call 1 are labelled 0; all that are called 0 are; the last has no
        // votes.
        let votes = [[0.0_f32, 1.0]; 10].into_iter().chain([[1.0, 0.0]; 10]).chain([[0.0, 0.0]]);
        let votes: Vec<f32> = votes.flatten().collect();
        let labels: Vec<i64> = [vec![0; 9], vec![1], vec![0; 10], vec![1]].concat();
        let found = expected_labels(
            &Tensor::from_slice(&votes).view([-1, 2]),
            &Tensor::from_slice(&labels),
        );
        let found = Vec::<f32>::try_from(found.flatten(0, -1)).unwrap();
        assert!((found[0] - 0.9).abs() < 0.01 && (found[1] - 0.1).abs() < 0.01, "{found:?}");
        assert!(found[20] > 0.98, "{found:?}");
        assert_eq!(found[40..], [0.0, 1.0]);
    }

    #[test]
    fn without_any_votes_labels_stay() {
        let labels = Tensor::from_slice(&[1_i64, 0]);
        let found =
            expected_labels(&Tensor::zeros([2, 2], (Kind::Float, labels.device())), &labels);
        assert_eq!(Vec::<f32>::try_from(found.flatten(0, -1)).unwrap(), [0.0, 1.0, 1.0, 0.0]);
    }
}
