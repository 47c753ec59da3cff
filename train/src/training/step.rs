//! The steps of an epoch: images and teachers' answers in, weights moved.

use tch::{Kind, Tensor};

use super::tally::{StepReport, Tally};
use super::{Observer, Trainer, TrainingError};
use crate::augment::{Augment, standardise};
use crate::balance::weighted_order;
use crate::loss::{distillation, smoothed};
use crate::mix::{Mixed, mix};
use crate::optimiser::move_average;
use crate::run;

/// Images as a step sees them.
struct Batch {
    /// Changed, mixed and normalised.
    input: Tensor,
    /// Probabilities by the labels.
    targets: Tensor,
    /// Probabilities by the teachers, if there are any.
    taught: Option<Tensor>,
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
                    let checkpoint = self.folder.join(run::LAST);
                    return Err(TrainingError::Diverged { epoch, checkpoint });
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
        let batch = self.batch(chosen)?;
        let (logits, loss) = self.loss(&batch, frozen);
        if !batch.mixed {
            tally.count(&logits, &self.training.labels.index_select(0, chosen));
        }
        let rate = self.learning_rate();
        let radius = self.recipe.optimiser.sam_radius;
        if radius > 0.0 {
            let origin = self.optimiser.ascend(&loss, radius);
            let (_, above) = self.loss(&batch, frozen);
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
    fn batch(&mut self, chosen: &Tensor) -> Result<Batch, TrainingError> {
        let recipe = &self.recipe;
        let bytes = self.training.bytes.index_select(0, chosen);
        let targets = self.training.targets.index_select(0, chosen);
        let targets = smoothed(&targets, recipe.loss.label_smoothing);
        let view = Augment::new(recipe.augment).view(&bytes);
        let Mixed { x, targets, mixed } = mix(view, targets, &recipe.augment);
        let input = standardise(&x, &recipe.input).to_kind(recipe.precision.kind());
        let taught = match recipe.distill {
            Some(distill) => Some(self.teachers.probabilities(&x, distill.temperature)?),
            None => None,
        };
        Ok(Batch { input, targets, taught, mixed })
    }

    /// The logits of a batch, and its loss.
    fn loss(&self, batch: &Batch, frozen: usize) -> (Tensor, Tensor) {
        let logits = self.model.network.forward(&batch.input, true, frozen);
        let loss = self.loss.of(&logits, &batch.targets);
        let (Some(distill), Some(taught)) = (self.recipe.distill, &batch.taught) else {
            return (logits, loss);
        };
        let followed = distillation(&logits, taught, distill.temperature);
        let loss = loss * (1.0 - distill.weight) + followed * distill.weight;
        (logits, loss)
    }
}
