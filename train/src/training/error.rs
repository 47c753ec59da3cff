//! What can stop a run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointError;
use crate::dataset::DatasetError;
use crate::distill::TeacherError;
use crate::network::pretrained::PretrainedError;
use crate::recipe::RecipeError;
use crate::run::RunError;
use crate::smote::SmoteError;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The recipe's values are out of range.
    #[error(transparent)]
    Range(#[from] RecipeError),
    /// The recipe could not be written out.
    #[error("cannot write the recipe: {0}")]
    Recipe(serde_yaml::Error),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The data lack what the recipe asks for.
    #[error("data.ferplus: {asked}, but {reason}")]
    Votes {
        /// The recipe's value.
        asked: f64,
        /// What is missing.
        reason: String,
    },
    /// A class is too small for SMOTE.
    #[error(transparent)]
    Smote(#[from] SmoteError),
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Weights that were learnt elsewhere do not fit.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    /// The teachers do not fit.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
    /// The recipe asks for a device that is not there.
    #[error("device: `{device}`; {reason}; expected cpu, or a machine with CUDA")]
    Device {
        /// The recipe's value.
        device: String,
        /// What is missing.
        reason: String,
    },
    /// A file of the run's folder could not be written.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The note on what the run is done with could not be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is already a run in the folder.
    #[error("`{path}` already holds a run; pass --resume to go on with it, or name another folder")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has a recipe that no run wrote.
    #[error(
        "the run's own recipe would replace `{path}`, which no run wrote; name another folder, or \
         move that file"
    )]
    ForeignRecipe {
        /// The recipe.
        path: PathBuf,
    },
    /// The run to go on with had another recipe.
    #[error(
        "cannot resume `{path}`: its recipe differs; expected what the run was started with, which \
         is in its `{}`:\n  {}",
        crate::run::RECIPE,
        .differences.join("\n  ")
    )]
    OtherRecipe {
        /// The folder.
        path: PathBuf,
        /// One line a key.
        differences: Vec<String>,
    },
    /// The run to go on with had other data or teachers.
    #[error("cannot resume `{path}`: its {what} differs; expected what the run was started with")]
    Changed {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// There are fewer images than a batch holds.
    #[error("{images} training images; expected at least a batch of {batch}")]
    TooFewImages {
        /// Images there are.
        images: usize,
        /// Images in a batch.
        batch: usize,
    },
    /// The loss, a weight or a validation logit is not a number.
    #[error(
        "loss or network are no longer finite numbers in epoch {epoch}; {}; try a lower learning \
         rate",
        kept(checkpoint.as_deref())
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Where an earlier state is, if one was saved.
        checkpoint: Option<PathBuf>,
    },
    /// The device's memory does not suffice.
    #[error(
        "out of memory with optimiser.batch {batch}; try --set optimiser.batch={}: {reason}",
        (batch / 2).max(2)
    )]
    OutOfMemory {
        /// Images in a batch.
        batch: usize,
        /// What libtorch said, its first line.
        reason: String,
    },
}

/// What there is to go on with.
fn kept(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is `{}`", path.display()),
        None => "no checkpoint was saved before".to_owned(),
    }
}

/// Runs `work`; where libtorch panics because memory does not suffice, that is an error.
pub(super) fn out_of_memory<T>(batch: usize, work: impl FnOnce() -> T) -> Result<T, TrainingError> {
    catch_unwind(AssertUnwindSafe(work)).or_else(|panic| match memory_message(panic.as_ref()) {
        Some(reason) => Err(TrainingError::OutOfMemory { batch, reason }),
        None => resume_unwind(panic),
    })
}

/// What libtorch says of memory that does not suffice, if that is what a panic with this payload
/// is about. [`Trainer::run`](super::Trainer::run) makes an error of it.
pub fn memory_message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied())?.replace("\\n", "\n");
    let says =
        |line: &&str| line.contains("out of memory") || line.contains("can't allocate memory");
    text.lines().find(says).map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_that_fails_is_an_error_with_a_batch_to_try() {
        let huge = || tch::Tensor::zeros([1 << 50], (tch::Kind::Float, tch::Device::Cpu));
        let error = out_of_memory(64, || drop(huge())).unwrap_err().to_string();
        assert!(error.contains("optimiser.batch=32") && error.contains("allocate"), "{error}");
    }

    #[test]
    fn other_panics_go_on() {
        let caught = catch_unwind(|| out_of_memory(2, || panic!("something else")));
        assert!(caught.is_err());
    }
}
