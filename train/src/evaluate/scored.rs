//! Models that can be scored: checkpoints, and ONNX files with a manifest.

use std::path::{Path, PathBuf};

use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options};
use fer_core::classify::EmotionClassifier;
use fer_core::detect::BackendError;
use fer_core::emotion::Emotion;
use fer_core::frame::FrameError;
use fer_core::manifest::{Manifest, Output, OutputKind, emotion_of_label, sha256_hex};
use fer_core::preprocess::Shape;
use tch::Device;

use super::calibration::Calibration;
use super::outputs::{checkpoint_logits, raw_outputs};
use super::view::View;
use crate::balance::learnt_frequencies;
use crate::checkpoint::{Checkpoint, CheckpointError, Progress};
use crate::classes::Classes;
use crate::dataset::{Dataset, Images, Origin};
use crate::metrics::{Distributions, fit_temperature};
use crate::network::Model;
use crate::recipe::DataRecipe;
use crate::training::learnt_sha256;

/// Why a model cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// ONNX Runtime or the model file fails.
    #[error(transparent)]
    Runtime(#[from] BackendError),
    /// An image has no pixels.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The network's output is no distribution.
    #[error("`{path}`, image {image}: {reason}")]
    Output {
        /// The model.
        path: PathBuf,
        /// Position in the split.
        image: usize,
        /// What was wrong.
        reason: String,
    },
    /// The model and the data set name other classes.
    #[error("`{path}` has the classes {found}; expected the data set's, {expected}")]
    Classes {
        /// The model.
        path: PathBuf,
        /// The model's classes.
        found: String,
        /// The data set's.
        expected: String,
    },
}

/// A model that can be scored.
#[derive(Debug)]
pub enum Scored {
    /// The averaged weights of a training run.
    Checkpoint {
        /// Where it was read from.
        path: PathBuf,
        /// The network.
        model: Box<Model>,
        /// What it was trained by.
        progress: Box<Progress>,
        /// SHA-256 of the file.
        sha256: String,
        /// A checkpoint has no temperature until one is fitted.
        calibration: Calibration,
    },
    /// An ONNX file, calibrated as its manifest says.
    Onnx {
        /// Where it was read from.
        path: PathBuf,
        /// The network in the runtime.
        classifier: Box<OnnxClassifier>,
    },
}

impl Scored {
    /// Opens a checkpoint (`.safetensors`), a manifest, or an ONNX file with its manifest beside
    /// it.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Checkpoint`] or [`ScoreError::Runtime`].
    pub fn open(path: &Path) -> Result<Self, ScoreError> {
        let path = path.to_owned();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let io = |source| CheckpointError::Io { path: path.clone(), source };
            let bytes = std::fs::read(&path).map_err(io)?;
            let (model, progress) = averaged(&Checkpoint::parse(&path, &bytes)?)?;
            return Ok(Self::Checkpoint {
                path,
                model: Box::new(model),
                progress: Box::new(progress),
                sha256: sha256_hex(&bytes),
                calibration: Calibration::None,
            });
        }
        let classifier = Box::new(OnnxClassifier::load(&path, &single_thread())?);
        Ok(Self::Onnx { path, classifier })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        match self {
            Self::Checkpoint { path, .. } | Self::Onnx { path, .. } => path,
        }
    }

    /// SHA-256 of the checkpoint or the ONNX file.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Checkpoint { sha256, .. } => sha256,
            Self::Onnx { classifier, .. } => &classifier.manifest().sha256,
        }
    }

    /// Whether a checkpoint's run learnt from `dataset` and selected on it; `None` where nobody
    /// knows: of an ONNX file, and where a folder's images were read in another shape.
    pub fn is_of(&self, dataset: &Dataset) -> Option<bool> {
        let Self::Checkpoint { progress, .. } = self else { return None };
        learnt_from(progress, dataset)
    }

    /// The size and colour of what the network sees.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Checkpoint { progress, .. } => progress.recipe.input.shape(),
            Self::Onnx { classifier, .. } => classifier.manifest().shape(),
        }
    }

    /// What the model tells apart, in the order that a data set of such classes has.
    pub fn classes(&self) -> Classes {
        match self {
            Self::Checkpoint { progress, .. } => progress.classes.clone(),
            Self::Onnx { classifier, .. } => classes_of(classifier.manifest()),
        }
    }

    /// How frequent each of `classes`, which the model must have, was in what it learnt: fractions
    /// above 0. `None` where that is not known.
    pub fn frequencies(&self, classes: &Classes) -> Option<Vec<f64>> {
        let shares: Vec<f64> = match self {
            Self::Checkpoint { progress, .. } => {
                learnt_frequencies(&progress.data.class_counts, &progress.recipe.balance)
            }
            Self::Onnx { classifier, .. } => prior_of(classifier.manifest(), classes)?,
        };
        let total: f64 = shares.iter().sum();
        let is_usable = shares.iter().all(|share| share.is_finite() && *share > 0.0);
        is_usable.then(|| shares.iter().map(|share| share / total).collect())
    }

    /// The temperature, and where it comes from.
    pub fn calibration(&self) -> Calibration {
        match self {
            Self::Checkpoint { calibration, .. } => calibration.clone(),
            Self::Onnx { classifier, .. } => Calibration::Manifest {
                temperature: f64::from(classifier.manifest().output.temperature),
            },
        }
    }

    /// Fits a checkpoint's temperature to its [`outputs`](Self::outputs) on the images of `split`,
    /// which have these labels. Does nothing to an ONNX file.
    pub fn calibrate(&mut self, outputs: &[f32], labels: &[usize], split: &str) {
        if let Self::Checkpoint { progress, calibration, .. } = self {
            let temperature = fit_temperature(outputs, progress.classes.len(), labels);
            *calibration = Calibration::Fitted { temperature, split: split.to_owned() };
        }
    }

    /// One distribution over `classes` an image, of the part that `view` says.
    ///
    /// # Errors
    ///
    /// [`ScoreError`].
    pub fn probabilities(
        &mut self,
        images: &Images,
        classes: &Classes,
        view: View<'_>,
    ) -> Result<Distributions, ScoreError> {
        self.check(classes)?;
        let outputs = self.outputs(images, view)?;
        self.distributions(&outputs, classes)
    }

    /// What the network gives for each image, of the part that `view` says: finite logits
    /// `[n, classes]` of a checkpoint; `[n, labels]` of an ONNX file, unchecked.
    ///
    /// # Errors
    ///
    /// [`ScoreError`].
    pub fn outputs(&mut self, images: &Images, view: View<'_>) -> Result<Vec<f32>, ScoreError> {
        match self {
            Self::Checkpoint { path, model, progress, .. } => {
                let logits = checkpoint_logits(model, progress, images, view)?;
                finite(&logits, &progress.classes, path)?;
                Ok(logits)
            }
            Self::Onnx { classifier, .. } => raw_outputs(classifier, images, view),
        }
    }

    /// [`Self::outputs`] as calibrated distributions over `classes`, which the model must have.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Output`].
    pub fn distributions(
        &self,
        outputs: &[f32],
        classes: &Classes,
    ) -> Result<Distributions, ScoreError> {
        match self {
            Self::Checkpoint { calibration, .. } => {
                Ok(Distributions::of_logits(outputs, classes.len(), calibration.temperature()))
            }
            Self::Onnx { path, classifier } if self.classes() != *classes => {
                of_all_columns(classifier.manifest(), outputs, classes, path)
            }
            Self::Onnx { path, classifier } => {
                as_manifest_says(classifier.manifest(), outputs, classes).map_err(
                    |(image, reason)| ScoreError::Output { path: path.clone(), image, reason },
                )
            }
        }
    }

    /// Whether the model tells the data set's classes apart. Those that a manifest calls `ignore` are
    /// the data set's others, in its order.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Classes`].
    pub fn check(&self, classes: &Classes) -> Result<(), ScoreError> {
        if self.classes() == *classes {
            return Ok(());
        }
        let found = match self {
            Self::Checkpoint { progress, .. } => progress.classes.names(),
            Self::Onnx { classifier, .. } => match &classifier.manifest().output.labels {
                labels if *labels == classes.labels() => return Ok(()),
                labels => labels,
            },
        };
        let (found, expected) = (found.join(", "), classes.names().join(", "));
        Err(ScoreError::Classes { path: self.path().to_owned(), found, expected })
    }
}

/// Whether a run learnt from `dataset` and selected on it; `None` where a folder's images were read in
/// another shape, so that nobody knows.
pub fn learnt_from(progress: &Progress, dataset: &Dataset) -> Option<bool> {
    let (recipe, known) = (&progress.recipe, &progress.data.sha256);
    let read_alike = dataset.training.shape() == recipe.input.image_shape();
    if dataset.origin == Origin::Folder && !read_alike {
        return None;
    }
    let DataRecipe { drop_twins, drop_constant, .. } = recipe.data;
    let Ok((training, _)) = dataset.clean_training(drop_twins, drop_constant) else {
        return Some(false);
    };
    let validation = &dataset.validation;
    Some(learnt_sha256(&training, validation, &recipe.data, Some(known)) == *known)
}

/// What a manifest says of how frequent each class was in training.
fn prior_of(manifest: &Manifest, classes: &Classes) -> Option<Vec<f64>> {
    let Output { labels, prior, .. } = &manifest.output;
    let prior: Vec<f64> = prior.as_ref()?.iter().map(|&share| f64::from(share)).collect();
    if *labels == classes.labels() {
        return Some(prior);
    }
    let of = |emotion: Option<Emotion>| {
        let column = labels.iter().position(|label| emotion_of_label(label) == emotion)?;
        prior.get(column).copied()
    };
    classes.emotions().into_iter().map(of).collect()
}

/// Refuses NaN and infinity, which would silently count as the first class.
fn finite(logits: &[f32], classes: &Classes, path: &Path) -> Result<(), ScoreError> {
    let Some(at) = logits.iter().position(|logit| !logit.is_finite()) else { return Ok(()) };
    let (image, class) = (at / classes.len(), at % classes.len());
    let (name, value) = (classes.name(class), logits[at]);
    let reason = format!("the output for `{name}` is {value}; expected a finite number");
    Err(ScoreError::Output { path: path.to_owned(), image, reason })
}

/// The averaged weights of a checkpoint, and the run they come from.
///
/// # Errors
///
/// [`CheckpointError`].
pub fn averaged_model(path: &Path) -> Result<(Model, Progress), CheckpointError> {
    averaged(&Checkpoint::read(path)?)
}

fn averaged(checkpoint: &Checkpoint) -> Result<(Model, Progress), CheckpointError> {
    let progress = checkpoint.progress.clone();
    let recipe = &progress.recipe;
    let mut model = Model::new(&recipe.model, &recipe.input, progress.classes.len(), Device::Cpu);
    model.store.freeze();
    checkpoint.restore("average.", &model.tensors())?;
    Ok((model, progress))
}

/// The emotions that a manifest names, in the order that a data set of such classes has.
pub fn classes_of(manifest: &Manifest) -> Classes {
    let labels = &manifest.output.labels;
    let emotions = labels.iter().filter(|label| emotion_of_label(label).is_some());
    Classes::from_names(&emotions.cloned().collect::<Vec<_>>()).0
}

/// One thread, so that times are those of one core and sums are always in the same order.
pub fn single_thread() -> Options {
    Options { execution_provider: ExecutionProvider::Cpu, intra_threads: 1, ..Options::default() }
}

/// Outputs as `fer-core` reads them at run time; of one that is refused, its position and why.
fn as_manifest_says(
    manifest: &Manifest,
    outputs: &[f32],
    classes: &Classes,
) -> Result<Distributions, (usize, String)> {
    let emotions: Vec<Emotion> = classes.emotions().into_iter().flatten().collect();
    let mut rows = Distributions::new(classes.len());
    for (image, row) in outputs.chunks_exact(manifest.output.labels.len()).enumerate() {
        let found = manifest.probabilities(row).map_err(|error| (image, error.to_string()))?;
        rows.push(emotions.iter().map(|&emotion| f64::from(found.of(emotion))));
    }
    Ok(rows)
}

/// Outputs as distributions over all columns, those that `fer-core` ignores at run time too.
fn of_all_columns(
    manifest: &Manifest,
    outputs: &[f32],
    classes: &Classes,
    path: &Path,
) -> Result<Distributions, ScoreError> {
    finite(outputs, classes, path)?;
    let temperature = f64::from(manifest.output.temperature);
    if manifest.output.kind == OutputKind::Logits {
        return Ok(Distributions::of_logits(outputs, classes.len(), temperature));
    }
    let mut rows = Distributions::new(classes.len());
    for (image, row) in outputs.chunks_exact(classes.len()).enumerate() {
        let weight = |value: &f32| f64::from(*value).powf(1.0 / temperature);
        let total: f64 = row.iter().map(weight).sum();
        if row.iter().any(|value| *value < 0.0) || total <= 0.0 {
            let reason = format!("{row:?}; expected probabilities, none below 0, not all 0");
            return Err(ScoreError::Output { path: path.to_owned(), image, reason });
        }
        rows.push(row.iter().map(|value| weight(value) / total));
    }
    Ok(rows)
}
