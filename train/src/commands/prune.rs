//! `fer-train prune`.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use fer_core::manifest::sha256_hex;
use fer_train::checkpoint::{self, Progress, prefixed};
use fer_train::evaluate;
use fer_train::prune::{self, Widths};
use fer_train::recipe::Recipe;

use super::export::calibration;
use super::outputs::{refuse_in_data, refuse_input};
use super::speech::tell;
use super::{read_data, warn_of_other_data};

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
    let Arguments { checkpoint, out, .. } = arguments;
    ensure!(
        out.extension().is_some_and(|extension| extension == "safetensors"),
        "--out is `{}`; expected a file name in .safetensors",
        out.display()
    );
    refuse_input(out, [checkpoint.as_path()])?;
    refuse_in_data(&arguments.data, &[("--out", Some(out))])?;
    let (model, progress) = evaluate::averaged_model(checkpoint)?;
    let widths = Widths { stages: arguments.widths.clone(), dense: arguments.dense.clone() };
    widths.of(&progress.recipe.model)?;
    let before = std::fs::read(checkpoint)
        .with_context(|| format!("cannot read `{}`", checkpoint.display()))?;
    let dataset = read_data(&arguments.data, progress.recipe.input.image_shape())?;
    warn_of_other_data(checkpoint, &progress, &dataset, "of other splits than Training");
    let told = |layer: prune::Pruned| {
        tell(&format!(
            "{}: {} of {} outputs; reconstruction error of the next layer {:.1} %",
            layer.layer,
            layer.to,
            layer.from,
            layer.lost * 100.0
        ));
    };
    let images = calibration(&dataset)?;
    let (tensors, model) = prune::prune(&model, &progress, &images, &widths, told)?;
    let name = format!("{}-pruned", progress.recipe.name);
    let recipe = Recipe { model, name, ..progress.recipe };
    let progress = Progress {
        teachers: progress.teachers,
        initial_weights: Some(sha256_hex(&before)),
        ..Progress::new(recipe, progress.classes, progress.data)
    };
    checkpoint::save(out, &prefixed("average.", tensors), &progress)?;
    tell(&out.display().to_string());
    Ok(())
}
