//! The contract of expression classifiers.

use crate::detect::BackendError;
use crate::emotion::Probabilities;
use crate::frame::Frame;
use crate::geometry::Rect;
use crate::manifest::{Input, Manifest};
use crate::preprocess::Sampler;

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

/// What [`classify`] works in, kept from call to call so that no memory is asked for again.
#[derive(Debug, Default)]
pub struct Scratch {
    batch: Vec<f32>,
    sampler: Sampler,
    results: Vec<Probabilities>,
}

/// Cuts `faces` (pixels of `frame`) out, runs the network once, and calibrates: one distribution
/// a face, in order.
///
/// # Errors
/// The network failed or gave NaN.
pub fn classify<'a>(
    classifier: &mut dyn EmotionClassifier,
    frame: &Frame<'_>,
    faces: &[Rect],
    scratch: &'a mut Scratch,
) -> Result<&'a [Probabilities], BackendError> {
    let Scratch { batch, sampler, results } = scratch;
    results.clear();
    if faces.is_empty() {
        return Ok(results);
    }
    batch.clear();
    append(batch, faces, frame, classifier.manifest(), sampler);
    let output = classifier.run(batch, faces.len())?;
    let manifest = classifier.manifest();
    check_output(manifest, &output, faces.len())?;
    let columns = manifest.output.labels.len();
    for row in output.chunks_exact(columns) {
        results.push(manifest.probabilities(row).map_err(|error| {
            BackendError::Run(format!("output of model {}: {error}", manifest.name))
        })?);
    }
    Ok(results)
}

/// Appends to `batch` what a network of this manifest takes of each of `faces` (pixels of `frame`).
pub fn append(
    batch: &mut Vec<f32>,
    faces: &[Rect],
    frame: &Frame<'_>,
    manifest: &Manifest,
    sampler: &mut Sampler,
) {
    let Input { crop, normalisation, .. } = &manifest.input;
    for face in faces {
        let region = crop.region(face, frame.pixel_aspect());
        sampler.preprocess(frame, &region, manifest.shape(), normalisation, batch);
    }
}

/// Whether `batch` holds `faces` faces for the network, as [`EmotionClassifier::run`] takes them.
///
/// # Errors
/// It has more or fewer values.
pub fn check_input(manifest: &Manifest, batch: &[f32], faces: usize) -> Result<(), BackendError> {
    let length = manifest.shape().len();
    if batch.len() == faces * length {
        return Ok(());
    }
    Err(BackendError::Run(format!(
        "{} values were given to model {} for {faces} faces, {length} a face are needed",
        batch.len(),
        manifest.name
    )))
}

/// Whether `rows` are those of `faces` faces.
///
/// # Errors
/// There are more or fewer values.
pub fn check_output(manifest: &Manifest, rows: &[f32], faces: usize) -> Result<(), BackendError> {
    let columns = manifest.output.labels.len();
    if rows.len() == faces * columns {
        return Ok(());
    }
    Err(BackendError::Run(format!(
        "model {} gave {} numbers for {faces} faces, its manifest's output.labels promise {columns} a \
         face",
        manifest.name,
        rows.len()
    )))
}
