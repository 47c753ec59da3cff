//! The folder of a run: the names of its files, and reading them back.

mod info;
mod lock;

use std::path::{Path, PathBuf};

use fer_core::manifest::sha256_hex;

pub use self::info::{Machine, RunInfo, note};
pub use self::lock::Lock;
use crate::checkpoint::{CheckpointError, Header, Progress};
use crate::dataset::{Origin, Split};
use crate::evaluate::{Evaluation, Member};
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
/// Locked, and signed, by the process that trains.
pub const LOCK: &str = "run.lock";
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
    /// Another process trains in the folder.
    #[error(
        "`{path}` is in use: {holder} trains there; wait until it ends, or name another folder"
    )]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
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

/// Whose figures those are that lie in a run's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Of the best checkpoint, on the data that the run learnt from and selected on.
    Own,
    /// Of another checkpoint, as where the run was longer afterwards; or of several.
    OtherCheckpoint,
    /// Of the best checkpoint on other data.
    OtherData,
    /// Nobody knows: an earlier version wrote them.
    Unknown,
}

impl Standing {
    fn of(evaluation: &Evaluation, best: Option<&str>) -> Self {
        match &evaluation.models[..] {
            [Member { sha256: None, .. }] => Self::Unknown,
            [model] if model.sha256.as_deref() != best => Self::OtherCheckpoint,
            [Member { own_data: Some(true), .. }] => Self::Own,
            [_] => Self::OtherData,
            _ => Self::OtherCheckpoint,
        }
    }

    /// What figures are that are not the run's own, and what to do about it.
    pub fn remark(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::OtherCheckpoint => {
                Some("figures of another checkpoint than its best one; evaluate it again")
            }
            Self::OtherData => Some("figures on other data than it learnt from and selected on"),
            Self::Unknown => Some(
                "figures that do not say of which checkpoint and data they are, as earlier \
                 versions wrote them; evaluate it again",
            ),
        }
    }
}

/// Figures that lie in a run's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The split, and what makes the figures other than plain ones: the middle of the file's name.
    pub name: String,
    /// The figures.
    pub evaluation: Evaluation,
    /// Whose they are.
    pub standing: Standing,
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
    /// Files beside its checkpoints that cannot be read and were left out, and why, one each.
    pub damaged: Vec<String>,
}

impl Run {
    /// Reads a run's folder; of the checkpoints only their heads. What lies beside them and is damaged is
    /// left out.
    ///
    /// # Errors
    ///
    /// [`RunError`], which names the checkpoint or the folder.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let (last, best) = (folder.join(LAST), folder.join(BEST));
        if !last.is_file() {
            return Err(RunError::NoRun { path: folder.to_owned() });
        }
        let Header { progress, parameters } = Header::read(&last)?;
        let has_best = best.is_file();
        let validation = if has_best { Header::read(&best)?.progress.validation } else { None };
        let mut damaged = Vec::new();
        let best = has_best.then_some(best.as_path());
        let evaluations = evaluations(folder, best, &mut damaged)?;
        let info = RunInfo::read(folder).unwrap_or_else(|error| {
            damaged.push(error.to_string());
            None
        });
        let folder = folder.to_owned();
        Ok(Self { folder, progress, parameters, validation, evaluations, info, damaged })
    }

    /// The name that its recipe gives it.
    pub fn name(&self) -> &str {
        &self.progress.recipe.name
    }

    /// Seconds of all epochs, validation included, over all resumptions.
    pub fn training_seconds(&self) -> f64 {
        self.progress.history.iter().map(|epoch| epoch.seconds).sum()
    }

    /// The best checkpoint's plain figures on `split` of the data that it was trained on.
    pub fn evaluation(&self, split: &str) -> Option<&Evaluation> {
        let is_it = |found: &&Evaluated| found.name == split && found.standing == Standing::Own;
        self.evaluations.iter().find(is_it).map(|found| &found.evaluation)
    }

    /// The best checkpoint's plain figures on the test split of that data.
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

/// The evaluations in a folder, by name; `best` is the checkpoint that they should be of. Those that
/// cannot be read are among the `damaged`.
fn evaluations(
    folder: &Path,
    best: Option<&Path>,
    damaged: &mut Vec<String>,
) -> Result<Vec<Evaluated>, RunError> {
    let io = |source| RunError::Io { path: folder.to_owned(), source };
    let mut evaluations = Vec::new();
    let best = best.map(sha256_of).transpose()?;
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let middle = file.strip_prefix("evaluation.").and_then(|rest| rest.strip_suffix(".json"));
        let Some(name) = middle else { continue };
        match read_json(&path, "an evaluation") {
            Ok(evaluation) => {
                let standing = Standing::of(&evaluation, best.as_deref());
                evaluations.push(Evaluated { name: name.to_owned(), evaluation, standing });
            }
            Err(error) => damaged.push(error.to_string()),
        }
    }
    damaged.sort();
    evaluations.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(evaluations)
}

fn sha256_of(path: &Path) -> Result<String, RunError> {
    let bytes =
        std::fs::read(path).map_err(|source| RunError::Io { path: path.to_owned(), source })?;
    Ok(sha256_hex(&bytes))
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
