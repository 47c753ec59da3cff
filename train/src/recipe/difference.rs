//! In which keys two recipes differ.

use serde_yaml::{Mapping, Value};

use super::{Recipe, in_a_line};

/// A line for each key whose value in `found` is not the one in `expected`.
pub(super) fn between(expected: &Recipe, found: &Recipe) -> Vec<String> {
    let mut differing = Vec::new();
    if let (Ok(expected_yaml), Ok(found_yaml)) =
        (serde_yaml::to_value(expected), serde_yaml::to_value(found))
    {
        compare("", &expected_yaml, &found_yaml, &mut differing);
    }
    if differing.is_empty() && expected != found {
        differing.push("some value".to_owned());
    }
    differing
}

/// Walks down what both have; `at` is the key so far.
fn compare(at: &str, expected: &Value, found: &Value, differing: &mut Vec<String>) {
    match (expected, found) {
        (Value::Mapping(expected), Value::Mapping(found)) if alike(expected, found) => {
            for (key, value) in expected {
                let name = key.as_str().unwrap_or_default();
                let below = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                compare(&below, value, &found[key], differing);
            }
        }
        _ if expected == found => {}
        _ => {
            differing.push(format!("{at}: {}; expected {}", in_a_line(found), in_a_line(expected)))
        }
    }
}

/// Whether both have the same keys, so that they are not two choices.
fn alike(a: &Mapping, b: &Mapping) -> bool {
    a.len() == b.len() && a.keys().all(|key| b.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(rest: &str) -> Recipe {
        let text = format!(
            "name: a\nseed: 1\nmodel: {{ resnet: {{ widths: [4], blocks: 1 }} }}\n\
             optimiser: {{ epochs: 2, batch: 8, kind: {{ sgd: {{}} }}, learning_rate: 0.1 }}\n{rest}"
        );
        serde_yaml::from_str(&text).unwrap()
    }

    #[test]
    fn keys_are_told_with_both_values() {
        let own = recipe("balance: { smote: { k: 6 } }\n");
        assert_eq!(between(&own, &own), [""; 0]);
        let mut other = recipe("distill: { weight: 0.5 }\n");
        other.optimiser.learning_rate = 0.05;
        assert_eq!(
            between(&own, &other),
            [
                "balance: none; expected {smote:{k:6}}",
                "optimiser.learning_rate: 0.05; expected 0.1",
                "distill: {temperature:3.0,weight:0.5,sample:null}; expected null",
            ]
        );
    }
}
