//! The detectors and classifiers of this plugin, by name.

use std::path::{Path, PathBuf};

use fer_backends::haar::{self, HaarDetector};
use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options as SessionOptions};
use fer_backends::yunet::{self, YuNetDetector};
use fer_core::classify::EmotionClassifier;
use fer_core::detect::{BackendError, FaceDetector, NullDetector};
use fer_core::manifest::Manifest;
use fer_core::registry::Registry;

/// The model that ships, compiled in so that the plugin works wherever its file lies.
const MODEL: &[u8] = include_bytes!("../../../models/fer.onnx");
const MANIFEST: &str = include_str!("../../../models/fer.yaml");

/// The detector's name for "somebody upstream does it".
pub(super) const UPSTREAM: &str = "upstream";

/// What detectors and classifiers are made from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BackendOptions {
    pub(super) model_file: Option<PathBuf>,
    pub(super) execution_provider: String,
    pub(super) detector: String,
    pub(super) cascade_file: Option<PathBuf>,
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
            detector_model: None,
            scale_factor: haar.scale_factor,
            min_neighbors: haar.min_neighbors,
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
        .with("haar", |options: &BackendOptions| {
            let detector = HaarDetector::new(haar::Options {
                cascade: options.cascade_file.clone(),
                scale_factor: options.scale_factor,
                min_neighbors: options.min_neighbors,
            })?;
            Ok(Box::new(detector) as Box<dyn FaceDetector>)
        })
        .with("yunet", |options: &BackendOptions| {
            let path = options.detector_model.as_deref().ok_or_else(|| BackendError::Option {
                option: "detector-model",
                value: "unset".to_owned(),
                accepted: "the path of YuNet's ONNX file, which detector=yunet needs".to_owned(),
            })?;
            yunet(path, options)
        })
        // Faces come with the buffers then, and nothing is to be found.
        .with(UPSTREAM, |_: &BackendOptions| Ok(Box::new(NullDetector)))
        .with("none", |_: &BackendOptions| Ok(Box::new(NullDetector)))
}

fn yunet(path: &Path, options: &BackendOptions) -> Result<Box<dyn FaceDetector>, BackendError> {
    let session = options.session()?;
    let options = yunet::Options { session, ..yunet::Options::new(path.to_owned()) };
    Ok(Box::new(YuNetDetector::new(options)?))
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
            let manifest = Manifest::from_yaml(MANIFEST, origin)
                .map_err(|error| BackendError::Load(error.to_string()))?;
            OnnxClassifier::from_memory(manifest, MODEL, origin, &session)?
        }
    };
    Ok(Box::new(classifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_is_the_one_its_manifest_describes() {
        let manifest = Manifest::from_yaml(MANIFEST, "fer.yaml").unwrap();
        manifest.verify(MODEL, "fer.yaml").unwrap();
        assert_eq!(manifest.output.labels.len(), 7);
    }

    #[test]
    fn an_unknown_detector_is_refused_with_the_known_ones() {
        let error = detectors().factory("mtcnn").err().unwrap().to_string();
        assert_eq!(error, "detector is \"mtcnn\", accepted: haar, yunet, upstream, none");
    }
}
