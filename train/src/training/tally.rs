//! Sums over an epoch that is under way.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

/// Steps between two readings: each makes a GPU wait for the CPU.
const INTERVAL: usize = 16;

/// How far an epoch is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps that are done.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Mean loss so far.
    pub loss: f64,
    /// Accuracy so far on the images that were not mixed; 0 where all were.
    pub accuracy: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// Sums that stay in device memory until they are asked for.
pub(super) struct Tally {
    epoch: usize,
    steps: usize,
    batch: usize,
    loss: Tensor,
    right: Tensor,
    done: usize,
    seen: usize,
    started: Instant,
}

impl Tally {
    pub(super) fn new(epoch: usize, steps: usize, batch: usize, device: Device) -> Self {
        let zero = || Tensor::zeros([] as [i64; 0], (Kind::Double, device));
        let (loss, right, started) = (zero(), zero(), Instant::now());
        Self { epoch, steps, batch, loss, right, done: 0, seen: 0, started }
    }

    /// Takes in what the network makes of images that were not mixed.
    pub(super) fn count(&mut self, logits: &Tensor, labels: &Tensor) {
        self.right += logits.argmax(1, false).eq_tensor(labels).sum(Kind::Double);
        self.seen += self.batch;
    }

    /// Takes in a step; from time to time says how far the epoch is.
    pub(super) fn step(&mut self, loss: &Tensor) -> Option<StepReport> {
        self.loss += loss.detach().to_kind(Kind::Double);
        self.done += 1;
        (self.done.is_multiple_of(INTERVAL) || self.done == self.steps).then(|| self.report())
    }

    pub(super) fn report(&self) -> StepReport {
        StepReport {
            epoch: self.epoch,
            step: self.done,
            steps: self.steps,
            loss: self.loss.double_value(&[]) / self.done.max(1) as f64,
            accuracy: self.right.double_value(&[]) / self.seen.max(1) as f64,
            images_per_second: (self.done * self.batch) as f64
                / self.started.elapsed().as_secs_f64(),
        }
    }
}
