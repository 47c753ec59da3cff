//! What is known of a stream while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fer_core::emotion::label_name;
use fer_core::event::EventKind;
use fer_core::report::FrameReport;

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
    /// Faces in the newest frame.
    pub faces: usize,
    /// The stable label of the newest frame's largest face.
    pub emotion: Option<&'static str>,
    /// How often the source was lost and reached again.
    pub restarts: u64,
    /// Frames that a live stream had no time for.
    pub skipped: u64,
    /// How often each label became a face's stable one.
    pub changes: BTreeMap<&'static str, u64>,
    /// Why it is waiting or has failed.
    pub reason: Option<String>,
}

/// A stream's state, shared between its thread and whoever shows it.
#[derive(Debug, Clone)]
pub struct Status(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    reading: Reading,
    last_frame: Option<Instant>,
    window: (Instant, u64),
}

/// Over how long frames are counted for the rate.
const WINDOW: Duration = Duration::from_secs(1);

impl Default for Status {
    fn default() -> Self {
        let reading = Reading {
            state: State::Connecting,
            frames: 0,
            fps: 0.0,
            faces: 0,
            emotion: None,
            restarts: 0,
            skipped: 0,
            changes: BTreeMap::new(),
            reason: None,
        };
        Self(Arc::new(Mutex::new(Inner { reading, last_frame: None, window: (Instant::now(), 0) })))
    }
}

impl Status {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half-changed by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now.
    pub fn reading(&self) -> Reading {
        let inner = self.inner();
        let mut reading = inner.reading.clone();
        if inner.last_frame.is_none_or(|last| last.elapsed() > 2 * WINDOW) {
            reading.fps = 0.0;
        }
        reading
    }

    /// How long ago the newest frame came.
    pub fn since_frame(&self) -> Option<Duration> {
        self.inner().last_frame.map(|last| last.elapsed())
    }

    /// A frame came out of the analysis.
    pub fn frame(&self, report: Option<&FrameReport>) {
        let mut inner = self.inner();
        let now = Instant::now();
        inner.last_frame = Some(now);
        let (start, before) = inner.window;
        let reading = &mut inner.reading;
        reading.state = State::Running;
        reading.reason = None;
        reading.frames += 1;
        let frames = reading.frames;
        if let Some(report) = report {
            reading.faces = report.faces.len();
            let area = |rect: fer_core::geometry::Rect| rect.w * rect.h;
            let largest = report.faces.iter().max_by(|a, b| area(a.rect).total_cmp(&area(b.rect)));
            let emotion = largest.and_then(|face| face.emotion.as_ref());
            reading.emotion = emotion.map(|emotion| label_name(emotion.stable));
            for event in &report.events {
                if let EventKind::EmotionChanged { to, .. } = event.kind {
                    *reading.changes.entry(label_name(to)).or_default() += 1;
                }
            }
        }
        let elapsed = now - start;
        if elapsed >= WINDOW {
            reading.fps = (frames - before) as f64 / elapsed.as_secs_f64();
            inner.window = (now, frames);
        }
    }

    /// The stream does something else now.
    pub fn set(&self, state: State, reason: Option<String>) {
        let mut inner = self.inner();
        if state == State::Waiting {
            inner.reading.restarts += 1;
        }
        if state != State::Running {
            inner.last_frame = None;
            (inner.reading.faces, inner.reading.emotion) = (0, None);
        }
        inner.reading.state = state;
        inner.reading.reason = reason;
    }

    /// A live stream had no time for some frames.
    pub fn skipped(&self, frames: u64) {
        self.inner().reading.skipped += frames;
    }
}
