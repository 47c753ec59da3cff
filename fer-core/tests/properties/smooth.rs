use std::time::Duration;

use fer_core::emotion::{Emotion, Probabilities};
use fer_core::registry::smoothers;
use fer_core::smooth::{Filtered, SmoothOptions};
use fer_core::time::MediaTime;
use proptest::prelude::*;

use crate::support::{cases, distribution, origin, step};

fn time_constant() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        (0..10_000_u64).prop_map(Duration::from_millis),
        Just(Duration::from_secs(u32::MAX.into())),
    ]
}

fn options() -> impl Strategy<Value = SmoothOptions> {
    (time_constant(), distribution())
        .prop_map(|(time_constant, prior)| SmoothOptions { time_constant, prior })
}

fn inputs() -> impl Strategy<Value = Vec<(Duration, Probabilities)>> {
    prop::collection::vec((step(), distribution()), 1..40)
}

/// What the smoother called `name` makes of `inputs`.
fn smoothed(
    name: &str,
    options: &SmoothOptions,
    inputs: &[(Duration, Probabilities)],
    origin: Duration,
) -> Vec<Filtered> {
    let mut smoother = smoothers().build(name, options).unwrap();
    let mut now = MediaTime::ZERO + origin;
    let update = |(step, raw): &(Duration, Probabilities)| {
        now = now + *step;
        smoother.update(raw, now)
    };
    inputs.iter().map(update).collect()
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn what_comes_out_is_a_distribution(options in options(), inputs in inputs()) {
        for name in smoothers().names() {
            let filtered = smoothed(name, &options, &inputs, Duration::ZERO);
            for p in filtered.iter().flat_map(|it| [&it.probabilities, &it.belief]) {
                prop_assert!(p.values().iter().all(|v| (0.0..=1.0).contains(v)), "{name}: {p:?}");
                let sum: f32 = p.values().iter().sum();
                prop_assert!((sum - 1.0).abs() <= 1e-4, "{name}: {p:?}");
            }
        }
    }

    #[test]
    fn the_origin_of_time_changes_nothing(
        options in options(), inputs in inputs(), origin in origin(),
    ) {
        for name in smoothers().names() {
            let expected = smoothed(name, &options, &inputs, Duration::ZERO);
            prop_assert_eq!(smoothed(name, &options, &inputs, origin), expected, "{}", name);
        }
    }

    /// No expression is ever ruled out: a face that clearly shows one for long enough is believed.
    #[test]
    fn what_lasts_comes_through(
        before in inputs(), index in 0..Emotion::COUNT, millis in 0..1000_u64,
        frame in 10..200_u64,
    ) {
        let emotion = Emotion::from_index(index).unwrap();
        let options = SmoothOptions {
            time_constant: Duration::from_millis(millis),
            prior: Probabilities::UNIFORM,
        };
        let lasting = (Duration::from_millis(frame), Probabilities::one_hot(emotion));
        let inputs: Vec<_> = before.into_iter().chain(std::iter::repeat_n(lasting, 2000)).collect();
        for name in smoothers().names() {
            let last = smoothed(name, &options, &inputs, Duration::ZERO).pop().unwrap();
            prop_assert_eq!(last.belief.top().0, emotion, "{}: {:?}", name, last);
            prop_assert_eq!(last.probabilities.top().0, emotion, "{}: {:?}", name, last);
        }
    }
}

/// `p` for one expression, the rest spread over the others.
fn mostly(emotion: Emotion, p: f32) -> Probabilities {
    let mut weights = [(1.0 - p) / 6.0; Emotion::COUNT];
    weights[emotion.index()] = p;
    Probabilities::from_weights(weights).unwrap()
}

/// What is likeliest after each step of 33 ms, with a time constant of 200 ms.
fn likeliest(name: &str, inputs: impl Iterator<Item = Probabilities>) -> Vec<Emotion> {
    let options =
        SmoothOptions { time_constant: Duration::from_millis(200), prior: Probabilities::UNIFORM };
    let inputs: Vec<_> = inputs.map(|p| (Duration::from_millis(33), p)).collect();
    smoothed(name, &options, &inputs, Duration::ZERO).iter().map(|it| it.belief.top().0).collect()
}

/// All that filter.
fn filters() -> impl Iterator<Item = &'static str> {
    let names: Vec<_> = smoothers().names().filter(|name| *name != "none").collect();
    names.into_iter()
}

#[test]
fn one_wild_frame_does_not_turn_a_filter() {
    let calm = std::iter::repeat_n(mostly(Emotion::Neutral, 0.7), 10);
    let inputs: Vec<_> = calm.chain([mostly(Emotion::Fear, 0.95)]).collect();
    for name in filters() {
        assert_eq!(likeliest(name, inputs.iter().copied()), [Emotion::Neutral; 11], "{name}");
    }
}

#[test]
fn a_lasting_change_comes_through_within_a_second() {
    let after = std::iter::repeat_n(mostly(Emotion::Surprise, 0.7), 30);
    let inputs: Vec<_> =
        [Probabilities::one_hot(Emotion::Neutral)].into_iter().chain(after).collect();
    for name in filters() {
        let last = likeliest(name, inputs.iter().copied()).pop();
        assert_eq!(last, Some(Emotion::Surprise), "{name}");
    }
}

#[test]
fn a_frozen_picture_gives_no_switch() {
    let raw = Probabilities::from_weights([0.1, 0.05, 0.2, 0.25, 0.1, 0.1, 0.2]).unwrap();
    for name in smoothers().names() {
        let labels = likeliest(name, std::iter::repeat_n(raw, 1000));
        assert!(labels.iter().all(|label| *label == Emotion::Happiness), "{name}");
    }
}
