//! What a layer loses when it sees fewer channels, and how the others stand in for them.
//!
//! Optimal brain surgeon (Hassibi and Stork 1993) on all the inputs that come from one channel at
//! once, as in ZipLM (Kurtic et al. 2023).

use tch::{Kind, Tensor};

/// How much of the mean second moment is added to each, so that there is an inverse.
const DAMPING: f64 = 1e-3;
/// So many channels at least stay for each that is removed before costs are counted anew.
const CHANNELS_A_REMOVAL: usize = 64;

/// Second moments of what a layer sees and of what it shall give, in double precision; the last
/// input is the constant 1.
#[derive(Debug)]
pub(super) struct Moments {
    /// Weights `[outputs, inputs]` before anything is removed.
    weights: Tensor,
    /// Sum of inputs × inputs.
    inputs: Tensor,
    /// Sum of inputs × what is missing from the wanted outputs.
    missing: Tensor,
    /// Sum of the squares of what is missing.
    missed: f64,
    /// Sums of the wanted outputs and of their squares.
    wanted: (Tensor, Tensor),
    rows: f64,
}

impl Moments {
    /// None yet, of a layer of `weights` `[outputs, inputs]`, the last of which is a bias.
    pub(super) fn new(weights: &Tensor) -> Self {
        let weights = weights.to_kind(Kind::Double);
        let (outputs, inputs) = (weights.size()[0], weights.size()[1]);
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, weights.device()));
        Self {
            inputs: zeros(&[inputs, inputs]),
            missing: zeros(&[inputs, outputs]),
            missed: 0.0,
            wanted: (zeros(&[outputs]), zeros(&[outputs])),
            rows: 0.0,
            weights,
        }
    }

    /// Takes in rows of inputs `[n, inputs − 1]` and the outputs `[n, outputs]` wanted of them.
    pub(super) fn see(&mut self, inputs: &Tensor, wanted: &Tensor) {
        let rows = inputs.size()[0];
        let ones = Tensor::ones([rows, 1], (inputs.kind(), inputs.device()));
        let inputs = Tensor::cat(&[inputs, &ones], 1);
        let weights = self.weights.to_kind(inputs.kind());
        let missing = wanted - inputs.matmul(&weights.tr());
        let double = |tensor: Tensor| tensor.to_kind(Kind::Double);
        self.inputs += double(inputs.tr().matmul(&inputs));
        self.missing += double(inputs.tr().matmul(&missing));
        self.missed += missing.square().sum(Kind::Double).double_value(&[]);
        let sum = |tensor: &Tensor| tensor.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
        self.wanted.0 += sum(wanted);
        self.wanted.1 += sum(&wanted.square());
        self.rows += rows as f64;
    }

    /// The mean over the rows.
    fn mean(&self, sum: &Tensor) -> Tensor {
        sum / self.rows
    }

    /// Keeps `keep` of the channels, each of which is `size` inputs that lie side by side.
    pub(super) fn prune(&self, size: i64, keep: usize) -> Cut {
        let moments = self.mean(&self.inputs);
        let count = moments.size()[0];
        let damping = moments.trace() * (DAMPING / count as f64);
        let eye = Tensor::eye(count, (Kind::Double, moments.device()));
        let mut inverse = Tensor::linalg_inv(&(&moments + eye * damping));
        let correction = inverse.matmul(&self.mean(&self.missing));
        let mut weights = &self.weights + correction.tr();
        let mut alive: Vec<i64> = (0..(count - 1) / size).collect();
        while alive.len() > keep {
            let removed = (alive.len() / CHANNELS_A_REMOVAL).clamp(1, alive.len() - keep);
            for channel in cheapest(&weights, &inverse, &alive, size, removed) {
                remove(&mut weights, &mut inverse, channel * size, size);
                alive.retain(|&other| other != channel);
            }
        }
        let columns: Vec<i64> = alive.iter().flat_map(|c| c * size..(c + 1) * size).collect();
        let bias = weights.select(1, count - 1);
        let (mean, square) = self.outputs(&weights, &moments);
        let lost = self.lost(&weights, &moments);
        Cut {
            weights: weights
                .index_select(1, &Tensor::from_slice(&columns).to_device(bias.device())),
            bias,
            variance: square - mean.square(),
            mean,
            lost,
            alive,
        }
    }

    /// Means and mean squares of the outputs of `weights`.
    fn outputs(&self, weights: &Tensor, moments: &Tensor) -> (Tensor, Tensor) {
        let constant = moments.size()[0] - 1;
        let square = (weights.matmul(moments) * weights).sum_dim_intlist(
            [1_i64].as_slice(),
            false,
            Kind::Double,
        );
        (weights.matmul(&moments.select(1, constant)), square)
    }

    /// The part of the wanted outputs' variance that those of `weights` miss.
    fn lost(&self, weights: &Tensor, moments: &Tensor) -> f64 {
        let change = weights - &self.weights;
        let gained = (&change * self.mean(&self.missing).tr()).sum(Kind::Double);
        let spent = (change.matmul(moments) * &change).sum(Kind::Double);
        let (sum, squares) = (self.mean(&self.wanted.0), self.mean(&self.wanted.1));
        let variance = (squares - sum.square()).sum(Kind::Double).double_value(&[]);
        let missed = self.missed / self.rows + (spent - gained * 2.0).double_value(&[]);
        missed / variance.max(f64::MIN_POSITIVE)
    }
}

/// A layer that sees fewer channels.
#[derive(Debug)]
pub(super) struct Cut {
    /// Of the channels that are left, `[outputs, inputs]`.
    pub(super) weights: Tensor,
    /// What is added to each output.
    pub(super) bias: Tensor,
    /// Mean and variance of each output.
    pub(super) mean: Tensor,
    /// See [`Self::mean`].
    pub(super) variance: Tensor,
    /// The part of the outputs' variance that is lost.
    pub(super) lost: f64,
    /// The channels that are left, in their old order.
    pub(super) alive: Vec<i64>,
}

/// The `count` of the channels `alive` whose removal costs least.
fn cheapest(
    weights: &Tensor,
    inverse: &Tensor,
    alive: &[i64],
    size: i64,
    count: usize,
) -> Vec<i64> {
    let device = weights.device();
    let inside = Tensor::arange(size, (Kind::Int64, device)).unsqueeze(0);
    let places = Tensor::from_slice(alive).to_device(device).unsqueeze(1) * size + inside;
    let (rows, columns) = (places.unsqueeze(2), places.unsqueeze(1));
    // [channels, size, size] and [channels, size, outputs].
    let blocks = inverse.index(&[Some(&rows), Some(&columns)]);
    let own = weights.tr().index(&[Some(&places)]);
    let solved = Tensor::linalg_solve(&blocks, &own, true);
    let costs = (solved * own).sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double);
    let (_, order) = costs.topk(count as i64, 0, false, true);
    order.iter::<i64>().into_iter().flatten().map(|index| alive[index as usize]).collect()
}

/// Removes the inputs from `start` on; the others take over what they can.
fn remove(weights: &mut Tensor, inverse: &mut Tensor, start: i64, size: i64) {
    let block = Tensor::linalg_inv(&inverse.narrow(0, start, size).narrow(1, start, size));
    let across = inverse.narrow(1, start, size).copy();
    let shares = block.matmul(&across.tr());
    *weights -= weights.narrow(1, start, size).matmul(&shares);
    *inverse -= across.matmul(&shares);
    // Zero but for rounding.
    for tensor in [weights.narrow(1, start, size), inverse.narrow(0, start, size)] {
        let _ = tensor.shallow_clone().zero_();
    }
    let _ = inverse.narrow(1, start, size).zero_();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[[f64; 3]]) -> Tensor {
        Tensor::from_slice2(values)
    }

    #[test]
    fn a_channel_that_repeats_another_goes_first_and_at_no_cost() {
        // Output: 2a + 3b + 5c + 7, where b is 2a + 1: that is 8a + 5c + 10.
        let inputs = rows(&[
            [1.0, 3.0, 0.0],
            [0.0, 1.0, 2.0],
            [3.0, 7.0, 1.0],
            [-2.0, -3.0, 4.0],
            [0.5, 2.0, -3.0],
        ]);
        let weights = Tensor::from_slice2(&[[2.0, 3.0, 5.0, 7.0]]);
        let wanted = inputs.matmul(&weights.narrow(1, 0, 3).tr()) + 7.0;
        let mut moments = Moments::new(&weights);
        moments.see(&inputs.narrow(0, 0, 2), &wanted.narrow(0, 0, 2));
        moments.see(&inputs.narrow(0, 2, 3), &wanted.narrow(0, 2, 3));
        let cut = moments.prune(1, 2);
        assert!(cut.lost < 1e-4, "{}", cut.lost);
        assert!(cut.alive == [0, 2] || cut.alive == [1, 2], "{:?}", cut.alive);
        // Of b alone: 4b + 5c + 6.
        let expected = if cut.alive[0] == 0 { [8.0, 5.0, 10.0] } else { [4.0, 5.0, 6.0] };
        let found = [
            cut.weights.double_value(&[0, 0]),
            cut.weights.double_value(&[0, 1]),
            cut.bias.double_value(&[0]),
        ];
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 0.1, "{found:?} {expected:?}");
        }
        let mean = wanted.mean(Kind::Double).double_value(&[]);
        let variance = wanted.var(false).double_value(&[]);
        assert!((cut.mean.double_value(&[0]) - mean).abs() < 0.1);
        assert!((cut.variance.double_value(&[0]) / variance - 1.0).abs() < 0.05);
    }

    #[test]
    fn what_a_channel_brings_goes_with_all_its_inputs() {
        // Two channels of two inputs, independent: the second brings 1 + 1 of 9 + 1 + 1 + 1.
        let inputs = Tensor::from_slice2(&[
            [1.0, 1.0, 1.0, 1.0],
            [1.0, -1.0, 1.0, -1.0],
            [1.0, 1.0, -1.0, -1.0],
            [1.0, -1.0, -1.0, 1.0],
            [-1.0, 1.0, 1.0, 1.0],
            [-1.0, -1.0, 1.0, -1.0],
            [-1.0, 1.0, -1.0, -1.0],
            [-1.0, -1.0, -1.0, 1.0],
        ]);
        let weights = Tensor::from_slice2(&[[3.0, 1.0, 1.0, 1.0, 0.0]]);
        let wanted = inputs.matmul(&weights.narrow(1, 0, 4).tr());
        let mut moments = Moments::new(&weights);
        moments.see(&inputs, &wanted);
        let cut = moments.prune(2, 1);
        assert_eq!(cut.alive, [0]);
        assert_eq!(cut.weights.size(), [1, 2]);
        assert!((cut.lost - 2.0 / 12.0).abs() < 1e-3, "{}", cut.lost);
    }
}
