//! The contract of face detectors.

use crate::frame::Frame;
use crate::geometry::Rect;

/// A face that a detector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// In pixels of the frame that was searched.
    pub rect: Rect,
    /// 0 to 1, comparable only between results of one detector.
    pub confidence: f32,
}

/// Why a detector or classifier can't be made or run. Says what, the value, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A model, cascade or library can't be loaded.
    #[error("{0}")]
    Load(String),
    /// An option has a value out of range.
    #[error("{option} is {value}, accepted: {accepted}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// The accepted range or names.
        accepted: String,
    },
    /// It failed while running.
    #[error("{0}")]
    Run(String),
}

/// Finds faces in one frame. Keeps no memory of earlier frames.
pub trait FaceDetector: Send {
    /// All faces of `frame` whose height is at least `min_face` pixels, in any order.
    ///
    /// # Errors
    /// The native library failed; the message says how.
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError>;
}

/// The baseline: finds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullDetector;

impl FaceDetector for NullDetector {
    fn detect(&mut self, _: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        Ok(Vec::new())
    }
}
