//! `fer-train distill`.

use std::path::PathBuf;

use super::train;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    run: train::Arguments,
    /// A teacher's checkpoint; several make an ensemble, whose mean probabilities are followed.
    #[arg(long, required = true, num_args = 1.., value_name = "CHECKPOINT")]
    teacher: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    train::with_teachers(&arguments.run, &arguments.teacher)
}
