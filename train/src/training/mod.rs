//! The training loop: epochs over bytes in device memory, checkpointed so that a run that is
//! killed at any moment loses at most one epoch, or what [`Pace`] lets pass between checkpoints. One
//! that its [`Observer`] ends loses nothing.

mod data;
mod error;
mod history;
mod pace;
mod step;
mod tally;
mod throughput;

use std::path::{Path, PathBuf};
use std::time::Instant;

use tch::Device;

pub use data::{Data, DeviceImages, device, logits_of};
pub(crate) use data::{images_sha256, learnt_sha256};
pub use error::{TrainingError, memory_message};
pub use history::EpochRecord;
pub use pace::Pace;
pub use tally::StepReport;
pub use throughput::{Throughput, throughput};

use self::pace::Clock;
use crate::balance::class_weights;
use crate::checkpoint::{self, Checkpoint, DataSummary, Header, Progress, prefixed};
use crate::distill::Teachers;
use crate::files::write_atomically;
use crate::loss::Loss;
use crate::metrics::{Distributions, Metrics};
use crate::network::pretrained::{self, PretrainedError};
use crate::network::{Model, Named};
use crate::optimiser::{Optimiser, learning_rate, move_average};
use crate::recipe::{BalanceRecipe, Recipe, ScheduleRecipe};
use crate::run;

/// Hears of a run's progress.
pub trait Observer {
    /// Some steps of an epoch are done.
    fn step(&mut self, report: &StepReport);
    /// An epoch of `epochs` is complete, and saved if that was due.
    fn epoch(&mut self, record: &EpochRecord, epochs: usize);
    /// Whether the run shall be saved after the epoch that is under way and end there. Asked at each
    /// epoch's end.
    fn ends(&self) -> bool {
        false
    }
}

impl Observer for () {
    fn step(&mut self, _: &StepReport) {}
    fn epoch(&mut self, _: &EpochRecord, _: usize) {}
}

/// What a run starts from.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Go on with the run that is in the folder.
    pub resume: bool,
    /// Weights that were learnt elsewhere (safetensors).
    pub weights: Option<PathBuf>,
    /// The networks to learn from: checkpoints, or ONNX files with their manifests.
    pub teachers: Vec<PathBuf>,
    /// How it minds the clock.
    pub pace: Pace,
}

/// A run: a recipe at work on data, in a folder.
#[derive(Debug)]
pub struct Trainer {
    recipe: Recipe,
    folder: PathBuf,
    training: DeviceImages,
    /// Chances of each class to be drawn, where images are not all drawn once an epoch.
    draw: Option<Vec<f64>>,
    validation: DeviceImages,
    validation_labels: Vec<usize>,
    loss: Loss,
    teachers: Teachers,
    model: Model,
    average: Model,
    optimiser: Optimiser,
    progress: Progress,
    /// The best epoch's averaged weights, and the run as it was then, where no file has them yet.
    best: Option<(Named, Progress)>,
    pace: Pace,
    fresh: Vec<String>,
    device: Device,
    /// Held until the run is let go.
    _lock: Option<run::Lock>,
}

impl Trainer {
    /// Starts a run in `folder`, or goes on with the one that is there.
    ///
    /// # Errors
    ///
    /// [`TrainingError`]: bad recipe, missing device, folder in use by another process or run, a recipe
    /// there that no run wrote, other recipe or data than the run's, weights or teachers that do not
    /// fit.
    pub fn new(
        recipe: Recipe,
        data: Data,
        folder: &Path,
        start: &Start,
    ) -> Result<Self, TrainingError> {
        refuse_foreign_recipe(folder)?;
        let mut trainer = Self::prepare(recipe, data, folder, start)?;
        trainer.open(start.resume)?;
        Ok(trainer)
    }

    /// Everything but the folder.
    fn prepare(
        recipe: Recipe,
        data: Data,
        folder: &Path,
        start: &Start,
    ) -> Result<Self, TrainingError> {
        recipe.check()?;
        let device = device(&recipe.device)?;
        tch::set_num_threads(recipe.threads);
        let last = folder.join(run::LAST);
        // One that was killed before its first checkpoint begins anew.
        let goes_on = start.resume && last.exists();
        let known = if goes_on { Some(Header::read(&last)?.progress.data.sha256) } else { None };
        let data = data.prepared(&recipe, known.as_deref())?;
        let (images, batch) = (data.training.len(), recipe.optimiser.batch);
        if images < batch {
            return Err(TrainingError::TooFewImages { images, batch });
        }
        let teachers = Teachers::open(&start.teachers, &recipe, &data.classes, device)?;

        tch::manual_seed(recipe.seed);
        let model = Model::new(&recipe.model, &recipe.input, data.classes.len(), device);
        let mut average = Model::new(&recipe.model, &recipe.input, data.classes.len(), device);
        average.store.freeze();
        let loaded = match (&start.weights, goes_on) {
            (Some(path), false) => Some(pretrained::load(&model, &recipe, path)?),
            (None, false) if recipe.pretrained.is_some() => {
                return Err(PretrainedError::NoFile.into());
            }
            _ => None,
        };
        let counts = data.training.class_counts();
        let progress = Progress {
            teachers: teachers.sha256(),
            initial_weights: match (&loaded, &start.weights) {
                (Some(loaded), _) => Some(loaded.sha256.clone()),
                // Not loaded again, but they must be those that the run began with.
                (None, Some(path)) => Some(pretrained::sha256(path)?),
                (None, None) => None,
            },
            ..Progress::new(recipe.clone(), data.classes, data.summary)
        };
        Ok(Self {
            folder: folder.to_owned(),
            training: DeviceImages::new(&data.training, recipe.data.ferplus, device),
            draw: match recipe.balance {
                BalanceRecipe::BalancedSampling { power } => Some(class_weights(&counts, power)),
                _ => None,
            },
            validation: DeviceImages::new(&data.validation, 0.0, device),
            validation_labels: data.validation.labels().to_vec(),
            loss: Loss::new(&recipe.balance, &counts, device),
            optimiser: Optimiser::new(&model, &recipe.optimiser, recipe.loss.l1),
            recipe,
            teachers,
            model,
            average,
            progress,
            best: None,
            pace: start.pace,
            fresh: loaded.map(|loaded| loaded.fresh).unwrap_or_default(),
            device,
            _lock: None,
        })
    }

    /// Prepares the folder and restores the run that is in it.
    fn open(&mut self, resume: bool) -> Result<(), TrainingError> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|source| TrainingError::Write { path: self.folder.clone(), source })?;
        self._lock = Some(run::Lock::take(&self.folder)?);
        let last = self.folder.join(run::LAST);
        match (last.exists(), resume) {
            (true, false) => return Err(TrainingError::Exists { path: self.folder.clone() }),
            (true, true) => self.restore(&last)?,
            (false, _) => move_average(&self.average.memory, &self.model.memory, 0.0, 0),
        }
        self.write_recipe()?;
        self.write(run::LOG, &history::csv(&self.progress.history))
    }

    fn write_recipe(&self) -> Result<(), TrainingError> {
        let recipe = self.recipe.to_yaml().map_err(TrainingError::Recipe)?;
        self.write(run::RECIPE, &recipe)
    }

    fn restore(&mut self, last: &Path) -> Result<(), TrainingError> {
        let stored = Checkpoint::read(last)?;
        let changed = |what| TrainingError::Changed { path: self.folder.clone(), what };
        let mut differences = stored.progress.recipe.hindrances(&self.recipe);
        let (epochs, done) = (self.recipe.optimiser.epochs, stored.progress.epochs_done);
        if differences.is_empty() && epochs < done {
            differences
                .push(format!("optimiser.epochs: {epochs}; expected at least the {done} done"));
        }
        if !differences.is_empty() {
            return Err(TrainingError::OtherRecipe { path: self.folder.clone(), differences });
        }
        if stored.progress.data.sha256 != self.progress.data.sha256 {
            return Err(changed("data"));
        }
        if stored.progress.teachers != self.progress.teachers {
            return Err(changed("list of teachers"));
        }
        let given = &self.progress.initial_weights;
        if given.is_some() && *given != stored.progress.initial_weights {
            return Err(changed("file of first weights (--weights)"));
        }
        stored.restore("model.", &self.model.tensors())?;
        stored.restore("average.", &self.average.tensors())?;
        stored.restore("optimiser.", &self.optimiser.state())?;
        self.progress = Progress { recipe: self.recipe.clone(), ..stored.progress };
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), TrainingError> {
        let path = self.folder.join(name);
        write_atomically(&path, text.as_bytes())
            .map_err(|source| TrainingError::Write { path, source })
    }

    /// Optimiser steps in an epoch; the rest that does not fill a batch waits for another epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.training.len() / self.recipe.optimiser.batch
    }

    /// How far the run is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Tensors that the weights that were learnt elsewhere had no values for.
    pub fn fresh_tensors(&self) -> &[String] {
        &self.fresh
    }

    /// Where it is done.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Trains all epochs that are left, or until the recipe's early stopping or the observer ends the
    /// run. Whatever ends it, checkpoints are of its last epoch.
    ///
    /// # Errors
    ///
    /// [`TrainingError::Diverged`], [`TrainingError::OutOfMemory`], or a checkpoint or log that
    /// cannot be written.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<(), TrainingError> {
        run::note(&self.folder, &self.progress)?;
        let mut clock = Clock::start(self.pace);
        while !self.has_ended() {
            let batch = self.recipe.optimiser.batch;
            let record = error::out_of_memory(batch, || self.epoch(observer))??;
            self.fit(&mut clock)?;
            let ends = self.has_ended() || observer.ends();
            if clock.is_due(ends) {
                self.save()?;
            }
            self.write(run::LOG, &history::csv(&self.progress.history))?;
            run::note(&self.folder, &self.progress)?;
            observer.epoch(&record, self.recipe.optimiser.epochs);
            if ends {
                break;
            }
        }
        Ok(())
    }

    /// Whether all epochs are done, or the recipe's early stopping has ended the run.
    pub fn has_ended(&self) -> bool {
        self.progress.epochs_done >= self.recipe.optimiser.epochs || self.progress.stopped
    }

    /// Sets the number of epochs to what fits by what they have taken so far, until that is sure.
    fn fit(&mut self, clock: &mut Clock) -> Result<(), TrainingError> {
        let seconds: Vec<f64> = self.progress.history.iter().map(|epoch| epoch.seconds).collect();
        let Some(epochs) = clock.epochs(&seconds) else { return Ok(()) };
        let warm_up = match self.recipe.schedule {
            ScheduleRecipe::Cosine { warmup_epochs, .. } => warmup_epochs.ceil() as usize,
            _ => 0,
        };
        self.recipe.optimiser.epochs = epochs.max(warm_up);
        self.progress.recipe = self.recipe.clone();
        self.write_recipe()
    }

    /// One epoch: all steps, then evaluation.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochRecord, TrainingError> {
        let epoch = self.progress.epochs_done + 1;
        // A seed of its own makes an epoch independent of how the run came to it.
        tch::manual_seed(self.recipe.seed.wrapping_mul(1_000_003).wrapping_add(epoch as i64));
        let started = Instant::now();
        let rate = self.learning_rate();
        let tally = self.steps(epoch, observer)?;
        let trained = started.elapsed().as_secs_f64();
        let validation = self.validate(epoch)?;
        let best = self.judge(epoch, &validation);
        let record = EpochRecord {
            epoch,
            learning_rate: rate,
            loss: tally.loss,
            accuracy: tally.accuracy,
            validation_loss: validation.nll,
            validation_accuracy: validation.accuracy,
            validation_macro_f1: validation.macro_f1(),
            best,
            images_per_second: (self.steps_per_epoch() * self.recipe.optimiser.batch) as f64
                / trained,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.progress.epochs_done = epoch;
        self.progress.validation = Some(validation);
        self.progress.history.push(record);
        if best {
            let copies = self.average.tensors().into_iter().map(|(name, t)| (name, t.copy()));
            self.best = Some((copies.collect(), self.progress.clone()));
        }
        Ok(record)
    }

    fn learning_rate(&self) -> f64 {
        learning_rate(
            &self.recipe.optimiser,
            &self.recipe.schedule,
            self.progress.steps_done,
            self.steps_per_epoch() * self.recipe.optimiser.epochs,
            self.progress.reductions,
        )
    }

    /// Metrics of the averaged weights on the validation split.
    fn validate(&self, epoch: usize) -> Result<Metrics, TrainingError> {
        let (bytes, recipe) = (&self.validation.bytes, &self.recipe);
        let logits = logits_of(&self.average, bytes, &recipe.input, recipe.precision);
        // Batch norm keeps the loss finite while its running statistics overflow.
        let is_finite = logits.iter().all(|logit| logit.is_finite())
            && self.model.memory.is_finite()
            && self.average.memory.is_finite();
        if !is_finite {
            return Err(self.diverged(epoch));
        }
        let rows = Distributions::of_logits(&logits, self.progress.classes.len(), 1.0);
        Ok(Metrics::new(&rows, &self.validation_labels, &self.progress.classes))
    }

    fn diverged(&self, epoch: usize) -> TrainingError {
        let checkpoint = Some(self.folder.join(run::LAST)).filter(|last| last.exists());
        TrainingError::Diverged { epoch, checkpoint }
    }

    /// Keeps count of the best epoch, of plateaus and of the end; whether the epoch is the best.
    fn judge(&mut self, epoch: usize, validation: &Metrics) -> bool {
        let progress = &mut self.progress;
        if let ScheduleRecipe::Plateau { monitor, patience, .. } = self.recipe.schedule {
            let over = progress.plateau.is_over(monitor.of(validation), patience);
            progress.reductions += usize::from(over);
        }
        if let Some(stopping) = self.recipe.early_stopping {
            let figure = stopping.monitor.of(validation);
            progress.stopped = progress.stopping.is_over(figure, stopping.patience);
        }
        let figure = self.recipe.select.of(validation);
        let best = progress.best.is_none_or(|(highest, _)| figure > highest);
        if best {
            progress.best = Some((figure, epoch));
        }
        best
    }

    /// Writes the checkpoints: of the best epoch, if it is new, and of the last.
    fn save(&mut self) -> Result<(), TrainingError> {
        if let Some((average, progress)) = self.best.take() {
            let average = prefixed("average.", average);
            checkpoint::save(&self.folder.join(run::BEST), &average, &progress)?;
        }
        let mut all: Named = prefixed("model.", self.model.tensors());
        all.extend(prefixed("average.", self.average.tensors()));
        all.extend(prefixed("optimiser.", self.optimiser.state()));
        checkpoint::save(&self.folder.join(run::LAST), &all, &self.progress)?;
        Ok(())
    }

    /// The data that is learnt from.
    pub fn data(&self) -> &DataSummary {
        &self.progress.data
    }
}

/// Refuses a folder where a run's recipe would replace somebody's own: one that is not written as a
/// run writes it, with every value and no comment.
fn refuse_foreign_recipe(folder: &Path) -> Result<(), TrainingError> {
    let path = folder.join(run::RECIPE);
    if folder.join(run::LAST).exists() || !path.exists() {
        return Ok(());
    }
    let written = Recipe::read(&path).ok().and_then(|recipe| recipe.to_yaml().ok());
    let found = std::fs::read_to_string(&path).ok();
    if written.is_some() && written == found {
        return Ok(());
    }
    Err(TrainingError::ForeignRecipe { path })
}
