//! `fer-train report`.

use std::path::PathBuf;

use fer_train::report;
use fer_train::run::Run;

use super::read_data;
use super::speech::tell;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run's folder.
    run: PathBuf,
    /// The run's data: scores the best checkpoint on the validation split, and shows its worst
    /// mistakes.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let dataset = match &arguments.data {
        Some(path) => {
            let recipe = Run::open(&arguments.run)?.progress.recipe;
            Some(read_data(path, recipe.input.image_shape())?)
        }
        None => None,
    };
    let path = report::create(&arguments.run, dataset.as_ref())?;
    for damaged in Run::open(&arguments.run)?.damaged {
        tell(&format!("left out: {damaged}"));
    }
    tell(&path.display().to_string());
    Ok(())
}
