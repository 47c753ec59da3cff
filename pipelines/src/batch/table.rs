//! What all recordings come to, a row each.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use fer_core::emotion::{Emotion, label_name};

use super::{BatchError, Recording};
use crate::files::write_atomically;
use crate::integrity;
use crate::recording::{RecordingError, Summary};

/// One recording's row.
pub(super) struct Row {
    name: String,
    problem: Option<String>,
    summary: Option<Summary>,
}

impl Row {
    /// The row of a recording that has failed for a reason, is done, or was not taken up.
    pub(super) fn of(recording: &Recording, failed: Option<&str>) -> Self {
        let summary = match failed {
            Some(reason) => Err(reason.to_owned()),
            None if recording.is_done() => summary(&recording.lines),
            None => Err("not done yet".to_owned()),
        };
        let (problem, summary) = match summary {
            // Asked of the recording, so that a batch that goes on says what an unbroken one does.
            Ok(summary) => (flaw(recording), Some(summary)),
            Err(problem) => (Some(problem), None),
        };
        Self { name: recording.name.clone(), problem, summary }
    }

    /// What is missing of a recording that is done.
    pub(super) fn flaw(&self) -> Option<(String, String)> {
        self.summary.as_ref()?;
        Some((self.name.clone(), self.problem.clone()?))
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

/// Writes the table as CSV, whole or not at all.
pub(super) fn write(path: &Path, rows: &[Row]) -> Result<(), BatchError> {
    let problem = |reason: String| BatchError::Folder { path: path.to_owned(), reason };
    let bytes = table(rows).map_err(|error| problem(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|error| problem(error.to_string()))
}

fn table(rows: &[Row]) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let seconds = labels().map(|label| format!("{}_seconds", label_name(label)));
    let fixed = ["recording", "problem", "seconds", "frames", "faces", "changes"];
    let fixed = fixed.into_iter().chain(["changes_per_minute"]).map(str::to_owned);
    table.write_record(fixed.chain(seconds))?;
    for Row { name, problem, summary } in rows {
        let none = || vec![String::new(); 5 + labels().count()];
        let figures = summary.as_ref().map_or_else(none, figures);
        let start = [name.clone(), problem.clone().unwrap_or_default()];
        table.write_record(start.into_iter().chain(figures))?;
    }
    table.into_inner().map_err(|error| error.into_error().into())
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
fn labels() -> impl Iterator<Item = Option<Emotion>> {
    Emotion::ALL.into_iter().map(Some).chain([None])
}
