//! A network that does not learn any more: a checkpoint, or an ONNX file with its manifest.

use std::path::Path;

use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options};
use fer_core::classify::EmotionClassifier;
use fer_core::emotion::Emotion;
use fer_core::manifest::{Manifest, sha256_hex};
use fer_core::preprocess::{Normalisation, Shape};
use tch::{Device, Kind, Tensor};

use super::TeacherError;
use crate::augment::standardise;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::classes::Classes;
use crate::evaluate::classes_of;
use crate::network::Model;
use crate::onnx::graph::floats;
use crate::recipe::{InputRecipe, Precision, Recipe};

/// A network, and what it is known by.
#[derive(Debug)]
pub(super) struct Teacher {
    network: Network,
    /// Of the checkpoint, or of the ONNX file.
    pub(super) sha256: String,
}

#[derive(Debug)]
enum Network {
    Checkpoint { model: Box<Model>, input: InputRecipe, precision: Precision },
    Onnx(Box<OnnxClassifier>),
}

impl Teacher {
    /// Opens a teacher of the student that `recipe` describes.
    pub(super) fn open(
        path: &Path,
        recipe: &Recipe,
        classes: &Classes,
        device: Device,
    ) -> Result<Self, TeacherError> {
        let fits = |own: &Classes, input: Shape| fits(path, (own, input), (classes, recipe));
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            return Self::of_checkpoint(path, fits, recipe.precision, device);
        }
        let options = Options {
            execution_provider: ExecutionProvider::Cpu,
            intra_threads: recipe.threads.clamp(1, 64) as usize,
            ..Options::default()
        };
        let classifier = Box::new(OnnxClassifier::load(path, &options)?);
        let manifest = classifier.manifest();
        fits(&classes_of(manifest), manifest.shape())?;
        let sha256 = manifest.sha256.clone();
        Ok(Self { network: Network::Onnx(classifier), sha256 })
    }

    fn of_checkpoint(
        path: &Path,
        fits: impl Fn(&Classes, Shape) -> Result<(), TeacherError>,
        precision: Precision,
        device: Device,
    ) -> Result<Self, TeacherError> {
        let bytes = std::fs::read(path)
            .map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        let checkpoint = Checkpoint::parse(path, &bytes)?;
        let (own, input) = (&checkpoint.progress, &checkpoint.progress.recipe.input);
        fits(&own.classes, input.shape())?;
        let mut model = Model::new(&own.recipe.model, input, own.classes.len(), device);
        model.store.freeze();
        checkpoint.restore("average.", &model.tensors())?;
        // Kernels in the precision that they are used in, no longer in the model's block: once, not
        // with each batch.
        for (_, mut tensor) in model.tensors().into_iter().filter(|(_, t)| t.dim() > 2) {
            tensor.set_data(&tensor.to_kind(precision.kind()));
        }
        let input = input.clone();
        let network = Network::Checkpoint { model: Box::new(model), input, precision };
        Ok(Self { network, sha256: sha256_hex(&bytes) })
    }

    /// softmax(logits / `temperature`) of a view, on the view's device; an ONNX file's logits are
    /// those that its manifest calibrates.
    pub(super) fn probabilities(
        &mut self,
        view: &Tensor,
        classes: &Classes,
        temperature: f64,
    ) -> Result<Tensor, TeacherError> {
        let logits = match &mut self.network {
            Network::Checkpoint { model, input, precision } => {
                let x = standardise(view, input).to_kind(precision.kind());
                model.network.forward(&x, false, 0)
            }
            Network::Onnx(classifier) => onnx_logits(classifier, view, classes)?,
        };
        Ok((logits / temperature).softmax(-1, Kind::Float))
    }
}

/// Whether teacher and student tell the same classes apart and see the same.
fn fits(
    path: &Path,
    (own, input): (&Classes, Shape),
    (classes, recipe): (&Classes, &Recipe),
) -> Result<(), TeacherError> {
    let size = |shape: Shape| format!("{}×{} {:?}", shape.width, shape.height, shape.colour);
    for (what, found, expected) in [
        ("list of classes", own.names().join(", "), classes.names().join(", ")),
        ("input", size(input), size(recipe.input.shape())),
    ] {
        if found != expected {
            return Err(TeacherError::Other { path: path.to_owned(), what, found, expected });
        }
    }
    Ok(())
}

/// Logarithms of the calibrated probabilities, `[n, classes]`.
fn onnx_logits(
    classifier: &mut OnnxClassifier,
    view: &Tensor,
    classes: &Classes,
) -> Result<Tensor, TeacherError> {
    let manifest = classifier.manifest().clone();
    let values = floats(&normalised(view, &manifest.input.normalisation));
    let count = view.size()[0];
    let raw = classifier.run(&values, count as usize)?;
    let logs = rows(&manifest, &raw, classes)?;
    Ok(Tensor::from_slice(&logs).view([count, -1]).to_device(view.device()))
}

/// `(pixel / scale − mean) / std` of values from 0 to 1.
fn normalised(view: &Tensor, normalisation: &Normalisation) -> Tensor {
    let moment = |values: &[f32]| {
        Tensor::from_slice(values).to_device(view.device()).view([1, values.len() as i64, 1, 1])
    };
    let Normalisation { scale, mean, std } = normalisation;
    (view * (255.0 / f64::from(*scale)) - moment(mean)) / moment(std)
}

fn rows(manifest: &Manifest, raw: &[f32], classes: &Classes) -> Result<Vec<f32>, TeacherError> {
    let emotions: Vec<Emotion> = classes.emotions().into_iter().flatten().collect();
    let mut logs = Vec::new();
    for row in raw.chunks_exact(manifest.output.labels.len()) {
        let found = manifest.probabilities(row).map_err(|error| TeacherError::Output {
            name: manifest.name.clone(),
            reason: error.to_string(),
        })?;
        logs.extend(emotions.iter().map(|&emotion| found.of(emotion).max(1e-12).ln()));
    }
    Ok(logs)
}
