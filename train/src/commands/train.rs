//! `fer-train train`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use fer_train::dataset::Dataset;
use fer_train::recipe::Recipe;
use fer_train::report;
use fer_train::run::{LAST, RunInfo};
use fer_train::training::{Data, Pace, Start, Trainer};

use super::outputs::refuse_in_data;
use super::progress::Console;
use super::read_data;
use super::signals::{Interrupted, Signals};
use super::speech::tell;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The recipe (YAML).
    recipe: PathBuf,
    /// FER2013's CSV (plain, gzip or zstd), or a folder of labelled images.
    #[arg(long)]
    data: PathBuf,
    /// Folder for checkpoints, log and report.
    #[arg(long)]
    out: PathBuf,
    /// Go on with the run that is in the folder; where none is, begin one.
    #[arg(long)]
    resume: bool,
    /// Change a value of the recipe, for instance `optimiser.epochs=10`.
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    set: Vec<String>,
    /// Weights that were learnt elsewhere (safetensors, torchvision's names).
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Seconds in which a new run shall be trained: sets `optimiser.epochs` to what fits, at least
    /// 4, estimated after each epoch until an eighth of the time is over. A run that was cut off
    /// goes on by the recipe in its folder.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "resume")]
    fit_into: Option<Duration>,
    /// Least seconds between two checkpoints; 0 is one after each epoch.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    save_every: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    with_teachers(arguments, &[])
}

/// Trains a network, which follows `teachers` if there are any.
pub(super) fn with_teachers(arguments: &Arguments, teachers: &[PathBuf]) -> anyhow::Result<()> {
    refuse_in_data(&arguments.data, &[("--out", Some(&arguments.out))])?;
    let recipe = Recipe::read_with(&arguments.recipe, &arguments.set)?;
    let start = Start {
        resume: arguments.resume,
        weights: arguments.weights.clone(),
        teachers: teachers.to_vec(),
        pace: Pace { fit_into: arguments.fit_into, save_every: arguments.save_every },
    };
    let shape = recipe.input.image_shape();
    let dataset = read_data(&arguments.data, shape)?;
    let data = Data::of(dataset, &recipe.data)?;
    let mut trainer = Trainer::new(recipe, data, &arguments.out, &start)?;
    let about = trainer.data();
    tell(&format!(
        "training on {} images ({} twins of other splits and {} constant images left out, {} made \
         by SMOTE), selecting on {} of {}",
        about.class_counts.iter().sum::<usize>() + about.synthetic,
        about.removed.twins,
        about.removed.constant,
        about.synthetic,
        about.validation_images,
        about.validation,
    ));
    match (trainer.progress().epochs_done, arguments.resume) {
        (0, true) => tell(&format!(
            "nothing to go on with in `{}` (it has no `{LAST}`): beginning anew",
            arguments.out.display()
        )),
        (0, false) => {}
        (done, _) => tell(&format!("going on after epoch {done}")),
    }
    if !trainer.fresh_tensors().is_empty() {
        tell(&format!(
            "not in the weights, starting at random: {}",
            trainer.fresh_tensors().join(", ")
        ));
    }
    if let Err(error) = RunInfo::read(&arguments.out) {
        tell(&format!("{error}; it is written anew"));
    }
    if trainer.progress().stopped {
        tell(&format!(
            "the run ended early, with no better figure for a while: nothing is left to train of \
             {} epochs; begin another with a longer early_stopping.patience, in another folder",
            trainer.progress().recipe.optimiser.epochs
        ));
    }
    let had_ended = trainer.has_ended();
    let signals = Signals::listen().context("cannot listen to signals")?;
    trainer.run(&mut Console::new(&signals))?;
    signals.end_at_once();
    if let Some(signal) = signals.first() {
        let done = trainer.progress().epochs_done;
        let epochs = trainer.progress().recipe.optimiser.epochs;
        let epochs = (!trainer.has_ended()).then_some(epochs);
        return Err(Interrupted { signal, done, epochs }.into());
    }
    if trainer.progress().stopped && !had_ended {
        tell("ended early: no better validation figure for a while");
    }
    // What training needs no more makes room for what the report needs.
    drop(trainer);
    let dataset = Dataset::read(&arguments.data, shape)?;
    let report = report::create(&arguments.out, Some(&dataset))?;
    tell(&report.display().to_string());
    Ok(())
}
