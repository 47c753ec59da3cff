//! Counters of one element, and the wrappers that feed them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fer_core::classify::EmotionClassifier;
use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::Manifest;

/// What the property `stats` shows. Counts since the last start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) frames: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Frames that the analysis in the background did not get to see.
    pub(super) skipped: AtomicU64,
    /// How far the newest frame that it has seen is behind the newest one; no count.
    behind_nanos: AtomicU64,
    scans: AtomicU64,
    searches_near: AtomicU64,
    classifications: AtomicU64,
    faces_classified: AtomicU64,
    detect_nanos: AtomicU64,
    classify_nanos: AtomicU64,
    draw_nanos: AtomicU64,
}

fn add(counter: &AtomicU64, time: Duration) {
    counter.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
}

impl Stats {
    pub(super) fn clear(&self) {
        let Self { frames, errors, skipped, scans, classifications, .. } = self;
        let Self { searches_near, faces_classified, .. } = self;
        let Self { detect_nanos, classify_nanos, draw_nanos, .. } = self;
        for counter in [frames, errors, skipped, scans, classifications, &self.behind_nanos] {
            counter.store(0, Relaxed);
        }
        for counter in [searches_near, faces_classified, detect_nanos, classify_nanos, draw_nanos] {
            counter.store(0, Relaxed);
        }
    }

    pub(super) fn behind(&self, time: Duration) {
        self.behind_nanos.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn drawn(&self, time: Duration) {
        add(&self.draw_nanos, time);
    }

    pub(super) fn structure(&self) -> gst::Structure {
        let millis = |counter: &AtomicU64| counter.load(Relaxed) as f64 / 1e6;
        gst::Structure::builder("ferdetect-stats")
            .field("frames", self.frames.load(Relaxed))
            .field("skipped", self.skipped.load(Relaxed))
            .field("behind-ms", millis(&self.behind_nanos))
            .field("scans", self.scans.load(Relaxed))
            .field("searches-near", self.searches_near.load(Relaxed))
            .field("classifications", self.classifications.load(Relaxed))
            .field("faces-classified", self.faces_classified.load(Relaxed))
            .field("errors", self.errors.load(Relaxed))
            .field("detect-ms", millis(&self.detect_nanos))
            .field("classify-ms", millis(&self.classify_nanos))
            .field("draw-ms", millis(&self.draw_nanos))
            .build()
    }
}

/// A detector or classifier that is timed and counted.
pub(super) struct Timed<T> {
    pub(super) inner: T,
    pub(super) stats: Arc<Stats>,
}

impl FaceDetector for Timed<Box<dyn FaceDetector>> {
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        let start = Instant::now();
        let result = self.inner.detect(frame, min_face);
        add(&self.stats.detect_nanos, start.elapsed());
        self.stats.scans.fetch_add(1, Relaxed);
        result
    }

    fn detect_faint(
        &mut self,
        frame: &Frame<'_>,
        min_face: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        let start = Instant::now();
        let result = self.inner.detect_faint(frame, min_face);
        add(&self.stats.detect_nanos, start.elapsed());
        self.stats.scans.fetch_add(1, Relaxed);
        result
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        let start = Instant::now();
        let result = self.inner.detect_near(frame, places);
        add(&self.stats.detect_nanos, start.elapsed());
        if matches!(result, Ok(Some(_))) && !places.is_empty() {
            self.stats.searches_near.fetch_add(1, Relaxed);
        }
        result
    }

    fn detect_tilted(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Vec<Detection>, BackendError> {
        let start = Instant::now();
        let result = self.inner.detect_tilted(frame, places);
        add(&self.stats.detect_nanos, start.elapsed());
        self.stats.searches_near.fetch_add(1, Relaxed);
        result
    }
}

impl EmotionClassifier for Timed<Box<dyn EmotionClassifier>> {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        let start = Instant::now();
        let result = self.inner.run(batch, faces);
        add(&self.stats.classify_nanos, start.elapsed());
        self.stats.classifications.fetch_add(1, Relaxed);
        self.stats.faces_classified.fetch_add(faces as u64, Relaxed);
        result
    }
}
