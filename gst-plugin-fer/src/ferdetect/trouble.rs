//! What the user is told of, although the video goes on.

use std::collections::BTreeSet;

/// Kinds of problems, of which one does not hide another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Orientation,
    /// Settings that are not accepted.
    Settings,
    /// A detector or a network fails.
    Analysis,
    /// A picture of `save-faces` cannot be written.
    Saving,
    /// A frame cannot be kept for the analysis in the background.
    Memory,
    /// Metadata cannot be attached.
    Metadata,
    Drawing,
}

/// A problem, in a sentence for the user.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) trouble: Trouble,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(trouble: Trouble, text: impl ToString) -> Self {
        Self { trouble, text: text.to_string() }
    }
}

/// What has been told of since the start: one warning, not one a frame.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<Trouble>);

impl Told {
    /// Whether a problem is to be told of now, which it is then. Settings that are refused are a problem
    /// once only anyway, and the next ones another problem.
    pub(super) fn is_due(&mut self, trouble: Trouble) -> bool {
        self.0.insert(trouble) || trouble == Trouble::Settings
    }

    /// What was the matter has changed.
    pub(super) fn forget(&mut self, trouble: Trouble) {
        self.0.remove(&trouble);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
