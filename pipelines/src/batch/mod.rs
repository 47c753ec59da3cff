//! Recordings from beginning to end, as fast as the machine allows: one, or many beside each other.
//!
//! `inputs` finds the recordings and names what is made of them, `ledger` knows which are done, `work`
//! makes it of one, `table` adds them up. What a recording gives appears under its name only when it
//! is whole, the lines of
//! JSON last: where they are, the recording is done.

mod claim;
mod date;
mod inputs;
mod ledger;
mod progress;
mod table;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde::Serialize;
use serde_json::{Map, Value};

use self::claim::Claim;
pub use self::ledger::is_ledger;
use self::ledger::{Ledger, Standing};
use self::progress::Progress;
use self::table::Row;
pub use self::table::summary;
use self::work::Work;
use crate::config::Overlay;
use crate::run::signals::{self, Signal};
use crate::run::takedown;
pub use crate::run::worker::Ending;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);

/// The file that sums up a batch, within its folder.
pub const TABLE: &str = "batch.csv";

/// How recordings are annotated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Properties of `ferdetect`.
    pub analysis: Map<String, Value>,
    /// What is done to faces in the videos.
    pub overlay: Overlay,
}

/// A recording and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// What is read.
    pub input: PathBuf,
    /// Its name in messages and tables, which no other recording of a batch has.
    pub name: String,
    /// The JSON Lines; the name without ending is `stream_id` in them.
    pub lines: PathBuf,
    /// The annotated video: mp4, mkv or webm by its ending.
    pub video: Option<PathBuf>,
}

/// What a batch is asked for.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Files, folders and globs.
    pub inputs: Vec<String>,
    /// The folder for everything that is made.
    pub out: PathBuf,
    /// The ending of annotated videos, if they are wanted: mp4, mkv or webm.
    pub video: Option<String>,
    /// Recordings at once, at least one.
    pub jobs: usize,
    /// Whether what is done already is made again.
    pub again: bool,
    /// How recordings are annotated.
    pub settings: Settings,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Recordings that are done, now or before.
    pub done: usize,
    /// Those of them of which not all was there, with the reason.
    pub flawed: Vec<(String, String)>,
    /// Recordings that failed, with the reason.
    pub failed: Vec<(String, String)>,
    /// Recordings that are left: a signal came.
    pub left: usize,
}

/// Why a batch cannot begin or be summed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// An input names nothing.
    #[error("{0}")]
    Input(String),
    /// The folder for results is of no use.
    #[error("{path}: {reason}")]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Signals cannot be heard.
    #[error("signals cannot be heard: {0}")]
    Signals(#[from] std::io::Error),
}

/// Why a recording could not be annotated.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub reason: String,
    /// Whether it was said on the standard error already.
    pub is_told: bool,
}

/// Annotates one recording, to its end or until a signal comes.
///
/// # Errors
///
/// What is wrong with the recording, or with the places of what is made of it.
pub fn annotate(recording: &Recording, settings: &Settings) -> Result<Ending, Failure> {
    let untold = |reason: String| Failure { reason, is_told: false };
    let signals =
        signals::listen_for_end().map_err(|error| untold(BatchError::from(error).to_string()))?;
    let progress = Progress::new(1, 0);
    let work = Work::start(recording, settings, &progress).map_err(untold)?;
    while !work.is_done() {
        // SIGHUP too: there is no file to read again.
        if signals.recv_timeout(TICK).is_ok() {
            work.stop();
        }
        takedown::end_if_stuck();
        work.show();
    }
    let ending = work.finish(|| Ok(()));
    progress.end();
    ending.map_err(|reason| Failure { is_told: progress.has_told(&reason), reason })
}

/// What became of the recordings of a batch, by their names; of what is left, nothing yet.
type Fates<'a> = BTreeMap<&'a str, Fate>;

enum Fate {
    Done,
    Failed(String),
    /// Another recording's result has the name that its own would have.
    Refused(String),
}

impl Batch {
    /// Annotates what is not done yet, and sums up everything in a table.
    ///
    /// # Errors
    ///
    /// [`BatchError`]; a recording that fails is none, it is listed in the outcome.
    pub fn run(&self) -> Result<Outcome, BatchError> {
        let recordings = inputs::find(&self.inputs, &self.out, self.video.as_deref())?;
        let claim = Claim::stake(&self.out, &self.settings, &recordings, self.again)?;
        let mut ledger = Ledger::open(&self.out, claim.is_anew)?;
        if self.again {
            ledger.forget(&recordings);
        }
        let signals = signals::listen_for_end()?;
        let (mut done, mut todo, mut fates) = (Vec::new(), Vec::new(), Fates::new());
        for recording in &recordings {
            match ledger.standing(recording) {
                Standing::Done => done.push(recording),
                Standing::Open => todo.push(recording),
                Standing::Refused(reason) => {
                    fates.insert(&recording.name, Fate::Refused(reason));
                }
            }
        }
        ledger.adopt(&done);
        ledger.save()?;
        let progress = Progress::new(todo.len(), todo.iter().map(|each| each.bytes()).sum());
        if !done.is_empty() {
            progress.line(&format!("{} of {} are done already", done.len(), recordings.len()));
        }
        fates.extend(done.iter().map(|recording| (recording.name.as_str(), Fate::Done)));
        self.work_off(todo, &mut fates, &mut ledger, &progress, &signals);
        self.sum_up(&recordings, &fates, &ledger)
    }

    /// Annotates recordings, some beside each other, until all are done or a signal comes.
    fn work_off<'a>(
        &self,
        todo: Vec<&'a Recording>,
        fates: &mut Fates<'a>,
        ledger: &mut Ledger,
        progress: &Progress,
        signals: &Receiver<Signal>,
    ) {
        let mut running = Vec::new();
        let mut waiting = todo.into_iter();
        let mut stopped = false;
        loop {
            while running.len() < self.jobs.max(1) && !stopped {
                let Some(recording) = waiting.next() else { break };
                let source = ledger.look_at(recording);
                match Work::start(recording, &self.settings, progress) {
                    Ok(work) => running.push((work, source)),
                    Err(reason) => drop(fates.insert(&recording.name, Fate::Failed(reason))),
                }
            }
            if running.is_empty() {
                break;
            }
            if signals.recv_timeout(TICK).is_ok() {
                stopped = true;
                running.iter().for_each(|(work, _)| work.stop());
            }
            for (work, source) in running.extract_if(.., |(work, _)| work.is_done()) {
                let recording = work.recording();
                let fate = match work.finish(|| ledger.note(source?)) {
                    Ok(Ending::Stopped) => continue,
                    Ok(Ending::Ended | Ending::Flawed(_)) => Fate::Done,
                    Err(reason) => Fate::Failed(reason),
                };
                fates.insert(&recording.name, fate);
            }
            running.iter().for_each(|(work, _)| work.show());
            takedown::end_if_stuck();
        }
        progress.end();
    }

    fn sum_up(
        &self,
        recordings: &[Recording],
        fates: &Fates<'_>,
        ledger: &Ledger,
    ) -> Result<Outcome, BatchError> {
        let fate = |recording: &Recording| fates.get(recording.name.as_str());
        let row = |recording: &Recording| match fate(recording) {
            Some(Fate::Done) => Row::of(recording),
            Some(Fate::Failed(reason)) => Row::empty(recording, reason, false),
            Some(Fate::Refused(reason)) => Row::empty(recording, reason, true),
            None => Row::empty(recording, "not done yet", false),
        };
        let rows: Vec<Row> = recordings.iter().map(row).collect();
        table::write(&self.out.join(TABLE), &rows, ledger)?;
        ledger.save()?;
        let failure = |recording: &Recording| match fate(recording)? {
            Fate::Done => None,
            Fate::Failed(reason) | Fate::Refused(reason) => {
                Some((recording.name.clone(), reason.clone()))
            }
        };
        let failed: Vec<_> = recordings.iter().filter_map(failure).collect();
        Ok(Outcome {
            done: fates.len() - failed.len(),
            flawed: rows.iter().filter_map(Row::flaw).collect(),
            left: recordings.len() - fates.len(),
            failed,
        })
    }
}
