//! `fer-train distill`.

use std::path::PathBuf;

use super::train;

// `train`'s group of arguments has the struct's name, as this one would.
#[derive(Debug, clap::Args)]
#[group(id = "distill")]
pub(crate) struct Arguments {
    #[command(flatten)]
    run: train::Arguments,
    /// A teacher: a checkpoint (.safetensors), a manifest (.yaml), or an ONNX file with its manifest
    /// beside. Several make an ensemble, whose mean probabilities are followed.
    #[arg(long, required = true, num_args = 1.., value_name = "MODEL")]
    teacher: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    train::with_teachers(&arguments.run, &arguments.teacher)
}
