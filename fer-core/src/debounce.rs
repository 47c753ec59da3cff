//! From filtered probabilities to a label that doesn't flicker.

use std::time::Duration;

use crate::emotion::StableLabel;
use crate::smooth::Filtered;
use crate::time::MediaTime;

/// A label that leads by this much is believed at once.
const CERTAIN: f32 = 0.8;

/// Hysteresis between a label and none: it goes so much of the margin below where it came.
const UNCERTAIN: f32 = 1.0 / 3.0;

/// When a label may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DebounceOptions {
    /// The lead in probability, 0 to 1, that a new label needs over the present one.
    pub margin: f32,
    /// How long a new label must lead without a break: the more it leads, the shorter, and at a lead of
    /// .8 not at all. The present one must have lasted for as long whatever leads, so that 300 ms, the
    /// default, keeps labels that are seen as flicker away. It becomes `uncertain` after twice as long:
    /// where it is too improbable, or others lead in turn, none of them for long enough.
    pub hold: Duration,
    /// The probability, 0 to 1, from which on the likeliest class is a label. One that is given becomes
    /// `uncertain` a third of [`margin`](Self::margin) below.
    pub min_confidence: f32,
}

/// A label that others lead for so many hold times and in so many turns, none of them for long enough, is
/// one no more. One that leads for a moment on the way to another does not make it doubtful.
const HOLDS_IN_DOUBT: u32 = 2;
const TURNS_IN_DOUBT: u32 = 3;

/// Hysteresis on one track's label.
#[derive(Clone, Debug)]
pub struct Debouncer {
    options: DebounceOptions,
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    label: StableLabel,
    since: MediaTime,
    challenge: Option<Challenge>,
}

/// What is about to replace a label.
#[derive(Clone, Copy, Debug)]
struct Challenge {
    wanted: StableLabel,
    /// Since when that one leads.
    began: MediaTime,
    /// Since when any has led, and which one in turn this is.
    doubted: MediaTime,
    turn: u32,
}

impl Debouncer {
    /// A face that has not been classified.
    pub const fn new(options: DebounceOptions) -> Self {
        Self { options, state: None }
    }

    /// Puts other options in force; the label stays.
    pub const fn set_options(&mut self, options: DebounceOptions) {
        self.options = options;
    }

    /// The label and since when it holds; `None` before the first update.
    pub fn stable(&self) -> Option<(StableLabel, MediaTime)> {
        self.state.map(|state| (state.label, state.since))
    }

    /// Lets time pass in which the face is not seen: it speaks for no label.
    pub fn wait(&mut self, passed: Duration) {
        if let Some(State { challenge: Some(Challenge { began, doubted, .. }), .. }) =
            &mut self.state
        {
            (*began, *doubted) = (*began + passed, *doubted + passed);
        }
    }

    /// Takes what a filter makes of the face at `now`; to be called for every frame in which the face is
    /// seen, and [`wait`](Self::wait) for the others.
    ///
    /// Gives `(from, to)` when the label changes. The first update sets the label at once.
    pub fn update(
        &mut self,
        filtered: &Filtered,
        now: MediaTime,
    ) -> Option<(StableLabel, StableLabel)> {
        let options = self.options;
        let Some(state) = &mut self.state else {
            let (top, _) = filtered.belief.top();
            let is_probable = filtered.probabilities.of(top) >= options.min_confidence;
            let label = is_probable.then_some(top);
            self.state = Some(State { label, since: now, challenge: None });
            return label.map(|_| (None, label));
        };
        let Some((wanted, lead)) = challenger(&options, state.label, filtered) else {
            state.challenge = None;
            return None;
        };
        let challenge = Challenge::go_on(state.challenge, wanted, now);
        state.challenge = Some(challenge);
        if now.since(state.since) < options.hold {
            return None;
        }
        let mut to = challenge.outcome(&options, lead, now)?;
        if to.is_some_and(|top| filtered.probabilities.of(top) < options.least()) {
            // It is waited for further results, as long as for doubt.
            if now.since(challenge.began) < HOLDS_IN_DOUBT * options.hold {
                return None;
            }
            to = None;
        }
        let from = state.label;
        if from == to {
            return None;
        }
        *state = State { label: to, since: now, challenge: None };
        Some((from, to))
    }
}

impl Challenge {
    /// With the label that has reason to replace the present one now.
    fn go_on(before: Option<Self>, wanted: StableLabel, now: MediaTime) -> Self {
        match before {
            Some(before) if before.wanted == wanted => before,
            Some(Self { doubted, turn, .. }) => {
                Self { wanted, began: now, doubted, turn: turn.saturating_add(1) }
            }
            None => Self { wanted, began: now, doubted: now, turn: 1 },
        }
    }

    /// The label that comes of it, once one does.
    fn outcome(&self, options: &DebounceOptions, lead: f32, now: MediaTime) -> Option<StableLabel> {
        let hold = match self.wanted {
            Some(_) => options.hold.mul_f64(options.doubt(lead)),
            // That there is no telling is said as late as that others lead in turn.
            None => HOLDS_IN_DOUBT * options.hold,
        };
        if now.since(self.began) >= hold {
            return Some(self.wanted);
        }
        let is_long = now.since(self.doubted) >= HOLDS_IN_DOUBT * options.hold;
        (is_long && self.turn >= TURNS_IN_DOUBT).then_some(None)
    }
}

impl DebounceOptions {
    /// The probability below which a label is one no more.
    fn least(&self) -> f32 {
        self.min_confidence - UNCERTAIN * self.margin
    }

    /// How much of the hold time a lead of at least the margin must last: 1 at the margin, 0 from
    /// [`CERTAIN`] on.
    fn doubt(&self, lead: f32) -> f64 {
        let range = (CERTAIN - self.margin).max(f32::EPSILON);
        f64::from(((CERTAIN - lead) / range).clamp(0.0, 1.0))
    }
}

/// The label that has reason to replace `label`, if any, and by how much it leads.
fn challenger(
    options: &DebounceOptions,
    label: StableLabel,
    filtered: &Filtered,
) -> Option<(StableLabel, f32)> {
    let Filtered { probabilities, belief } = filtered;
    let (top, leading) = belief.top();
    let confidence = probabilities.of(top);
    let Some(label) = label else {
        return (confidence >= options.min_confidence).then_some((Some(top), leading));
    };
    let lead = leading - belief.of(label);
    if top != label && lead >= options.margin {
        // Another leads, be it too weak for a label: the old one has nothing left to stand on. How
        // probable the other is on the average, its first results do not tell.
        return Some(((leading >= options.min_confidence).then_some(top), lead));
    }
    // Nobody leads: it is waited for as long as possible.
    (confidence < options.least()).then_some((None, options.margin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion::{Fear, Happiness, Neutral, Sadness};
    use crate::emotion::Probabilities;

    const OPTIONS: DebounceOptions =
        DebounceOptions { margin: 0.3, hold: Duration::from_millis(200), min_confidence: 0.35 };

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// `a` for neutral, `b` for happiness, the rest spread.
    fn p(a: f32, b: f32) -> Filtered {
        let mut weights = [(1.0 - a - b) / 5.0; 7];
        weights[Neutral.index()] = a;
        weights[Happiness.index()] = b;
        Probabilities::from_weights(weights).unwrap().into()
    }

    #[test]
    fn belief_decides_which_label_and_probability_whether_it_is_one() {
        let belief = p(0.97, 0.02).belief;
        let with = |neutral: f32| Filtered { probabilities: p(neutral, 0.2).belief, belief };
        let mut debouncer = Debouncer::new(OPTIONS);
        assert_eq!(debouncer.update(&with(0.34), at(0)), None);
        assert_eq!(debouncer.stable(), Some((None, at(0))));
        assert_eq!(debouncer.update(&with(0.36), at(300)), Some((None, Some(Neutral))));
        // A third of the margin below .35 it is one no more, after twice the hold time.
        assert_eq!(debouncer.update(&with(0.26), at(1000)), None);
        assert_eq!(debouncer.update(&with(0.24), at(2000)), None);
        assert_eq!(debouncer.update(&with(0.24), at(2399)), None);
        assert_eq!(debouncer.update(&with(0.24), at(2400)), Some((Some(Neutral), None)));
    }

    #[test]
    fn another_label_that_is_improbable_is_waited_for_and_then_none_is_given() {
        let other = p(0.02, 0.97).belief;
        let with =
            |happiness: f32| Filtered { probabilities: p(0.1, happiness).belief, belief: other };
        let started = || {
            let mut debouncer = Debouncer::new(OPTIONS);
            debouncer.update(&p(0.9, 0.02), at(0));
            // Believed at once, if it was probable.
            assert_eq!(debouncer.update(&with(0.24), at(1000)), None);
            debouncer
        };
        let change = Some((Some(Neutral), Some(Happiness)));
        assert_eq!(started().update(&with(0.26), at(1100)), change);
        let mut debouncer = started();
        assert_eq!(debouncer.update(&with(0.24), at(1399)), None);
        assert_eq!(debouncer.update(&with(0.24), at(1400)), Some((Some(Neutral), None)));
    }

    #[test]
    fn the_first_label_comes_at_once() {
        let mut debouncer = Debouncer::new(OPTIONS);
        assert_eq!(debouncer.stable(), None);
        assert_eq!(debouncer.update(&p(0.6, 0.2), at(0)), Some((None, Some(Neutral))));
        assert_eq!(debouncer.stable(), Some((Some(Neutral), at(0))));
    }

    #[test]
    fn a_small_lead_must_last_for_the_hold_time() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.6, 0.2), at(0));
        let least = p(0.3, 0.600_01);
        assert_eq!(debouncer.update(&least, at(100)), None);
        assert_eq!(debouncer.update(&least, at(299)), None);
        assert_eq!(debouncer.update(&least, at(300)), Some((Some(Neutral), Some(Happiness))));
        assert_eq!(debouncer.stable(), Some((Some(Happiness), at(300))));
    }

    #[test]
    fn the_more_it_leads_the_sooner_it_is_believed() {
        let wait = |lead: Filtered| {
            let mut debouncer = Debouncer::new(OPTIONS);
            debouncer.update(&p(0.9, 0.1), at(0));
            (1000..2000).find(|&now| debouncer.update(&lead, at(now)).is_some()).unwrap() - 1000
        };
        // (.8 − .55) / (.8 − .3) of 200 ms.
        assert!((100..=101).contains(&wait(p(0.15, 0.7))));
        assert_eq!(wait(p(0.05, 0.86)), 0);
    }

    #[test]
    fn a_break_starts_the_hold_again() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.6, 0.2), at(0));
        debouncer.update(&p(0.2, 0.6), at(100));
        debouncer.update(&p(0.6, 0.2), at(200));
        assert_eq!(debouncer.update(&p(0.2, 0.6), at(310)), None);
        assert!(debouncer.update(&p(0.2, 0.6), at(510)).is_some());
    }

    #[test]
    fn a_label_lasts_as_long_as_the_hold() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.6, 0.2), at(0));
        assert!(debouncer.update(&Probabilities::one_hot(Happiness).into(), at(300)).is_some());
        // The other is certain at once.
        let neutral = Probabilities::one_hot(Neutral).into();
        assert_eq!(debouncer.update(&neutral, at(330)), None);
        assert_eq!(debouncer.update(&neutral, at(499)), None);
        assert_eq!(debouncer.update(&neutral, at(500)), Some((Some(Happiness), Some(Neutral))));
        // Without a hold time nothing waits.
        let mut debouncer = Debouncer::new(DebounceOptions { hold: Duration::ZERO, ..OPTIONS });
        debouncer.update(&p(0.6, 0.2), at(0));
        assert!(debouncer.update(&p(0.2, 0.6), at(10)).is_some());
        assert!(debouncer.update(&p(0.6, 0.2), at(20)).is_some());
    }

    #[test]
    fn a_small_lead_changes_nothing_however_long() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.6, 0.2), at(0));
        for step in 1..100 {
            assert_eq!(debouncer.update(&p(0.41, 0.49), at(step * 100)), None);
        }
    }

    #[test]
    fn doubt_is_told_and_left_with_hysteresis() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.6, 0.1), at(0));
        // .3 is below .35 but not by a third of the margin.
        assert_eq!(debouncer.update(&p(0.3, 0.1), at(1000)), None);
        assert_eq!(debouncer.update(&p(0.3, 0.1), at(2000)), None);
        debouncer.update(&p(0.24, 0.1), at(3000));
        assert_eq!(debouncer.update(&p(0.24, 0.1), at(3399)), None);
        assert_eq!(debouncer.update(&p(0.24, 0.1), at(3400)), Some((Some(Neutral), None)));
        debouncer.update(&p(0.1, 0.5), at(3500));
        assert_eq!(debouncer.update(&p(0.1, 0.5), at(3700)), Some((None, Some(Happiness))));
    }

    #[test]
    fn a_label_that_nothing_speaks_for_any_more_does_not_stay() {
        // The other is never sure enough for a label, nor so weak that all is in doubt.
        let options = DebounceOptions { margin: 0.2, min_confidence: 0.6, ..OPTIONS };
        let mut debouncer = Debouncer::new(options);
        debouncer.update(&p(0.1, 0.8), at(0));
        let other = p(0.58, 0.04);
        let told: Vec<_> =
            (1..100).filter_map(|step| debouncer.update(&other, at(step * 100))).collect();
        assert_eq!(told, [(Some(Happiness), None)]);
    }

    #[test]
    fn where_looks_are_seldom_one_label_on_the_way_to_another_makes_no_doubt_either() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.1, 0.8), at(0));
        let told: Vec<_> = [p(0.55, 0.15), torn(0.55, 0.1), torn(0.55, 0.1)]
            .iter()
            .zip([1000, 2000, 3000])
            .filter_map(|(p, millis)| debouncer.update(p, at(millis)))
            .collect();
        assert_eq!(told, [(Some(Happiness), Some(Sadness))]);
    }

    /// Sadness and fear, hardly any happiness.
    fn torn(sadness: f32, fear: f32) -> Filtered {
        let mut weights = [(0.97 - sadness - fear) / 4.0; 7];
        weights[Sadness.index()] = sadness;
        weights[Fear.index()] = fear;
        weights[Happiness.index()] = 0.03;
        Probabilities::from_weights(weights).unwrap().into()
    }

    /// The changes while two lead in turn, 150 ms each, from 1000 on.
    fn taking_turns(debouncer: &mut Debouncer, until: u64) -> Vec<(u64, StableLabel)> {
        debouncer.update(&p(0.1, 0.8), at(0));
        let turn = |millis: u64| match (millis / 150).is_multiple_of(2) {
            true => torn(0.5, 0.35),
            false => torn(0.35, 0.5),
        };
        let told = (1000..until).step_by(50).filter_map(|millis| {
            let (_, to) = debouncer.update(&turn(millis), at(millis))?;
            Some((millis, to))
        });
        told.collect()
    }

    #[test]
    fn a_label_that_several_lead_in_turn_does_not_stay() {
        // A lead of .47 must last for .66 of the hold time, 264 ms.
        let options = DebounceOptions { hold: Duration::from_millis(400), ..OPTIONS };
        let told = taking_turns(&mut Debouncer::new(options), 30_000);
        assert_eq!(
            told,
            [(1800, None)],
            "after twice the hold time, and none of the two is believed"
        );
    }

    #[test]
    fn one_label_on_the_way_to_another_makes_no_doubt() {
        let mut debouncer = Debouncer::new(OPTIONS);
        debouncer.update(&p(0.1, 0.8), at(0));
        let told = (1000..2000).step_by(50).filter_map(|millis| {
            // A lead of .33 must last for 188 ms.
            let seen = if millis < 1150 { torn(0.36, 0.3) } else { torn(0.3, 0.36) };
            Some((millis, debouncer.update(&seen, at(millis))?.1))
        });
        assert_eq!(told.collect::<Vec<_>>(), [(1350, Some(Fear))]);
    }

    #[test]
    fn who_leads_again_for_a_moment_is_not_in_doubt() {
        let options = DebounceOptions { hold: Duration::from_millis(400), ..OPTIONS };
        let mut debouncer = Debouncer::new(options);
        debouncer.update(&p(0.1, 0.8), at(0));
        for millis in (1000..30_000).step_by(50) {
            let seen = match millis / 50 % 15 {
                0 => p(0.1, 0.8),
                turn if [0, 2, 4].contains(&(turn / 3)) => torn(0.5, 0.35),
                _ => torn(0.35, 0.5),
            };
            assert_eq!(debouncer.update(&seen, at(millis)), None, "at {millis}");
        }
    }

    #[test]
    fn time_in_which_the_face_is_hidden_raises_no_doubt() {
        let options = DebounceOptions { hold: Duration::from_millis(400), ..OPTIONS };
        let mut debouncer = Debouncer::new(options);
        assert_eq!(taking_turns(&mut debouncer, 1600), []);
        debouncer.wait(Duration::from_secs(5));
        assert_eq!(debouncer.update(&torn(0.5, 0.35), at(6600)), None);
    }

    #[test]
    fn a_doubtful_first_label_is_uncertain_without_an_event() {
        let mut debouncer = Debouncer::new(OPTIONS);
        assert_eq!(debouncer.update(&Probabilities::UNIFORM.into(), at(0)), None);
        assert_eq!(debouncer.stable(), Some((None, at(0))));
        assert_ne!(Some(Fear), debouncer.stable().unwrap().0);
    }
}
