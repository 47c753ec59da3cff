//! The classes of a data set, in the order of the network's outputs.

use fer_core::emotion::Emotion;
use fer_core::manifest::emotion_of_label;
use serde::{Deserialize, Serialize};

/// The class of a network that tells faces from other things.
pub(crate) const FACE: &str = "face";
/// What a manifest calls a class that is neither an emotion nor [`FACE`].
const IGNORED: &str = "ignore";

/// Names of classes: at least two, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Classes(Vec<String>);

impl Classes {
    /// FER2013's seven, in the order of their codes.
    pub fn fer2013() -> Self {
        Self(Emotion::ALL.iter().map(|emotion| emotion.name().to_owned()).collect())
    }

    /// Classes of these names.
    ///
    /// Names that all mean emotions (`happy`, `angry`, …) become `fer-core`'s names in FER2013's
    /// order; any other set is sorted alphabetically. Returned with it, for each name given: its
    /// index.
    pub fn from_names(names: &[String]) -> (Self, Vec<usize>) {
        let emotions: Option<Vec<Emotion>> =
            names.iter().map(|name| emotion_of_label(name)).collect();
        let canonical: Vec<(usize, String)> = match emotions {
            Some(emotions) if distinct(&emotions) => {
                emotions.iter().map(|e| (e.index(), e.name().to_owned())).collect()
            }
            _ => names.iter().map(|name| (0, name.clone())).collect(),
        };
        let mut sorted = canonical.clone();
        sorted.sort();
        let index = |entry| sorted.iter().position(|other| other == entry).unwrap_or(0);
        let indices = canonical.iter().map(index).collect();
        (Self(sorted.into_iter().map(|(_, name)| name).collect()), indices)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names, in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Those of which there is nothing, given how much there is of each.
    pub fn empty(&self, counts: &[usize]) -> Vec<String> {
        let names = self.0.iter().zip(counts);
        names.filter(|(_, count)| **count == 0).map(|(name, _)| name.clone()).collect()
    }

    /// The name of class `index`, which must be below [`Self::len`].
    pub fn name(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// What a manifest calls each: the emotion's name, `face`, or `ignore`.
    pub fn labels(&self) -> Vec<String> {
        let other = |name: &String| if name == FACE { FACE } else { IGNORED };
        let names = self.0.iter().zip(self.emotions());
        names.map(|(name, emotion)| emotion.map_or(other(name), Emotion::name).to_owned()).collect()
    }

    /// For each class the emotion that its name means, if any.
    pub fn emotions(&self) -> Vec<Option<Emotion>> {
        self.0.iter().map(|name| emotion_of_label(name)).collect()
    }
}

fn distinct(emotions: &[Emotion]) -> bool {
    let mut seen = [false; Emotion::COUNT];
    emotions.iter().all(|emotion| !std::mem::replace(&mut seen[emotion.index()], true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> (Vec<String>, Vec<usize>) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let (classes, indices) = Classes::from_names(&names);
        (classes.0, indices)
    }

    #[test]
    fn emotions_are_put_into_fer2013s_order() {
        let (names, indices) = classes(&["happy", "angry", "sad"]);
        assert_eq!(names, ["anger", "happiness", "sadness"]);
        assert_eq!(indices, [1, 0, 2]);
    }

    #[test]
    fn other_names_are_sorted_and_kept() {
        let (names, indices) = classes(&["smile", "happy", "frown"]);
        assert_eq!(names, ["frown", "happy", "smile"]);
        assert_eq!(indices, [2, 1, 0]);
        // Two names of one emotion stay two classes.
        assert_eq!(classes(&["happy", "happiness"]).0, ["happiness", "happy"]);
    }
}
