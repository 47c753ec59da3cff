//! Scores a checkpoint, or any ONNX file with a manifest, on a split.

use std::fmt;
use std::path::{Path, PathBuf};

use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options};
use fer_core::classify::EmotionClassifier;
use fer_core::detect::BackendError;
use fer_core::emotion::Emotion;
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::{self, Manifest};
use fer_core::preprocess::preprocess;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::dataset::{Dataset, Images, SIDE, Split};
use crate::model::Model;
use crate::recipe::{Precision, Recipe};
use crate::report::{Metrics, metrics, probabilities};
use crate::training::{DeviceImages, logits_of};

/// Images that ONNX Runtime gets at once.
const BATCH: usize = 64;
/// The data set's name in manifests.
const DATASET: &str = "FER2013";

/// What can stop an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// ONNX Runtime or the model file fails.
    #[error(transparent)]
    Runtime(#[from] BackendError),
    /// The network's output is not a distribution.
    #[error("image {image}: {reason}")]
    Output {
        /// Position in the split.
        image: usize,
        /// What was wrong.
        reason: String,
    },
    /// The model card has no place for the figures.
    #[error(
        "the model card has no place for the figures; expected the lines `{}` and `{}`",
        begin.trim_end(),
        end.trim_end()
    )]
    Card {
        /// The line before the place.
        begin: String,
        /// The line after it.
        end: String,
    },
    /// The split has no rows.
    #[error("the data set has no {0} rows to score; expected at least one")]
    Empty(Split),
}

/// A model that can be scored.
#[derive(Debug)]
pub enum Scored {
    /// The averaged weights of a training run, uncalibrated.
    Checkpoint {
        /// The network.
        model: Box<Model>,
        /// What it was trained by.
        recipe: Box<Recipe>,
    },
    /// An ONNX file, calibrated as its manifest says.
    Onnx(Box<OnnxClassifier>),
}

impl Scored {
    /// Opens a checkpoint (`.safetensors`), a manifest, or an ONNX file with its manifest beside
    /// it.
    ///
    /// # Errors
    ///
    /// [`EvaluateError::Checkpoint`] or [`EvaluateError::Runtime`].
    pub fn open(path: &Path) -> Result<Self, EvaluateError> {
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let (model, recipe) = averaged_model(path)?;
            return Ok(Self::Checkpoint { model: Box::new(model), recipe: Box::new(recipe) });
        }
        Ok(Self::Onnx(Box::new(OnnxClassifier::load(path, &single_thread())?)))
    }

    /// One distribution an image, in the order of [`Emotion::ALL`].
    ///
    /// # Errors
    ///
    /// [`EvaluateError::Runtime`], or [`EvaluateError::Output`] for NaN.
    pub fn probabilities(
        &mut self,
        images: &Images,
    ) -> Result<Vec<[f64; Emotion::COUNT]>, EvaluateError> {
        match self {
            Self::Checkpoint { model, recipe } => {
                let device = DeviceImages::new(images, model.store.device());
                let logits = logits_of(model, &device.bytes, &recipe.input, Precision::F32);
                Ok(logits.iter().map(|row| probabilities(row, 1.0)).collect())
            }
            Self::Onnx(classifier) => {
                let raw = raw_outputs(classifier, images)?;
                calibrated(classifier.manifest(), &raw)
            }
        }
    }
}

/// The averaged weights of a checkpoint, with the recipe they were trained by.
///
/// # Errors
///
/// [`CheckpointError`].
pub fn averaged_model(path: &Path) -> Result<(Model, Recipe), CheckpointError> {
    let checkpoint = Checkpoint::read(path)?;
    let recipe = checkpoint.progress.recipe.clone();
    let mut model = Model::new(&recipe.model, tch::Device::Cpu);
    model.store.freeze();
    checkpoint.restore("average.", &model.tensors())?;
    Ok((model, recipe))
}

/// One thread, so that times are those of one core and sums are always in the same order.
pub fn single_thread() -> Options {
    Options { execution_provider: ExecutionProvider::Cpu, intra_threads: 1, ..Options::default() }
}

/// Raw outputs `[n, labels]` for whole images, prepared by `fer-core`'s own preprocessing.
///
/// # Errors
///
/// The runtime's.
pub fn raw_outputs(
    classifier: &mut OnnxClassifier,
    images: &Images,
) -> Result<Vec<f32>, BackendError> {
    let mut raw = Vec::with_capacity(images.len() * Emotion::COUNT);
    for start in (0..images.len()).step_by(BATCH) {
        let end = (start + BATCH).min(images.len());
        let mut batch = Vec::new();
        for index in start..end {
            tensor_of(classifier.manifest(), images.image(index), &mut batch)?;
        }
        raw.extend(classifier.run(&batch, end - start)?);
    }
    Ok(raw)
}

/// Appends the input tensor of one whole 48×48 image, as `manifest` describes it.
///
/// # Errors
///
/// [`BackendError::Run`] if `pixels` is not 2,304 long.
pub fn tensor_of(
    manifest: &Manifest,
    pixels: &[u8],
    tensor: &mut Vec<f32>,
) -> Result<(), BackendError> {
    let frame = Frame::grey(SIDE, SIDE, pixels)
        .map_err(|error| BackendError::Run(format!("a data set's image is no frame: {error}")))?;
    let whole = Rect::new(0.0, 0.0, SIDE as f32, SIDE as f32);
    preprocess(&frame, &whole, manifest.shape(), &manifest.input.normalisation, tensor);
    Ok(())
}

fn calibrated(
    manifest: &Manifest,
    raw: &[f32],
) -> Result<Vec<[f64; Emotion::COUNT]>, EvaluateError> {
    let rows = raw.chunks_exact(manifest.output.labels.len());
    rows.enumerate()
        .map(|(image, row)| {
            let found = manifest.probabilities(row);
            let found = found
                .map_err(|error| EvaluateError::Output { image, reason: error.to_string() })?;
            Ok(Emotion::ALL.map(|emotion| f64::from(found.of(emotion))))
        })
        .collect()
}

/// Figures of one model on one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The data set's name.
    pub dataset: String,
    /// The split's name in the CSV.
    pub split: String,
    /// All rows.
    pub whole: Metrics,
    /// Without the rows that are pixel-identical to a Training row.
    pub without_twins: Metrics,
}

/// Scores a model on a split, whole and without the rows that have a twin in Training.
///
/// # Errors
///
/// [`EvaluateError`].
pub fn evaluate(
    scored: &mut Scored,
    dataset: &Dataset,
    split: Split,
) -> Result<Evaluation, EvaluateError> {
    if dataset.images(split).is_empty() {
        return Err(EvaluateError::Empty(split));
    }
    let mut score = |images: &Images| -> Result<Metrics, EvaluateError> {
        Ok(metrics(&scored.probabilities(images)?, images.labels()))
    };
    Ok(Evaluation {
        dataset: DATASET.to_owned(),
        split: split.name().to_owned(),
        whole: score(dataset.images(split))?,
        without_twins: score(&dataset.without_training_twins(split))?,
    })
}

impl Evaluation {
    /// The figures as a manifest holds them, to four decimals: as they are printed.
    pub fn manifest_metrics(&self) -> [manifest::Metrics; 2] {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        let entry = |split: String, figures: &Metrics| manifest::Metrics {
            dataset: self.dataset.clone(),
            split,
            images: figures.images,
            accuracy: round(figures.accuracy),
            macro_f1: round(figures.macro_f1),
            ece: round(figures.ece),
        };
        [
            entry(self.split.clone(), &self.whole),
            entry(format!("{} without twins in Training", self.split), &self.without_twins),
        ]
    }

    /// A model card's text with the printed figures in the place that is marked for the split:
    /// between the lines `<!-- evaluate SPLIT -->` and `<!-- end SPLIT -->`.
    ///
    /// # Errors
    ///
    /// [`EvaluateError::Card`] where the marks are missing.
    pub fn put_into_card(&self, card: &str) -> Result<String, EvaluateError> {
        let begin = format!("<!-- evaluate {} -->\n", self.split);
        let end = format!("<!-- end {} -->\n", self.split);
        let marked = card
            .split_once(&begin)
            .and_then(|(before, rest)| rest.split_once(&end).map(|(_, after)| (before, after)));
        let Some((before, after)) = marked else {
            return Err(EvaluateError::Card { begin, end });
        };
        Ok(format!("{before}{begin}\n```text\n{self}```\n\n{end}{after}"))
    }

    /// Puts the figures into a manifest, in the place of older ones of the same split.
    pub fn put_into(&self, manifest: &mut Manifest) {
        for entry in self.manifest_metrics() {
            let same = |old: &&mut manifest::Metrics| {
                old.dataset == entry.dataset && old.split == entry.split
            };
            match manifest.metrics.iter_mut().find(same) {
                Some(old) => *old = entry,
                None => manifest.metrics.push(entry),
            }
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, split, whole, without_twins } = self;
        writeln!(f, "{dataset} {split}, all rows\n\n{whole}")?;
        write!(
            f,
            "{dataset} {split}, without the rows that are pixel-identical to a Training row\n\n\
             {without_twins}"
        )
    }
}

/// Where the figures of `split` go, beside the model: `fer.yaml` → `fer.PrivateTest.json`.
pub fn json_path(model: &Path, split: Split) -> PathBuf {
    model.with_extension(format!("{split}.json"))
}

/// Times of single runs with one face each, on one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// 90th percentile, in milliseconds.
    pub p90_ms: f64,
}

/// Times `runs` runs (at least 1) of an ONNX file with one face each, after a warm-up.
///
/// # Errors
///
/// [`EvaluateError::Runtime`].
pub fn speed(path: &Path, runs: usize) -> Result<Speed, EvaluateError> {
    let mut classifier = OnnxClassifier::load(path, &single_thread())?;
    let face = vec![0.5; classifier.manifest().shape().len()];
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs + runs / 10 {
        let started = std::time::Instant::now();
        classifier.run(&face, 1)?;
        if run >= runs / 10 {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |fraction: f64| {
        let index = (times.len() as f64 * fraction) as usize;
        times.get(index).copied().unwrap_or(f64::NAN)
    };
    Ok(Speed { median_ms: at(0.5), p90_ms: at(0.9) })
}
