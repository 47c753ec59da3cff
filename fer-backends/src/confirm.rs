//! A second opinion on what a detector finds: a small network says of each box whether it is a face.
//!
//! The detector can then be asked to be generous: what it invents is turned away here, for a
//! fraction of what finding it cost.

mod contrast;

use fer_core::classify::{self, EmotionClassifier};
use fer_core::detect::{
    BackendError, Detection, FaceDetector, SAME_FACE, suppress, suppress_parts,
};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::Manifest;
use fer_core::preprocess::Sampler;

use crate::onnx::{OnnxClassifier, Options};

/// A network whose manifest has a column `face`.
#[derive(Debug)]
pub struct FaceNet {
    network: OnnxClassifier,
    batch: Vec<f32>,
    sampler: Sampler,
}

impl FaceNet {
    /// Takes a model that is in memory already; `origin` names it in errors.
    ///
    /// # Errors
    /// The manifest has no column `face`, or as [`OnnxClassifier::from_memory`].
    pub fn from_memory(
        manifest: Manifest,
        model: &[u8],
        origin: &str,
        options: &Options,
    ) -> Result<Self, BackendError> {
        let zeros = vec![0.0; manifest.output.labels.len()];
        if manifest.face_probability(&zeros).is_none() {
            return Err(BackendError::Load(format!(
                "{origin}: its manifest's output.labels ({}) has no `face`",
                manifest.output.labels.join(", ")
            )));
        }
        let network = OnnxClassifier::from_memory(manifest, model, origin, options)?;
        Ok(Self { network, batch: Vec::new(), sampler: Sampler::default() })
    }

    /// The probability, 0 to 1, that each of `boxes` (pixels of the frame) is a face.
    ///
    /// # Errors
    /// The network failed or gave NaN.
    pub fn probabilities(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[Rect],
    ) -> Result<Vec<f32>, BackendError> {
        self.batch.clear();
        let manifest = self.network.manifest();
        classify::append(&mut self.batch, boxes, frame, manifest, &mut self.sampler);
        for face in self.batch.chunks_exact_mut(manifest.shape().len()) {
            contrast::enhance(face, &manifest.input.normalisation);
        }
        let rows = self.network.run(&self.batch, boxes.len())?;
        let manifest = self.network.manifest();
        rows.chunks_exact(manifest.output.labels.len())
            .map(|row| {
                manifest.face_probability(row).ok_or_else(|| {
                    BackendError::Run(format!("model {} gave {row:?}", manifest.name))
                })
            })
            .collect()
    }
}

/// A detector whose findings a [`FaceNet`] confirms or turns away.
///
/// The confidence of what is left is the detector's times the network's probability.
pub struct Confirmed<D> {
    detector: D,
    network: FaceNet,
    /// Boxes with a lower probability are turned away, 0 to 1.
    threshold: f32,
}

impl<D: FaceDetector> Confirmed<D> {
    /// Puts `network` behind `detector`.
    pub const fn new(detector: D, network: FaceNet, threshold: f32) -> Self {
        Self { detector, network, threshold }
    }

    fn confirm(
        &mut self,
        frame: &Frame<'_>,
        found: Vec<Detection>,
        threshold: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        let boxes: Vec<Rect> = found.iter().map(|detection| detection.rect).collect();
        let probabilities = self.network.probabilities(frame, &boxes)?;
        let judged = found.into_iter().zip(probabilities);
        let mut confirmed: Vec<Detection> = judged
            .filter(|&(_, probability)| probability >= threshold)
            .map(|(found, probability)| Detection {
                confidence: found.confidence * probability,
                ..found
            })
            .collect();
        suppress(&mut confirmed, SAME_FACE);
        suppress_parts(&mut confirmed);
        Ok(confirmed)
    }
}

impl<D: FaceDetector> FaceDetector for Confirmed<D> {
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        let found = self.detector.detect(frame, min_face)?;
        self.confirm(frame, found, self.threshold)
    }

    fn detect_faint(
        &mut self,
        frame: &Frame<'_>,
        min_face: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        let found = self.detector.detect_faint(frame, min_face)?;
        // Noise and textures look like much once their contrast is enlarged: a fourth of the doubt.
        self.confirm(frame, found, 1.0 - (1.0 - self.threshold) / 4.0)
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        match self.detector.detect_near(frame, places)? {
            // That a face is there is known: it may turn away or blur.
            Some(found) => self.confirm(frame, found, self.threshold / 2.0).map(Some),
            None => Ok(None),
        }
    }

    fn detect_tilted(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Vec<Detection>, BackendError> {
        // As strictly as anywhere: who has left is looked for on the wall.
        let found = self.detector.detect_tilted(frame, places)?;
        self.confirm(frame, found, self.threshold)
    }
}
