//! Published figures to compare with, from a closed YAML file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CompareError;
use crate::classes::Classes;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    references: Vec<Reference>,
}

/// Figures that somebody published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What is shown in the table.
    pub name: String,
    /// Where the figures come from, and under what conditions.
    pub source: String,
    /// Data set and split, in words.
    pub scored_on: String,
    /// Fraction that is right, 0 to 1.
    #[serde(default)]
    pub accuracy: Option<f64>,
    /// Mean of the classes' F1, 0 to 1.
    #[serde(default)]
    pub macro_f1: Option<f64>,
    /// F1 of classes, 0 to 1, by name.
    #[serde(default)]
    pub class_f1: BTreeMap<String, f64>,
}

/// Reads a file of published figures about `classes`.
///
/// # Errors
///
/// [`CompareError::Io`], [`CompareError::Syntax`], or [`CompareError::Values`] with every value that
/// is out of range and every class that is not one of `classes`.
pub fn read_references(path: &Path, classes: &Classes) -> Result<Vec<Reference>, CompareError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CompareError::Io { path: path.to_owned(), source })?;
    let file: File = serde_yaml::from_str(&text)
        .map_err(|source| CompareError::Syntax { path: path.to_owned(), source })?;
    let problems: Vec<String> =
        file.references.iter().flat_map(|reference| problems(reference, classes)).collect();
    if problems.is_empty() {
        Ok(file.references)
    } else {
        Err(CompareError::Values { path: path.to_owned(), problems })
    }
}

fn problems(reference: &Reference, classes: &Classes) -> Vec<String> {
    let name = &reference.name;
    let mut problems = Vec::new();
    let averages = [("accuracy", reference.accuracy), ("macro_f1", reference.macro_f1)];
    let averages = averages.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let of_classes =
        reference.class_f1.iter().map(|(class, f1)| (format!("class_f1.{class}"), *f1));
    for (key, value) in averages.chain(of_classes) {
        if !(0.0..=1.0).contains(&value) {
            problems.push(format!("`{name}`: {key} is {value}; expected 0 to 1"));
        }
    }
    for class in reference.class_f1.keys().filter(|class| !classes.names().contains(class)) {
        let names = classes.names().join(", ");
        problems
            .push(format!("`{name}`: class_f1 has `{class}`; expected the runs' classes, {names}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Reference>, CompareError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reference.yaml");
        std::fs::write(&path, text).unwrap();
        read_references(&path, &Classes::fer2013())
    }

    #[test]
    fn the_sources_figures_are_read() {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/source/reference.yaml");
        let references = read_references(Path::new(shipped), &Classes::fer2013()).unwrap();
        assert_eq!(references.len(), 1);
        assert_eq!((references[0].macro_f1, references[0].accuracy), (Some(0.62), None));
        assert_eq!(references[0].class_f1.len(), 7);
        // Its seven F1 average to .617: the .62 that it states.
        let mean = references[0].class_f1.values().sum::<f64>() / 7.0;
        assert!((mean - 0.62).abs() < 0.005, "{mean}");
    }

    #[test]
    fn all_wrong_values_are_told_at_once() {
        let error = read(
            "references:\n- name: them\n  source: a paper\n  scored_on: test\n  accuracy: 65\n  \
             class_f1: { contempt: 0.5, fear: -1 }\n",
        )
        .unwrap_err()
        .to_string();
        for part in ["accuracy is 65; expected 0 to 1", "class_f1.fear is -1", "`contempt`"] {
            assert!(error.contains(part), "no `{part}` in {error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let error = read("references:\n- name: them\n  score: 1\n").unwrap_err().to_string();
        assert!(error.contains("score") && error.contains("line 3"), "{error}");
    }
}
