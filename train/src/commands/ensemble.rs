//! `fer-train ensemble`.

use std::path::PathBuf;

use anyhow::Context;
use fer_core::manifest::sha256_hex;
use fer_train::evaluate::{self, Member, Scored};

use super::read_data;
use super::scoring::{Scoring, image_shape};
use super::speech::tell;

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
    arguments.scoring.check_outputs()?;
    let weights = weights(&arguments.weights, arguments.models.len())?;
    let mut members =
        arguments.models.iter().map(|path| Scored::open(path)).collect::<Result<Vec<_>, _>>()?;
    evaluate::agree(&members)?;
    let dataset = read_data(&arguments.scoring.data, image_shape(&members))?;
    let options = arguments.scoring.options();
    let evaluation = evaluate::ensemble(&mut members, &weights, &dataset, options)?;
    let name = name(&evaluation.models);
    let json =
        arguments.models[0].with_file_name(format!("{name}.{}.json", evaluation.file_name()));
    arguments.scoring.hand_out(&evaluation, &json)?;
    if arguments.scoring.json.is_none() {
        tell(&json.display().to_string());
    }
    Ok(())
}

/// A name of its own for each set of members and weights, in whatever order.
fn name(members: &[Member]) -> String {
    let line = |member: &Member| {
        format!("{} {}\n", member.sha256.as_deref().unwrap_or_default(), member.weight)
    };
    let mut lines: Vec<String> = members.iter().map(line).collect();
    lines.sort();
    format!("ensemble-{}", &sha256_hex(lines.concat().as_bytes())[..8])
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
