//! The recipe's closed schema.

use std::path::Path;

use fer_train::recipe::Recipe;

use crate::support;

fn refusal(from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(support::small_recipe()).unwrap();
    assert!(text.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    Recipe::read(&path).unwrap_err().to_string()
}

#[test]
fn the_shipped_recipe_is_valid() {
    Recipe::read(&support::small_recipe()).unwrap();
}

#[test]
fn unknown_and_missing_keys_are_named_with_their_line() {
    let error = refusal("  batch: 128", "  batches: 128");
    assert!(error.contains("batches") && error.contains("line"), "{error}");
    let error = refusal("seed: 7\n", "");
    assert!(error.contains("seed"), "{error}");
}

#[test]
fn all_values_out_of_range_are_listed() {
    let error =
        refusal("  momentum: 0.9\n  weight_decay: 0.0005", "  momentum: 2\n  weight_decay: -1");
    for part in ["optimiser.momentum: 2; expected 0 to 0.9999", "optimiser.weight_decay: -1"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = refusal("scale: [0.85, 1.15]", "scale: [1.2, 1.1]");
    assert!(error.contains("augment.scale"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Recipe::read(Path::new("nowhere.yaml")).unwrap_err().to_string();
    assert!(error.contains("nowhere.yaml"), "{error}");
}
