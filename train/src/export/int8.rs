//! The same network on whole numbers of 8 bits.

use std::path::Path;

use fer_backends::graph::OnnxGraph;
use fer_core::preprocess::{Normalisation, Shape};

use super::{
    Description, ExportError, Exported, INPUT, graph, largest_difference, manifest, signature,
};
use crate::checkpoint::Progress;
use crate::dataset::Images;
use crate::evaluate::{ScoreError, batches, checkpoint_logits, single_thread, whole};
use crate::metrics::fit_temperature;
use crate::network::Model;
use crate::onnx::graph::{Graph, Signature};
use crate::onnx::quantise::{self, Ranges};

/// Training images that the ranges of activations are taken from.
pub const CALIBRATION_IMAGES: usize = 512;

/// Exports `model` quantised: ranges of activations are the smallest and the largest number seen on
/// [`CALIBRATION_IMAGES`] of the images `calibration`; the temperature is fitted on `validation`, as
/// the float network's is. How far logits are from the trainer's is told, not limited: what it
/// costs is for [`Figures`](super::Figures) to show.
///
/// # Errors
///
/// [`ExportError`].
pub fn quantised(
    model: &Model,
    progress: &Progress,
    validation: &Images,
    calibration: &Images,
    file: &Path,
    description: &Description,
) -> Result<Exported, ExportError> {
    if validation.is_empty() {
        return Err(ExportError::NoImages("validation"));
    }
    let (graph, logits) = graph(model);
    let signature = signature(progress, &description.name);
    let input = &progress.recipe.input;
    let seen = (input.shape(), &input.normalisation());
    let onnx = on_whole_numbers(&graph, &logits, &signature, seen, calibration)?;

    let manifest = manifest::of(progress, file, description, &onnx);
    let unusable = manifest::unusable(&progress.classes);
    let mut exported = Exported { onnx, manifest, unusable, difference: 0.0 };
    let found = exported.logits(file, validation)?;
    let expected =
        checkpoint_logits(model, progress, validation, &mut whole).map_err(ScoreError::from)?;
    exported.difference = largest_difference(&expected, &found);
    exported.manifest.output.temperature =
        fit_temperature(&found, progress.classes.len(), validation.labels()) as f32;
    Ok(exported)
}

/// The bytes of a file that computes `graph` on whole numbers; `seen` is what its input is made by,
/// and `calibration` the images that ranges are taken from.
pub(super) fn on_whole_numbers(
    graph: &Graph,
    logits: &str,
    signature: &Signature<'_>,
    seen: (Shape, &Normalisation),
    calibration: &Images,
) -> Result<Vec<u8>, ExportError> {
    if calibration.is_empty() {
        return Err(ExportError::NoImages("training"));
    }
    let observed = graph.clone().observed(signature);
    let ranges =
        ranges(&observed, signature, seen, &calibration.evenly_chosen(CALIBRATION_IMAGES))?;
    Ok(quantise::quantised(graph, INPUT, logits, &ranges).finish(logits, signature))
}

/// The ranges of all values of the graph in `observed`, which gives them all as outputs.
fn ranges(
    observed: &[u8],
    signature: &Signature<'_>,
    (shape, normalisation): (Shape, &Normalisation),
    images: &Images,
) -> Result<Ranges, ScoreError> {
    let mut graph = OnnxGraph::from_memory(observed, "the observed network", &single_thread())?;
    let mut ranges = Ranges::default();
    batches(images, shape, normalisation, &mut whole, |batch, count| {
        ranges.see(INPUT, batch);
        let dimensions = signature.sides.map(|side| side as usize);
        let dimensions = [count, dimensions[0], dimensions[1], dimensions[2]];
        graph.run(&dimensions, batch, |name, numbers| ranges.see(name, numbers))?;
        Ok::<(), ScoreError>(())
    })?;
    Ok(ranges)
}
