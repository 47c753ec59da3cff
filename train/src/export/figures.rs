//! What an exported network is worth, and what it costs.

use std::path::Path;

use super::{ExportError, Exported};
use crate::classes::Classes;
use crate::dataset::Images;
use crate::evaluate::{ScoreError, time};
use crate::metrics::{Distributions, Metrics};

/// Runs that are timed.
const RUNS: usize = 300;

/// Quality on images, size and speed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Fraction that is right.
    pub accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// Size of the ONNX file.
    pub bytes: usize,
    /// Median time of one face on one thread, in milliseconds.
    pub median_ms: f64,
}

impl Figures {
    /// Measures `exported` on `images`; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// The runtime's.
    pub fn measured(
        exported: &Exported,
        file: &Path,
        images: &Images,
        classes: &Classes,
    ) -> Result<Self, ExportError> {
        let logits = exported.logits(file, images)?;
        let temperature = f64::from(exported.manifest.output.temperature);
        let rows = Distributions::of_logits(&logits, classes.len(), temperature);
        let metrics = Metrics::new(&rows, images.labels(), classes);
        let speed = time(&mut exported.open(file)?, RUNS).map_err(ScoreError::from)?;
        Ok(Self {
            accuracy: metrics.accuracy,
            macro_f1: metrics.macro_f1(),
            bytes: exported.onnx.len(),
            median_ms: speed.median_ms,
        })
    }
}
