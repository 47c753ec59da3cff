//! Which recording each result in a batch's folder is of.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{BatchError, Recording};
use crate::files::write_atomically;

/// The file that it is kept in.
const NAME: &str = "recordings.json";

/// What a result is of. It is known again wherever it lies by then, as on a disk that is mounted
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    /// Its name in tables.
    name: String,
    path: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u128,
}

impl Source {
    fn of(recording: &Recording) -> std::io::Result<Self> {
        let data = std::fs::metadata(&recording.input)?;
        let modified = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            name: recording.name.clone(),
            path: recording.input.canonicalize()?,
            bytes: data.len(),
            modified: modified.as_nanos(),
        })
    }

    fn is_unchanged(&self, before: &Self) -> bool {
        (self.bytes, self.modified) == (before.bytes, before.modified)
    }
}

/// What is known of the results in a folder, by their names there.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    results: BTreeMap<String, Source>,
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
        let path = folder.join(NAME);
        let problem = |reason: String| BatchError::Folder { path: path.clone(), reason };
        let results = match std::fs::read(&path) {
            _ if anew => BTreeMap::new(),
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                problem(format!("{error}; expected what `fer batch` wrote, or no such file"))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(problem(error.to_string())),
        };
        Ok(Self { folder: folder.to_owned(), results })
    }

    pub(super) fn standing(&self, recording: &Recording) -> Standing {
        let Ok(now) = Source::of(recording) else { return Standing::Open };
        match self.results.get(&self.key(recording)) {
            // What an earlier version made is known by its age alone.
            None if recording.is_younger() => Standing::Done,
            Some(before) if now.is_unchanged(before) && recording.is_there() => Standing::Done,
            Some(before)
                if now.path != before.path && !now.is_unchanged(before) && recording.is_there() =>
            {
                Standing::Refused(format!(
                    "{} is of {}; expected another folder (--out), or --again to replace it",
                    recording.lines.display(),
                    before.path.display()
                ))
            }
            _ => Standing::Open,
        }
    }

    /// What is made of these recordings has its name.
    pub(super) fn note<'a>(
        &mut self,
        recordings: impl IntoIterator<Item = &'a Recording>,
    ) -> Result<(), BatchError> {
        let path = self.folder.join(NAME);
        let problem = |reason: String| BatchError::Folder { path: path.clone(), reason };
        for recording in recordings {
            // One that has gone since has a result all the same.
            if let Ok(source) = Source::of(recording) {
                self.results.insert(self.key(recording), source);
            }
        }
        let text = serde_json::to_vec_pretty(&self.results);
        let written = text.map_err(Into::into).and_then(|text| write_atomically(&path, &text));
        written.map_err(|error| problem(error.to_string()))
    }

    /// The names of all recordings of which there are results.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.results.values().map(|source| source.name.as_str())
    }

    fn key(&self, recording: &Recording) -> String {
        let place = recording.lines.strip_prefix(&self.folder).unwrap_or(&recording.lines);
        place.to_string_lossy().into_owned()
    }
}
