//! The folder of a run: the names of its files, and reading them back.

mod info;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use self::info::{Machine, RunInfo, note};
use crate::checkpoint::{CheckpointError, Header, Progress};
use crate::dataset::{Origin, Split};
use crate::evaluate::Evaluation;
use crate::metrics::Metrics;

/// The checkpoint after the last complete epoch.
pub const LAST: &str = "last.safetensors";
/// The averaged weights of the best epoch.
pub const BEST: &str = "best.safetensors";
/// A line an epoch.
pub const LOG: &str = "log.csv";
/// The recipe with every value written out.
pub const RECIPE: &str = "recipe.yaml";
/// What the run was done with: a [`RunInfo`].
pub const INFO: &str = "run.json";
/// The report.
pub const REPORT: &str = "report.html";

/// The file with the figures of the best checkpoint on `split`.
pub fn evaluation_file(split: &str) -> String {
    format!("evaluation.{split}.json")
}

/// Why a run's folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The folder holds no checkpoint.
    #[error(
        "`{path}` is no run: it has no `{LAST}`; expected a folder in which `train` has \
             completed an epoch"
    )]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file or the folder cannot be read or written.
    #[error("cannot read or write `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the run is not what its name says.
    #[error("`{path}` is not {expected}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
}

/// Figures that lie in a run's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The split, and what makes the figures other than plain ones: the middle of the file's name.
    pub name: String,
    /// The figures.
    pub evaluation: Evaluation,
    /// Whether the best checkpoint was written after them, so that they are another's.
    pub outdated: bool,
}

/// A run as its folder tells it, at whatever stage it is.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it is.
    pub folder: PathBuf,
    /// How far it is.
    pub progress: Progress,
    /// Values that the network learns.
    pub parameters: usize,
    /// Metrics of the best checkpoint on the validation split, without a fitted temperature.
    pub validation: Option<Metrics>,
    /// Evaluations of the best checkpoint, by name.
    pub evaluations: Vec<Evaluated>,
    /// What it was done with, where that was noted.
    pub info: Option<RunInfo>,
}

impl Run {
    /// Reads a run's folder; of the checkpoints only their heads.
    ///
    /// # Errors
    ///
    /// [`RunError`], which names the file.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let (last, best) = (folder.join(LAST), folder.join(BEST));
        if !last.is_file() {
            return Err(RunError::NoRun { path: folder.to_owned() });
        }
        let Header { progress, parameters } = Header::read(&last)?;
        let best =
            if best.is_file() { Some((Header::read(&best)?, modified(&best)?)) } else { None };
        let since = best.as_ref().map(|(_, since)| *since);
        Ok(Self {
            folder: folder.to_owned(),
            progress,
            parameters,
            validation: best.and_then(|(header, _)| header.progress.validation),
            evaluations: evaluations(folder, since)?,
            info: RunInfo::read(folder)?,
        })
    }

    /// The name that its recipe gives it.
    pub fn name(&self) -> &str {
        &self.progress.recipe.name
    }

    /// Seconds of all epochs, validation included, over all resumptions.
    pub fn training_seconds(&self) -> f64 {
        self.progress.history.iter().map(|epoch| epoch.seconds).sum()
    }

    /// Plain and current figures on `split` of the data that it was trained on.
    pub fn evaluation(&self, split: &str) -> Option<&Evaluation> {
        let data = &self.progress.data.name;
        let is_it = |found: &&Evaluated| {
            found.name == split && !found.outdated && found.evaluation.dataset == *data
        };
        self.evaluations.iter().find(is_it).map(|found| &found.evaluation)
    }

    /// Plain and current figures on the test split.
    pub fn test(&self) -> Option<&Evaluation> {
        let names = [Origin::Fer2013, Origin::Folder].map(|origin| origin.split_name(Split::Test));
        names.into_iter().find_map(|name| self.evaluation(name))
    }

    /// The best checkpoint's metrics on the validation split: from its evaluation, with a fitted
    /// temperature; where there is none, those of the run itself, without.
    pub fn validated(&self) -> Option<&Metrics> {
        let evaluation = self.evaluation(&self.progress.data.validation);
        evaluation.map(|evaluation| &evaluation.whole).or(self.validation.as_ref())
    }
}

/// The evaluations in a folder, by name.
fn evaluations(folder: &Path, since: Option<SystemTime>) -> Result<Vec<Evaluated>, RunError> {
    let io = |source| RunError::Io { path: folder.to_owned(), source };
    let mut evaluations = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let middle = file.strip_prefix("evaluation.").and_then(|rest| rest.strip_suffix(".json"));
        if let Some(name) = middle {
            let written = modified(&path)?;
            evaluations.push(Evaluated {
                name: name.to_owned(),
                evaluation: read_json(&path, "an evaluation")?,
                outdated: since.is_some_and(|since| written < since),
            });
        }
    }
    evaluations.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(evaluations)
}

fn modified(path: &Path) -> Result<SystemTime, RunError> {
    let metadata = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    metadata.map_err(|source| RunError::Io { path: path.to_owned(), source })
}

fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
    expected: &'static str,
) -> Result<T, RunError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| RunError::Io { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| RunError::Json {
        path: path.to_owned(),
        expected,
        source,
    })
}
