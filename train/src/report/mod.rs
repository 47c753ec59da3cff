//! The report of a run: one HTML file that needs nothing else.

mod figures;
mod mistakes;
pub(crate) mod page;
mod training;

use std::path::{Path, PathBuf};

use maud::{Markup, html};

pub use self::mistakes::{Mistake, worst_mistakes};
use self::page::{card, duration, page};
use crate::chart::ChartError;
use crate::dataset::{Dataset, Split};
use crate::evaluate::{EvaluateError, ScoreError, Scored, evaluate, whole};
use crate::files::{write_atomically, write_json};
use crate::run::{BEST, REPORT, Run, RunError, evaluation_file};

/// Mistakes that are shown.
const MISTAKES: usize = 40;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The best checkpoint cannot be scored.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The data are not the run's.
    #[error(
        "`{folder}` learnt from and selected on other images than these of `{name}`; expected its \
         own data; `fer-train evaluate` scores it on others"
    )]
    OtherData {
        /// The run.
        folder: PathBuf,
        /// The name of the data that were given.
        name: String,
    },
    /// Its answers cannot be had.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// An image cannot be written as PNG.
    #[error("cannot show a mistake: {0}")]
    Image(#[from] image::ImageError),
    /// The recipe cannot be put into YAML.
    #[error("cannot show the recipe: {0}")]
    Recipe(#[from] serde_yaml::Error),
    /// A file cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Writes the report of the run in `folder`; returns its path.
///
/// With a data set, the best checkpoint is scored on the validation split first: the figures go
/// beside it, and its worst mistakes into the report.
///
/// # Errors
///
/// [`ReportError`].
pub fn create(folder: &Path, dataset: Option<&Dataset>) -> Result<PathBuf, ReportError> {
    let mistakes = match dataset {
        Some(dataset) => score(folder, dataset)?,
        None => Vec::new(),
    };
    write(&Run::open(folder)?, &mistakes)
}

/// Scores the best checkpoint on the validation split; writes its figures and returns its worst
/// mistakes.
fn score(folder: &Path, dataset: &Dataset) -> Result<Vec<Mistake>, ReportError> {
    let mut scored = Scored::open(&folder.join(BEST))?;
    if scored.is_of(dataset) == Some(false) {
        let (folder, name) = (folder.to_owned(), dataset.name.clone());
        return Err(ReportError::OtherData { folder, name });
    }
    let evaluation = evaluate(&mut scored, dataset, Split::Validation)?;
    let path = folder.join(evaluation_file(&evaluation.split));
    write_json(&path, &evaluation).map_err(|source| ReportError::Io { path, source })?;
    let images = dataset.images(Split::Validation);
    let rows = scored.probabilities(images, &dataset.classes, &mut whole)?;
    Ok(worst_mistakes(&rows, images, MISTAKES)?)
}

/// Writes the report of a run into its folder; returns its path. `mistakes` are those of its best
/// checkpoint on the validation split; without any that section says how to get them.
///
/// # Errors
///
/// [`ReportError`].
pub fn write(run: &Run, mistakes: &[Mistake]) -> Result<PathBuf, ReportError> {
    let path = run.folder.join(REPORT);
    let text = html(run, mistakes)?;
    match write_atomically(&path, text.as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(ReportError::Io { path, source }),
    }
}

/// The report as HTML.
fn html(run: &Run, mistakes: &[Mistake]) -> Result<String, ReportError> {
    let progress = &run.progress;
    let body = html! {
        h1 { (run.name()) }
        p.faint { (subtitle(run)) }
        @for damaged in &run.damaged { p.note { "Left out: " (damaged) "." } }
        (headline(run))
        h2 { "Learning curves" }
        (training::curves(run)?)
        (evaluations(run)?)
        h2 { "Worst mistakes on " (progress.data.validation) }
        @if mistakes.is_empty() {
            p.faint { "Not drawn: `fer-train report RUN --data DATA` adds them." }
        } @else {
            p.faint { "The images that the best checkpoint gets wrong while it is most sure: truth → prediction, and how probable it finds that." }
            (mistakes::grid(mistakes, &progress.classes))
        }
        h2 { "Data" }
        (training::data(run)?)
        h2 { "Recipe" }
        (training::recipe(run)?)
        h2 { "Versions, time and machine" }
        (training::machine(run))
    };
    Ok(page(&format!("{}: report", run.name()), false, &body))
}

fn subtitle(run: &Run) -> String {
    let progress = &run.progress;
    let epochs = progress.recipe.optimiser.epochs;
    let state = match progress.epochs_done {
        done if progress.stopped => format!("ended early after {done} of {epochs} epochs"),
        done if done < epochs => format!("{done} of {epochs} epochs so far"),
        done => format!("{done} epochs"),
    };
    format!("seed {}, {state}, trained on {}", progress.recipe.seed, progress.data.name)
}

/// The figures that one looks for first.
fn headline(run: &Run) -> Markup {
    let validation = run.progress.data.validation.as_str();
    let figure = |value: f64| format!("{value:.3}");
    let calibration = if run.evaluation(validation).is_some() { "" } else { ", uncalibrated" };
    html! {
        div.cards {
            @if let Some(metrics) = run.validated() {
                (card(figure(metrics.accuracy), &format!("accuracy on {validation}")))
                (card(figure(metrics.macro_f1()), &format!("macro-F1 on {validation}")))
                (card(figure(metrics.ece), &format!("ECE on {validation}{calibration}")))
            }
            @if let Some(test) = run.test() {
                (card(figure(test.whole.accuracy), &format!("accuracy on {}", test.split)))
                (card(figure(test.whole.macro_f1()), &format!("macro-F1 on {}", test.split)))
            }
            @if let Some((_, epoch)) = run.progress.best { (card(epoch, "best epoch")) }
            (card(crate::chart::grouped(run.parameters), "parameters"))
            (card(duration(run.training_seconds()), "training time"))
        }
    }
}

/// A section for each evaluation; the best checkpoint's own figures where the validation split has
/// none.
fn evaluations(run: &Run) -> Result<Markup, ReportError> {
    let validation = &run.progress.data.validation;
    let own = run.validation.as_ref().filter(|_| run.evaluation(validation).is_none());
    Ok(html! {
        @if let Some(metrics) = own {
            h2 { "On " (validation) ", the validation split" }
            (figures::section(metrics, None)?)
        }
        @for found in &run.evaluations {
            h2 { "On " (found.name) " (" (found.evaluation.dataset) ")" }
            @if let Some(remark) = found.standing.remark() { p.note { "These are " (remark) "." } }
            (figures::section(&found.evaluation.whole, found.evaluation.without_twins.as_ref())?)
        }
    })
}
