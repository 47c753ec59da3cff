//! Temporal filters on one face's probabilities.
//!
//! Filters work in media time: the same expression seen at 10 or at 30 classifications a second
//! comes out alike.

use std::time::Duration;

use crate::emotion::{Emotion, Probabilities};
use crate::time::MediaTime;

/// Filters the probabilities of one track: made when its face is first seen, dropped with the track,
/// the stream or the settings.
pub trait Smoother: Send {
    /// Takes the classifier's calibrated result at `now`, which never falls. The first result comes back
    /// as it is, or as evidence if the filter weighs it: a face that stays as it is keeps its label.
    fn update(&mut self, raw: &Probabilities, now: MediaTime) -> Filtered;
}

/// What a filter makes of the results so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filtered {
    /// How probable each emotion is. This is reported, and is to be right as often as it says.
    pub probabilities: Probabilities,
    /// What decides on the label. A filter that adds up evidence is soon surer here than it is right.
    pub belief: Probabilities,
}

/// A filter whose belief is as probable as it says.
impl From<Probabilities> for Filtered {
    fn from(probabilities: Probabilities) -> Self {
        Self { probabilities, belief: probabilities }
    }
}

/// What a smoother is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothOptions {
    /// How slow it is.
    pub time_constant: Duration,
    /// How frequent each emotion was among what the classifier learnt from, see
    /// [`Manifest::prior`](crate::manifest::Manifest::prior).
    pub prior: Probabilities,
}

/// The baseline: no filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSmoother;

impl Smoother for NullSmoother {
    fn update(&mut self, raw: &Probabilities, _: MediaTime) -> Filtered {
        (*raw).into()
    }
}

/// Exponential moving average: after one time constant a step has come through to 63 %.
#[derive(Clone, Debug)]
pub struct Ema {
    time_constant: Duration,
    state: Option<(Probabilities, MediaTime)>,
}

impl Ema {
    /// A filter with the given time constant.
    pub const fn new(time_constant: Duration) -> Self {
        Self { time_constant, state: None }
    }
}

impl Smoother for Ema {
    fn update(&mut self, raw: &Probabilities, now: MediaTime) -> Filtered {
        let smoothed = match &self.state {
            None => *raw,
            Some((previous, then)) => {
                let weight = gain(now.since(*then), self.time_constant);
                blend(previous, raw, weight)
            }
        };
        self.state = Some((smoothed, now));
        smoothed.into()
    }
}

/// The mean of all results at first, and from one time constant on their moving average.
#[derive(Clone, Debug)]
struct Mean {
    value: Probabilities,
    began: MediaTime,
    now: MediaTime,
}

impl Mean {
    const fn new(raw: Probabilities, now: MediaTime) -> Self {
        Self { value: raw, began: now, now }
    }

    fn update(&mut self, raw: &Probabilities, now: MediaTime) {
        let elapsed = now.since(self.now);
        let all = now.since(self.began) + elapsed;
        // Of n results at equal distances, the last one is 1/n of the mean.
        let share = if all.is_zero() { 0.0 } else { elapsed.as_secs_f32() / all.as_secs_f32() };
        self.value = blend(&self.value, raw, share.max(gain(elapsed, AVERAGED)));
        self.now = now;
    }
}

/// Changes of expression a second that the [`Hmm`] expects a priori. Faces change about every four
/// seconds; expecting twice as much follows them sooner, for few changes more that are not there
/// (`fer-train steadiness`).
const CHANGES_PER_SECOND: f32 = 0.6;
/// No class is ever ruled out for good, or one overconfident frame could not be outvoted.
const FLOOR: f32 = 1e-3;

/// How much of the classifier's prior is taken out of its evidence: of a network that saw disgust
/// once in fifty faces, half a probability for it says more than half a probability for happiness.
/// All of it, 1, would be right if a face showed each emotion equally often.
const PRIOR_POWER: f32 = 0.8;

/// Over how long the classifier's results are averaged for the report.
const AVERAGED: Duration = Duration::from_secs(1);

/// The forward filter of a hidden Markov model whose states are the seven expressions.
///
/// Its evidence is P(emotion | picture) ÷ P(emotion), which is proportional to
/// P(picture | emotion) (Bourlard and Morgan 1994). Successive frames are nearly the same picture, so
/// evidence is tempered: within one time constant it counts as about one independent observation,
/// however many frames there were.
///
/// A face that stays as it is says the same again and again, and the belief in it grows beyond what the
/// picture can tell: after two seconds it is right in 79 of 100 cases where it says 90 and more. What is
/// reported therefore is the mean of the classifier's results since the belief took its side.
#[derive(Clone, Debug)]
pub struct Hmm {
    time_constant: Duration,
    /// prior^−[`PRIOR_POWER`].
    correction: [f32; Emotion::COUNT],
    state: Option<(Probabilities, MediaTime)>,
    mean: Option<Mean>,
}

impl Hmm {
    /// A filter in which the time constant is the span of one independent observation.
    pub fn new(options: &SmoothOptions) -> Self {
        // A class that was not learnt has no evidence to correct.
        let correction = options
            .prior
            .values()
            .map(|p| if p > 0.0 { p.max(FLOOR).powf(-PRIOR_POWER) } else { 1.0 });
        let time_constant = options.time_constant;
        Self { time_constant, correction, state: None, mean: None }
    }

    /// `raw` with the classifier's prior taken out.
    fn evidence(&self, raw: &Probabilities) -> Probabilities {
        let weights = std::array::from_fn(|index| raw.values()[index] * self.correction[index]);
        // Finite, and above zero where `raw` is.
        Probabilities::from_weights(weights).unwrap_or(*raw)
    }
}

/// How likely a face shows after some time what it showed, whatever it showed meanwhile: a chain whose
/// states are left [`CHANGES_PER_SECOND`] times a second, each for any other. After a long time it may
/// show anything alike, and what it showed then counts neither for it nor against it.
fn stay(elapsed: Duration) -> f32 {
    let states = Emotion::COUNT as f32;
    let rate = CHANGES_PER_SECOND * states / (states - 1.0);
    (1.0 + (states - 1.0) * (-rate * elapsed.as_secs_f32()).exp()) / states
}

impl Smoother for Hmm {
    fn update(&mut self, raw: &Probabilities, now: MediaTime) -> Filtered {
        let evidence = self.evidence(raw);
        let belief = match &self.state {
            None => evidence,
            Some((belief, then)) => {
                let elapsed = now.since(*then);
                let stay = stay(elapsed);
                let leak = (1.0 - stay) / (Emotion::COUNT - 1) as f32;
                let power = gain(elapsed, self.time_constant);
                let mut weights = [0.0; Emotion::COUNT];
                for emotion in Emotion::ALL {
                    let prior = belief.of(emotion);
                    let predicted = prior * stay + (1.0 - prior) * leak;
                    weights[emotion.index()] =
                        predicted * evidence.of(emotion).max(FLOOR).powf(power);
                }
                // Every factor is above zero and finite, so this is a distribution.
                Probabilities::from_weights(weights).unwrap_or(*raw)
            }
        };
        let before = self.state.replace((belief, now));
        let has_turned = before.is_some_and(|(before, _)| before.top().0 != belief.top().0);
        let probabilities = match &mut self.mean {
            Some(mean) if !has_turned => {
                mean.update(raw, now);
                mean.value
            }
            mean => mean.insert(Mean::new(*raw, now)).value,
        };
        Filtered { probabilities, belief }
    }
}

/// 1 − exp(−elapsed / time constant); 1 for a time constant of zero.
fn gain(elapsed: Duration, time_constant: Duration) -> f32 {
    if time_constant.is_zero() {
        return 1.0;
    }
    1.0 - (-elapsed.as_secs_f32() / time_constant.as_secs_f32()).exp()
}

fn blend(a: &Probabilities, b: &Probabilities, weight: f32) -> Probabilities {
    let mut mixed = [0.0; Emotion::COUNT];
    for (slot, (a, b)) in mixed.iter_mut().zip(a.values().iter().zip(b.values())) {
        *slot = a + (b - a) * weight;
    }
    Probabilities::from_weights(mixed).unwrap_or(*b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: Duration = Duration::from_millis(400);

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn hmm() -> Hmm {
        Hmm::new(&SmoothOptions { time_constant: TAU, prior: Probabilities::UNIFORM })
    }

    fn mostly(emotion: Emotion, p: f32) -> Probabilities {
        let mut weights = [(1.0 - p) / 6.0; 7];
        weights[emotion.index()] = p;
        Probabilities::from_weights(weights).unwrap()
    }

    #[test]
    fn ema_reaches_63_percent_after_one_time_constant() {
        let mut ema = Ema::new(TAU);
        ema.update(&Probabilities::one_hot(Emotion::Neutral), at(0));
        let p = ema.update(&Probabilities::one_hot(Emotion::Fear), at(400)).probabilities;
        assert!((p.of(Emotion::Fear) - 0.632_12).abs() < 1e-4);
        assert!((p.of(Emotion::Neutral) - 0.367_88).abs() < 1e-4);
    }

    #[test]
    fn ema_does_not_depend_on_the_rate() {
        let run = |step: u64| {
            let mut ema = Ema::new(TAU);
            ema.update(&Probabilities::one_hot(Emotion::Neutral), at(0));
            let mut last = Probabilities::UNIFORM;
            for time in (step..=600).step_by(step as usize) {
                let filtered = ema.update(&Probabilities::one_hot(Emotion::Anger), at(time));
                last = filtered.probabilities;
            }
            last.of(Emotion::Anger)
        };
        assert!((run(20) - run(200)).abs() < 1e-4);
    }

    #[test]
    fn hmm_of_a_hand_worked_step() {
        // Belief .4 happiness, .1 each else; one second on, power 1 − e^−2.5 = .917915.
        let mut hmm = hmm();
        let raw = mostly(Emotion::Happiness, 0.4);
        hmm.update(&raw, at(0));
        let p = hmm.update(&raw, at(1000)).belief;
        // stay 1/7 + 6/7 · e^−.7 = .568502; leak .071916.
        // happiness: .4·.568502 + .6·.071916 = .270551, × .4^.917915 = .431254 → .116676
        // others:    .1·.568502 + .9·.071916 = .121575, × .1^.917915 = .120802 → .014686
        // .116676 / (.116676 + 6 × .014686) = .56972
        assert!((p.of(Emotion::Happiness) - 0.569_72).abs() < 2e-4, "{p:?}");
    }

    #[test]
    fn what_hmm_saw_long_ago_counts_neither_for_nor_against() {
        let raw = mostly(Emotion::Happiness, 0.7);
        for seconds in [4, 10, 60] {
            let mut hmm = hmm();
            hmm.update(&Probabilities::one_hot(Emotion::Happiness), at(0));
            let p = hmm.update(&raw, at(1000 * seconds)).belief;
            assert!(p.of(Emotion::Happiness) > 0.69, "{seconds} s: {p:?}");
        }
    }

    #[test]
    fn what_the_classifier_seldom_saw_counts_for_more() {
        // Learnt from faces of which 1 in 11 showed disgust, 2 in 11 anything else that matters here.
        let prior = Probabilities::from_weights([2., 1., 2., 2., 2., 2., 2.]).unwrap();
        let mut hmm = Hmm::new(&SmoothOptions { time_constant: Duration::ZERO, prior });
        let raw = Probabilities::from_weights([0.4, 0.3, 0.06, 0.06, 0.06, 0.06, 0.06]).unwrap();
        let p = hmm.update(&raw, at(0)).belief;
        // .4 : .3 · 2^.8 = .4 : .52233.
        assert!((p.of(Emotion::Disgust) / p.of(Emotion::Anger) - 0.522_33 / 0.4).abs() < 1e-4);
    }

    #[test]
    fn a_face_that_stays_as_it_is_keeps_its_label() {
        let prior = Probabilities::from_weights([2., 1., 2., 2., 2., 2., 2.]).unwrap();
        let mut hmm = Hmm::new(&SmoothOptions { time_constant: TAU, prior });
        // Likeliest is anger; weighed against what was learnt, disgust.
        let raw = Probabilities::from_weights([0.4, 0.3, 0.06, 0.06, 0.06, 0.06, 0.06]).unwrap();
        for step in 0..1000 {
            assert_eq!(hmm.update(&raw, at(step * 33)).belief.top().0, Emotion::Disgust);
        }
    }

    #[test]
    fn a_class_that_was_not_learnt_gains_nothing() {
        let prior = Probabilities::from_weights([0., 1., 2., 2., 2., 2., 2.]).unwrap();
        let mut hmm = Hmm::new(&SmoothOptions { time_constant: TAU, prior });
        let raw = Probabilities::from_weights([0.0, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2]).unwrap();
        for step in 0..1000 {
            assert!(hmm.update(&raw, at(step * 33)).belief.of(Emotion::Anger) < 0.01);
        }
    }

    #[test]
    fn what_hmm_reports_is_the_mean_since_its_belief_took_that_side() {
        let mut hmm = hmm();
        let (weak, strong) = (mostly(Emotion::Fear, 0.4), mostly(Emotion::Happiness, 0.7));
        for step in 0..100 {
            let filtered = hmm.update(&weak, at(step * 100));
            assert!((filtered.probabilities.of(Emotion::Fear) - 0.4).abs() < 1e-4);
            assert!(step < 20 || filtered.belief.of(Emotion::Fear) > 0.6);
        }
        let turned = (100..200).map(|step| hmm.update(&strong, at(step * 100)));
        let turned: Vec<_> =
            turned.skip_while(|it| it.belief.top().0 != Emotion::Happiness).collect();
        // From the first moment on, without a trace of the fear before.
        assert!(turned.len() > 90);
        assert!(
            turned.iter().all(|it| (it.probabilities.of(Emotion::Happiness) - 0.7).abs() < 1e-4)
        );
    }

    #[test]
    fn a_doubtful_picture_stays_doubtful_in_the_report() {
        let mut hmm = hmm();
        // Happiness in two of three looks.
        let looks = [Emotion::Happiness, Emotion::Happiness, Emotion::Fear];
        let last = (0..60).map(|step| {
            hmm.update(&mostly(looks[step % 3], 0.6), at(100 * step as u64)).probabilities
        });
        let shares: Vec<f32> = last.skip(57).map(|it| it.of(Emotion::Happiness)).collect();
        // .6 and .6 and .0667 average to .422, a time constant of .5 s lets it sway.
        assert!(shares.iter().all(|share| (0.3..0.55).contains(share)), "{shares:?}");
    }
}
