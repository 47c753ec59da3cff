//! Detectors and classifiers that do what a test tells them to.

use crate::classify::EmotionClassifier;
use crate::detect::{BackendError, Detection, FaceDetector};
use crate::emotion::Emotion;
use crate::frame::Frame;
use crate::manifest::{Input, Manifest, Output, OutputKind, SCHEMA_VERSION, sha256_hex};
use crate::preprocess::{Colour, Crop, Normalisation};

/// A detector made of a function.
pub struct FnDetector<F>(pub F);

impl<F> FaceDetector for FnDetector<F>
where
    F: FnMut(&Frame<'_>) -> Result<Vec<Detection>, BackendError> + Send,
{
    fn detect(&mut self, frame: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        (self.0)(frame)
    }
}

/// A classifier made of a function from one face's tensor (8×8 grey, 0..1) to seven logits.
pub struct FnClassifier<F> {
    manifest: Manifest,
    function: F,
}

impl<F: FnMut(&[f32]) -> Vec<f32> + Send> FnClassifier<F> {
    /// Wraps a function.
    pub fn new(function: F) -> Self {
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            name: "fake".to_owned(),
            file: "none".into(),
            sha256: sha256_hex(b""),
            input: Input {
                tensor: "input".to_owned(),
                width: 8,
                height: 8,
                colour: Colour::Grey,
                normalisation: Normalisation { scale: 255.0, mean: vec![0.0], std: vec![1.0] },
                crop: Crop { margin: 0.0, square: true },
            },
            output: Output {
                tensor: "logits".to_owned(),
                kind: OutputKind::Logits,
                temperature: 1.0,
                labels: Emotion::ALL.map(|emotion| emotion.name().to_owned()).to_vec(),
                prior: None,
            },
            licence: "none".to_owned(),
            source: "a test".to_owned(),
            metrics: Vec::new(),
        };
        Self { manifest, function }
    }
}

impl<F: FnMut(&[f32]) -> Vec<f32> + Send> EmotionClassifier for FnClassifier<F> {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        let size = batch.len() / faces;
        Ok(batch.chunks_exact(size).flat_map(&mut self.function).collect())
    }
}

/// Logits that make `emotion` `lead` nats likelier than each of the others.
pub fn logits(emotion: Emotion, lead: f32) -> Vec<f32> {
    let mut values = vec![0.0; Emotion::COUNT];
    values[emotion.index()] = lead;
    values
}
