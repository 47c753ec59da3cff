//! SGD, Adam and AdamW, and the moving average of weights.
//!
//! The state is plain tensors, so that a checkpoint holds all of it; libtorch's own optimisers
//! do not let it out through `tch`.

mod schedule;

pub use schedule::{Patience, learning_rate};
use tch::{Kind, Tensor, no_grad};

use crate::network::memory::{Memory, Part, in_order};
use crate::network::{Model, Named};
use crate::recipe::{OptimiserKind, OptimiserRecipe};

/// A model's values before [`Optimiser::ascend`].
#[derive(Debug)]
pub struct Origin(Tensor);

/// A way to move a model's trainable tensors along their gradients.
#[derive(Debug)]
pub struct Optimiser {
    /// The trainable tensors, and where they lie in the block and in what is remembered of them.
    tensors: Vec<Tensor>,
    parts: Vec<Part>,
    /// The model's values.
    block: Tensor,
    /// Momentum, or Adam's average of gradients.
    first: Tensor,
    /// Adam's average of squared gradients; empty for SGD.
    second: Tensor,
    /// Adam's steps of each tensor, on the CPU: one that was frozen has made fewer. Empty for SGD.
    steps: Vec<Tensor>,
    kind: OptimiserKind,
    weight_decay: f64,
    clip_norm: f64,
    l1: f64,
}

impl Optimiser {
    /// An optimiser without a past. `l1` is the factor of the sum of absolute weights.
    pub fn new(model: &Model, recipe: &OptimiserRecipe, l1: f64) -> Self {
        let named = model.store.variables();
        let parts = model.memory.parts().iter().filter(|part| named[&part.name].requires_grad());
        let parts: Vec<Part> = parts.cloned().collect();
        let tensors = parts.iter().map(|part| named[&part.name].shallow_clone()).collect();
        let block = model.memory.block();
        let length = parts.last().map_or(0, Part::end);
        let zeros = |length: i64| block.narrow(0, 0, length).zeros_like();
        let (second, steps) = match recipe.kind {
            OptimiserKind::Sgd { .. } => (zeros(0), Vec::new()),
            OptimiserKind::Adam { .. } | OptimiserKind::Adamw { .. } => {
                let none = || Tensor::zeros([1], (Kind::Float, tch::Device::Cpu));
                (zeros(length), parts.iter().map(|_| none()).collect())
            }
        };
        Self {
            tensors,
            block: block.shallow_clone(),
            first: zeros(length),
            second,
            steps,
            parts,
            kind: recipe.kind,
            weight_decay: recipe.weight_decay,
            clip_norm: recipe.clip_norm,
            l1,
        }
    }

    /// Computes the gradients of `loss` and moves every tensor that has one.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64) {
        let gradients = self.gradients(loss);
        self.follow(&gradients, learning_rate);
    }

    /// Computes the gradients of `loss` and moves every tensor that has one along them, all
    /// together by `radius`: to where, to first order, the loss is highest that near (Foret et al.
    /// 2021). [`Self::descend`] takes the model back.
    pub fn ascend(&mut self, loss: &Tensor, radius: f64) -> Origin {
        let gradients = self.gradients(loss);
        no_grad(|| {
            let origin = Origin(self.block.copy());
            let runs = self.runs(&gradients, &[]);
            if !runs.is_empty() {
                let factor = radius / (norm(&runs) + 1e-12);
                for Run { first, gradient } in &runs {
                    let start = self.parts[*first].start;
                    let mut values = self.block.narrow(0, start, gradient.numel() as i64);
                    let _ = values.g_add_(&(gradient * &factor));
                }
            }
            origin
        })
    }

    /// A [`Self::step`] from `origin` by the gradients of `loss`, which was computed up there;
    /// batch norm's running statistics are as they were.
    pub fn descend(&mut self, origin: &Origin, loss: &Tensor, learning_rate: f64) {
        let gradients = self.gradients(loss);
        no_grad(|| self.block.copy_(&origin.0));
        self.follow(&gradients, learning_rate);
    }

    fn follow(&mut self, gradients: &[Tensor], learning_rate: f64) {
        no_grad(|| {
            let steps = self.count_steps(gradients);
            let runs = self.runs(gradients, &steps);
            let factor = self.clip_factor(&runs);
            for Run { first, gradient } in runs {
                let gradient = factor.as_ref().map_or(gradient.shallow_clone(), |f| &gradient * f);
                let step = steps.get(first).copied().unwrap_or_default();
                self.move_run(first, gradient, learning_rate, step);
            }
        });
    }

    /// A gradient for each tensor; undefined for those of frozen stages.
    fn gradients(&self, loss: &Tensor) -> Vec<Tensor> {
        // Of their own, not summed up in the tensors: two passes over memory less.
        Tensor::run_backward(&[loss], &self.tensors, false, false)
    }

    /// The gradients there are, those together whose tensors lie side by side and are treated
    /// alike.
    fn runs(&self, gradients: &[Tensor], steps: &[f64]) -> Vec<Run> {
        let moved = defined(gradients);
        let alike = |a: usize, b: usize| {
            self.parts[a].end() == self.parts[b].start
                && self.parts[a].is_penalised() == self.parts[b].is_penalised()
                && steps.get(a) == steps.get(b)
        };
        let together = |run: &[usize]| {
            let values: Vec<Tensor> = run.iter().map(|&i| in_order(&gradients[i])).collect();
            Run { first: run[0], gradient: Tensor::cat(&values, 0) }
        };
        moved.chunk_by(|&a, &b| alike(a, b)).map(together).collect()
    }

    /// One step more of each tensor that is moved, where they are counted; all counts.
    fn count_steps(&mut self, gradients: &[Tensor]) -> Vec<f64> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        for index in defined(gradients) {
            let _ = self.steps[index].g_add_scalar_(1.0);
        }
        self.steps.iter().map(|steps| steps.double_value(&[0])).collect()
    }

    /// What all gradients are multiplied by so that their common norm is within the limit.
    fn clip_factor(&self, runs: &[Run]) -> Option<Tensor> {
        if self.clip_norm == 0.0 || runs.is_empty() {
            return None;
        }
        Some((self.clip_norm / (norm(runs) + 1e-6)).clamp_max(1.0))
    }

    /// Moves tensors from number `first` on, which lie side by side and are treated alike, by their
    /// gradients.
    fn move_run(&self, first: usize, mut gradient: Tensor, rate: f64, step: f64) {
        let (start, length) = (self.parts[first].start, gradient.numel() as i64);
        let mut values = self.block.narrow(0, start, length);
        let penalised = self.parts[first].is_penalised();
        let decay = if penalised { self.weight_decay } else { 0.0 };
        let decoupled = matches!(self.kind, OptimiserKind::Adamw { .. });
        if penalised && self.l1 > 0.0 {
            gradient = gradient.g_add(&(values.sign() * self.l1));
        }
        if decay > 0.0 && !decoupled {
            gradient = gradient.g_add(&(&values * decay));
        }
        let mut first = self.first.narrow(0, start, length);
        match self.kind {
            OptimiserKind::Sgd { momentum } => {
                let _ = first.g_mul_scalar_(momentum).g_add_(&gradient);
                let update = (&gradient + &first * momentum) * rate;
                let _ = values.g_sub_(&update);
            }
            OptimiserKind::Adam { betas, epsilon } | OptimiserKind::Adamw { betas, epsilon } => {
                if decoupled && decay > 0.0 {
                    let _ = values.g_mul_scalar_(1.0 - rate * decay);
                }
                let mut second = self.second.narrow(0, start, length);
                let _ = first.lerp_(&gradient, 1.0 - betas[0]);
                let _ = second.lerp_(&gradient.square(), 1.0 - betas[1]);
                // The rate and both corrections go into the divisor, in place, so that memory is
                // passed over as seldom as can be.
                let correction = betas.map(|beta| 1.0 - beta.powf(step));
                let scale = -correction[0] / rate;
                let mut divisor = second.sqrt();
                let _ = divisor
                    .g_mul_scalar_(scale / correction[1].sqrt())
                    .g_add_scalar_(epsilon * scale);
                let _ = values.addcdiv_(&first, &divisor);
            }
        }
    }

    /// The optimiser's memory by name.
    pub fn state(&self) -> Named {
        let views = |prefix: &'static str, block: &Tensor| -> Named {
            let view = |part: &Part| (format!("{prefix}{}", part.name), part.view(block));
            self.parts.iter().map(view).collect()
        };
        let mut state = views("first.", &self.first);
        if !self.steps.is_empty() {
            state.extend(views("second.", &self.second));
        }
        let steps = self.parts.iter().zip(&self.steps);
        state.extend(
            steps.map(|(part, steps)| (format!("steps.{}", part.name), steps.shallow_clone())),
        );
        state
    }
}

/// Gradients of tensors that lie side by side.
struct Run {
    /// The first of the tensors.
    first: usize,
    gradient: Tensor,
}

/// The numbers of the tensors that have a gradient.
fn defined(gradients: &[Tensor]) -> Vec<usize> {
    (0..gradients.len()).filter(|&index| gradients[index].defined()).collect()
}

/// The norm of all gradients together.
fn norm(runs: &[Run]) -> Tensor {
    let squares: Vec<Tensor> =
        runs.iter().map(|run| run.gradient.square().sum(Kind::Float)).collect();
    Tensor::stack(&squares, 0).sum(Kind::Float).sqrt()
}

/// Moves every value of `average` towards `model`'s by `1 − decay`; batch norm's running
/// statistics included.
///
/// Early on the decay is lower, `(1 + step) / (10 + step)`, so that the random start is forgotten.
pub fn move_average(average: &Memory, model: &Memory, decay: f64, step: usize) {
    let step = step as f64;
    let decay = decay.min((1.0 + step) / (10.0 + step));
    let mut average = average.block().shallow_clone();
    no_grad(|| {
        if decay == 0.0 {
            average.copy_(model.block());
        } else {
            let _ = average.lerp_(model.block(), 1.0 - decay);
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
            sam_radius: 0.0,
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
        model.memory = Memory::of(&model.store);
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
    fn sam_by_hand() {
        // The loss is a square of each of both 2s: gradients 4, 4, norm √32; .5 along it is
        // .5/√2 = .353553 each. There they are 4.707107, and .1 of that goes off the 2s.
        let model = model();
        let plain = OptimiserKind::Sgd { momentum: 0.0 };
        let mut optimiser = Optimiser::new(&model, &recipe(plain, 0.0, 0.0), 0.0);
        let loss = || -> Tensor {
            model.store.trainable_variables().iter().map(|t| t.square().sum(Kind::Float)).sum()
        };
        let value = |name| model.store.variables()[name].flatten(0, -1).double_value(&[0]);
        let origin = optimiser.ascend(&loss(), 0.5);
        close([value("matrix"), value("vector")], [2.353_553_4; 2]);
        optimiser.descend(&origin, &loss(), 0.1);
        close([value("matrix"), value("vector")], [1.529_289_3; 2]);
        // What changes up there without being learnt, as running statistics do, is as it was.
        let model = kernels_between_matrices();
        let mut optimiser = Optimiser::new(&model, &recipe(plain, 0.0, 0.0), 0.0);
        let of = |name: &str| model.store.variables()[name].sum(Kind::Float);
        let origin = optimiser.ascend(&of("a"), 0.5);
        let _ = no_grad(|| model.store.variables()["b"].shallow_clone().g_add_scalar_(3.0));
        optimiser.descend(&origin, &of("a"), 0.0);
        assert_eq!(values(&model, "b"), [0.0; 8]);
    }

    #[test]
    fn sam_leaves_what_is_frozen() {
        let model = model();
        let plain = OptimiserKind::Sgd { momentum: 0.0 };
        let mut optimiser = Optimiser::new(&model, &recipe(plain, 0.0, 0.0), 0.0);
        let value = |name| model.store.variables()[name].flatten(0, -1).double_value(&[0]);
        let origin = optimiser.ascend(&model.store.variables()["vector"].sum(Kind::Float), 0.5);
        close([value("matrix"), value("vector")], [2.0, 2.5]);
        optimiser.descend(&origin, &model.store.variables()["vector"].sum(Kind::Float), 0.1);
        close([value("matrix"), value("vector")], [2.0, 1.9]);
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

    /// A model of a matrix, kernels and another matrix, which lie in this order, all 0.
    fn kernels_between_matrices() -> Model {
        let mut model = model();
        model.store = nn::VarStore::new(Device::Cpu);
        let root = model.store.root();
        for (name, size) in [("a", &[2, 1][..]), ("b", &[2, 2, 1, 2]), ("c", &[1, 2])] {
            let _ = root.var(name, size, nn::Init::Const(0.0));
        }
        model.memory = Memory::of(&model.store);
        model
    }

    fn values(model: &Model, name: &str) -> Vec<f32> {
        Vec::try_from(model.store.variables()[name].reshape([-1])).unwrap()
    }

    #[test]
    fn each_value_is_moved_by_its_own_gradient() {
        let model = kernels_between_matrices();
        let mut optimiser =
            Optimiser::new(&model, &recipe(OptimiserKind::Sgd { momentum: 0.0 }, 0.0, 0.0), 0.0);
        // Another gradient for each value: 1, 2 …
        let term = |name: &str, first: i64| {
            let tensor = &model.store.variables()[name];
            let count = tensor.numel() as i64;
            let gradient = Tensor::arange_start(first, first + count, (Kind::Float, Device::Cpu));
            (tensor * gradient.view(tensor.size().as_slice())).sum(Kind::Float)
        };
        let moved = |range: std::ops::Range<i16>| -> Vec<f32> {
            range.map(|gradient| f32::from(-gradient)).collect()
        };
        optimiser.step(&(term("a", 1) + term("b", 3) + term("c", 11)), 1.0);
        assert_eq!(values(&model, "a"), moved(1..3));
        assert_eq!(values(&model, "b"), moved(3..11));
        assert_eq!(values(&model, "c"), moved(11..13));
        // What has no gradient stays, in the middle too.
        optimiser.step(&(term("a", 1) + term("c", 11)), 1.0);
        assert_eq!(values(&model, "a"), [-2.0, -4.0]);
        assert_eq!(values(&model, "b"), moved(3..11));
        assert_eq!(values(&model, "c"), [-22.0, -24.0]);
    }

    #[test]
    fn adam_counts_the_steps_of_neighbours_apart() {
        let model = kernels_between_matrices();
        let adam = OptimiserKind::Adam { betas: [0.9, 0.999], epsilon: 1e-8 };
        let mut optimiser = Optimiser::new(&model, &recipe(adam, 0.0, 0.0), 0.0);
        let of = |name: &str| model.store.variables()[name].sum(Kind::Float);
        for _ in 0..100 {
            optimiser.step(&of("a"), 0.001);
        }
        // A constant gradient moves by the rate, in the first step as in the hundred and first.
        optimiser.step(&(of("a") + of("b") + of("c")), 0.1);
        let close = |found: Vec<f32>, expected: f32| {
            assert!(found.iter().all(|v| (v - expected).abs() < 1e-5), "{found:?} {expected}");
        };
        close(values(&model, "a"), -0.2);
        close(values(&model, "b"), -0.1);
        close(values(&model, "c"), -0.1);
    }

    #[test]
    fn an_average_without_decay_is_the_model() {
        let of = |value| {
            let store = nn::VarStore::new(Device::Cpu);
            let tensor = store.root().var("t", &[1], nn::Init::Const(value));
            (Memory::of(&store), tensor)
        };
        let (three, _) = of(3.0);
        let (average, value) = of(1.0);
        move_average(&average, &three, 0.0, 5);
        assert_eq!(value.double_value(&[0]), 3.0);
        // Decay .75, late: three quarters of the old value.
        let (average, value) = of(1.0);
        move_average(&average, &three, 0.75, 1000);
        assert_eq!(value.double_value(&[0]), 1.5);
    }
}
