//! The training loop: epochs over bytes in device memory, checkpointed so that a run that is
//! killed at any moment loses at most one epoch.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fer_core::emotion::Emotion;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use crate::augment::{Augment, mixup, normalise};
use crate::balance::{class_weights, soft_targets, weighted_cross_entropy, weights_tensor};
use crate::checkpoint::{self, Checkpoint, CheckpointError, Named, Progress, prefixed};
use crate::dataset::{Images, SIDE};
use crate::model::Model;
use crate::optimiser::{Sgd, learning_rate, move_average};
use crate::recipe::{InputRecipe, Precision, Recipe, RecipeError};
use crate::report::{Metrics, metrics_of_logits};

/// The checkpoint after the last complete epoch, in the run's folder.
pub const LAST: &str = "last.safetensors";
/// The checkpoint with the best score on PublicTest, in the run's folder.
pub const BEST: &str = "best.safetensors";
/// A line an epoch, in the run's folder.
pub const LOG: &str = "log.csv";

/// Images in one step of evaluation; larger ones only cost memory.
const EVALUATION_BATCH: i64 = 512;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The recipe's values are out of range.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log could not be written.
    #[error("cannot write `{path}`: {source}")]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is already a run in the folder.
    #[error("`{path}` already holds a run; pass --resume to go on with it, or name another folder")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The run to go on with had another recipe or other data.
    #[error("cannot resume `{path}`: its {what} differs; expected what the run was started with")]
    Changed {
        /// The folder.
        path: PathBuf,
        /// `recipe` or `data`.
        what: &'static str,
    },
    /// There are fewer images than a batch holds.
    #[error("{images} training images; expected at least a batch of {batch}")]
    TooFewImages {
        /// Images there are.
        images: usize,
        /// Images in a batch.
        batch: usize,
    },
    /// The loss is not a number.
    #[error(
        "the loss became {loss} in epoch {epoch}; the last good checkpoint is `{checkpoint}`; \
         try a lower learning rate"
    )]
    Diverged {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// Where the state before this epoch is.
        checkpoint: PathBuf,
    },
}

/// Images and labels in device memory.
#[derive(Debug)]
pub struct DeviceImages {
    /// Bytes `[n, 1, 48, 48]`.
    pub bytes: Tensor,
    /// Class indices `[n]`.
    pub labels: Tensor,
}

impl DeviceImages {
    /// Copies images to a device.
    pub fn new(images: &Images, device: Device) -> Self {
        let side = SIDE as i64;
        let bytes = Tensor::from_slice(images.pixels()).view([-1, 1, side, side]);
        let labels: Vec<i64> = images.labels().iter().map(|label| label.index() as i64).collect();
        Self {
            bytes: bytes.to_device(device),
            labels: Tensor::from_slice(&labels).to_device(device),
        }
    }
}

/// Logits of `bytes` `[n, 1, 48, 48]`, unaugmented, one row an image.
pub fn logits_of(
    model: &Model,
    bytes: &Tensor,
    input: &InputRecipe,
    precision: Precision,
) -> Vec<[f32; Emotion::COUNT]> {
    let mut rows = Vec::with_capacity(bytes.size()[0] as usize);
    tch::no_grad(|| {
        for start in (0..bytes.size()[0]).step_by(EVALUATION_BATCH as usize) {
            let length = EVALUATION_BATCH.min(bytes.size()[0] - start);
            let x = normalise(&bytes.narrow(0, start, length), input).to_kind(precision.kind());
            let logits = model.network.forward(&x, false).to_device(Device::Cpu).contiguous();
            let mut flat = vec![0.0_f32; logits.numel()];
            logits.copy_data(&mut flat, logits.numel());
            rows.extend_from_slice(flat.as_chunks().0);
        }
    });
    rows
}

/// One line of the log.
#[derive(Debug, Clone)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// Epochs of the recipe.
    pub epochs: usize,
    /// Mean loss over the epoch.
    pub loss: f64,
    /// Accuracy on the augmented training images that were not mixed.
    pub accuracy: f64,
    /// PublicTest metrics of the averaged weights.
    pub public_test: Metrics,
    /// Whether this is the best epoch so far.
    pub best: bool,
    /// Training images a second.
    pub images_per_second: f64,
    /// Time of the epoch, evaluation included.
    pub time: Duration,
}

/// Sums over an epoch that is under way.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    loss: f64,
    steps: usize,
    right: f64,
    seen: f64,
}

/// A run: a recipe at work on data, in a folder.
#[derive(Debug)]
pub struct Trainer {
    recipe: Recipe,
    folder: PathBuf,
    training: DeviceImages,
    public_test: DeviceImages,
    public_labels: Vec<Emotion>,
    weights: Tensor,
    model: Model,
    average: Model,
    sgd: Sgd,
    progress: Progress,
    device: Device,
}

impl Trainer {
    /// Starts a run in `folder`, or with `resume` goes on with the one that is there.
    ///
    /// `training` is what is learnt from, as [`crate::dataset::Dataset::clean_training`] leaves
    /// it; `public_test` is what the best epoch is selected on.
    ///
    /// # Errors
    ///
    /// [`TrainingError`]: bad recipe, folder in use, other recipe or data than the run's.
    pub fn new(
        recipe: Recipe,
        training: &Images,
        public_test: &Images,
        folder: &Path,
        resume: bool,
        device: Device,
    ) -> Result<Self, TrainingError> {
        recipe.check()?;
        let (images, batch) = (training.len(), recipe.optimiser.batch);
        if images < batch {
            return Err(TrainingError::TooFewImages { images, batch });
        }
        tch::set_num_threads(recipe.threads);
        tch::manual_seed(recipe.seed);
        let model = Model::new(&recipe.model, device);
        let mut average = Model::new(&recipe.model, device);
        average.store.freeze();
        let sgd = Sgd::new(&model, &recipe.optimiser);
        let weights = class_weights(&training.class_counts(), recipe.loss.class_weight_power);
        let progress = Progress {
            recipe: recipe.clone(),
            epochs_done: 0,
            steps_done: 0,
            data_sha256: digest(&[training, public_test]),
            best: None,
            public_test: None,
        };
        let mut trainer = Self {
            folder: folder.to_owned(),
            training: DeviceImages::new(training, device),
            public_test: DeviceImages::new(public_test, device),
            public_labels: public_test.labels().to_vec(),
            weights: weights_tensor(&weights, device),
            recipe,
            model,
            average,
            sgd,
            progress,
            device,
        };
        trainer.open(resume)?;
        Ok(trainer)
    }

    /// Prepares the folder and restores the run that is in it.
    fn open(&mut self, resume: bool) -> Result<(), TrainingError> {
        let last = self.folder.join(LAST);
        match (last.exists(), resume) {
            (true, false) => Err(TrainingError::Exists { path: self.folder.clone() }),
            (true, true) => self.restore(&last),
            (false, _) => {
                move_average(&self.average.tensors(), &self.model.tensors(), 0.0, 0);
                std::fs::create_dir_all(&self.folder).map_err(|e| self.log_error(e))?;
                let header = "epoch,loss,accuracy,public_accuracy,public_macro_f1,public_nll,\
                              best,images_per_second,seconds\n";
                std::fs::write(self.folder.join(LOG), header).map_err(|e| self.log_error(e))
            }
        }
    }

    fn restore(&mut self, last: &Path) -> Result<(), TrainingError> {
        let stored = Checkpoint::read(last)?;
        let changed = |what| TrainingError::Changed { path: self.folder.clone(), what };
        // The number of threads is the machine's, not the run's.
        let mut recipe = stored.progress.recipe.clone();
        recipe.threads = self.recipe.threads;
        if recipe != self.recipe {
            return Err(changed("recipe"));
        }
        if stored.progress.data_sha256 != self.progress.data_sha256 {
            return Err(changed("data"));
        }
        stored.restore("model.", &self.model.tensors())?;
        stored.restore("average.", &self.average.tensors())?;
        stored.restore("velocity.", &self.sgd.velocity())?;
        self.progress = stored.progress;
        self.progress.recipe.threads = self.recipe.threads;
        Ok(())
    }

    fn log_error(&self, source: std::io::Error) -> TrainingError {
        TrainingError::Log { path: self.folder.join(LOG), source }
    }

    /// Optimiser steps in an epoch; the rest that does not fill a batch waits for another epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.training.labels.size()[0] as usize / self.recipe.optimiser.batch
    }

    /// How far the run is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Trains all epochs that are left; `on_epoch` hears of each as it ends.
    ///
    /// # Errors
    ///
    /// [`TrainingError::Diverged`], or a checkpoint or log that cannot be written.
    pub fn run(&mut self, mut on_epoch: impl FnMut(&EpochReport)) -> Result<(), TrainingError> {
        while self.progress.epochs_done < self.recipe.optimiser.epochs {
            let report = self.epoch()?;
            self.log(&report).map_err(|e| self.log_error(e))?;
            on_epoch(&report);
        }
        Ok(())
    }

    /// One epoch: all steps, then evaluation, then checkpoints.
    fn epoch(&mut self) -> Result<EpochReport, TrainingError> {
        let epoch = self.progress.epochs_done + 1;
        // A seed of its own makes an epoch independent of how the run came to it.
        tch::manual_seed(self.recipe.seed.wrapping_mul(1_000_003).wrapping_add(epoch as i64));
        let started = Instant::now();
        let tally = self.steps(epoch)?;
        let trained = started.elapsed();
        let (bytes, precision) = (&self.public_test.bytes, self.recipe.precision);
        let rows = logits_of(&self.average, bytes, &self.recipe.input, precision);
        let public_test = metrics_of_logits(&rows, &self.public_labels, 1.0);
        let best = self.save(epoch, &public_test)?;
        Ok(EpochReport {
            epoch,
            epochs: self.recipe.optimiser.epochs,
            loss: tally.loss / tally.steps as f64,
            accuracy: tally.right / tally.seen.max(1.0),
            public_test,
            best,
            images_per_second: (tally.steps * self.recipe.optimiser.batch) as f64
                / trained.as_secs_f64(),
            time: started.elapsed(),
        })
    }

    fn steps(&mut self, epoch: usize) -> Result<Tally, TrainingError> {
        let (steps, batch) = (self.steps_per_epoch(), self.recipe.optimiser.batch as i64);
        let total = steps * self.recipe.optimiser.epochs;
        let images = self.training.labels.size()[0];
        let order = Tensor::randperm(images, (Kind::Int64, self.device));
        let average = self.average.tensors();
        let current = self.model.tensors();
        let mut tally = Tally::default();
        let mut reporter = StepReporter::new(epoch, steps, batch as usize);
        for step in 0..steps {
            let chosen = order.narrow(0, step as i64 * batch, batch);
            let loss = self.loss(&chosen, &mut tally);
            let rate = learning_rate(&self.recipe.optimiser, self.progress.steps_done, total);
            self.sgd.step(&loss, rate);
            move_average(
                &average,
                &current,
                self.recipe.optimiser.ema_decay,
                self.progress.steps_done,
            );
            self.progress.steps_done += 1;
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                let checkpoint = self.folder.join(LAST);
                return Err(TrainingError::Diverged { loss, epoch, checkpoint });
            }
            tally.loss += loss;
            tally.steps += 1;
            reporter.step(&tally);
        }
        Ok(tally)
    }

    /// The loss of one batch, given the positions of its images.
    fn loss(&self, chosen: &Tensor, tally: &mut Tally) -> Tensor {
        let recipe = &self.recipe;
        let labels = self.training.labels.index_select(0, chosen);
        let bytes = self.training.bytes.index_select(0, chosen);
        let x = Augment::new(recipe.augment, recipe.input).apply(&bytes);
        let targets = soft_targets(&labels, recipe.loss.label_smoothing);
        let mixed =
            Tensor::rand([1], (Kind::Float, Device::Cpu)).double_value(&[0]) < recipe.augment.mixup;
        if mixed {
            let (x, targets) = mixup(&x, &targets, recipe.augment.mixup_alpha);
            let logits = self.forward(&x);
            return weighted_cross_entropy(&logits, &targets, &self.weights);
        }
        let logits = self.forward(&x);
        let right = logits.argmax(1, false).eq_tensor(&labels).sum(Kind::Int64);
        tally.right += right.int64_value(&[]) as f64;
        tally.seen += labels.size()[0] as f64;
        weighted_cross_entropy(&logits, &targets, &self.weights)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.model.network.forward(&x.to_kind(self.recipe.precision.kind()), true)
    }

    /// Writes the checkpoints of an epoch; says whether it is the best so far.
    fn save(&mut self, epoch: usize, public_test: &Metrics) -> Result<bool, TrainingError> {
        let score = selection_score(public_test);
        let best = self.progress.best.is_none_or(|(highest, _)| score > highest);
        if best {
            self.progress.best = Some((score, epoch));
        }
        self.progress.epochs_done = epoch;
        self.progress.public_test = Some(public_test.clone());
        let average = prefixed("average.", self.average.tensors());
        if best {
            checkpoint::save(&self.folder.join(BEST), &average, &self.progress)?;
        }
        let mut all: Named = prefixed("model.", self.model.tensors());
        all.extend(average);
        all.extend(prefixed("velocity.", self.sgd.velocity()));
        checkpoint::save(&self.folder.join(LAST), &all, &self.progress)?;
        Ok(best)
    }

    fn log(&self, report: &EpochReport) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.folder.join(LOG))?;
        let public = &report.public_test;
        writeln!(
            file,
            "{},{:.5},{:.5},{:.5},{:.5},{:.5},{},{:.1},{:.1}",
            report.epoch,
            report.loss,
            report.accuracy,
            public.accuracy,
            public.macro_f1,
            public.nll,
            u8::from(report.best),
            report.images_per_second,
            report.time.as_secs_f64()
        )
    }
}

/// What the best epoch is chosen by: the mean of accuracy and macro-F1, so that neither the
/// frequent classes nor the 55 images of disgust decide alone.
pub fn selection_score(metrics: &Metrics) -> f64 {
    f64::midpoint(metrics.accuracy, metrics.macro_f1)
}

/// SHA-256 over pixels and labels, as hexadecimal text.
fn digest(sets: &[&Images]) -> String {
    let mut hasher = Sha256::new();
    for images in sets {
        hasher.update((images.len() as u64).to_le_bytes());
        hasher.update(images.pixels());
        for label in images.labels() {
            hasher.update([label.index() as u8]);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The progress line on a terminal's standard error; silent elsewhere.
struct StepReporter {
    epoch: usize,
    steps: usize,
    batch: usize,
    started: Instant,
    shown: Instant,
    visible: bool,
}

impl StepReporter {
    const INTERVAL: Duration = Duration::from_millis(500);

    fn new(epoch: usize, steps: usize, batch: usize) -> Self {
        let now = Instant::now();
        let visible = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { epoch, steps, batch, started: now, shown: now, visible }
    }

    fn step(&mut self, tally: &Tally) {
        let finished = tally.steps == self.steps;
        if !self.visible || (self.shown.elapsed() < Self::INTERVAL && !finished) {
            return;
        }
        self.shown = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let left = seconds / tally.steps as f64 * (self.steps - tally.steps) as f64;
        eprint!(
            "\repoch {} step {}/{} loss {:.4} acc {:.4} {:.0} images/s {left:.0} s left\x1b[K",
            self.epoch,
            tally.steps,
            self.steps,
            tally.loss / tally.steps as f64,
            tally.right / tally.seen.max(1.0),
            (tally.steps * self.batch) as f64 / seconds,
        );
        if finished {
            eprint!("\r\x1b[K");
        }
    }
}
