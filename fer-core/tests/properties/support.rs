//! Numbers, times and boxes at random.

use std::time::Duration;

use fer_core::detect::Detection;
use fer_core::emotion::{Emotion, Probabilities};
use fer_core::geometry::Rect;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// `cases` cases, the same ones in every run.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    // What is found becomes a test of its own.
    config.failure_persistence = None;
    config
}

/// A box such as detectors give.
pub(crate) fn face() -> impl Strategy<Value = Rect> {
    (-100.0..2000.0_f32, -100.0..1200.0_f32, 8.0..400.0_f32, 8.0..400.0_f32)
        .prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

/// Any number at all, most often one that a box may have.
pub(crate) fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -500.0..500.0_f32,
        2 => proptest::num::f32::ANY,
        1 => prop::sample::select(vec![
            0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN,
            f32::MIN_POSITIVE, 1e-45, 1e19, -1e19,
        ]),
    ]
}

/// What a broken detector may give, among what sound ones do.
pub(crate) fn any_detection() -> impl Strategy<Value = Detection> {
    let rect = prop_oneof![
        1 => face(),
        1 => [any_number(), any_number(), any_number(), any_number()]
            .prop_map(|[x, y, w, h]| Rect::new(x, y, w, h)),
    ];
    (rect, prop_oneof![4 => 0.0..1.0_f32, 1 => any_number()])
        .prop_map(|(rect, confidence)| Detection { rect, confidence })
}

pub(crate) fn distribution() -> impl Strategy<Value = Probabilities> {
    let weight = prop_oneof![
        4 => 0.0..1.0_f32,
        1 => Just(0.0),
        1 => Just(1e-45),
        1 => Just(f32::MAX / 8.0),
        1 => (-60..60_i32).prop_map(|power| 2.0_f32.powi(power)),
    ];
    let mixed = prop::array::uniform7(weight)
        .prop_filter_map("all are zero", |weights| Probabilities::from_weights(weights).ok());
    let certain = prop::sample::select(Emotion::ALL.to_vec()).prop_map(Probabilities::one_hot);
    prop_oneof![3 => mixed, 1 => certain]
}

/// From one frame to the next: mostly as in a video, but also no time at all, and a day.
pub(crate) fn step() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (1..200_u64).prop_map(Duration::from_millis),
        2 => (0..5_000_000_000_u64).prop_map(Duration::from_nanos),
        1 => prop::sample::select(vec![0, 1, 3600, 86_400]).prop_map(Duration::from_secs),
        1 => Just(Duration::from_nanos(1)),
    ]
}

/// Where a stream's time may begin: anywhere within some 290 years.
pub(crate) fn origin() -> impl Strategy<Value = Duration> {
    (1..u64::MAX / 2).prop_map(Duration::from_nanos)
}
