//! One module a command: its arguments, and the few lines that call the library.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod distill;
pub(crate) mod ensemble;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod join;
mod outputs;
mod progress;
pub(crate) mod prune;
pub(crate) mod report;
mod scoring;
pub(crate) mod signals;
pub(crate) mod speech;
pub(crate) mod steadiness;
pub(crate) mod train;

use std::path::Path;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use fer_train::checkpoint::Progress;
use fer_train::dataset::{Dataset, ImageShape, Split};
use fer_train::evaluate::learnt_from;
use fer_train::files;
use fer_train::metrics::{TEMPERATURES, is_bound};
use serde::Serialize;

use self::speech::tell;

/// A split on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    /// What is learnt from.
    Training,
    /// PublicTest, or `validation`: what everything is selected on.
    #[value(alias = "validation")]
    Public,
    /// PrivateTest, or `test`: to be scored once, for the selected model.
    #[value(alias = "test")]
    Private,
}

/// Reads a data set and says on standard error what someone should know of it.
pub(crate) fn read_data(path: &Path, shape: ImageShape) -> anyhow::Result<Dataset> {
    let dataset = Dataset::read(path, shape)?;
    for remark in dataset.provenance.remarks() {
        tell(&format!("{}: {remark}", path.display()));
    }
    Ok(dataset)
}

/// Refuses a checkpoint where what `export` makes of one is asked for.
///
/// # Errors
///
/// What is expected instead.
pub(crate) fn refuse_checkpoint(path: &Path) -> anyhow::Result<()> {
    ensure!(
        path.extension().is_none_or(|extension| extension != "safetensors"),
        "`{}` is a checkpoint; expected a manifest (.yaml), or an ONNX file with its manifest \
         beside: `fer-train export` makes them of it",
        path.display()
    );
    Ok(())
}

/// Warns where a checkpoint learnt from other data than these, perhaps from some of its images, and says
/// what those are used for.
pub(crate) fn warn_of_other_data(
    checkpoint: &Path,
    progress: &Progress,
    dataset: &Dataset,
    used: &str,
) {
    if learnt_from(progress, dataset) == Some(false) {
        tell(&format!(
            "warning: `{}` learnt from and selected on other data than these of `{}`, perhaps on \
             some of the images {used}; name its own data: --data DATA",
            checkpoint.display(),
            dataset.name
        ));
    }
}

/// Warns of a temperature that was fitted no better than its range allows.
pub(crate) fn warn_of_bound(name: &str, temperature: f64) {
    let [low, high] = TEMPERATURES;
    if is_bound(temperature) {
        tell(&format!(
            "warning: the temperature of {name} is {temperature:.3}, a bound of the {low} to {high} \
             that are tried: probabilities are not calibrated; has the network learnt anything?"
        ));
    }
}

pub(crate) fn write_file(path: &Path, data: &[u8]) -> anyhow::Result<()> {
    files::write_atomically(path, data)
        .with_context(|| format!("cannot write `{}`", path.display()))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    files::write_json(path, value).with_context(|| format!("cannot write `{}`", path.display()))
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Training => Self::Training,
            SplitName::Public => Self::Validation,
            SplitName::Private => Self::Test,
        }
    }
}
