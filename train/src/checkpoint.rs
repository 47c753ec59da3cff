//! Checkpoints: one safetensors file that holds weights, their average, momentum and progress.
//!
//! A file appears under its name only when it is complete, so that a run that is killed at any
//! moment leaves a checkpoint that can be read.

mod header;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use self::header::Header;
use crate::classes::Classes;
use crate::dataset::{FER2013, FER2013_IMAGES, Origin, Removed, Split};
use crate::files::write_atomically;
use crate::metrics::Metrics;
use crate::network::Named;
use crate::onnx::graph::floats;
use crate::optimiser::Patience;
use crate::recipe::Recipe;
use crate::training::EpochRecord;

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
    #[error(
        "checkpoint `{path}` is cut short or damaged, or no safetensors file at all: {source}; copy or \
         download it anew, or take the run's other checkpoint"
    )]
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

/// What a run learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// The data set's name.
    pub name: String,
    /// The name of the split that is selected on.
    pub validation: String,
    /// SHA-256 of the pixels and labels of both splits, and of votes where the recipe uses them.
    pub sha256: String,
    /// What was left out of the training split.
    pub removed: Removed,
    /// Training images of each class, before SMOTE.
    pub class_counts: Vec<usize>,
    /// Images that SMOTE added.
    pub synthetic: usize,
    /// Images of the validation split.
    pub validation_images: usize,
}

impl DataSummary {
    /// Whether it is the published FER2013, as far as names and numbers of images tell. Earlier versions
    /// gave that name to any file or folder of its form.
    pub fn is_fer2013(&self) -> bool {
        let [training, validation, _] = FER2013_IMAGES;
        let Removed { twins, constant } = self.removed;
        let read = self.class_counts.iter().sum::<usize>() + twins + constant;
        self.name == FER2013
            && self.validation == Origin::Fer2013.split_name(Split::Validation)
            && (read, self.validation_images) == (training, validation)
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The recipe that is run.
    pub recipe: Recipe,
    /// The classes, in the order of the network's outputs.
    pub classes: Classes,
    /// What is learnt from.
    pub data: DataSummary,
    /// SHA-256 of each teacher's checkpoint.
    pub teachers: Vec<String>,
    /// SHA-256 of the file that the first weights came from.
    pub initial_weights: Option<String>,
    /// Epochs that are complete.
    pub epochs_done: usize,
    /// Optimiser steps that are complete.
    pub steps_done: usize,
    /// Best figure of the recipe's `select` so far (more is better), and its epoch, from 1.
    pub best: Option<(f64, usize)>,
    /// How often a plateau has lowered the learning rate.
    pub reductions: usize,
    /// Waiting for a plateau.
    pub plateau: Patience,
    /// Waiting for the end.
    pub stopping: Patience,
    /// Whether the run was ended early.
    pub stopped: bool,
    /// Every complete epoch.
    pub history: Vec<EpochRecord>,
    /// Metrics of the averaged weights in this file on the validation split.
    pub validation: Option<Metrics>,
}

impl Progress {
    /// Of a run that has not begun.
    pub fn new(recipe: Recipe, classes: Classes, data: DataSummary) -> Self {
        Self {
            recipe,
            classes,
            data,
            teachers: Vec::new(),
            initial_weights: None,
            epochs_done: 0,
            steps_done: 0,
            best: None,
            reductions: 0,
            plateau: Patience::default(),
            stopping: Patience::default(),
            stopped: false,
            history: Vec::new(),
            validation: None,
        }
    }
}

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

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&side| side as usize).collect()
}

/// The values as little-endian `f32`, which is what safetensors stores.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    floats(tensor).iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A tensor of a file as `f32`, or what is wrong with it.
pub(crate) fn stored_tensor(view: &TensorView<'_>) -> Result<Tensor, String> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        other => return Err(format!("holds {other:?} values; expected F32, F16 or BF16")),
    };
    let size: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
    let tensor = Tensor::f_from_data_size(view.data(), &size, kind).map_err(|e| e.to_string())?;
    Ok(tensor.to_kind(Kind::Float))
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
        Self::parse(path, &data)
    }

    /// Takes apart the bytes of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] where they are broken or not one of ours.
    pub fn parse(path: &Path, data: &[u8]) -> Result<Self, CheckpointError> {
        let format = |source| CheckpointError::Format { path: path.to_owned(), source };
        let (_, header) = SafeTensors::read_metadata(data).map_err(format)?;
        let progress = progress(header.metadata().as_ref())
            .map_err(|reason| CheckpointError::Progress { path: path.to_owned(), reason })?;
        let file = SafeTensors::deserialize(data).map_err(format)?;
        let mut tensors = HashMap::new();
        for (name, view) in file.tensors() {
            let tensor = stored_tensor(&view).map_err(|problem| CheckpointError::Tensors {
                path: path.to_owned(),
                problems: vec![format!("`{name}` {problem}")],
            })?;
            tensors.insert(name, tensor);
        }
        Ok(Self { path: path.to_owned(), tensors, progress })
    }

    /// Every tensor's values by name.
    pub fn into_values(self) -> BTreeMap<String, Vec<f32>> {
        self.tensors.into_iter().map(|(name, tensor)| (name, floats(&tensor))).collect()
    }

    /// Copies the tensors under `prefix` into `targets`, which are named without it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Tensors`] with every tensor that is missing, mis-shaped or not finite; then
    /// nothing was copied.
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
                Some(stored) if !is_finite(stored) => problems.push(format!(
                    "`{prefix}{name}` has values that are no finite numbers; expected such alone: the \
                     run had diverged, or the file is damaged"
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

fn is_finite(tensor: &Tensor) -> bool {
    tensor.isfinite().all().int64_value(&[]) != 0
}

fn progress(metadata: Option<&HashMap<String, String>>) -> Result<Progress, String> {
    let text = metadata.and_then(|map| map.get(PROGRESS)).ok_or("it is missing")?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// `tensors` with `prefix` before each name.
pub fn prefixed(prefix: &str, tensors: Named) -> Named {
    tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_data_set_is_told_by_its_numbers() {
        let summary = DataSummary {
            name: "FER2013".to_owned(),
            validation: "PublicTest".to_owned(),
            sha256: String::new(),
            // 28,709 with the twins and constant images that were left out.
            removed: Removed { twins: 703, constant: 6 },
            class_counts: vec![28_000],
            synthetic: 9,
            validation_images: 3589,
        };
        assert!(summary.is_fer2013());
        let others = [
            DataSummary { name: "mine".to_owned(), ..summary.clone() },
            // A folder of that name, as an earlier version called it.
            DataSummary { validation: "validation".to_owned(), ..summary.clone() },
            DataSummary { class_counts: vec![20, 8], ..summary.clone() },
            DataSummary { validation_images: 7, ..summary },
        ];
        assert!(others.iter().all(|other| !other.is_fer2013()));
    }
}
