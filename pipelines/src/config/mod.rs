//! The pipeline file language: YAML in, checked streams out.
//!
//! A file goes through three stages: `document` reads YAML and remembers where everything stands,
//! the JSON Schema of `schema` finds everything that is wrong with it at once, and `check` what
//! no schema can say. What is left is a [`PipelineFile`].

mod analysis;
mod check;
mod document;
mod faces;
mod files;
mod output;
mod pattern;
mod problem;
mod restream;
mod schema;
mod secret;
mod source;
mod stream;
mod substitute;
mod units;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::document::Document;
pub use self::faces::{Faces, Folders, Keep, PictureFormat};
pub use self::files::Files;
pub use self::output::{
    Encoder, Existing, Fragment, Json, Output, Overlay, Rotate, Snapshot, Video, Window,
};
pub(crate) use self::pattern::{LITERALLY, name_at};
pub use self::problem::{Place, Problem};
pub use self::restream::{Hls, Restream};
pub use self::schema::json_schema;
pub use self::secret::{Secret, without_password, without_passwords};
pub use self::source::{File, Http, Pattern, Reconnect, Rtsp, Source, Test, Transport, Webcam};
pub use self::stream::{Defaults, PipelineFile, Stream};
pub use self::units::{Amount, Span};

/// A pipeline file is not larger than this: one that is holds something else.
const LARGEST: u64 = 1 << 20;

const A_RECORDING: &str = " (a recording? `fer annotate` takes those)";

/// Why a pipeline file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no text of a sensible size.
    #[error("{path}: {reason}; expected UTF-8 text of at most {LARGEST} bytes")]
    Text {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// Everything that is wrong with it, in the order of the file.
    #[error("{}", lines(path, problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| problem.in_file(path);
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl PipelineFile {
    /// Reads a pipeline file; `sets` are changes of the form `key.path=value`, and `environment`
    /// gives variables.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]; of the problems in the file, all are reported.
    pub fn load(
        path: &Path,
        sets: &[String],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?, sets, environment)
            .map_err(|problems| ConfigError::Problems { path: path.to_owned(), problems })
    }

    /// Reads the text of a pipeline file.
    ///
    /// # Errors
    ///
    /// All problems.
    pub fn parse(
        text: &str,
        sets: &[String],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut document = Document::parse(text, sets, environment)?;
        let schema = json_schema();
        problem::validate(&mut document, &schema)?;
        let value: Value = document.value.clone();
        // The schema is made from these very types.
        let mut file: Self = serde_json::from_value(value)
            .map_err(|error| vec![Problem::at(document.place(""), "", error.to_string())])?;
        let problems = check::problems(&file, &document);
        if !problems.is_empty() {
            return Err(problems);
        }
        file.share_defaults();
        Ok(file)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let io = |source| ConfigError::Io { path: path.to_owned(), source };
    let text = |reason: String| ConfigError::Text { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > LARGEST {
        return Err(text(format!("it has {length} bytes{A_RECORDING}")));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    String::from_utf8(bytes).map_err(|error| {
        let reason = error.utf8_error();
        text(format!("{reason}{A_RECORDING}"))
    })
}
