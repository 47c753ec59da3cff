//! What a layer loses when it sees fewer channels, and how the others stand in for them.
//!
//! Optimal brain surgeon (Hassibi and Stork 1993) on all the inputs that come from one channel at
//! once, as in ZipLM (Kurtic et al. 2023).

use tch::{Kind, Tensor};

/// How much of the mean second moment is added to each, so that there is an inverse.
const DAMPING: f64 = 1e-3;
/// So many channels at least stay for each that is removed before the costs of all are counted anew.
const CHANNELS_A_REMOVAL: usize = 64;
/// So many of the cheapest are counted anew after each removal: what a channel stood in for is dear
/// once that is gone.
const CANDIDATES_A_REMOVAL: usize = 4;

/// Second moments of what a layer sees and of what it shall give, in double precision; the last
/// input is the constant 1.
#[derive(Debug)]
pub(super) struct Moments {
    /// Weights `[outputs, inputs]` before anything is removed.
    weights: Tensor,
    /// How much a squared error of each output counts, `[outputs, 1]`.
    importance: Tensor,
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
    /// None yet, of a layer of `weights` `[outputs, inputs]`, the last of which is a bias. A squared
    /// error of an output counts as `importance` `[outputs]` says.
    pub(super) fn new(weights: &Tensor, importance: &Tensor) -> Self {
        let weights = weights.to_kind(Kind::Double);
        let (outputs, inputs) = (weights.size()[0], weights.size()[1]);
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, weights.device()));
        Self {
            inputs: zeros(&[inputs, inputs]),
            missing: zeros(&[inputs, outputs]),
            missed: 0.0,
            wanted: (zeros(&[outputs]), zeros(&[outputs])),
            rows: 0.0,
            importance: importance.to_kind(Kind::Double).unsqueeze(1),
            weights,
        }
    }

    /// Takes in rows of inputs `[n, inputs − 1]` and the outputs `[n, outputs]` wanted of them.
    pub(super) fn add(&mut self, inputs: &Tensor, wanted: &Tensor) {
        let rows = inputs.size()[0];
        let ones = Tensor::ones([rows, 1], (inputs.kind(), inputs.device()));
        let inputs = Tensor::cat(&[inputs, &ones], 1).to_kind(Kind::Double);
        let wanted = wanted.to_kind(Kind::Double);
        let missing = &wanted - inputs.matmul(&self.weights.tr());
        // Added in place: of thousands of inputs, each copy of these is some hundred megabytes.
        let _ = self.inputs.addmm_(&inputs.tr(), &inputs);
        let _ = self.missing.addmm_(&inputs.tr(), &missing);
        let squares = missing.square().matmul(&self.importance);
        self.missed += squares.sum(Kind::Double).double_value(&[]);
        let sum = |tensor: &Tensor| tensor.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
        self.wanted.0 += sum(&wanted);
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
            let count = (removed * CANDIDATES_A_REMOVAL).min(alive.len());
            let mut candidates = self.cheapest(&weights, &inverse, &alive, size, count);
            for _ in 0..removed {
                let channel = self.cheapest(&weights, &inverse, &candidates, size, 1)[0];
                remove(&mut weights, &mut inverse, channel * size, size);
                alive.retain(|&other| other != channel);
                candidates.retain(|&other| other != channel);
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
            variance: (square - mean.square()).clamp_min(0.0),
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

    /// The part of the wanted outputs' variance that those of `weights` miss, by what the moments
    /// are of.
    fn lost(&self, weights: &Tensor, moments: &Tensor) -> f64 {
        let change = weights - &self.weights;
        let weighted = &change * &self.importance;
        let gained = (&weighted * self.mean(&self.missing).tr()).sum(Kind::Double);
        let spent = (weighted.matmul(moments) * &change).sum(Kind::Double);
        let (sum, squares) = (self.mean(&self.wanted.0), self.mean(&self.wanted.1));
        let variances = (squares - sum.square()) * self.importance.squeeze_dim(1);
        let variance = variances.sum(Kind::Double).double_value(&[]);
        let missed = self.missed / self.rows + (spent - gained * 2.0).double_value(&[]);
        missed / variance.max(f64::MIN_POSITIVE)
    }

    /// Those `count` of `channels` whose removal costs least.
    fn cheapest(
        &self,
        weights: &Tensor,
        inverse: &Tensor,
        channels: &[i64],
        size: i64,
        count: usize,
    ) -> Vec<i64> {
        let device = weights.device();
        let inside = Tensor::arange(size, (Kind::Int64, device)).unsqueeze(0);
        let places = Tensor::from_slice(channels).to_device(device).unsqueeze(1) * size + inside;
        let (rows, columns) = (places.unsqueeze(2), places.unsqueeze(1));
        // [channels, size, size] and [channels, size, outputs].
        let blocks = inverse.index(&[Some(&rows), Some(&columns)]);
        let own = weights.tr().index(&[Some(&places)]);
        let costs = (Tensor::linalg_solve(&blocks, &own, true) * own).matmul(&self.importance);
        let costs = costs.sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double);
        let (_, order) = costs.topk(count as i64, 0, false, true);
        (0..count as i64).map(|i| channels[order.int64_value(&[i]) as usize]).collect()
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

/// Removes the inputs from `start` on; the others take over what they can.
fn remove(weights: &mut Tensor, inverse: &mut Tensor, start: i64, size: i64) {
    let block = Tensor::linalg_inv(&inverse.narrow(0, start, size).narrow(1, start, size));
    let across = inverse.narrow(1, start, size).copy();
    let shares = block.matmul(&across.tr());
    *weights -= weights.narrow(1, start, size).matmul(&shares);
    let _ = inverse.addmm_(&across.neg(), &shares);
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
        let mut moments =
            Moments::new(&weights, &Tensor::ones([1], (Kind::Double, tch::Device::Cpu)));
        moments.add(&inputs.narrow(0, 0, 2), &wanted.narrow(0, 0, 2));
        moments.add(&inputs.narrow(0, 2, 3), &wanted.narrow(0, 2, 3));
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
    fn of_two_that_say_the_same_one_stays() {
        // Channels 0 and 1 are the same and say much; the 126 others say little, each its own.
        tch::manual_seed(1);
        let count = 128;
        let inputs = Tensor::randn([1000, count], (Kind::Double, tch::Device::Cpu));
        inputs.narrow(1, 1, 1).copy_(&inputs.narrow(1, 0, 1).copy());
        let weights = Tensor::zeros([1, count + 1], (Kind::Double, tch::Device::Cpu));
        let _ = weights.narrow(1, 0, count).fill_(0.1);
        let _ = weights.narrow(1, 0, 2).fill_(1.0);
        let wanted = inputs.matmul(&weights.narrow(1, 0, count).tr());
        let mut moments =
            Moments::new(&weights, &Tensor::ones([1], (Kind::Double, tch::Device::Cpu)));
        moments.add(&inputs, &wanted);
        let cut = moments.prune(1, 126);
        assert_eq!(cut.alive.iter().filter(|&&channel| channel < 2).count(), 1, "{:?}", cut.alive);
        assert!(cut.lost < 1e-2, "{}", cut.lost);
    }

    #[test]
    fn errors_of_important_outputs_count() {
        // The first output is 3a + b, the second a + 2b; a and b are independent.
        let inputs = Tensor::from_slice2(&[[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]);
        let weights = Tensor::from_slice2(&[[3.0, 1.0, 0.0], [1.0, 2.0, 0.0]]);
        let kept = |importance: &[f64]| {
            let mut moments = Moments::new(&weights, &Tensor::from_slice(importance));
            moments.add(&inputs, &inputs.matmul(&weights.narrow(1, 0, 2).tr()));
            let cut = moments.prune(1, 1);
            (cut.alive, cut.lost)
        };
        let (alive, lost) = kept(&[1.0, 1.0]);
        // a brings 9 + 1, b 1 + 4 of 15.
        assert!(alive == [0] && (lost - 5.0 / 15.0).abs() < 1e-3, "{alive:?} {lost}");
        // a brings .1·9 + 1, b .1 + 4 of 6.
        let (alive, lost) = kept(&[0.1, 1.0]);
        assert!(alive == [1] && (lost - 1.9 / 6.0).abs() < 1e-3, "{alive:?} {lost}");
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
        let mut moments =
            Moments::new(&weights, &Tensor::ones([1], (Kind::Double, tch::Device::Cpu)));
        moments.add(&inputs, &wanted);
        let cut = moments.prune(2, 1);
        assert_eq!(cut.alive, [0]);
        assert_eq!(cut.weights.size(), [1, 2]);
        assert!((cut.lost - 2.0 / 12.0).abs() < 1e-3, "{}", cut.lost);
    }
}
