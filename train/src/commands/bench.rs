//! `fer-train bench`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fer_train::evaluate;
use fer_train::recipe::Recipe;
use fer_train::training::throughput;

use super::refuse_checkpoint;
use super::speech::print;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).args(["recipe", "model"])))]
pub(crate) struct Arguments {
    /// A recipe (YAML): times training and inference in images a second, on random images.
    recipe: Option<PathBuf>,
    /// Change a value of the recipe, for instance `device=cuda`.
    #[arg(long, value_name = "KEY.PATH=VALUE", conflicts_with = "model")]
    set: Vec<String>,
    /// Images at once; if not given, the recipe's.
    #[arg(long, conflicts_with = "model")]
    batch: Option<usize>,
    /// Classes that the network tells apart.
    #[arg(long, default_value_t = 7, conflicts_with = "model",
          value_parser = clap::value_parser!(u16).range(2..))]
    classes: u16,
    /// How long each of the two is timed.
    #[arg(long, default_value_t = 10, conflicts_with = "model",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// A manifest (.yaml), or an ONNX file with its manifest beside: times one face a run, on one
    /// thread.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Runs of the ONNX file that are timed.
    #[arg(long, default_value_t = 2000, conflicts_with = "recipe",
          value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(recipe) = &arguments.recipe {
        time_recipe(recipe, arguments)?;
    }
    if let Some(model) = &arguments.model {
        time_model(model, arguments.runs)?;
    }
    Ok(())
}

fn time_recipe(path: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let mut set = arguments.set.clone();
    set.extend(arguments.batch.map(|batch| format!("optimiser.batch={batch}")));
    let recipe = Recipe::read_with(path, &set)?;
    let seconds = Duration::from_secs(arguments.seconds);
    let found = throughput(&recipe, usize::from(arguments.classes), seconds)?;
    let mut out = String::new();
    writeln!(
        out,
        "recipe `{}`: {:.3} M parameters, {:.1} M multiply-adds an image",
        recipe.name,
        found.parameters as f64 / 1e6,
        found.multiply_adds as f64 / 1e6
    )?;
    writeln!(
        out,
        "batches of {} on {}, {} threads, {:?}",
        recipe.optimiser.batch, recipe.device, recipe.threads, recipe.precision
    )?;
    writeln!(out, "training  {:>9.1} images/s", found.training)?;
    writeln!(out, "inference {:>9.1} images/s", found.inference)?;
    Ok(print(&out)?)
}

fn time_model(path: &Path, runs: u32) -> anyhow::Result<()> {
    refuse_checkpoint(path)?;
    let speed = evaluate::speed(path, runs as usize)?;
    Ok(print(&format!(
        "{runs} runs of one face on one thread: median {:.3} ms, 90th percentile {:.3} ms\n",
        speed.median_ms, speed.p90_ms
    ))?)
}
