//! SGD with Nesterov momentum, its learning-rate schedule and the moving average of weights.
//!
//! The state is plain tensors, so that a checkpoint holds all of it; libtorch's own optimisers
//! do not let it out through `tch`.

use tch::{Tensor, no_grad};

use crate::model::Model;
use crate::recipe::OptimiserRecipe;

/// SGD with Nesterov momentum over a model's trainable tensors.
#[derive(Debug)]
pub struct Sgd {
    parameters: Vec<(String, Tensor)>,
    velocity: Vec<Tensor>,
    momentum: f64,
    weight_decay: f64,
}

impl Sgd {
    /// An optimiser with zero velocity.
    pub fn new(model: &Model, recipe: &OptimiserRecipe) -> Self {
        let parameters: Vec<_> =
            model.tensors().into_iter().filter(|(_, t)| t.requires_grad()).collect();
        let velocity = parameters.iter().map(|(_, t)| t.zeros_like().detach()).collect();
        Self { parameters, velocity, momentum: recipe.momentum, weight_decay: recipe.weight_decay }
    }

    /// Computes the gradients of `loss` and moves every parameter.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64) {
        for (_, parameter) in &mut self.parameters {
            parameter.zero_grad();
        }
        loss.backward();
        no_grad(|| {
            for ((_, parameter), velocity) in self.parameters.iter_mut().zip(&mut self.velocity) {
                // Biases and batch norm's scales are vectors: a penalty on them only hurts.
                let decay = if parameter.dim() > 1 { self.weight_decay } else { 0.0 };
                let gradient = parameter.grad() + &*parameter * decay;
                let _ = velocity.g_mul_scalar_(self.momentum).g_add_(&gradient);
                let update = (&gradient + &*velocity * self.momentum) * learning_rate;
                let _ = parameter.g_sub_(&update);
            }
        });
    }

    /// The momentum buffers by their parameter's name.
    pub fn velocity(&self) -> Vec<(String, Tensor)> {
        let names = self.parameters.iter().map(|(name, _)| name.clone());
        names.zip(self.velocity.iter().map(Tensor::shallow_clone)).collect()
    }
}

/// The learning rate at `step` of `steps`: linear warm-up, then a cosine down to
/// `learning_rate · final_fraction`.
pub fn learning_rate(recipe: &OptimiserRecipe, step: usize, steps: usize) -> f64 {
    let per_epoch = steps as f64 / recipe.epochs as f64;
    let warmup = recipe.warmup_epochs * per_epoch;
    let (step, steps) = (step as f64, steps as f64);
    if step < warmup {
        return recipe.learning_rate * (step + 1.0) / warmup.max(1.0);
    }
    let done = ((step - warmup) / (steps - warmup).max(1.0)).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    recipe.learning_rate * (recipe.final_fraction + (1.0 - recipe.final_fraction) * cosine)
}

/// Moves every tensor of `average` towards `model`'s by `1 − decay`; batch norm's running
/// statistics included.
///
/// Early on the decay is lower, `(1 + step) / (10 + step)`, so that the random start is forgotten.
pub fn move_average(
    average: &[(String, Tensor)],
    model: &[(String, Tensor)],
    decay: f64,
    step: usize,
) {
    let step = step as f64;
    let decay = decay.min((1.0 + step) / (10.0 + step));
    no_grad(|| {
        for ((_, average), (_, current)) in average.iter().zip(model) {
            let _ = average.shallow_clone().lerp_(&current.detach(), 1.0 - decay);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> OptimiserRecipe {
        OptimiserRecipe {
            epochs: 10,
            batch: 4,
            learning_rate: 0.4,
            warmup_epochs: 2.0,
            final_fraction: 0.1,
            momentum: 0.9,
            weight_decay: 0.0,
            ema_decay: 0.99,
        }
    }

    #[test]
    fn warm_up_then_cosine() {
        // 10 epochs of 10 steps: 20 steps of warm-up, then 80 of cosine.
        let at = |step| learning_rate(&recipe(), step, 100);
        assert!((at(0) - 0.02).abs() < 1e-12);
        assert!((at(19) - 0.4).abs() < 1e-12);
        assert!((at(20) - 0.4).abs() < 1e-12);
        // Half-way: .4·(.1 + .9·½).
        assert!((at(60) - 0.22).abs() < 1e-12);
        assert!((at(100) - 0.04).abs() < 1e-12);
    }

    #[test]
    fn nesterov_by_hand() {
        use crate::recipe::ModelRecipe;
        let tiny = ModelRecipe::Resnet { widths: vec![1], blocks: 1, stem_stride: 2, dropout: 0.0 };
        let model = Model::new(&tiny, tch::Device::Cpu);
        let mut sgd = Sgd::new(&model, &recipe());
        let bias = model.network.head.bs.as_ref().unwrap();
        let before = bias.double_value(&[0]);
        // Every parameter's gradient is 1. Step 1: v = 1, move lr·(1 + .9); step 2: v = 1.9,
        // move lr·(1 + .9·1.9).
        for _ in 0..2 {
            let total: Tensor =
                model.store.trainable_variables().iter().map(|t| t.sum(tch::Kind::Float)).sum();
            sgd.step(&total, 0.1);
        }
        let moved = before - bias.double_value(&[0]);
        assert!((moved - 0.1 * (1.9 + 2.71)).abs() < 1e-6, "{moved}");
    }
}
