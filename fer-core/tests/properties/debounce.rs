use std::time::Duration;

use fer_core::debounce::{DebounceOptions, Debouncer};
use fer_core::emotion::{Probabilities, StableLabel};
use fer_core::time::MediaTime;
use proptest::prelude::*;

use crate::support::{cases, distribution, origin, step};

type Change = (StableLabel, StableLabel);

fn options() -> impl Strategy<Value = DebounceOptions> {
    let hold = prop_oneof![
        4 => (0..2000_u64).prop_map(Duration::from_millis),
        1 => Just(Duration::from_secs(86_400)),
    ];
    (0.0..=1.0_f32, hold, 0.0..=1.0_f32)
        .prop_map(|(margin, hold, min_confidence)| DebounceOptions { margin, hold, min_confidence })
}

/// Expressions that last for some frames, among flicker.
fn inputs() -> impl Strategy<Value = Vec<(Duration, Probabilities)>> {
    let spell =
        (step(), distribution(), 1..12_usize).prop_map(|(step, p, frames)| vec![(step, p); frames]);
    prop::collection::vec(spell, 1..12).prop_map(|spells| spells.concat())
}

/// The changes, and when they came, since `origin`.
fn changes(
    options: DebounceOptions,
    inputs: &[(Duration, Probabilities)],
    origin: Duration,
) -> Vec<(Duration, Change, Probabilities)> {
    let mut debouncer = Debouncer::new(options);
    let start = MediaTime::ZERO + origin;
    let (mut now, mut told) = (start, Vec::new());
    for (step, p) in inputs {
        now = now + *step;
        let before = debouncer.stable();
        let change = debouncer.update(&(*p).into(), now);
        let (label, since) = debouncer.stable().unwrap();
        match change {
            Some((from, to)) => {
                assert_eq!((label, since), (to, now));
                assert_eq!(before.and_then(|(label, _)| label), from);
                assert_ne!(from, to);
                told.push((now.since(start), (from, to), *p));
            }
            None => assert!(before.is_none_or(|before| before == (label, since))),
        }
    }
    told
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn a_label_lasts_for_the_hold_time(options in options(), inputs in inputs()) {
        let first = inputs[0].0;
        let told = changes(options, &inputs, Duration::ZERO);
        let mut last = first;
        for (index, (at, (from, _), _)) in told.iter().enumerate() {
            if index > 0 || from.is_some() || *at > first {
                prop_assert!(*at - last >= options.hold, "{told:?}");
            }
            last = *at;
        }
        for pair in told.windows(2) {
            prop_assert_eq!(pair[0].1.1, pair[1].1.0, "each change begins where the last one ended");
        }
    }

    #[test]
    fn a_label_is_what_was_seen(options in options(), inputs in inputs()) {
        for (_, (from, to), p) in changes(options, &inputs, Duration::ZERO) {
            let (top, confidence) = p.top();
            match (from, to) {
                (_, Some(label)) => prop_assert!(
                    top == label && confidence >= options.min_confidence
                ),
                // Too weak for a label, or one after the other leads the old one.
                (Some(old), None) => prop_assert!(
                    confidence < options.min_confidence
                        || (top != old && confidence - p.of(old) >= options.margin)
                ),
                (None, None) => prop_assert!(false, "no change"),
            }
        }
    }

    #[test]
    fn the_origin_of_time_changes_nothing(
        options in options(), inputs in inputs(), origin in origin(),
    ) {
        prop_assert_eq!(
            changes(options, &inputs, origin),
            changes(options, &inputs, Duration::ZERO)
        );
    }

    /// Unless it is all but certain, and that takes a lead of .8.
    #[test]
    fn a_glimpse_changes_nothing(
        options in options(), before in distribution(), glimpse in distribution(),
        margin in 0.0..0.79_f32, rest in 0.3..1.0_f32,
    ) {
        prop_assume!(options.hold >= Duration::from_millis(1));
        let options = DebounceOptions { margin, ..options };
        // Towards one seventh each, so that no class has more than .79.
        let weights = glimpse.values().map(|p| p + rest / (1.0 - rest).max(0.1) / 7.0);
        let glimpse = Probabilities::from_weights(weights).unwrap();
        prop_assume!(glimpse.top().1 < 0.79);
        let day = Duration::from_secs(86_400);
        let mut inputs = vec![(day, before); 3];
        inputs.extend([(day, glimpse), (day, before)]);
        let told = changes(options, &inputs, Duration::ZERO);
        prop_assert!(told.iter().all(|(at, ..)| *at == day), "{told:?}");
    }

    #[test]
    fn a_still_face_changes_nothing_after_the_hold(options in options(), p in distribution()) {
        let inputs = vec![(Duration::from_millis(40), p); 100];
        prop_assert!(changes(options, &inputs, Duration::ZERO).len() <= 1);
    }
}
