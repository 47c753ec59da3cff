//! Checkpoints: one safetensors file that holds weights, their average, momentum and progress.
//!
//! A file appears under its name only when it is complete, so that a run that is killed at any
//! moment leaves a checkpoint that can be read.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::recipe::Recipe;
use crate::report::Metrics;

/// Key of the progress in the file's metadata.
const PROGRESS: &str = "fer-train";

/// What can go wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be read or written.
    #[error("checkpoint `{path}`: {source}")]
    Io {
        /// The checkpoint.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not safetensors.
    #[error("checkpoint `{path}` is not a safetensors file: {source}")]
    Format {
        /// The checkpoint.
        path: PathBuf,
        /// What the parser said.
        source: safetensors::SafeTensorError,
    },
    /// The file was not written by this program, or by another version of it.
    #[error("checkpoint `{path}` has no readable `{PROGRESS}` metadata: {reason}")]
    Progress {
        /// The checkpoint.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Tensors are missing or have another shape than the recipe's network; all are listed.
    #[error("checkpoint `{path}` does not fit the network:\n  {}", .problems.join("\n  "))]
    Tensors {
        /// The checkpoint.
        path: PathBuf,
        /// One line a tensor.
        problems: Vec<String>,
    },
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The recipe that is run.
    pub recipe: Recipe,
    /// Epochs that are complete.
    pub epochs_done: usize,
    /// Optimiser steps that are complete.
    pub steps_done: usize,
    /// SHA-256 of the pixels and labels that are trained on.
    pub data_sha256: String,
    /// Best selection score so far, and its epoch, from 1.
    pub best: Option<(f64, usize)>,
    /// PublicTest metrics of the averaged weights in this file.
    pub public_test: Option<Metrics>,
}

/// Named tensors, prefixed by what they are: `model.`, `average.` or `velocity.`.
pub type Named = Vec<(String, Tensor)>;

/// Writes a checkpoint under a temporary name in the same folder, then renames it.
///
/// # Errors
///
/// [`CheckpointError::Io`], for instance on a full disk; an older file stays as it was.
pub fn save(path: &Path, tensors: &Named, progress: &Progress) -> Result<(), CheckpointError> {
    let io = |source| CheckpointError::Io { path: path.to_owned(), source };
    let describe = serde_json::to_string(progress).map_err(|error| CheckpointError::Progress {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let metadata = HashMap::from([(PROGRESS.to_owned(), describe)]);
    let stored: Vec<_> = tensors.iter().map(|(name, t)| (name, shape(t), bytes(t))).collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let format = |source| CheckpointError::Format { path: path.to_owned(), source };
    let views = views.collect::<Result<Vec<_>, _>>().map_err(format)?;
    let data = safetensors::serialize(views, Some(metadata)).map_err(format)?;
    write_atomically(path, &data).map_err(io)
}

/// Writes a file so that it is either wholly there or not at all.
///
/// # Errors
///
/// What the system says.
pub fn write_atomically(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut file = std::fs::File::create(&part)?;
    file.write_all(data)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&side| side as usize).collect()
}

/// The values as little-endian `f32`, which is what safetensors stores.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut values = vec![0.0_f32; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    /// How far the run was.
    pub progress: Progress,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] where the file is missing, broken or not one of ours.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let data = std::fs::read(path)
            .map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        let format = |source| CheckpointError::Format { path: path.to_owned(), source };
        let (_, header) = SafeTensors::read_metadata(&data).map_err(format)?;
        let progress = progress(header.metadata().as_ref())
            .map_err(|reason| CheckpointError::Progress { path: path.to_owned(), reason })?;
        let file = SafeTensors::deserialize(&data).map_err(format)?;
        let mut tensors = HashMap::new();
        for (name, view) in file.tensors() {
            let size: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
            let values: Vec<f32> =
                view.data().as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
            tensors.insert(name, Tensor::from_slice(&values).view(size.as_slice()));
        }
        Ok(Self { path: path.to_owned(), tensors, progress })
    }

    /// Copies the tensors under `prefix` into `targets`, which are named without it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Tensors`] with every tensor that is missing or mis-shaped; then nothing
    /// was copied.
    pub fn restore(&self, prefix: &str, targets: &Named) -> Result<(), CheckpointError> {
        let mut problems = Vec::new();
        for (name, target) in targets {
            match self.tensors.get(&format!("{prefix}{name}")) {
                None => problems.push(format!("`{prefix}{name}` is missing")),
                Some(stored) if stored.size() != target.size() => problems.push(format!(
                    "`{prefix}{name}` is {:?}; expected {:?}",
                    stored.size(),
                    target.size()
                )),
                Some(_) => {}
            }
        }
        if !problems.is_empty() {
            return Err(CheckpointError::Tensors { path: self.path.clone(), problems });
        }
        tch::no_grad(|| {
            for (name, target) in targets {
                target.shallow_clone().copy_(&self.tensors[&format!("{prefix}{name}")]);
            }
        });
        Ok(())
    }
}

fn progress(metadata: Option<&HashMap<String, String>>) -> Result<Progress, String> {
    let text = metadata.and_then(|map| map.get(PROGRESS)).ok_or("it is missing")?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// `tensors` with `prefix` before each name.
pub fn prefixed(prefix: &str, tensors: Named) -> Named {
    tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}
