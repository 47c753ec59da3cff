//! Scores checkpoints, and any ONNX files with a manifest, alone or as an ensemble.

mod adjustment;
mod calibration;
mod coverage;
mod degradation;
mod ferplus;
mod jitter;
mod names;
mod outputs;
mod record;
mod scored;
mod scoring;
mod speed;
mod text;
mod view;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::adjustment::adjust;
pub use self::calibration::{Calibration, Uncalibrated};
pub use self::coverage::{Kept, coverage};
pub use self::degradation::Degraded;
pub use self::ferplus::FerPlus;
pub use self::jitter::{Jitter, JitterLevel, JitterOptions};
use self::names::names;
pub(crate) use self::outputs::batches;
pub use self::outputs::{checkpoint_logits, raw_outputs};
pub use self::record::json_path;
pub use self::scored::{
    ScoreError, Scored, averaged_model, classes_of, learnt_from, single_thread,
};
use self::scoring::Scoring;
pub use self::speed::{Speed, speed, time};
pub use self::view::{Framing, Placement, Tta, View, whole};
use crate::classes::Classes;
use crate::dataset::{Dataset, Split};
use crate::metrics::{Distributions, Metrics};
use crate::training::images_sha256;

/// What can stop an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The model cannot be opened or run.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The model card has no place for the figures.
    #[error(
        "the model card has no place for the figures; expected the lines `{}` and `{}`",
        begin.trim_end(),
        end.trim_end()
    )]
    Card {
        /// The line before the place.
        begin: String,
        /// The line after it.
        end: String,
    },
    /// The figures are not those of the model in use.
    #[error(
        "figures with test-time augmentation or logit adjustment are not what the model gives in \
         use; a manifest's metrics need an evaluation without"
    )]
    NotPlain,
    /// The split has no rows.
    #[error("the data set has no {0} images to score; expected at least one")]
    Empty(&'static str),
    /// Nobody knows what to divide by.
    #[error(
        "logit adjustment needs to know how frequent each class was in what `{path}` learnt, and its \
         manifest has no `output.prior`; expected one, as `export` writes it, or a checkpoint"
    )]
    Frequencies {
        /// The model.
        path: PathBuf,
    },
    /// The strength of logit adjustment makes no sense.
    #[error("logit adjustment by {0}; expected a finite number, 0 or above")]
    Adjustment(f64),
    /// Too few repetitions for a standard deviation.
    #[error("box jitter with {0} repetitions; expected at least 2")]
    Repetitions(usize),
    /// One model is no ensemble.
    #[error("an ensemble of {0}; expected at least two models")]
    TooFew(usize),
    /// The members of an ensemble tell other classes apart; all are listed.
    #[error(
        "the models have different classes; expected the same of all:\n  {}",
        .0.join("\n  ")
    )]
    Members(Vec<String>),
    /// There is not one usable weight a member.
    #[error("weights {weights:?} for {members} models; expected a finite number above 0 for each")]
    Weights {
        /// As they were given.
        weights: Vec<f64>,
        /// How many models there are.
        members: usize,
    },
}

/// What is scored, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The split that is scored.
    pub split: Split,
    /// Which views of an image count.
    pub tta: Tta,
    /// τ of the post-hoc adjustment to classes of unequal size, 0 or above; none if not given.
    pub logit_adjustment: Option<f64>,
    /// Whether figures under box jitter are wanted too.
    pub jitter: Option<JitterOptions>,
    /// Whether figures on degraded images are wanted too.
    pub degraded: bool,
}

impl Options {
    /// Whether the figures are what the model gives in use: one view, no adjustment.
    pub fn is_plain(&self) -> bool {
        self.tta == Tta::None && self.logit_adjustment.is_none()
    }
}

impl From<Split> for Options {
    /// The plain figures of a split.
    fn from(split: Split) -> Self {
        Self { split, tta: Tta::None, logit_adjustment: None, jitter: None, degraded: false }
    }
}

/// Something of all images, and of those that are not pixel-identical to a training image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Both<T> {
    /// Of all images.
    pub whole: T,
    /// Of those without a twin; `None` where every image has one.
    pub without_twins: Option<T>,
}

impl<T> Both<T> {
    fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Both<U> {
        Both { whole: of(&self.whole), without_twins: self.without_twins.as_ref().map(of) }
    }
}

/// One of the models that answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Name of its file; of several, with the folders in which they differ.
    pub file: String,
    /// SHA-256 of the checkpoint or the ONNX file; earlier versions did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether a checkpoint's run learnt from this data set and selected on it, where that is known
    /// ([`Scored::is_of`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_data: Option<bool>,
    /// How much it counts in the mean; all weights sum to 1.
    pub weight: f64,
    /// The temperature its probabilities have.
    pub calibration: Calibration,
    /// Fraction of all images that it alone gets right.
    pub accuracy: f64,
    /// Mean of the classes' F1 of it alone.
    pub macro_f1: f64,
}

/// Figures of one model, or an ensemble, on one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model, or the members of the ensemble.
    pub models: Vec<Member>,
    /// The data set's name.
    pub dataset: String,
    /// The split's name.
    pub split: String,
    /// SHA-256 of the split's images and labels; earlier versions did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_sha256: Option<String>,
    /// Which views of each image were averaged.
    pub tta: Tta,
    /// τ of the logit adjustment.
    pub logit_adjustment: Option<f64>,
    /// All images.
    pub whole: Metrics,
    /// Without those that are pixel-identical to a training image; `None` where all are.
    pub without_twins: Option<Metrics>,
    /// What the figures were before a temperature was fitted.
    pub uncalibrated: Option<Both<Uncalibrated>>,
    /// What is kept at thresholds on the top probability.
    pub coverage: Both<Vec<Kept>>,
    /// Against FER+ votes, where the data set has them.
    pub ferplus: Option<Both<FerPlus>>,
    /// Under box jitter, where it was asked for.
    pub jitter: Option<Jitter>,
    /// On degraded images, where it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<Degraded>,
}

/// Scores a model on a split, whole and without the images that have a twin in Training.
///
/// A checkpoint gets a temperature fitted on the validation split, if there are images in it.
///
/// # Errors
///
/// [`EvaluateError`].
pub fn evaluate(
    scored: &mut Scored,
    dataset: &Dataset,
    options: impl Into<Options>,
) -> Result<Evaluation, EvaluateError> {
    mean_of(std::slice::from_mut(scored), &[1.0], dataset, &options.into())
}

/// Scores an ensemble as [`evaluate`] does a model: the mean of its members' probabilities, each
/// calibrated by itself. `weights`, one a member, say how much each counts.
///
/// # Errors
///
/// [`EvaluateError`].
pub fn ensemble(
    members: &mut [Scored],
    weights: &[f64],
    dataset: &Dataset,
    options: impl Into<Options>,
) -> Result<Evaluation, EvaluateError> {
    if members.len() < 2 {
        return Err(EvaluateError::TooFew(members.len()));
    }
    let usable = |weight: &f64| weight.is_finite() && *weight > 0.0;
    if weights.len() != members.len() || !weights.iter().all(usable) {
        return Err(EvaluateError::Weights { weights: weights.to_vec(), members: members.len() });
    }
    agree(members)?;
    let total: f64 = weights.iter().sum();
    let weights: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    mean_of(members, &weights, dataset, &options.into())
}

/// Whether all models tell the same classes apart.
///
/// # Errors
///
/// [`EvaluateError::Members`] with the classes of each.
pub fn agree(members: &[Scored]) -> Result<(), EvaluateError> {
    let classes: Vec<_> = members.iter().map(Scored::classes).collect();
    if classes.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    let line = |(member, classes): (&Scored, &Classes)| {
        format!("`{}`: {}", member.path().display(), classes.names().join(", "))
    };
    Err(EvaluateError::Members(members.iter().zip(&classes).map(line).collect()))
}

impl Evaluation {
    /// Models that learnt from other data than the images were taken from, so that some of these
    /// may have been among what they learnt from.
    pub fn strangers(&self) -> impl Iterator<Item = &Member> {
        self.models.iter().filter(|model| model.own_data == Some(false))
    }
}

fn mean_of(
    members: &mut [Scored],
    weights: &[f64],
    dataset: &Dataset,
    options: &Options,
) -> Result<Evaluation, EvaluateError> {
    let scoring = Scoring::new(dataset, options)?;
    members.iter().try_for_each(|member| member.check(&dataset.classes))?;
    let scoring = scoring.of_models(members, weights)?;
    let (mut models, mut answers, mut before) = (Vec::new(), Vec::new(), None);
    let names = names(&members.iter().map(Scored::path).collect::<Vec<_>>());
    for ((member, &weight), name) in members.iter_mut().zip(weights).zip(names) {
        let answer = scoring.answer(member)?;
        models.push(scoring.member(member, name, weight, &answer.calibrated));
        answers.push(answer.calibrated);
        before = answer.uncalibrated;
    }
    let rows = scoring.adjusted(Distributions::mean(&answers, weights));
    let Both { whole, without_twins } = scoring.metrics(&rows);
    // A mean over several temperatures has no one figure before them.
    let before = before.filter(|_| models.len() == 1);
    Ok(Evaluation {
        models,
        dataset: dataset.name.clone(),
        split: dataset.split_name(options.split).to_owned(),
        split_sha256: Some(images_sha256(&[dataset.images(options.split)], false)),
        tta: options.tta,
        logit_adjustment: options.logit_adjustment,
        whole,
        without_twins,
        uncalibrated: before.map(|rows| scoring.metrics(&scoring.adjusted(rows)).into()),
        coverage: scoring.coverage(&rows),
        ferplus: scoring.ferplus(&rows),
        jitter: scoring.jitter(members, weights)?,
        degraded: scoring.degraded(members, weights)?,
    })
}
