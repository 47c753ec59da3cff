//! The seven classes of FER2013, their order, their names, and probability vectors over them.

use serde::{Deserialize, Serialize};

/// A basic facial expression, in the order of FER2013's `emotion` column (codes 0 to 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emotion {
    /// Code 0.
    Anger,
    /// Code 1.
    Disgust,
    /// Code 2.
    Fear,
    /// Code 3.
    Happiness,
    /// Code 4.
    Sadness,
    /// Code 5.
    Surprise,
    /// Code 6.
    Neutral,
}

impl Emotion {
    /// How many classes there are.
    pub const COUNT: usize = 7;

    /// Every class, in FER2013's order: `ALL[e.index()] == e`.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Anger,
        Self::Disgust,
        Self::Fear,
        Self::Happiness,
        Self::Sadness,
        Self::Surprise,
        Self::Neutral,
    ];

    /// FER2013's code, 0 to 6.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The class with FER2013's code `index`, or `None` above 6.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// The name used in files, messages and JSON: lower-case English.
    pub const fn name(self) -> &'static str {
        self.display(Language::En)
    }

    /// The class whose [`name`](Self::name) is `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|emotion| emotion.name() == name)
    }

    /// The name shown to people.
    pub const fn display(self, language: Language) -> &'static str {
        match (language, self) {
            (Language::En, Self::Anger) => "anger",
            (Language::En, Self::Disgust) => "disgust",
            (Language::En, Self::Fear) => "fear",
            (Language::En, Self::Happiness) => "happiness",
            (Language::En, Self::Sadness) => "sadness",
            (Language::En, Self::Surprise) => "surprise",
            (Language::En, Self::Neutral) => "neutral",
            (Language::Ru, Self::Anger) => "гнев",
            (Language::Ru, Self::Disgust) => "отвращение",
            (Language::Ru, Self::Fear) => "страх",
            (Language::Ru, Self::Happiness) => "радость",
            (Language::Ru, Self::Sadness) => "грусть",
            (Language::Ru, Self::Surprise) => "удивление",
            (Language::Ru, Self::Neutral) => "нейтрально",
        }
    }
}

impl std::fmt::Display for Emotion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A language in which labels are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Russian.
    Ru,
}

impl Language {
    /// The word for "no label is certain enough".
    pub const fn uncertain(self) -> &'static str {
        match self {
            Self::En => UNCERTAIN,
            Self::Ru => "неуверенно",
        }
    }
}

/// The label of a face whose expression is not certain enough, in files, messages and JSON.
pub const UNCERTAIN: &str = "uncertain";

/// The debounced label of a face; `None` if no emotion is certain enough, written [`UNCERTAIN`].
pub type StableLabel = Option<Emotion>;

/// The name of a label: an emotion's, or [`UNCERTAIN`].
pub fn label_name(label: StableLabel) -> &'static str {
    label.map_or(UNCERTAIN, Emotion::name)
}

/// The label whose [name](label_name) is `name`.
pub fn label_from_name(name: &str) -> Option<StableLabel> {
    if name == UNCERTAIN { Some(None) } else { Emotion::from_name(name).map(Some) }
}

/// A distribution over [`Emotion::ALL`]: seven finite values in 0..=1 that sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Probabilities([f32; Emotion::COUNT]);

/// Why seven numbers are no distribution.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ProbabilityError {
    /// A value is NaN, infinite, or (where probabilities were promised) negative.
    #[error("value {value} for {emotion} is not a finite number ≥ 0")]
    Value {
        /// The class it stands for.
        emotion: Emotion,
        /// The value.
        value: f32,
    },
    /// The values sum to zero or to more than an `f32` holds.
    #[error("the seven values sum to {0}; a finite number above 0 is needed")]
    Sum(f32),
}

impl Probabilities {
    /// One seventh each.
    pub const UNIFORM: Self = Self([1.0 / Emotion::COUNT as f32; Emotion::COUNT]);

    /// Scales seven non-negative finite weights so that they sum to 1.
    ///
    /// # Errors
    /// A weight is negative, NaN or infinite, or all are zero.
    pub fn from_weights(weights: [f32; Emotion::COUNT]) -> Result<Self, ProbabilityError> {
        for (emotion, value) in Emotion::ALL.into_iter().zip(weights) {
            if !value.is_finite() || value < 0.0 {
                return Err(ProbabilityError::Value { emotion, value });
            }
        }
        let sum: f32 = weights.iter().sum();
        if sum <= 0.0 || !sum.is_finite() {
            return Err(ProbabilityError::Sum(sum));
        }
        Ok(Self(weights.map(|weight| weight / sum)))
    }

    /// Takes seven values as they are; `None` unless each is in 0..=1 and their sum is 1 ± 0.001.
    pub fn exact(values: [f32; Emotion::COUNT]) -> Option<Self> {
        let sum: f32 = values.iter().sum();
        let fine = values.iter().all(|value| (0.0..=1.0).contains(value));
        (fine && (sum - 1.0).abs() <= 1e-3).then_some(Self(values))
    }

    /// Softmax of `logits / temperature`; −∞ is probability 0.
    ///
    /// # Errors
    /// A logit is NaN or +∞, or all are −∞.
    pub fn from_logits(
        logits: [f32; Emotion::COUNT],
        temperature: f32,
    ) -> Result<Self, ProbabilityError> {
        for (emotion, value) in Emotion::ALL.into_iter().zip(logits) {
            if value.is_nan() || value == f32::INFINITY {
                return Err(ProbabilityError::Value { emotion, value });
            }
        }
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Self::from_weights(logits.map(|logit| ((logit - max) / temperature).exp()))
    }

    /// Certainty: 1 for `emotion`, 0 elsewhere.
    pub fn one_hot(emotion: Emotion) -> Self {
        let mut values = [0.0; Emotion::COUNT];
        values[emotion.index()] = 1.0;
        Self(values)
    }

    /// The probability of one class.
    pub fn of(&self, emotion: Emotion) -> f32 {
        self.0[emotion.index()]
    }

    /// All seven, in the order of [`Emotion::ALL`].
    pub const fn values(&self) -> &[f32; Emotion::COUNT] {
        &self.0
    }

    /// The likeliest class and its probability; the first in order among equals.
    pub fn top(&self) -> (Emotion, f32) {
        let mut best = (Emotion::ALL[0], self.0[0]);
        for (emotion, value) in Emotion::ALL.into_iter().zip(self.0) {
            if value > best.1 {
                best = (emotion, value);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_fer2013s() {
        for (code, name) in
            ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
                .into_iter()
                .enumerate()
        {
            assert_eq!(Emotion::from_index(code).unwrap().name(), name);
            assert_eq!(Emotion::from_name(name).unwrap().index(), code);
        }
        assert_eq!(Emotion::from_index(7), None);
        assert_eq!(Emotion::from_name("joy"), None);
    }

    #[test]
    fn softmax_of_hand_worked_logits() {
        // exp(ln 4) : six times exp(0) = 4 : 6, so 0.4 and 0.1 each.
        let mut logits = [0.0; 7];
        logits[3] = 4f32.ln();
        let p = Probabilities::from_logits(logits, 1.0).unwrap();
        assert!((p.of(Emotion::Happiness) - 0.4).abs() < 1e-6);
        assert!((p.of(Emotion::Fear) - 0.1).abs() < 1e-6);
        // Temperature 2 halves the logit: exp(ln 4 / 2) = 2, so 2 : 6.
        let p = Probabilities::from_logits(logits, 2.0).unwrap();
        assert!((p.of(Emotion::Happiness) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let p = Probabilities::from_logits([1e30, 0., 0., 0., 0., 0., 0.], 1.0).unwrap();
        assert_eq!(p.top(), (Emotion::Anger, 1.0));
    }

    #[test]
    fn numbers_that_are_no_distribution_are_refused() {
        let nan = [0.1, f32::NAN, 0.1, 0.1, 0.1, 0.1, 0.1];
        assert!(matches!(
            Probabilities::from_logits(nan, 1.0),
            Err(ProbabilityError::Value { emotion: Emotion::Disgust, .. })
        ));
        assert!(Probabilities::from_weights([-0.1, 1., 0., 0., 0., 0., 0.]).is_err());
        assert_eq!(Probabilities::from_weights([0.0; 7]), Err(ProbabilityError::Sum(0.0)));
    }

    #[test]
    fn the_likeliest_is_the_top() {
        let p = Probabilities::from_weights([0.1, 0.2, 0.3, 0.4, 0., 0., 0.]).unwrap();
        assert_eq!(p.top().0, Emotion::Happiness);
    }
}
