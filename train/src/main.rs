//! `fer-train`: see `fer-train --help`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use fer_core::manifest::Manifest;
use fer_core::preprocess::Crop;
use fer_train::checkpoint::write_atomically;
use fer_train::dataset::{Dataset, Split};
use fer_train::evaluate::{self, Scored};
use fer_train::export::{self, Description};
use fer_train::recipe::Recipe;
use fer_train::training::{EpochReport, Trainer};

/// What the manifest says of weights that were learnt from FER2013.
const LICENCE: &str = "weights: MIT OR Apache-2.0; trained on FER2013, which came without a \
                       licence file and was distributed for research by Kaggle's challenge page";

/// Trains, evaluates and exports facial expression classifiers.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network as a recipe says.
    Train(TrainArguments),
    /// Score a checkpoint, or any ONNX file with a manifest, on a split of FER2013.
    Evaluate(EvaluateArguments),
    /// Write a checkpoint as an ONNX file with its manifest, checked against the trainer.
    Export(ExportArguments),
    /// Time an ONNX file: one face a run, one thread.
    Bench(BenchArguments),
}

#[derive(Debug, clap::Args)]
struct TrainArguments {
    /// The recipe (YAML).
    recipe: PathBuf,
    /// FER2013 as CSV, plain or zstd.
    #[arg(long)]
    data: PathBuf,
    /// Folder for checkpoints and log.
    #[arg(long)]
    out: PathBuf,
    /// Go on with the run that is in the folder.
    #[arg(long)]
    resume: bool,
    /// CPU threads, instead of the recipe's.
    #[arg(long)]
    threads: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitName {
    /// Training.
    Training,
    /// PublicTest: what everything is selected on.
    Public,
    /// PrivateTest: to be scored once, for the selected model.
    Private,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Training => Self::Training,
            SplitName::Public => Self::PublicTest,
            SplitName::Private => Self::PrivateTest,
        }
    }
}

#[derive(Debug, clap::Args)]
struct EvaluateArguments {
    /// A checkpoint (.safetensors), a manifest (.yaml), or an ONNX file with its manifest beside.
    #[arg(long)]
    model: PathBuf,
    /// FER2013 as CSV, plain or zstd.
    #[arg(long)]
    data: PathBuf,
    /// The split to score.
    #[arg(long, value_enum, default_value = "public")]
    split: SplitName,
    /// Where the figures go; beside the model if not given.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Put the printed figures into a model card (Markdown), at its marks for the split.
    #[arg(long)]
    write_card: Option<PathBuf>,
    /// Put the figures into the model's manifest.
    #[arg(long)]
    write_manifest: bool,
}

#[derive(Debug, clap::Args)]
struct ExportArguments {
    /// The checkpoint (.safetensors).
    checkpoint: PathBuf,
    /// FER2013 as CSV: PublicTest calibrates the model and checks the export.
    #[arg(long)]
    data: PathBuf,
    /// The ONNX file to write; its manifest goes beside it with the extension .yaml.
    #[arg(long)]
    out: PathBuf,
    /// The model's name; if not given, `fer-` and the recipe's.
    #[arg(long)]
    name: Option<String>,
    /// Margin around a detected face, as a fraction of its size.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    crop_margin: f32,
}

#[derive(Debug, clap::Args)]
struct BenchArguments {
    /// A manifest (.yaml), or an ONNX file with its manifest beside.
    #[arg(long)]
    model: PathBuf,
    /// Runs that are timed.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Train(arguments) => train(&arguments),
        Command::Evaluate(arguments) => score(&arguments),
        Command::Export(arguments) => write_onnx(&arguments),
        Command::Bench(arguments) => bench(&arguments),
    }
}

fn train(arguments: &TrainArguments) -> anyhow::Result<()> {
    let mut recipe = Recipe::read(&arguments.recipe)?;
    if let Some(threads) = arguments.threads {
        recipe.threads = threads;
    }
    let dataset = Dataset::read(&arguments.data)?;
    let public_test = dataset.images(Split::PublicTest);
    let (training, removed) =
        dataset.clean_training(recipe.data.drop_twins, recipe.data.drop_constant)?;
    eprintln!(
        "training on {} images ({} twins of test rows and {} constant images left out), \
         validating on {}",
        training.len(),
        removed.twins,
        removed.constant,
        public_test.len()
    );
    let device = tch::Device::Cpu;
    let mut trainer =
        Trainer::new(recipe, &training, public_test, &arguments.out, arguments.resume, device)?;
    if trainer.progress().epochs_done > 0 {
        eprintln!("going on after epoch {}", trainer.progress().epochs_done);
    }
    trainer.run(print_epoch)?;
    if let Some((score, epoch)) = trainer.progress().best {
        eprintln!("best epoch {epoch}: mean of accuracy and macro-F1 on PublicTest {score:.4}");
    }
    Ok(())
}

fn print_epoch(report: &EpochReport) {
    let left = report.time * u32::try_from(report.epochs - report.epoch).unwrap_or(u32::MAX);
    let public = &report.public_test;
    eprintln!(
        "epoch {}/{} loss {:.4} acc {:.4} | PublicTest acc {:.4} macro-F1 {:.4}{} | \
         {:.0} images/s, {} left",
        report.epoch,
        report.epochs,
        report.loss,
        report.accuracy,
        public.accuracy,
        public.macro_f1,
        if report.best { " *" } else { "" },
        report.images_per_second,
        minutes(left),
    );
}

fn minutes(time: Duration) -> String {
    format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
}

fn score(arguments: &EvaluateArguments) -> anyhow::Result<()> {
    let split = Split::from(arguments.split);
    let mut scored = Scored::open(&arguments.model)?;
    if arguments.write_manifest && matches!(scored, Scored::Checkpoint { .. }) {
        bail!(
            "--write-manifest: `{}` is a checkpoint, which has no manifest; export it first",
            arguments.model.display()
        );
    }
    let dataset = Dataset::read(&arguments.data)?;
    let evaluation = evaluate::evaluate(&mut scored, &dataset, split)?;
    write!(std::io::stdout(), "{evaluation}")?;

    let default = evaluate::json_path(&arguments.model, split);
    let json = arguments.json.as_ref().unwrap_or(&default);
    let text = serde_json::to_string_pretty(&evaluation)? + "\n";
    write_atomically(json, text.as_bytes())
        .with_context(|| format!("cannot write `{}`", json.display()))?;
    if let Some(card) = &arguments.write_card {
        let text = std::fs::read_to_string(card)
            .with_context(|| format!("cannot read `{}`", card.display()))?;
        write_atomically(card, evaluation.put_into_card(&text)?.as_bytes())
            .with_context(|| format!("cannot write `{}`", card.display()))?;
    }
    if arguments.write_manifest {
        let path = arguments.model.with_extension("yaml");
        let (mut manifest, _) = Manifest::load(&path)?;
        evaluation.put_into(&mut manifest);
        export::write_manifest(&manifest, &path)?;
    }
    Ok(())
}

fn write_onnx(arguments: &ExportArguments) -> anyhow::Result<()> {
    let file = arguments
        .out
        .file_name()
        .filter(|_| arguments.out.extension().is_some_and(|extension| extension == "onnx"))
        .with_context(|| {
            format!("--out is `{}`; expected a file name in .onnx", arguments.out.display())
        })?;
    let (model, recipe) = evaluate::averaged_model(&arguments.checkpoint)?;
    let name = arguments.name.clone().unwrap_or_else(|| format!("fer-{}", recipe.name));
    let description = Description {
        name,
        licence: LICENCE.to_owned(),
        source: format!(
            "trained from scratch by fer-train, recipe `{}`, seed {}",
            recipe.name, recipe.seed
        ),
        crop: Crop { margin: arguments.crop_margin, square: true },
    };
    let dataset = Dataset::read(&arguments.data)?;
    let public_test = dataset.images(Split::PublicTest);
    let exported =
        export::export(&model, &recipe.input, public_test, Path::new(file), &description)?;
    let manifest = export::write(&exported, &arguments.out)?;
    eprintln!(
        "{} ({} parameters, {} bytes) and {}: temperature {:.3}, logits within {:.1e} of the \
         trainer's on {} images",
        arguments.out.display(),
        model.parameters(),
        exported.onnx.len(),
        manifest.display(),
        exported.manifest.output.temperature,
        exported.difference,
        public_test.len()
    );
    Ok(())
}

fn bench(arguments: &BenchArguments) -> anyhow::Result<()> {
    let speed = evaluate::speed(&arguments.model, arguments.runs as usize)?;
    writeln!(
        std::io::stdout(),
        "{} runs of one face on one thread: median {:.3} ms, 90th percentile {:.3} ms",
        arguments.runs,
        speed.median_ms,
        speed.p90_ms
    )?;
    Ok(())
}
