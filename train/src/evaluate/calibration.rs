//! Where the temperature of a model's probabilities comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Both;
use crate::metrics::Metrics;

/// The temperature that a model's logits are divided by (Guo et al. 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Calibration {
    /// None: there was nothing to fit it on.
    None,
    /// The manifest's.
    Manifest {
        /// Above 0.
        temperature: f64,
    },
    /// Fitted for this evaluation, to the lowest negative log-likelihood.
    Fitted {
        /// Above 0.
        temperature: f64,
        /// The split that it was fitted on, each image seen once and whole.
        split: String,
    },
}

impl Calibration {
    /// The divisor of the logits; 1 where there is no other.
    pub fn temperature(&self) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Manifest { temperature } | Self::Fitted { temperature, .. } => *temperature,
        }
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("uncalibrated: no validation images to fit a temperature on"),
            Self::Manifest { temperature } => {
                write!(f, "temperature {temperature:.3}, the manifest's")
            }
            Self::Fitted { temperature, split } => {
                write!(f, "temperature {temperature:.3}, fitted on {split}")
            }
        }
    }
}

/// How far from calibrated a model's own probabilities are: before the fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uncalibrated {
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Expected calibration error over 15 bins.
    pub ece: f64,
}

impl From<Both<Metrics>> for Both<Uncalibrated> {
    fn from(metrics: Both<Metrics>) -> Self {
        metrics.map(|metrics| Uncalibrated { nll: metrics.nll, ece: metrics.ece })
    }
}
