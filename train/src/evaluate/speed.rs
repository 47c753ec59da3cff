//! Times of an ONNX file.

use std::path::Path;

use fer_backends::onnx::OnnxClassifier;
use fer_core::classify::EmotionClassifier;
use fer_core::detect::BackendError;

use super::scored::{ScoreError, single_thread};

/// Times of single runs with one face each, on one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// 90th percentile, in milliseconds.
    pub p90_ms: f64,
}

/// Times `runs` runs (at least 1) of an ONNX file with one face each, after a warm-up.
///
/// # Errors
///
/// [`ScoreError::Runtime`].
pub fn speed(path: &Path, runs: usize) -> Result<Speed, ScoreError> {
    Ok(time(&mut OnnxClassifier::load(path, &single_thread())?, runs)?)
}

/// Times `runs` runs (at least 1) with one face each, after a warm-up.
///
/// # Errors
///
/// The runtime's.
pub fn time(classifier: &mut OnnxClassifier, runs: usize) -> Result<Speed, BackendError> {
    let face = vec![0.5; classifier.manifest().shape().len()];
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs + runs / 10 {
        let started = std::time::Instant::now();
        classifier.run(&face, 1)?;
        if run >= runs / 10 {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |fraction: f64| {
        let index = (times.len() as f64 * fraction) as usize;
        times.get(index).copied().unwrap_or(f64::NAN)
    };
    Ok(Speed { median_ms: at(0.5), p90_ms: at(0.9) })
}
