//! The detectors and classifiers of this plugin, by name.

use std::path::PathBuf;

use fer_backends::confirm::{Confirmed, FaceNet};
use fer_backends::haar::{self, HaarDetector, Profile};
use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options as SessionOptions};
use fer_backends::yunet::{self, YuNetDetector};
use fer_core::classify::EmotionClassifier;
use fer_core::detect::{BackendError, FaceDetector, NullDetector};
use fer_core::manifest::Manifest;
use fer_core::registry::Registry;

/// The model that ships, compiled in so that the plugin works wherever its file lies.
const MODEL: &[u8] = include_bytes!("../../../models/fer.onnx");
const MANIFEST: &str = include_str!("../../../models/fer.yaml");

/// The network that gives a second opinion on what cascades find.
const FACE_NET: &[u8] = include_bytes!("../../../models/face.onnx");
const FACE_MANIFEST: &str = include_str!("../../../models/face.yaml");
/// What it calls less probably a face is none: chosen on photos, see BENCHMARKS.md.
const FACE_THRESHOLD: f32 = 0.92;

/// The detector's name for "somebody upstream does it".
pub(super) const UPSTREAM: &str = "upstream";

/// What detectors and classifiers are made from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BackendOptions {
    pub(super) model_file: Option<PathBuf>,
    pub(super) execution_provider: String,
    pub(super) detector: String,
    pub(super) cascade_file: Option<PathBuf>,
    pub(super) detector_profile: String,
    pub(super) second_opinion: bool,
    pub(super) detector_model: Option<PathBuf>,
    pub(super) scale_factor: f64,
    pub(super) min_neighbors: u32,
    /// The folder of the plugin's own file, where the runtime library may lie.
    pub(super) plugin_folder: Option<PathBuf>,
}

impl Default for BackendOptions {
    fn default() -> Self {
        let haar = haar::Options::default();
        Self {
            model_file: None,
            execution_provider: "cpu".to_owned(),
            detector: "haar".to_owned(),
            cascade_file: None,
            detector_profile: haar.profile.name().to_owned(),
            second_opinion: true,
            detector_model: None,
            scale_factor: haar.scale_factor,
            // Generous: the second opinion turns away what is invented.
            min_neighbors: 1,
            plugin_folder: None,
        }
    }
}

impl BackendOptions {
    fn session(&self) -> Result<SessionOptions, BackendError> {
        Ok(SessionOptions {
            execution_provider: self.execution_provider.parse::<ExecutionProvider>()?,
            library_beside: self.plugin_folder.clone(),
            ..SessionOptions::default()
        })
    }
}

/// Every detector that the property `detector` accepts.
pub(super) fn detectors() -> Registry<BackendOptions, dyn FaceDetector> {
    Registry::new("detector")
        .with("haar", haar)
        .with("yunet", |options: &BackendOptions| {
            let model = yunet::find_model(options.detector_model.as_deref())?;
            let session = options.session()?;
            let options = yunet::Options { session, ..yunet::Options::new(model) };
            Ok(Box::new(YuNetDetector::new(options)?))
        })
        // Faces come with the buffers then, and nothing is to be found.
        .with(UPSTREAM, |_: &BackendOptions| Ok(Box::new(NullDetector)))
        .with("none", |_: &BackendOptions| Ok(Box::new(NullDetector)))
}

fn haar(options: &BackendOptions) -> Result<Box<dyn FaceDetector>, BackendError> {
    let detector = HaarDetector::new(haar::Options {
        cascade: options.cascade_file.clone(),
        profile: options.detector_profile.parse::<Profile>()?,
        scale_factor: options.scale_factor,
        min_neighbors: options.min_neighbors,
    })?;
    if !options.second_opinion {
        return Ok(Box::new(detector));
    }
    // A processor is quicker with so small a network than the way to any other device.
    let session =
        SessionOptions { execution_provider: ExecutionProvider::Cpu, ..options.session()? };
    let origin = "built-in face model";
    let manifest = built_in(FACE_MANIFEST, origin)?;
    let network = FaceNet::from_memory(manifest, FACE_NET, origin, &session)?;
    Ok(Box::new(Confirmed::new(detector, network, FACE_THRESHOLD)))
}

/// The classifier of `model-file`, or the built-in one.
///
/// # Errors
/// The model, its manifest or ONNX Runtime can't be loaded.
pub(super) fn classifier(
    options: &BackendOptions,
) -> Result<Box<dyn EmotionClassifier>, BackendError> {
    let session = options.session()?;
    let classifier = match &options.model_file {
        Some(path) => OnnxClassifier::load(path, &session)?,
        None => {
            let origin = "built-in model";
            OnnxClassifier::from_memory(built_in(MANIFEST, origin)?, MODEL, origin, &session)?
        }
    };
    classifier.among_streams()
}

fn built_in(manifest: &str, origin: &str) -> Result<Manifest, BackendError> {
    Manifest::from_yaml(manifest, origin).map_err(|error| BackendError::Load(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_models_are_those_that_their_manifests_describe() {
        let manifest = Manifest::from_yaml(MANIFEST, "fer.yaml").unwrap();
        manifest.verify(MODEL, "fer.yaml").unwrap();
        assert_eq!(manifest.output.labels.len(), 7);
        let manifest = Manifest::from_yaml(FACE_MANIFEST, "face.yaml").unwrap();
        manifest.verify(FACE_NET, "face.yaml").unwrap();
        assert!(manifest.face_probability(&[0.0, 0.0]).is_some());
    }

    #[test]
    fn an_unknown_detector_is_refused_with_the_known_ones() {
        let error = detectors().factory("mtcnn").err().unwrap().to_string();
        assert_eq!(error, "detector is \"mtcnn\", accepted: haar, yunet, upstream, none");
    }
}
