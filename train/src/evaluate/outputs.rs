//! What a network gives for images: every one prepared by `fer-core`, some at once.

use fer_backends::onnx::OnnxClassifier;
use fer_core::classify::EmotionClassifier;
use fer_core::frame::FrameError;
use fer_core::preprocess::{Normalisation, Shape, preprocess};
use tch::Tensor;

use super::scored::ScoreError;
use super::view::View;
use crate::checkpoint::Progress;
use crate::dataset::Images;
use crate::network::Model;
use crate::onnx::graph::floats;

/// Images that a network gets at once.
const BATCH: usize = 64;

/// Logits `[n, classes]` of a checkpoint's network, of images prepared by `fer-core`.
///
/// # Errors
///
/// [`FrameError`].
pub fn checkpoint_logits(
    model: &Model,
    progress: &Progress,
    images: &Images,
    view: View<'_>,
) -> Result<Vec<f32>, FrameError> {
    let input = &progress.recipe.input;
    let (shape, normalisation) = (input.shape(), input.normalisation());
    let size = [input.channels(), input.size as i64, input.size as i64];
    let mut logits = Vec::new();
    batches(images, shape, &normalisation, view, |batch, count| {
        let x = Tensor::from_slice(batch).view([count as i64, size[0], size[1], size[2]]);
        let x = x.to_device(model.store.device());
        logits.extend(floats(&tch::no_grad(|| model.network.forward(&x, false, 0))));
        Ok::<(), FrameError>(())
    })?;
    Ok(logits)
}

/// Raw outputs `[n, labels]` of an ONNX file, of images prepared by `fer-core`.
///
/// # Errors
///
/// The runtime's.
pub fn raw_outputs(
    classifier: &mut OnnxClassifier,
    images: &Images,
    view: View<'_>,
) -> Result<Vec<f32>, ScoreError> {
    let (shape, normalisation) =
        (classifier.manifest().shape(), classifier.manifest().input.normalisation.clone());
    let mut raw = Vec::new();
    batches(images, shape, &normalisation, view, |batch, count| {
        raw.extend(classifier.run(batch, count)?);
        Ok::<(), ScoreError>(())
    })?;
    Ok(raw)
}

/// Hands input tensors on, some images at once.
pub(crate) fn batches<E: From<FrameError>>(
    images: &Images,
    shape: Shape,
    normalisation: &Normalisation,
    view: View<'_>,
    mut run: impl FnMut(&[f32], usize) -> Result<(), E>,
) -> Result<(), E> {
    let whole = images.shape().whole();
    let mut batch = Vec::new();
    for start in (0..images.len()).step_by(BATCH) {
        let end = (start + BATCH).min(images.len());
        batch.clear();
        for index in start..end {
            let frame = images.shape().frame(images.image(index))?;
            let framing = view(index, &whole);
            let begin = batch.len();
            preprocess(&frame, &framing.region, shape, normalisation, &mut batch);
            if framing.mirrored {
                batch[begin..].chunks_exact_mut(shape.width).for_each(<[f32]>::reverse);
            }
        }
        run(&batch, end - start)?;
    }
    Ok(())
}
