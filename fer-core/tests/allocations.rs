//! How often memory is asked for while known faces are followed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use allocation_counter::measure;
use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::classify::EmotionClassifier;
use fer_core::config::Config;
use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::emotion::Emotion;
use fer_core::fake::{FnClassifier, logits};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::Manifest;
use fer_core::time::MediaTime;

/// Two faces, in a vector, as the contract wants it: one allocation a look.
struct Two;

impl FaceDetector for Two {
    fn detect(&mut self, _: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        let face = |x| Detection { rect: Rect::new(x, 20., 40., 40.), confidence: 0.9 };
        Ok(vec![face(20.), face(120.)])
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        // Nobody is known at first.
        match places {
            [] => Ok(Some(Vec::new())),
            _ => self.detect(frame, 0.0).map(Some),
        }
    }
}

/// The same answer for every face, in a vector: one allocation a batch.
struct Same(Manifest, Vec<f32>);

impl EmotionClassifier for Same {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn run(&mut self, _: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        let mut output = Vec::with_capacity(faces * self.1.len());
        (0..faces).for_each(|_| output.extend_from_slice(&self.1));
        Ok(output)
    }
}

/// Allocations in each of 250 frames, 40 ms apart, after the first second.
fn allocations(config: Config) -> Vec<u64> {
    let manifest = FnClassifier::new(|_| Vec::new()).manifest().clone();
    let classifier = Same(manifest, logits(Emotion::Neutral, 3.0));
    let source = FaceSource::Detector(Box::new(Two));
    let mut analyzer = Analyzer::new(config, source, Some(Box::new(classifier))).unwrap();
    let picture = vec![128; 200 * 100];
    let frame = Frame::grey(200, 100, &picture).unwrap();
    let mut counts = Vec::new();
    for index in 0..275 {
        let mut report = None;
        let info = measure(|| {
            report = Some(analyzer.analyze(&frame, MediaTime::from_millis(40 * index), &[]));
        });
        assert_eq!(report.unwrap().unwrap().faces.len(), 2);
        counts.push(info.count_total);
    }
    counts.split_off(25)
}

/// The vectors of detector and classifier come on top of the report's faces where they are due.
#[test]
fn a_frame_asks_for_memory_for_its_report_alone() {
    let each = allocations(Config::default());
    // Looks come each 120 ms, classifications each 200 ms: three frames and five.
    let expected = |index: usize| {
        let index = index + 25;
        1 + u64::from(index.is_multiple_of(3)) + u64::from(index.is_multiple_of(5))
    };
    assert_eq!(each, (0..250).map(expected).collect::<Vec<_>>());
}

#[test]
fn nor_does_more_come_where_everything_is_due_in_every_frame() {
    let mut config = Config { inference_interval: Duration::ZERO, ..Config::default() };
    config.reclassify.interval = Duration::ZERO;
    assert_eq!(allocations(config), [3; 250]);
    // A stream's name is copied into its reports.
    let named = Config { stream_id: "door".to_owned(), ..Config::default() };
    let sum = |config| allocations(config).iter().sum::<u64>();
    assert_eq!(sum(named), 250 + sum(Config::default()));
}
