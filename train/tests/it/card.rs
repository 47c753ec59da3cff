//! What the shipped model's manifest and card say is what `evaluate` measured.

use std::path::{Path, PathBuf};

use fer_core::manifest::Manifest;
use fer_train::dataset::{Origin, Split};
use fer_train::evaluate::{Evaluation, json_path};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

#[test]
fn figures_are_those_that_were_measured() {
    let path = models().join("fer.yaml");
    let (manifest, _) = Manifest::load(&path).unwrap();
    let card = std::fs::read_to_string(models().join("README.md")).unwrap();
    for split in [Split::Validation, Split::Test] {
        let name = Origin::Fer2013.split_name(split);
        let json = std::fs::read_to_string(json_path(&path, name)).unwrap();
        let evaluation: Evaluation = serde_json::from_str(&json).unwrap();
        assert_eq!(evaluation.file_name(), name, "the card's figures are plain ones");
        for entry in evaluation.manifest_metrics() {
            assert!(manifest.metrics.contains(&entry), "the manifest lacks {entry:?}");
        }
        let text = evaluation.to_string();
        assert!(card.contains(&text), "models/README.md lacks this output of evaluate:\n{text}");
    }
    // Below it the model would be no better than the work that this project started from.
    let private = manifest.metrics.iter().find(|entry| entry.split == "PrivateTest").unwrap();
    assert!(private.macro_f1 > 0.62, "{private:?}");
}
