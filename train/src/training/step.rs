//! The steps of an epoch: images and teachers' answers in, weights moved.

use tch::{Device, Kind, Tensor};

use super::tally::{StepReport, Tally};
use super::{Observer, Trainer, TrainingError};
use crate::augment::{Augment, standardise};
use crate::balance::weighted_order;
use crate::loss::{distillation, smoothed};
use crate::mix::{Mixed, mix};
use crate::optimiser::move_average;

/// Images as a step sees them.
struct Batch {
    /// Changed and mixed, values from 0 to 1.
    view: Tensor,
    /// The same, normalised.
    input: Tensor,
    /// Probabilities by the labels.
    targets: Tensor,
    /// Whether images were mixed with others.
    mixed: bool,
}

impl Trainer {
    /// The positions of the images in the order of an epoch.
    pub(super) fn order(&self) -> Tensor {
        match &self.draw {
            Some(weights) => weighted_order(&self.training.labels, weights),
            None => Tensor::randperm(self.training.len() as i64, (Kind::Int64, self.device)),
        }
    }

    /// All steps of an epoch.
    pub(super) fn steps(
        &mut self,
        epoch: usize,
        observer: &mut dyn Observer,
    ) -> Result<StepReport, TrainingError> {
        let (steps, batch) = (self.steps_per_epoch(), self.recipe.optimiser.batch as i64);
        let order = self.order();
        let frozen = self
            .recipe
            .pretrained
            .map_or(0, |pretrained| pretrained.frozen_stages(epoch, self.model.network.stages()));
        let mut tally = Tally::new(epoch, steps, batch as usize, self.device);
        for step in 0..steps {
            let chosen = order.narrow(0, step as i64 * batch, batch);
            let loss = self.step(&chosen, frozen, &mut tally)?;
            if let Some(report) = tally.step(&loss) {
                if !report.loss.is_finite() {
                    return Err(self.diverged(epoch));
                }
                observer.step(&report);
            }
        }
        if self.recipe.optimiser.ema_decay == 0.0 {
            move_average(&self.average.memory, &self.model.memory, 0.0, 0);
        }
        Ok(tally.report())
    }

    /// One step on the images at the positions `chosen`; returns their loss.
    pub(super) fn step(
        &mut self,
        chosen: &Tensor,
        frozen: usize,
        tally: &mut Tally,
    ) -> Result<Tensor, TrainingError> {
        let batch = self.batch(chosen);
        let radius = self.recipe.optimiser.sam_radius;
        // Both of SAM's looks at a batch drop the same features.
        let seed = (radius > 0.0).then(seed);
        let logits = self.logits(&batch, frozen, seed);
        if !batch.mixed {
            tally.count(&logits, &self.training.labels.index_select(0, chosen));
        }
        let taught = self.taught(&batch)?;
        let loss = self.loss(&logits, &batch, taught.as_ref());
        let rate = self.learning_rate();
        if radius > 0.0 {
            let origin = self.optimiser.ascend(&loss, radius);
            let logits = self.logits(&batch, frozen, seed);
            let above = self.loss(&logits, &batch, taught.as_ref());
            self.optimiser.descend(&origin, &above, rate);
        } else {
            self.optimiser.step(&loss, rate);
        }
        let decay = self.recipe.optimiser.ema_decay;
        if decay > 0.0 {
            let done = self.progress.steps_done;
            move_average(&self.average.memory, &self.model.memory, decay, done);
        }
        self.progress.steps_done += 1;
        Ok(loss)
    }

    /// What is seen and asked for of the images at the positions `chosen`.
    fn batch(&self, chosen: &Tensor) -> Batch {
        let recipe = &self.recipe;
        let bytes = self.training.bytes.index_select(0, chosen);
        let targets = self.training.targets.index_select(0, chosen);
        let targets = smoothed(&targets, recipe.loss.label_smoothing);
        let view = Augment::new(recipe.augment).view(&bytes);
        let Mixed { x, targets, mixed } = mix(view, targets, &recipe.augment);
        let input = standardise(&x, &recipe.input).to_kind(recipe.precision.kind());
        Batch { view: x, input, targets, mixed }
    }

    /// What the network makes of a batch, after seeding its dropout where a seed is given.
    fn logits(&self, batch: &Batch, frozen: usize, seed: Option<i64>) -> Tensor {
        if let Some(seed) = seed {
            tch::manual_seed(seed);
        }
        self.model.network.forward(&batch.input, true, frozen)
    }

    /// Probabilities of a batch by the teachers, if there are any.
    fn taught(&mut self, batch: &Batch) -> Result<Option<Tensor>, TrainingError> {
        let Some(distill) = self.recipe.distill else { return Ok(None) };
        Ok(Some(self.teachers.probabilities(&batch.view, distill.temperature)?))
    }

    /// The loss of a batch's logits, by labels and teachers.
    fn loss(&self, logits: &Tensor, batch: &Batch, taught: Option<&Tensor>) -> Tensor {
        let loss = self.loss.of(logits, &batch.targets);
        let (Some(distill), Some(taught)) = (self.recipe.distill, taught) else { return loss };
        let followed = distillation(logits, taught, distill.temperature);
        loss * (1.0 - distill.weight) + followed * distill.weight
    }
}

/// A seed from libtorch's generator.
fn seed() -> i64 {
    Tensor::randint(i64::MAX, [1], (Kind::Int64, Device::Cpu)).int64_value(&[0])
}
