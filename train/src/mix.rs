//! Batches mixed with themselves in another order: inputs and targets alike.

use tch::{Device, Kind, Tensor};

use crate::recipe::AugmentRecipe;

/// What happened to a batch.
#[derive(Debug)]
pub struct Mixed {
    /// Images `[n, channels, h, w]`.
    pub x: Tensor,
    /// Distributions `[n, classes]`.
    pub targets: Tensor,
    /// Whether it was mixed, so that its images have no single class any more.
    pub mixed: bool,
}

/// Mixes a batch by mixup, by CutMix or not at all, as `recipe` has it.
pub fn mix(x: Tensor, targets: Tensor, recipe: &AugmentRecipe) -> Mixed {
    let choice = Tensor::rand([1], (Kind::Float, Device::Cpu)).double_value(&[0]);
    if choice < recipe.mixup {
        let (x, targets) = mixup(&x, &targets, beta(recipe.mix_alpha));
        Mixed { x, targets, mixed: true }
    } else if choice < recipe.mixup + recipe.cutmix {
        let (x, targets) = cutmix(&x, &targets, beta(recipe.mix_alpha));
        Mixed { x, targets, mixed: true }
    } else {
        Mixed { x, targets, mixed: false }
    }
}

/// A number from Beta(`alpha`, `alpha`).
fn beta(alpha: f64) -> f64 {
    // A Beta variable is a ratio of two Gamma variables.
    let gamma = Tensor::full([2], alpha, (Kind::Double, Device::Cpu)).internal_standard_gamma();
    let (a, b) = (gamma.double_value(&[0]), gamma.double_value(&[1]));
    if a + b > 0.0 { a / (a + b) } else { 0.5 }
}

/// `weight` of each image and `1 − weight` of another (Zhang et al. 2017).
pub fn mixup(x: &Tensor, targets: &Tensor, weight: f64) -> (Tensor, Tensor) {
    let order = Tensor::randperm(x.size()[0], (Kind::Int64, x.device()));
    (blend(x, &order, weight), blend(targets, &order, weight))
}

/// A rectangle of another image, of about `1 − weight` of the area, in each image; targets by the
/// true area (Yun et al. 2019).
pub fn cutmix(x: &Tensor, targets: &Tensor, weight: f64) -> (Tensor, Tensor) {
    let size = x.size();
    let order = Tensor::randperm(size[0], (Kind::Int64, x.device()));
    let side = (1.0 - weight).max(0.0).sqrt();
    let (top, rows) = span(size[2], side);
    let (left, columns) = span(size[3], side);
    let mut cut = x.copy();
    if rows > 0 && columns > 0 {
        let area = |t: &Tensor| t.narrow(2, top, rows).narrow(3, left, columns);
        area(&cut).copy_(&area(&x.index_select(0, &order)));
    }
    let kept = 1.0 - (rows * columns) as f64 / (size[2] * size[3]) as f64;
    cut = cut.detach();
    (cut, blend(targets, &order, kept))
}

/// Start and length of `fraction` of a side around a random middle, cut off at the borders.
fn span(side: i64, fraction: f64) -> (i64, i64) {
    let middle = Tensor::rand([1], (Kind::Float, Device::Cpu)).double_value(&[0]) * side as f64;
    let half = fraction * side as f64 / 2.0;
    let start = (middle - half).round().clamp(0.0, side as f64) as i64;
    let end = (middle + half).round().clamp(0.0, side as f64) as i64;
    (start, end - start)
}

fn blend(t: &Tensor, order: &Tensor, weight: f64) -> Tensor {
    t * weight + t.index_select(0, order) * (1.0 - weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixup_mixes_inputs_and_targets_alike() {
        // The input is the target itself, so both must stay equal, and each sums to 1.
        let targets = Tensor::eye(7, (Kind::Float, Device::Cpu));
        let (x, mixed) = mixup(&targets, &targets, 0.3);
        assert_eq!((&x - &mixed).abs().max().double_value(&[]), 0.0);
        let sums = mixed.sum_dim_intlist([1_i64].as_slice(), false, Kind::Float);
        assert!((sums - 1.0).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn cutmixs_targets_are_the_areas() {
        // Image i is all i: the share of foreign pixels is the share of the foreign class.
        let n = 4;
        let x = Tensor::arange(n, (Kind::Float, Device::Cpu)).view([n, 1, 1, 1]);
        let x = x.expand([n, 1, 6, 8], false).contiguous();
        let targets = Tensor::eye(n, (Kind::Float, Device::Cpu));
        for weight in [0.0, 0.4, 1.0] {
            let (cut, mixed) = cutmix(&x, &targets, weight);
            for image in 0..n {
                let own = cut.get(image).eq(image as f64).to_kind(Kind::Double).mean(Kind::Double);
                let target = mixed.double_value(&[image, image]);
                assert!((own.double_value(&[]) - target).abs() < 1e-6);
            }
        }
        let before = x.sum(Kind::Float).double_value(&[]);
        assert_eq!(before, (6 * 8 * 6) as f64, "the batch itself must stay as it was");
    }

    #[test]
    fn a_beta_of_small_parameters_lies_at_the_ends() {
        tch::manual_seed(1);
        let draws: Vec<f64> = (0..400).map(|_| beta(0.1)).collect();
        let ends = draws.iter().filter(|&&x| !(0.1..=0.9).contains(&x)).count();
        let mean = draws.iter().sum::<f64>() / 400.0;
        // Beta(.1, .1) has four fifths of its mass there, and mean ½ with deviation .456.
        assert!(ends > 280, "{ends}");
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }
}
