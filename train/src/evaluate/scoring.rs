//! One split as it is scored: what a model answers on it, and the figures of the answers.

use fer_core::geometry::Rect;

use super::adjustment::adjust;
use super::{
    Both, Calibration, Degraded, EvaluateError, FerPlus, Jitter, Kept, Member, Options, Placement,
    ScoreError, Scored, Tta, coverage, whole,
};
use crate::dataset::{Dataset, Images, Split};
use crate::metrics::{Distributions, Metrics};

/// What a model answers: a distribution an image.
pub(super) struct Answer {
    pub(super) calibrated: Distributions,
    /// At temperature 1, where another was fitted.
    pub(super) uncalibrated: Option<Distributions>,
}

/// A split, its labels, and how it is scored.
pub(super) struct Scoring<'a> {
    dataset: &'a Dataset,
    options: &'a Options,
    images: &'a Images,
    indices: Both<Vec<usize>>,
    labels: Both<Vec<usize>>,
    /// How frequent each class was in what the models learnt, the mean of them by their weights;
    /// where the options ask for it.
    frequencies: Option<Vec<f64>>,
}

impl<'a> Scoring<'a> {
    pub(super) fn new(dataset: &'a Dataset, options: &'a Options) -> Result<Self, EvaluateError> {
        let images = dataset.images(options.split);
        if images.is_empty() {
            return Err(EvaluateError::Empty(dataset.split_name(options.split)));
        }
        let is_usable = |tau: &f64| tau.is_finite() && *tau >= 0.0;
        if let Some(tau) = options.logit_adjustment.filter(|tau| !is_usable(tau)) {
            return Err(EvaluateError::Adjustment(tau));
        }
        if let Some(jitter) = options.jitter.filter(|jitter| jitter.repetitions < 2) {
            return Err(EvaluateError::Repetitions(jitter.repetitions));
        }
        let without_twins = dataset.indices_without_training_twins(options.split);
        let indices = Both {
            whole: (0..images.len()).collect(),
            without_twins: Some(without_twins).filter(|indices| !indices.is_empty()),
        };
        let labels = indices.map(|indices: &Vec<usize>| {
            indices.iter().map(|&index| images.labels()[index]).collect()
        });
        Ok(Self { dataset, options, images, indices, labels, frequencies: None })
    }

    /// Runs a model once over the views of the split, and over the validation split where its
    /// temperature has to be fitted on images that it has not seen yet.
    pub(super) fn answer(&self, scored: &mut Scored) -> Result<Answer, ScoreError> {
        let views = self.options.tta.views();
        let outputs = views
            .iter()
            .map(|view| scored.outputs(self.images, &mut |_, area| view.of(area)))
            .collect::<Result<Vec<_>, _>>()?;
        self.calibrate(scored, &outputs)?;
        let weights = vec![1.0; outputs.len()];
        let mean = |scored: &Scored| {
            let of_view = |output: &Vec<f32>| scored.distributions(output, &self.dataset.classes);
            let of_views = outputs.iter().map(of_view).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, ScoreError>(Distributions::mean(&of_views, &weights))
        };
        let calibrated = mean(scored)?;
        let uncalibrated = matches!(scored.calibration(), Calibration::Fitted { .. }).then(|| {
            let of_view = |logits: &Vec<f32>| {
                Distributions::of_logits(logits, self.dataset.classes.len(), 1.0)
            };
            Distributions::mean(&outputs.iter().map(of_view).collect::<Vec<_>>(), &weights)
        });
        Ok(Answer { calibrated, uncalibrated })
    }

    /// Fits a checkpoint's temperature on the validation images, each seen once and whole.
    fn calibrate(&self, scored: &mut Scored, outputs: &[Vec<f32>]) -> Result<(), ScoreError> {
        let validation = &self.dataset.validation;
        if !matches!(scored, Scored::Checkpoint { .. }) || validation.is_empty() {
            return Ok(());
        }
        let name = self.dataset.split_name(Split::Validation);
        if let (Split::Validation, Tta::None, [logits]) =
            (self.options.split, self.options.tta, outputs)
        {
            scored.calibrate(logits, validation.labels(), name);
        } else {
            let logits = scored.outputs(validation, &mut whole)?;
            scored.calibrate(&logits, validation.labels(), name);
        }
        Ok(())
    }

    /// With what these models learnt of the classes' frequencies, where the options ask for it.
    pub(super) fn of_models(
        mut self,
        members: &[Scored],
        weights: &[f64],
    ) -> Result<Self, EvaluateError> {
        if self.options.logit_adjustment.is_none() {
            return Ok(self);
        }
        let mut mean = vec![0.0; self.dataset.classes.len()];
        for (member, weight) in members.iter().zip(weights) {
            let unknown = || EvaluateError::Frequencies { path: member.path().to_owned() };
            let own = member.frequencies(&self.dataset.classes).ok_or_else(unknown)?;
            mean.iter_mut().zip(own).for_each(|(sum, share)| *sum += weight * share);
        }
        self.frequencies = Some(mean);
        Ok(self)
    }

    /// The answers after logit adjustment, if it was asked for.
    pub(super) fn adjusted(&self, rows: Distributions) -> Distributions {
        self.adjusted_by(rows, self.frequencies.as_deref())
    }

    fn adjusted_by(&self, rows: Distributions, frequencies: Option<&[f64]>) -> Distributions {
        match (self.options.logit_adjustment, frequencies) {
            (Some(tau), Some(frequencies)) => adjust(&rows, tau, frequencies),
            _ => rows,
        }
    }

    pub(super) fn metrics(&self, rows: &Distributions) -> Both<Metrics> {
        let classes = &self.dataset.classes;
        self.of_both(rows, |rows, labels| Metrics::new(rows, labels, classes))
    }

    pub(super) fn coverage(&self, rows: &Distributions) -> Both<Vec<Kept>> {
        self.of_both(rows, coverage)
    }

    /// Something of the answers and labels of all images, and of those without a twin.
    fn of_both<T>(
        &self,
        rows: &Distributions,
        of: impl Fn(&Distributions, &[usize]) -> T,
    ) -> Both<T> {
        let parts = self.indices.without_twins.as_ref().zip(self.labels.without_twins.as_ref());
        Both {
            whole: of(rows, &self.labels.whole),
            without_twins: parts.map(|(indices, labels)| of(&rows.select(indices), labels)),
        }
    }

    pub(super) fn ferplus(&self, rows: &Distributions) -> Option<Both<FerPlus>> {
        let votes = self.images.votes()?;
        let classes = &self.dataset.classes;
        Some(self.indices.map(|indices| FerPlus::new(rows, votes, indices, classes)))
    }

    /// The line of one model, which is called `file`, given its own answers.
    pub(super) fn member(
        &self,
        scored: &Scored,
        file: String,
        weight: f64,
        rows: &Distributions,
    ) -> Member {
        let own = scored.frequencies(&self.dataset.classes);
        let metrics = self.metrics(&self.adjusted_by(rows.clone(), own.as_deref())).whole;
        Member {
            file,
            sha256: Some(scored.sha256().to_owned()),
            own_data: scored.is_of(self.dataset),
            weight,
            calibration: scored.calibration(),
            accuracy: metrics.accuracy,
            macro_f1: metrics.macro_f1(),
        }
    }

    /// Figures under box jitter, if they were asked for. All members see the same boxes, each in
    /// all views.
    pub(super) fn jitter(
        &self,
        members: &mut [Scored],
        weights: &[f64],
    ) -> Result<Option<Jitter>, ScoreError> {
        let Some(options) = self.options.jitter else { return Ok(None) };
        let score =
            |boxes: &[Rect]| self.score(members, weights, self.images, |image, _| boxes[image]);
        Jitter::measure(self.images, options, score).map(Some)
    }

    /// Figures on degraded images, if they were asked for.
    pub(super) fn degraded(
        &self,
        members: &mut [Scored],
        weights: &[f64],
    ) -> Result<Vec<Degraded>, ScoreError> {
        if !self.options.degraded {
            return Ok(Vec::new());
        }
        let score = |images: &Images| self.score(members, weights, images, |_, whole| *whole);
        Degraded::measure(self.images, score)
    }

    /// Figures of calibrated models on `images`, which have the split's labels, where `face` gives
    /// the part of each that is taken for the face.
    fn score(
        &self,
        members: &mut [Scored],
        weights: &[f64],
        images: &Images,
        face: impl Fn(usize, &Rect) -> Rect,
    ) -> Result<Metrics, ScoreError> {
        let classes = &self.dataset.classes;
        let views = self.options.tta.views();
        let mut answers = Vec::new();
        for member in members {
            let of_view = |view: &Placement| {
                let mut framing = |image: usize, whole: &Rect| view.of(&face(image, whole));
                member.probabilities(images, classes, &mut framing)
            };
            let of_views = views.iter().map(of_view).collect::<Result<Vec<_>, _>>()?;
            answers.push(Distributions::mean(&of_views, &vec![1.0; of_views.len()]));
        }
        let rows = self.adjusted(Distributions::mean(&answers, weights));
        Ok(Metrics::new(&rows, &self.labels.whole, classes))
    }
}
