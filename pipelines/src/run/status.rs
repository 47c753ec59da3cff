//! What is known of a stream while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fer_core::emotion::{Emotion, label_name};
use fer_core::event::EventKind;
use fer_core::geometry::Rect;
use fer_core::report::FrameReport;

use super::latency::Latency;

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for its first frame.
    Connecting,
    /// Frames come.
    Running,
    /// It is lost, and is reached again after a pause.
    Waiting,
    /// It has come to its end.
    Ended,
    /// It has failed for good.
    Failed,
}

impl State {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

/// Everything that is shown of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is doing.
    pub state: State,
    /// Frames that came out of the analysis, over all sessions.
    pub frames: u64,
    /// Frames a second, of late.
    pub fps: f64,
    /// Whether no frame has come for long.
    pub is_still: bool,
    /// Faces in the newest frame.
    pub faces: usize,
    /// Faces in the newest frame, by stable label.
    pub labels: BTreeMap<&'static str, u64>,
    /// How often the classifier looked at a face.
    pub classified: u64,
    /// How late frames of a live stream leave the analysis.
    pub latency: Latency,
    /// The stable label of the newest frame's largest face.
    pub emotion: Option<&'static str>,
    /// How often the source was lost and reached again.
    pub restarts: u64,
    /// Frames of a live stream that the analysis had no time for.
    pub skipped: u64,
    /// How often each label became a face's stable one.
    pub changes: BTreeMap<&'static str, u64>,
    /// Outputs that have stopped for good.
    pub stopped: usize,
    /// Media time of the newest frame.
    pub position: Option<gst::ClockTime>,
    /// Media time of the whole, of a recording.
    pub length: Option<gst::ClockTime>,
    /// Why it is waiting or has failed.
    pub reason: Option<String>,
}

impl Reading {
    /// Whether frames come.
    pub fn is_up(&self) -> bool {
        self.state == State::Running && !self.is_still
    }
}

impl Reading {
    fn take(&mut self, report: &FrameReport) {
        self.faces = report.faces.len();
        let area = |rect: Rect| rect.w * rect.h;
        let largest = report.faces.iter().max_by(|a, b| area(a.rect).total_cmp(&area(b.rect)));
        let emotion = largest.and_then(|face| face.emotion.as_ref());
        self.emotion = emotion.map(|emotion| label_name(emotion.stable));
        self.labels.values_mut().for_each(|count| *count = 0);
        for emotion in report.faces.iter().filter_map(|face| face.emotion.as_ref()) {
            *self.labels.entry(label_name(emotion.stable)).or_default() += 1;
        }
        for event in &report.events {
            if let EventKind::EmotionChanged { to, .. } = event.kind {
                *self.changes.entry(label_name(to)).or_default() += 1;
            }
        }
    }
}

/// What the analysis counts by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that it had no time for.
    pub skipped: u64,
    /// How often the classifier looked at a face.
    pub classified: u64,
}

impl Counts {
    /// What has come since an earlier count; all of it after a count that began anew.
    pub fn since(self, earlier: Self) -> Self {
        let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        Self {
            skipped: since(self.skipped, earlier.skipped),
            classified: since(self.classified, earlier.classified),
        }
    }
}

/// A stream's state, shared between its thread and whoever shows it.
#[derive(Debug, Clone)]
pub struct Status(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    reading: Reading,
    /// After how long without frames it is said to stand still.
    long: Duration,
    last_frame: Option<Instant>,
    window: (Instant, u64),
}

/// A stream that gives no frame for so long is not said to run, whatever it waits for.
const LONG: Duration = Duration::from_secs(10);
/// The same for one that may take its time, as a fragment of elements.
const PATIENT: Duration = Duration::from_secs(60);
/// Over how long frames are counted for the rate.
const WINDOW: Duration = Duration::from_secs(1);

/// Every label, so that what counts them sees the first of each too.
fn none_of_each() -> BTreeMap<&'static str, u64> {
    let labels = Emotion::ALL.into_iter().map(Some).chain([None]);
    labels.map(|label| (label_name(label), 0)).collect()
}

impl Default for Status {
    fn default() -> Self {
        let reading = Reading {
            state: State::Connecting,
            frames: 0,
            fps: 0.0,
            is_still: false,
            faces: 0,
            labels: none_of_each(),
            classified: 0,
            latency: Latency::default(),
            emotion: None,
            restarts: 0,
            skipped: 0,
            changes: none_of_each(),
            stopped: 0,
            position: None,
            length: None,
            reason: None,
        };
        let window = (Instant::now(), 0);
        Self(Arc::new(Mutex::new(Inner { reading, long: LONG, last_frame: None, window })))
    }
}

impl Status {
    /// Of a source that may give no frame for so long.
    pub fn of_patience(patience: Option<Duration>) -> Self {
        let status = Self::default();
        status.inner().long = patience.unwrap_or(PATIENT).max(LONG);
        status
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half-changed by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now.
    pub fn reading(&self) -> Reading {
        let inner = self.inner();
        let mut reading = inner.reading.clone();
        let silence = inner.last_frame.map_or(Duration::MAX, |last| last.elapsed());
        if silence > 2 * WINDOW {
            reading.fps = 0.0;
        }
        reading.is_still = silence > inner.long;
        reading
    }

    /// How long ago the newest frame came.
    pub fn since_frame(&self) -> Option<Duration> {
        self.inner().last_frame.map(|last| last.elapsed())
    }

    /// How long the whole is.
    pub fn length(&self, length: gst::ClockTime) {
        self.inner().reading.length = Some(length);
    }

    /// A frame of media time `position` came out of the analysis.
    pub fn frame(&self, report: Option<&FrameReport>, position: Option<gst::ClockTime>) {
        let mut inner = self.inner();
        let now = Instant::now();
        inner.last_frame = Some(now);
        let (start, before) = inner.window;
        let reading = &mut inner.reading;
        reading.state = State::Running;
        reading.reason = None;
        reading.frames += 1;
        reading.position = position;
        let frames = reading.frames;
        if let Some(report) = report {
            reading.take(report);
        }
        let elapsed = now - start;
        if elapsed >= WINDOW {
            reading.fps = (frames - before) as f64 / elapsed.as_secs_f64();
            inner.window = (now, frames);
        }
    }

    /// A live stream's frame left the analysis so late.
    pub fn late(&self, latency: Duration) {
        self.inner().reading.latency.take(latency);
    }

    /// An output has stopped for good.
    pub fn output_stopped(&self) {
        self.inner().reading.stopped += 1;
    }

    /// The stream does something else now.
    pub fn set(&self, state: State, reason: Option<String>) {
        let mut inner = self.inner();
        // A try that fails is no further loss.
        if state == State::Waiting && inner.last_frame.is_some() {
            inner.reading.restarts += 1;
        }
        if state != State::Running {
            inner.last_frame = None;
            (inner.reading.faces, inner.reading.emotion) = (0, None);
            inner.reading.labels.values_mut().for_each(|count| *count = 0);
        }
        inner.reading.state = state;
        inner.reading.reason = reason;
    }

    /// The analysis has counted more.
    pub fn counted(&self, more: Counts) {
        let mut inner = self.inner();
        inner.reading.skipped += more.skipped;
        inner.reading.classified += more.classified;
    }
}
