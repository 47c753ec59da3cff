//! `fer-train ensemble`.

use std::path::PathBuf;

use anyhow::Context;
use fer_train::evaluate::{self, Scored};

use super::read_data;
use super::scoring::{Scoring, image_shape};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Checkpoints (.safetensors), manifests (.yaml), or ONNX files with a manifest beside; at
    /// least two.
    #[arg(required = true, num_args = 2..)]
    models: Vec<PathBuf>,
    #[command(flatten)]
    scoring: Scoring,
    /// How much each model counts in the mean: `uniform`, or a number above 0 for each.
    #[arg(long, default_value = "uniform", value_name = "uniform|W,W,…")]
    weights: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let weights = weights(&arguments.weights, arguments.models.len())?;
    let mut members =
        arguments.models.iter().map(|path| Scored::open(path)).collect::<Result<Vec<_>, _>>()?;
    evaluate::agree(&members)?;
    let dataset = read_data(&arguments.scoring.data, image_shape(&members))?;
    let options = arguments.scoring.options();
    let evaluation = evaluate::ensemble(&mut members, &weights, &dataset, options)?;
    let beside = members.first().map(|member| member.path().with_file_name("ensemble"));
    let json = evaluate::json_path(&beside.unwrap_or_default(), &evaluation.file_name());
    arguments.scoring.hand_out(&evaluation, &json)
}

fn weights(text: &str, models: usize) -> anyhow::Result<Vec<f64>> {
    if text == "uniform" {
        return Ok(vec![1.0; models]);
    }
    let number = |part: &str| part.trim().parse();
    let weights: Result<Vec<f64>, _> = text.split(',').map(number).collect();
    weights.with_context(|| {
        format!("--weights is `{text}`; expected `uniform` or {models} numbers with commas between")
    })
}
