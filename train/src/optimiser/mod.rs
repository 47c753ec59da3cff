//! SGD, Adam and AdamW, and the moving average of weights.
//!
//! The state is plain tensors, so that a checkpoint holds all of it; libtorch's own optimisers
//! do not let it out through `tch`.

mod schedule;

pub use schedule::{Patience, learning_rate};
use tch::{Kind, Tensor, no_grad};

use crate::network::{Model, Named};
use crate::recipe::{OptimiserKind, OptimiserRecipe};

/// A way to move a model's trainable tensors along their gradients.
#[derive(Debug)]
pub struct Optimiser {
    parameters: Named,
    /// Momentum, or Adam's average of gradients.
    first: Vec<Tensor>,
    /// Adam's average of squared gradients; empty for SGD.
    second: Vec<Tensor>,
    /// Adam's steps of each parameter, on the CPU: one that was frozen has made fewer. Empty for SGD.
    steps: Vec<Tensor>,
    kind: OptimiserKind,
    weight_decay: f64,
    clip_norm: f64,
    l1: f64,
}

impl Optimiser {
    /// An optimiser without a past. `l1` is the factor of the sum of absolute weights.
    pub fn new(model: &Model, recipe: &OptimiserRecipe, l1: f64) -> Self {
        let parameters: Named =
            model.tensors().into_iter().filter(|(_, t)| t.requires_grad()).collect();
        let zeros = || parameters.iter().map(|(_, t)| t.zeros_like().detach()).collect();
        let first = zeros();
        let (second, steps) = match recipe.kind {
            OptimiserKind::Sgd { .. } => (Vec::new(), Vec::new()),
            OptimiserKind::Adam { .. } | OptimiserKind::Adamw { .. } => {
                let none = || Tensor::zeros([1], (Kind::Float, tch::Device::Cpu));
                (zeros(), parameters.iter().map(|_| none()).collect())
            }
        };
        Self {
            first,
            second,
            steps,
            parameters,
            kind: recipe.kind,
            weight_decay: recipe.weight_decay,
            clip_norm: recipe.clip_norm,
            l1,
        }
    }

    /// Computes the gradients of `loss` and moves every parameter that has one.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64) {
        let parameters: Vec<&Tensor> = self.parameters.iter().map(|(_, t)| t).collect();
        // Gradients of their own, not summed up in the parameters: two passes over memory less.
        let gradients = Tensor::run_backward(&[loss], &parameters, false, false);
        no_grad(|| {
            let factor = self.clip_factor(&gradients);
            for (index, gradient) in gradients.into_iter().enumerate() {
                // Parameters of frozen stages have none.
                if !gradient.defined() {
                    continue;
                }
                // Never in place: two gradients may be one tensor.
                let gradient = factor.as_ref().map_or(gradient.shallow_clone(), |f| &gradient * f);
                self.move_parameter(index, gradient, learning_rate);
            }
        });
    }

    /// What all gradients are multiplied by so that their common norm is within the limit.
    fn clip_factor(&self, gradients: &[Tensor]) -> Option<Tensor> {
        if self.clip_norm == 0.0 {
            return None;
        }
        let defined = gradients.iter().filter(|gradient| gradient.defined());
        let squares: Vec<Tensor> = defined.map(|g| g.square().sum(Kind::Float)).collect();
        if squares.is_empty() {
            return None;
        }
        let norm = Tensor::stack(&squares, 0).sum(Kind::Float).sqrt();
        Some((self.clip_norm / (norm + 1e-6)).clamp_max(1.0))
    }

    fn move_parameter(&mut self, index: usize, mut gradient: Tensor, rate: f64) {
        let parameter = &mut self.parameters[index].1;
        // Biases and batch norm's scales are vectors: a penalty on them only hurts.
        let penalised = parameter.dim() > 1;
        let decay = if penalised { self.weight_decay } else { 0.0 };
        let decoupled = matches!(self.kind, OptimiserKind::Adamw { .. });
        if penalised && self.l1 > 0.0 {
            gradient = gradient.g_add(&(parameter.sign() * self.l1));
        }
        if decay > 0.0 && !decoupled {
            gradient = gradient.g_add(&(&*parameter * decay));
        }
        let first = &mut self.first[index];
        match self.kind {
            OptimiserKind::Sgd { momentum } => {
                let _ = first.g_mul_scalar_(momentum).g_add_(&gradient);
                let update = (&gradient + &*first * momentum) * rate;
                let _ = parameter.g_sub_(&update);
            }
            OptimiserKind::Adam { betas, epsilon } | OptimiserKind::Adamw { betas, epsilon } => {
                if decoupled && decay > 0.0 {
                    let _ = parameter.g_mul_scalar_(1.0 - rate * decay);
                }
                let second = &mut self.second[index];
                let _ = first.lerp_(&gradient, 1.0 - betas[0]);
                let _ = second.lerp_(&gradient.square(), 1.0 - betas[1]);
                // The rate and both corrections go into the divisor, in place, so that memory is
                // passed over as seldom as can be.
                let step = self.steps[index].g_add_scalar_(1.0).double_value(&[0]);
                let correction = betas.map(|beta| 1.0 - beta.powf(step));
                let scale = -correction[0] / rate;
                let mut divisor = second.sqrt();
                let _ = divisor
                    .g_mul_scalar_(scale / correction[1].sqrt())
                    .g_add_scalar_(epsilon * scale);
                let _ = parameter.addcdiv_(first, &divisor);
            }
        }
    }

    /// The optimiser's memory by name.
    pub fn state(&self) -> Named {
        let named = |prefix: &str, tensors: &[Tensor]| -> Named {
            let pairs = self.parameters.iter().zip(tensors);
            pairs.map(|((name, _), t)| (format!("{prefix}{name}"), t.shallow_clone())).collect()
        };
        let mut state = named("first.", &self.first);
        state.extend(named("second.", &self.second));
        state.extend(named("steps.", &self.steps));
        state
    }
}

/// Moves every tensor of `average` towards `model`'s by `1 − decay`; batch norm's running
/// statistics included.
///
/// Early on the decay is lower, `(1 + step) / (10 + step)`, so that the random start is forgotten.
pub fn move_average(average: &Named, model: &Named, decay: f64, step: usize) {
    let step = step as f64;
    let decay = decay.min((1.0 + step) / (10.0 + step));
    no_grad(|| {
        for ((_, average), (_, current)) in average.iter().zip(model) {
            let mut average = average.shallow_clone();
            if decay == 0.0 {
                average.copy_(&current.detach());
            } else {
                let _ = average.lerp_(&current.detach(), 1.0 - decay);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{InputRecipe, ModelRecipe};
    use tch::{Device, nn};

    fn recipe(kind: OptimiserKind, weight_decay: f64, clip_norm: f64) -> OptimiserRecipe {
        OptimiserRecipe {
            epochs: 1,
            batch: 4,
            kind,
            learning_rate: 0.1,
            weight_decay,
            clip_norm,
            ema_decay: 0.0,
        }
    }

    /// A model of one matrix [1, 1] of value 2 and one vector [1] of value 2.
    fn model() -> Model {
        let tiny = ModelRecipe::Resnet { widths: vec![1], blocks: 1, stem_stride: 1, dropout: 0.0 };
        let mut model = Model::new(&tiny, &InputRecipe::default(), 2, Device::Cpu);
        model.store = nn::VarStore::new(Device::Cpu);
        let _ = model.store.root().var("matrix", &[1, 1], nn::Init::Const(2.0));
        let _ = model.store.root().var("vector", &[1], nn::Init::Const(2.0));
        model
    }

    /// Values of matrix and vector after steps in which each gradient is `gradient`.
    fn after(kind: OptimiserKind, decay: f64, clip: f64, l1: f64, gradients: &[f64]) -> [f64; 2] {
        let model = model();
        let mut optimiser = Optimiser::new(&model, &recipe(kind, decay, clip), l1);
        for &gradient in gradients {
            let total: Tensor =
                model.store.trainable_variables().iter().map(|t| t.sum(Kind::Float)).sum();
            optimiser.step(&(total * gradient), 0.1);
        }
        let value = |name| model.store.variables()[name].flatten(0, -1).double_value(&[0]);
        [value("matrix"), value("vector")]
    }

    fn close(found: [f64; 2], expected: [f64; 2]) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{found:?} is not {expected:?}");
        }
    }

    const SGD: OptimiserKind = OptimiserKind::Sgd { momentum: 0.9 };

    #[test]
    fn nesterov_by_hand() {
        // Step 1: v = 1, move .1·(1 + .9); step 2: v = 1.9, move .1·(1 + .9·1.9).
        let moved = 2.0 - 0.1 * (1.9 + 2.71);
        close(after(SGD, 0.0, 0.0, 0.0, &[1.0, 1.0]), [moved, moved]);
    }

    #[test]
    fn penalties_are_for_matrices_alone() {
        let plain = OptimiserKind::Sgd { momentum: 0.0 };
        // Gradient 1 + .5·2 = 2 for the matrix.
        close(after(plain, 0.5, 0.0, 0.0, &[1.0]), [1.8, 1.9]);
        // L1: gradient 1 + .5·sign(2).
        close(after(plain, 0.0, 0.0, 0.5, &[1.0]), [1.85, 1.9]);
    }

    #[test]
    fn gradients_are_clipped_together() {
        // Both gradients 3: norm √18, clipped to 1: each 3/√18 = .7071.
        let plain = OptimiserKind::Sgd { momentum: 0.0 };
        let moved = 2.0 - 0.1 * (3.0 / 18_f64.sqrt());
        let found = after(plain, 0.0, 1.0, 0.0, &[3.0]);
        assert!((found[0] - moved).abs() < 1e-5 && (found[1] - moved).abs() < 1e-5, "{found:?}");
        close(after(plain, 0.0, 100.0, 0.0, &[3.0]), [1.7, 1.7]);
    }

    #[test]
    fn adam_by_hand() {
        // PyTorch 2.11, torch.optim.Adam(lr=.1), gradients 1 then −.5: the first step moves by the
        // rate itself; the second: m = .09 − .05 = .04, over 1 − .9² = .19; v = .000999 + .00025
        // = .001249, over 1 − .999² = .001999: .1 · .210526 / √.624812 = .026634.
        let betas = [0.9, 0.999];
        let adam = OptimiserKind::Adam { betas, epsilon: 1e-8 };
        let found = after(adam, 0.0, 0.0, 0.0, &[1.0, -0.5]);
        let expected = 2.0 - 0.1 - 0.1 * (0.04 / 0.19) / (0.001_249_f64 / 0.001_999).sqrt();
        assert!((found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
        // Decoupled decay: 2·(1 − .1·.5) before the step of .1; the vector has none.
        let adamw = OptimiserKind::Adamw { betas, epsilon: 1e-8 };
        close(after(adamw, 0.5, 0.0, 0.0, &[1.0]), [1.8, 1.9]);
    }

    #[test]
    fn adam_makes_a_first_step_of_what_joins_late() {
        let model = model();
        let adam = OptimiserKind::Adam { betas: [0.9, 0.999], epsilon: 1e-8 };
        let mut optimiser = Optimiser::new(&model, &recipe(adam, 0.0, 0.0), 0.0);
        let of = |name: &str| model.store.variables()[name].sum(Kind::Float);
        for _ in 0..100 {
            optimiser.step(&of("vector"), 0.001);
        }
        optimiser.step(&(of("vector") + of("matrix")), 0.1);
        // As far as the rate, whatever the gradient.
        let matrix = model.store.variables()["matrix"].double_value(&[0, 0]);
        assert!((matrix - 1.9).abs() < 1e-5, "{matrix}");
    }

    #[test]
    fn an_average_without_decay_is_the_model() {
        let (a, b) = (Tensor::from(1.0_f32), Tensor::from(3.0_f32));
        let named = |t: &Tensor| vec![("t".to_owned(), t.shallow_clone())];
        move_average(&named(&a), &named(&b), 0.0, 5);
        assert_eq!(a.double_value(&[]), 3.0);
        // Decay .75, late: three quarters of the old value.
        let a = Tensor::from(1.0_f32);
        move_average(&named(&a), &named(&b), 0.75, 1000);
        assert_eq!(a.double_value(&[]), 1.5);
    }
}
