//! What this machine has of all that is needed, and how to mend what it lacks.

mod cameras;
mod elements;
mod parts;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Something that not everybody needs is missing.
    Warning,
    /// Nothing works without it.
    Failed,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Ok, found: found.into(), mend: None }
    }

    fn warning(name: &str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        let mend = Some(mend.into());
        Self { name: name.to_owned(), state: State::Warning, found: found.into(), mend }
    }

    fn failed(name: &str, found: impl Into<String>, mend: Option<String>) -> Self {
        Self { name: name.to_owned(), state: State::Failed, found: found.into(), mend }
    }
}

/// Looks at everything. GStreamer must have been initialised and `ferdetect` registered.
pub fn examine() -> Vec<Check> {
    let mut checks = vec![elements::version()];
    checks.extend(elements::elements());
    checks.push(elements::encoder());
    checks.extend(parts::parts());
    checks.extend(cameras::cameras());
    checks.push(elements::display());
    checks
}
