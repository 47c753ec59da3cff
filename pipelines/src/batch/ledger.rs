//! Which recording each result in a batch's folder is of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{BatchError, Recording};
use crate::files::write_atomically;

/// The file that it is kept in: a line a result, the last one of each counts. While a batch runs,
/// lines are added; in the end they are sorted.
const NAME: &str = "recordings.jsonl";

/// What a result is of. It is known again wherever it lies by then, as on a disk that is mounted
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    /// The result's lines, from the folder on.
    result: PathBuf,
    /// Its name in tables.
    name: String,
    path: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

impl Source {
    fn is_unchanged(&self, before: &Self) -> bool {
        (self.bytes, self.modified) == (before.bytes, before.modified)
    }
}

/// What is known of the results in a folder.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    /// By the result.
    sources: BTreeMap<PathBuf, Source>,
    /// Whether the folder had none: what is there was made by an earlier version.
    is_new: bool,
}

/// How it stands with a recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What is made of it is there.
    Done,
    /// It is to be made.
    Open,
    /// What would be made of it has the name of what was made of another one: why it is refused.
    Refused(String),
}

impl Ledger {
    /// Opens the ledger of a folder; with `anew` nothing in there counts any more.
    pub(super) fn open(folder: &Path, anew: bool) -> Result<Self, BatchError> {
        let mut ledger =
            Self { folder: folder.to_owned(), sources: BTreeMap::new(), is_new: false };
        match std::fs::read_to_string(ledger.path()) {
            _ if anew => {}
            Ok(text) => {
                // A line that a power cut has broken off is of a result that is made again.
                let sources = text.lines().filter_map(|line| serde_json::from_str(line).ok());
                let sources = sources.map(|source: Source| (source.result.clone(), source));
                ledger.sources = sources.collect();
            }
            Err(error) if error.kind() == ErrorKind::NotFound => ledger.is_new = true,
            Err(error) => return Err(ledger.problem(&error)),
        }
        Ok(ledger)
    }

    pub(super) fn standing(&self, recording: &Recording) -> Standing {
        let Ok(now) = self.source(recording) else { return Standing::Open };
        match self.sources.get(&now.result) {
            Some(before) if now.is_unchanged(before) && recording.is_there() => Standing::Done,
            Some(before)
                if now.path != before.path
                    && !now.is_unchanged(before)
                    && recording.made().any(|made| made.exists()) =>
            {
                Standing::Refused(format!(
                    "{} is of {}; expected another folder (--out), or --again to replace it",
                    recording.lines.display(),
                    before.path.display()
                ))
            }
            None if self.is_new && recording.is_younger() => Standing::Done,
            _ => Standing::Open,
        }
    }

    /// What is made of a recording gets its name now.
    pub(super) fn note(&mut self, recording: &Recording) -> io::Result<()> {
        let source = self.source(recording)?;
        let mut line = serde_json::to_vec(&source)?;
        line.push(b'\n');
        let mut file = File::options().append(true).create(true).open(self.path())?;
        file.write_all(&line)?;
        file.sync_all()?;
        self.sources.insert(source.result.clone(), source);
        Ok(())
    }

    /// What is made of these recordings has its name, whatever they are called by now.
    pub(super) fn adopt(&mut self, recordings: &[&Recording]) {
        // One that has gone meanwhile is not asked for again.
        let sources = recordings.iter().filter_map(|recording| self.source(recording).ok());
        let sources: Vec<Source> = sources.collect();
        self.sources.extend(sources.into_iter().map(|source| (source.result.clone(), source)));
    }

    /// Writes all of it in order.
    pub(super) fn save(&self) -> Result<(), BatchError> {
        let mut text = Vec::new();
        for source in self.sources.values() {
            serde_json::to_writer(&mut text, source).map_err(|error| self.problem(&error))?;
            text.push(b'\n');
        }
        write_atomically(&self.path(), &text).map_err(|error| self.problem(&error))
    }

    /// The names of all recordings of which there are results.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.values().map(|source| source.name.as_str())
    }

    fn source(&self, recording: &Recording) -> io::Result<Source> {
        let data = std::fs::metadata(&recording.input)?;
        let modified = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let result = recording.lines.strip_prefix(&self.folder).unwrap_or(&recording.lines);
        Ok(Source {
            result: result.to_owned(),
            name: recording.name.clone(),
            path: recording.input.canonicalize()?,
            bytes: data.len(),
            modified: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    fn problem(&self, reason: &dyn std::fmt::Display) -> BatchError {
        BatchError::Folder { path: self.path(), reason: reason.to_string() }
    }
}
