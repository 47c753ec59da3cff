//! What the element needs besides GStreamer, each part by itself: for programs that tell their users
//! what is missing.

use std::path::PathBuf;

use fer_backends::haar::{self, HaarDetector, find_cascade};
pub use fer_backends::runtime::Library;
use fer_core::detect::BackendError;
use fer_core::manifest::Manifest;

use super::backends::{BackendOptions, classifier};

/// Loads the library ONNX Runtime.
///
/// # Errors
/// There is none that can be used; the message says where it was looked for, and what to do.
pub fn runtime() -> Result<Library, BackendError> {
    fer_backends::runtime::load(None)
}

/// Loads the built-in model and has it answer once.
///
/// # Errors
/// ONNX Runtime is missing, or the model does not run.
pub fn model() -> Result<Manifest, BackendError> {
    // Classifiers run once on loading.
    Ok(classifier(&BackendOptions::default())?.manifest().clone())
}

/// Loads the Haar cascade that is used unless `cascade-file` names another.
///
/// # Errors
/// There is none, or it is damaged.
pub fn cascade() -> Result<PathBuf, BackendError> {
    HaarDetector::new(haar::Options::default())?;
    find_cascade(None)
}

/// Where `detector=yunet` looks for its network if `detector-model` names none; whether it is there
/// or not. `None` where the user has no folder for data.
pub fn yunet() -> Option<PathBuf> {
    fer_backends::yunet::usual_place()
}
