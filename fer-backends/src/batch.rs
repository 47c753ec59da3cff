//! Faces of several streams in one run of the network.
//!
//! ```text
//! stream A ─ run(3 faces) ──┐             ┌─ the network's thread ─────────────────┐
//! stream B ─ run(1 face) ───┼─ channel ──►│ gather ─► take turns ─► one run ─► rows │──► to each its own
//! stream C ─ run(40 faces) ─┘             └────────────────────────────────────────┘
//! ```
//!
//! For devices that run many faces in about the time of one. A batch starts when it is full, when every
//! stream has faces in it, or when its first face has waited for [`Options::wait`]: so a stream waits
//! neither for one that is slow nor, where it is alone, at all. Whoever has many faces shares each batch
//! with the others, face by face.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use fer_core::classify::{EmotionClassifier, check_input};
use fer_core::detect::BackendError;
use fer_core::manifest::Manifest;

use engine::{Job, work};

mod engine;

/// How faces are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Faces in one run, at least 1.
    pub most: usize,
    /// How long a face waits for those of other streams.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { most: 32, wait: Duration::from_millis(2) }
    }
}

/// One stream's way to a classifier that a thread runs for all streams. The thread ends with the last of
/// them.
#[derive(Debug)]
pub struct Batched {
    engine: Arc<Engine>,
    /// What the faces travel in, kept so that no memory is asked for again.
    parcel: Option<Job>,
    answers: Receiver<Job>,
}

impl Batched {
    /// Joins the streams that came with the same `key`, or is the first of them, whose `classifier` and
    /// `options` are used. Who comes with the same key means the same network, run in the same way.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn join(
        key: &str,
        classifier: impl EmotionClassifier + 'static,
        options: Options,
    ) -> Result<Self, BackendError> {
        let engine = Engine::of(key, classifier, options)?;
        engine.streams.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = crossbeam_channel::bounded(1);
        Ok(Self { engine, parcel: Some(Job::new(sender)), answers })
    }
}

impl EmotionClassifier for Batched {
    fn manifest(&self) -> &Manifest {
        &self.engine.manifest
    }

    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        let manifest = &self.engine.manifest;
        check_input(manifest, batch, faces)?;
        if faces == 0 {
            return Ok(Vec::new());
        }
        let panicked = || {
            BackendError::Run(format!(
                "the thread that runs model {} has panicked; start the stream anew",
                manifest.name
            ))
        };
        // It is gone for good if the thread is, as the only sender of answers travels with it.
        let mut job = self.parcel.take().ok_or_else(panicked)?;
        job.pack(batch, faces);
        let jobs = self.engine.jobs.as_ref().ok_or_else(panicked)?;
        jobs.send(job).map_err(|_| panicked())?;
        let mut job = self.answers.recv().map_err(|_| panicked())?;
        let rows = job.unpack();
        self.parcel = Some(job);
        rows
    }
}

impl Drop for Batched {
    fn drop(&mut self) {
        self.engine.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The thread and the way to it.
struct Engine {
    manifest: Manifest,
    /// `None` once the thread is to end.
    jobs: Option<Sender<Job>>,
    /// How many may send jobs.
    streams: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// The engines that somebody uses, by their keys.
static ENGINES: Mutex<Vec<(String, Weak<Engine>)>> = Mutex::new(Vec::new());

impl Engine {
    fn of(
        key: &str,
        classifier: impl EmotionClassifier + 'static,
        options: Options,
    ) -> Result<Arc<Self>, BackendError> {
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|(_, engine)| engine.strong_count() > 0);
        let known = engines.iter().filter(|(other, _)| other == key);
        let mut running = known.filter_map(|(_, engine)| engine.upgrade());
        if let Some(engine) = running.find(|engine| engine.runs()) {
            return Ok(engine);
        }
        let engine = Arc::new(Self::start(classifier, options)?);
        engines.push((key.to_owned(), Arc::downgrade(&engine)));
        Ok(engine)
    }

    fn start(
        classifier: impl EmotionClassifier + 'static,
        options: Options,
    ) -> Result<Self, BackendError> {
        let manifest = classifier.manifest().clone();
        let (jobs, todo) = crossbeam_channel::unbounded();
        let streams = Arc::new(AtomicUsize::new(0));
        let known = Arc::clone(&streams);
        let thread = std::thread::Builder::new()
            .name("fer-batch".to_owned())
            .spawn(move || work(classifier, &todo, &known, options))
            .map_err(|error| {
                BackendError::Load(format!("no thread to run model {}: {error}", manifest.name))
            })?;
        Ok(Self { manifest, jobs: Some(jobs), streams, thread: Some(thread) })
    }

    /// Whether the thread is there: it is not after a panic.
    fn runs(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Without a sender the thread has nothing to wait for.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Of a panic the streams were told.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("model", &self.manifest.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
