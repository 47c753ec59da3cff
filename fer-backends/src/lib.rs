//! The native parts behind `fer-core`'s traits.
//!
//! | module | needs | implements |
//! |---|---|---|
//! | [`onnx`] (feature `onnx`) | ONNX Runtime, found at run time | [`EmotionClassifier`](fer_core::classify::EmotionClassifier) |
//! | [`yunet`] (feature `onnx`) | the same, and a model file | [`FaceDetector`](fer_core::detect::FaceDetector) |
//! | [`confirm`] (feature `onnx`) | the same | [`FaceDetector`](fer_core::detect::FaceDetector), behind another one |
//! | [`graph`] (feature `onnx`) | the same | nothing: runs any graph, for tools |
//! | [`batch`] | – | [`EmotionClassifier`](fer_core::classify::EmotionClassifier), for several streams around one |
//! | [`haar`] (feature `opencv`) | OpenCV, linked; a cascade file | [`FaceDetector`](fer_core::detect::FaceDetector) |
//!
//! Nothing here panics on a missing library or a bad file: each is a
//! [`BackendError`](fer_core::detect::BackendError) that names it and says what to do.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod batch;
#[cfg(feature = "onnx")]
pub mod confirm;
#[cfg(feature = "onnx")]
pub mod graph;
#[cfg(feature = "opencv")]
pub mod haar;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "onnx")]
mod pool;
#[cfg(feature = "onnx")]
pub mod runtime;
#[cfg(feature = "onnx")]
mod session;
#[cfg(feature = "onnx")]
pub mod yunet;
