//! What all recordings come to, a row each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use fer_core::emotion::{Emotion, StableLabel, label_name};

use super::ledger::Ledger;
use super::{BatchError, Recording};
use crate::files::write_atomically;
use crate::integrity;
use crate::recording::{RecordingError, Summary};

/// One recording's row.
pub(super) struct Row {
    name: String,
    problem: Option<String>,
    summary: Option<Summary>,
    gives_way: bool,
}

impl Row {
    /// The row of a recording of which there is no result; one that `gives_way` takes not the place
    /// of a row of its name, which is another recording's.
    pub(super) fn empty(recording: &Recording, reason: &str, gives_way: bool) -> Self {
        let name = recording.name.clone();
        Self { name, problem: Some(reason.to_owned()), summary: None, gives_way }
    }

    /// The row of a recording that is done.
    pub(super) fn of(recording: &Recording) -> Self {
        let (problem, summary) = match summary(&recording.lines) {
            // Asked of the recording, so that a batch that goes on says what an unbroken one does.
            Ok(summary) => (flaw(recording), Some(summary)),
            Err(problem) => (Some(problem), None),
        };
        Self { name: recording.name.clone(), problem, summary, gives_way: false }
    }

    /// What is missing of a recording that is done.
    pub(super) fn flaw(&self) -> Option<(String, String)> {
        self.summary.as_ref()?;
        Some((self.name.clone(), self.problem.clone()?))
    }

    fn fields(&self) -> Vec<String> {
        let none = || vec![String::new(); 5 + labels().count()];
        let figures = self.summary.as_ref().map_or_else(none, figures);
        let start = [self.name.clone(), self.problem.clone().unwrap_or_default()];
        start.into_iter().chain(figures).collect()
    }
}

fn flaw(recording: &Recording) -> Option<String> {
    match integrity::flaw(&recording.input) {
        Ok(flaw) => flaw.map(|flaw| flaw.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// What the JSON Lines of a recording come to.
///
/// # Errors
///
/// They cannot be read.
pub fn summary(lines: &Path) -> Result<Summary, String> {
    let read = || -> Result<Summary, RecordingError> {
        let file = File::open(lines).map_err(|source| RecordingError::Read { line: 1, source })?;
        Summary::read(BufReader::new(file))
    };
    read().map_err(|error| format!("{}: {error}", lines.display()))
}

/// Writes the table as CSV, whole or not at all. Rows of other recordings stay while `ledger` knows of
/// their results.
pub(super) fn write(path: &Path, rows: &[Row], ledger: &Ledger) -> Result<(), BatchError> {
    let problem = |reason: String| BatchError::Folder { path: path.to_owned(), reason };
    let mut kept = kept(path, ledger);
    for row in rows {
        if !(row.gives_way && kept.contains_key(&row.name)) {
            kept.insert(row.name.clone(), row.fields());
        }
    }
    let bytes = table(&kept).map_err(|error| problem(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|error| problem(error.to_string()))
}

/// The rows of a table that is there, by recording; none of one with other columns.
fn kept(path: &Path, ledger: &Ledger) -> BTreeMap<String, Vec<String>> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return BTreeMap::new() };
    if !reader.headers().is_ok_and(|found| found.iter().eq(columns())) {
        return BTreeMap::new();
    }
    let rows = reader.records().flatten();
    let rows = rows.map(|row| row.iter().map(str::to_owned).collect::<Vec<_>>());
    let names: BTreeSet<&str> = ledger.names().collect();
    let known = |row: &Vec<String>| names.contains(row[0].as_str());
    rows.filter(known).map(|row| (row[0].clone(), row)).collect()
}

fn table(rows: &BTreeMap<String, Vec<String>>) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns())?;
    rows.values().try_for_each(|row| table.write_record(row))?;
    table.into_inner().map_err(|error| error.into_error().into())
}

fn columns() -> impl Iterator<Item = String> {
    let fixed = ["recording", "problem", "seconds", "frames", "faces", "changes"];
    let fixed = fixed.into_iter().chain(["changes_per_minute"]).map(str::to_owned);
    fixed.chain(labels().map(|label| format!("{}_seconds", label_name(label))))
}

fn figures(summary: &Summary) -> Vec<String> {
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    let Summary { duration, frames, faces, changes, .. } = summary;
    let rate = summary.changes_per_minute().map(|rate| format!("{rate:.2}")).unwrap_or_default();
    let fixed =
        [seconds(*duration), frames.to_string(), faces.to_string(), changes.to_string(), rate];
    fixed.into_iter().chain(labels().map(|label| seconds(summary.held(label)))).collect()
}

/// The seven emotions, and `uncertain`.
fn labels() -> impl Iterator<Item = StableLabel> {
    Emotion::ALL.into_iter().map(Some).chain([None])
}
