//! Keeps the streams of a pipeline file alive, each in a thread of its own.

mod album;
mod backoff;
mod clients;
mod console;
pub(crate) mod display;
mod finish;
mod keyboard;
mod latency;
mod line_file;
mod lines;
mod metrics;
mod outputs;
mod packets;
mod place;
mod playlist;
mod reach;
mod restream;
mod session;
pub(crate) mod signals;
pub mod status;
pub(crate) mod takedown;
mod videos;
mod watch;
mod watchdog;
pub(crate) mod worker;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use self::console::Console;
pub(crate) use self::place::is_at;
use self::signals::Signal;
use self::status::{State, Status};
pub use self::watch::watch;
use self::worker::Worker;
use crate::config::PipelineFile;
use crate::speech::with_causes;

/// How often the status is shown.
const TICK: Duration = Duration::from_millis(200);

/// What a stream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Stop,
    /// Keep what its window shows as a picture.
    Save,
}

/// Where a stream's messages go.
#[derive(Clone)]
pub(crate) struct Log {
    stream: String,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Log {
    /// A stream's messages, handed to `tell` line by line.
    pub(crate) fn new(stream: &str, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { stream: stream.to_owned(), tell: Arc::new(tell) }
    }

    fn say(&self, text: &str) {
        (self.tell)(&format!("{}: {text}", self.stream));
    }

    fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    fn error(&self, text: &str) {
        self.say(&format!("error: {text}"));
    }
}

/// What `fer run` was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The pipeline file.
    pub file: PathBuf,
    /// Changes of the form `key.path=value`.
    pub sets: Vec<String>,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
}

impl Options {
    fn load(&self) -> Result<PipelineFile> {
        Ok(PipelineFile::load(&self.file, &self.sets, &|name| std::env::var(name).ok())?)
    }
}

/// The streams that are shown, under their names.
pub(crate) type Shown = Arc<Mutex<Vec<(String, Status)>>>;

/// Runs a pipeline file until all streams have ended or a signal comes; whether all went well.
///
/// # Errors
///
/// The file cannot be used, or the metrics cannot be served.
pub fn run(options: &Options) -> Result<bool> {
    let file = options.load()?;
    let signals = signals::listen()?;
    let console = Console::new();
    let shown = Shown::default();
    if let Some(address) = options.metrics {
        metrics::serve(address, Arc::clone(&shown))?;
    }
    let mut streams = Streams { workers: Vec::new(), console, shown, well: true };
    streams.take(&file);
    loop {
        takedown::tell_if_stuck();
        streams.note_stuck();
        match signals.recv_timeout(TICK) {
            Ok(Signal::Stop) => break,
            Ok(Signal::Reload) => streams.reload(options, &options.file),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
        }
        streams.console.show(&streams.shown());
        if streams.workers.iter().all(|worker| worker.is_done() || worker.is_stuck()) {
            break;
        }
    }
    streams.stop_all();
    Ok(streams.well)
}

struct Streams {
    workers: Vec<Worker>,
    console: Console,
    shown: Shown,
    well: bool,
}

impl Streams {
    /// Starts what is new in a file, has changed or failed, and stops what is not there any more.
    fn take(&mut self, file: &PipelineFile) {
        let stays = |worker: &Worker| {
            let reading = worker.status.reading();
            // A recording of which there is something would be there twice.
            let may_again = reading.frames == 0 || worker.stream.source.reconnect().is_some();
            let has_failed = reading.state == State::Failed && may_again && !worker.is_stuck();
            !has_failed && file.streams.get(&worker.name) == Some(&worker.stream)
        };
        let (kept, gone): (Vec<_>, Vec<_>) = self.workers.drain(..).partition(stays);
        self.workers = kept;
        gone.iter().for_each(Worker::stop);
        for worker in gone {
            worker.wait();
            // One that never ends stays away, and the others go on.
            self.well &= !worker.is_stuck() && worker.ends_well();
        }
        for (name, stream) in &file.streams {
            if self.workers.iter().all(|worker| worker.name != *name) {
                let console = self.console.clone();
                let log = Log::new(name, move |line| console.line(line));
                let told = log.clone();
                match Worker::start(name, stream, log) {
                    Ok(worker) => self.workers.push(worker),
                    Err(error) => {
                        told.error(&format!("it does not start: {error}"));
                        self.well = false;
                    }
                }
            }
        }
        self.workers.sort_by(|a, b| a.name.cmp(&b.name));
        let status = |worker: &Worker| (worker.name.clone(), worker.status.clone());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) =
            self.workers.iter().map(status).collect();
    }

    /// Reads the file again; one that cannot be used changes nothing.
    fn reload(&mut self, options: &Options, path: &Path) {
        let taken = options.load().map(|file| self.take(&file));
        let line = match taken {
            Ok(()) => format!("{} was read again", path.display()),
            Err(error) => format!("{}\nnothing is changed", with_causes(&error)),
        };
        self.console.line(&line);
    }

    /// One whose pipeline cannot be taken down never says so itself.
    fn note_stuck(&self) {
        for worker in self.workers.iter().filter(|worker| worker.is_stuck()) {
            worker.status.set(State::Failed, Some("its pipeline does not end".to_owned()));
        }
    }

    fn shown(&self) -> Vec<(String, Status)> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stop_all(&mut self) {
        self.workers.iter().for_each(Worker::stop);
        // All finish their files before one that is stuck ends the process.
        self.workers.iter().for_each(Worker::wait);
        for worker in self.workers.drain(..) {
            self.well &= worker.ends_well();
        }
        self.console.show(&self.shown());
        self.console.end();
    }
}
