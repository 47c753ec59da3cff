//! `fer-train prune`.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use fer_core::manifest::sha256_hex;
use fer_train::checkpoint::{self, Progress, prefixed};
use fer_train::evaluate;
use fer_train::prune::{self, Widths};
use fer_train::recipe::Recipe;

use super::export::calibration;
use super::read_data;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The checkpoint of a VGG (.safetensors).
    checkpoint: PathBuf,
    /// The data set it has learnt from.
    #[arg(long)]
    data: PathBuf,
    /// The checkpoint to write, for `fer-train distill --weights`.
    #[arg(long)]
    out: PathBuf,
    /// Channels of each stage that stay, for instance 32,96,192,320.
    #[arg(long, value_delimiter = ',', required = true)]
    widths: Vec<i64>,
    /// Outputs of each dense layer before the last that stay.
    #[arg(long, value_delimiter = ',')]
    dense: Vec<i64>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.out.extension().is_some_and(|extension| extension == "safetensors"),
        "--out is `{}`; expected a file name in .safetensors",
        arguments.out.display()
    );
    let (model, progress) = evaluate::averaged_model(&arguments.checkpoint)?;
    let dataset = read_data(&arguments.data, progress.recipe.input.image_shape())?;
    let widths = Widths { stages: arguments.widths.clone(), dense: arguments.dense.clone() };
    let told = |layer: prune::Pruned| {
        eprintln!(
            "{}: {} of {} outputs; what follows loses {:.1} % of its variance",
            layer.layer,
            layer.to,
            layer.from,
            layer.lost * 100.0
        );
    };
    let before = std::fs::read(&arguments.checkpoint)
        .with_context(|| format!("cannot read `{}`", arguments.checkpoint.display()))?;
    let (tensors, model) = prune::prune(&model, &progress, &calibration(&dataset)?, &widths, told)?;
    let progress = Progress {
        recipe: Recipe { model, ..progress.recipe },
        initial_weights: Some(sha256_hex(&before)),
        epochs_done: 0,
        steps_done: 0,
        best: None,
        history: Vec::new(),
        validation: None,
        ..progress
    };
    checkpoint::save(&arguments.out, &prefixed("average.", tensors), &progress)?;
    eprintln!("{}", arguments.out.display());
    Ok(())
}
