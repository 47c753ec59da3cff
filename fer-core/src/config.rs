//! The analyser's settings, with their ranges.

use std::time::Duration;

use crate::debounce::DebounceOptions;
use crate::reclassify::ReclassifyOptions;
use crate::track::TrackOptions;

/// Settings of an [`Analyzer`](crate::analyzer::Analyzer).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Copied into every report.
    pub stream_id: String,
    /// Smallest face looked for, as a fraction of the frame's shorter side, 0.01 to 1. One that is less
    /// than twice as large may come four scan intervals late.
    pub min_face: f32,
    /// Time between two looks for faces; zero looks in every frame.
    pub inference_interval: Duration,
    /// Time between two looks for faces in the whole frame, at least; in between known faces are
    /// looked for around their places, by detectors that are faster so. Four times as long while
    /// nothing moves elsewhere; zero whatever moves.
    pub scan_interval: Duration,
    /// When known faces are classified again.
    pub reclassify: ReclassifyOptions,
    /// Name of the tracker, see [`trackers`](crate::registry::trackers).
    pub tracker: String,
    /// Numbers of the tracker.
    pub track: TrackOptions,
    /// Name of the smoother, see [`smoothers`](crate::registry::smoothers).
    pub smoothing: String,
    /// The smoother's time constant.
    pub smoothing_time: Duration,
    /// When a stable label may change.
    pub debounce: DebounceOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stream_id: String::new(),
            min_face: 0.06,
            inference_interval: Duration::from_millis(100),
            scan_interval: Duration::from_millis(500),
            reclassify: ReclassifyOptions::default(),
            tracker: "iou".to_owned(),
            track: TrackOptions::default(),
            smoothing: "hmm".to_owned(),
            smoothing_time: Duration::from_millis(125),
            debounce: DebounceOptions {
                margin: 0.2,
                hold: Duration::from_millis(300),
                min_confidence: 0.35,
            },
        }
    }
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}, accepted: {low} to {high}")]
pub struct OutOfRange {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: f32,
    /// Least accepted value.
    pub low: f32,
    /// Greatest accepted value.
    pub high: f32,
}

impl Config {
    /// All numbers that are out of range.
    pub fn problems(&self) -> Vec<OutOfRange> {
        [
            ("min-face", self.min_face, 0.01, 1.0),
            ("margin", self.debounce.margin, 0.0, 1.0),
            ("min-confidence", self.debounce.min_confidence, 0.0, 1.0),
        ]
        .into_iter()
        .filter(|(_, value, low, high)| !(low..=high).contains(&value))
        .map(|(name, value, low, high)| OutOfRange { name, value, low, high })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_out_of_range_is_told() {
        assert_eq!(Config::default().problems(), []);
        let mut config = Config { min_face: f32::NAN, ..Config::default() };
        config.debounce.margin = 1.5;
        let told: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["min-face is NaN, accepted: 0.01 to 1", "margin is 1.5, accepted: 0 to 1"]
        );
    }
}
