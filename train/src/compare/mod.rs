//! Runs side by side: one table and one chart, mean ± standard deviation over seeds, and published
//! figures beside them.

mod group;
mod reference;
mod table;

use std::path::PathBuf;

use maud::html;
use serde::Serialize;

pub use self::group::{Group, Scores};
pub use self::reference::{Reference, read_references};
use crate::chart::{self, ChartError};
use crate::checkpoint::{DataSummary, Progress};
use crate::classes::Classes;
use crate::report::page;
use crate::run::{Run, Standing};

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There is nothing to compare.
    #[error("no run to compare; expected the folder of at least one")]
    None,
    /// The runs tell different classes apart; all are listed.
    #[error(
        "the runs have different classes; expected the same of all:\n  {}",
        .0.join("\n  ")
    )]
    Classes(Vec<String>),
    /// The file of published figures cannot be read.
    #[error("cannot read the reference `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not YAML of its schema; the message has line and column.
    #[error("the reference `{path}` is not valid: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_yaml::Error,
    },
    /// Its values make no sense; all are listed.
    #[error("the reference `{path}` has values that cannot be:\n  {}", .problems.join("\n  "))]
    Values {
        /// The file.
        path: PathBuf,
        /// One line a value.
        problems: Vec<String>,
    },
}

/// Runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What all runs tell apart.
    pub classes: Classes,
    /// The runs, those that differ only in their seed as one.
    pub runs: Vec<Group>,
    /// Published figures.
    pub references: Vec<Reference>,
    /// What a reader must know to compare rightly.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares runs with each other, in the order given, and with published figures.
    ///
    /// # Errors
    ///
    /// [`CompareError::None`] or [`CompareError::Classes`].
    pub fn of(runs: &[Run], references: Vec<Reference>) -> Result<Self, CompareError> {
        let first = runs.first().ok_or(CompareError::None)?;
        let classes = first.progress.classes.clone();
        if runs.iter().any(|run| run.progress.classes != classes) {
            let line = |run: &Run| {
                let names = run.progress.classes.names().join(", ");
                format!("`{}`: {names}", run.folder.display())
            };
            return Err(CompareError::Classes(runs.iter().map(line).collect()));
        }
        Ok(Self { classes, notes: notes(runs), runs: group::groups(runs), references })
    }

    /// The table as Markdown, with its notes.
    pub fn markdown(&self) -> String {
        let mut text = table::markdown(&table::lines(self));
        for note in &self.notes {
            text += &format!("\n{note}\n");
        }
        text
    }

    /// Macro-F1 and accuracy of each line of the table, as SVG; means where there are several seeds.
    ///
    /// # Errors
    ///
    /// [`ChartError`].
    pub fn chart(&self) -> Result<String, ChartError> {
        let bars = table::bars(self);
        let labels: Vec<String> = bars.iter().map(|bar| bar.label.clone()).collect();
        let series = [
            ("macro-F1".to_owned(), bars.iter().map(|bar| bar.macro_f1).collect()),
            ("accuracy".to_owned(), bars.iter().map(|bar| bar.accuracy).collect()),
        ];
        chart::bars("Macro-F1 and accuracy", &labels, &series)
    }

    /// Table and chart as one HTML file that needs nothing else.
    ///
    /// # Errors
    ///
    /// [`ChartError`].
    pub fn html(&self) -> Result<String, ChartError> {
        let chart = self.chart()?;
        let body = html! {
            h1 { "Comparison of runs" }
            div style="width: fit-content; margin: 16px 0" {
                (page::chart(&chart, "macro-F1 and accuracy of each run"))
            }
            div.box.scroll { (table::html(&table::lines(self))) }
            @for note in &self.notes { p.note { (note) } }
            @if !self.references.is_empty() {
                h2 { "Sources of the published figures" }
                dl.box {
                    @for reference in &self.references {
                        dt { (reference.name) } dd { (reference.source) }
                    }
                }
            }
        };
        Ok(page::page("Comparison of runs", true, &body))
    }
}

/// What a reader must know: figures that are not there yet, not current, or not of the same data.
fn notes(runs: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let damaged = runs.iter().flat_map(|run| &run.damaged);
    notes.extend(damaged.map(|damaged| format!("Left out: {damaged}.")));
    let mut named = |what: &str, is: &dyn Fn(&Run) -> bool| {
        let names: Vec<String> = runs
            .iter()
            .filter(|run| is(run))
            .map(|run| format!("`{}`", run.folder.display()))
            .collect();
        if !names.is_empty() {
            notes.push(format!("{what}: {}.", names.join(", ")));
        }
    };
    named("Not finished yet", &|run| {
        !run.progress.stopped && run.progress.epochs_done < run.progress.recipe.optimiser.epochs
    });
    for standing in [Standing::OtherCheckpoint, Standing::OtherData, Standing::Unknown] {
        let has = |run: &Run| run.evaluations.iter().any(|found| found.standing == standing);
        named(&format!("Left out are {}", standing.remark().unwrap_or_default()), &has);
    }
    named(
        "Not evaluated on its validation split, so that NLL and ECE there are uncalibrated",
        &|run| run.validation.is_some() && run.evaluation(&run.progress.data.validation).is_none(),
    );
    let is_other = |run: &Run| run.progress.data.sha256 != runs[0].progress.data.sha256;
    named(
        "Trained on labels softened by votes where the first run's are not, or the other way round",
        &|run| is_other(run) && differ_by_votes(run, &runs[0]),
    );
    named(
        "Trained or selected on other images than the first run, so that validation figures may \
         not be comparable",
        &|run| is_other(run) && !differ_by_votes(run, &runs[0]),
    );
    let test = |run: &Run| run.test().and_then(|evaluation| evaluation.split_sha256.clone());
    let first = runs.iter().find_map(test);
    named("Scored on other test images than the first run that was", &|run| {
        test(run).is_some() && test(run) != first
    });
    notes
}

/// Whether one of two runs learnt from votes too, which are part of what is hashed, and all that is
/// known of their images is the same.
fn differ_by_votes(a: &Run, b: &Run) -> bool {
    let [a, b] = [a, b].map(|run| &run.progress);
    let softened = |progress: &Progress| progress.recipe.data.ferplus > 0.0;
    let known = |progress: &Progress| DataSummary {
        sha256: String::new(),
        synthetic: 0,
        ..progress.data.clone()
    };
    softened(a) != softened(b) && known(a) == known(b)
}
