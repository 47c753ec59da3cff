//! The contract of expression classifiers.

use crate::detect::BackendError;
use crate::emotion::Probabilities;
use crate::frame::Frame;
use crate::geometry::Rect;
use crate::manifest::Manifest;
use crate::preprocess::preprocess;

/// Runs a network on prepared tensors. What they mean is in its manifest.
pub trait EmotionClassifier: Send {
    /// The model's description.
    fn manifest(&self) -> &Manifest;

    /// Runs the network on `faces` faces.
    ///
    /// `batch` holds `[faces, channels, height, width]` values, already normalised; the result
    /// holds `[faces, labels]` raw outputs.
    ///
    /// # Errors
    /// The runtime failed, or the output has another shape.
    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError>;
}

/// Cuts `faces` (pixels of `frame`) out, runs the network once, and calibrates: one distribution
/// a face, in order. `batch` is scratch space.
///
/// # Errors
/// The network failed or gave NaN.
pub fn classify(
    classifier: &mut dyn EmotionClassifier,
    frame: &Frame<'_>,
    faces: &[Rect],
    batch: &mut Vec<f32>,
) -> Result<Vec<Probabilities>, BackendError> {
    if faces.is_empty() {
        return Ok(Vec::new());
    }
    let manifest = classifier.manifest();
    batch.clear();
    for face in faces {
        let region = manifest.input.crop.region(face);
        let normalisation = &manifest.input.normalisation;
        preprocess(frame, &region, manifest.shape(), normalisation, batch);
    }
    let output = classifier.run(batch, faces.len())?;
    let manifest = classifier.manifest();
    let columns = manifest.output.labels.len();
    if output.len() != faces.len() * columns {
        return Err(BackendError::Run(format!(
            "model {} gave {} numbers for {} faces, its manifest's output.labels promise {columns} \
             a face",
            manifest.name,
            output.len(),
            faces.len(),
        )));
    }
    output
        .chunks_exact(columns)
        .map(|row| {
            manifest.probabilities(row).map_err(|error| {
                BackendError::Run(format!("output of model {}: {error}", manifest.name))
            })
        })
        .collect()
}
