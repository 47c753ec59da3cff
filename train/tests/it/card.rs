//! What the shipped model's manifest and card say is what `evaluate` measured.

use std::path::{Path, PathBuf};

use fer_core::manifest::Manifest;
use fer_train::dataset::{Origin, Split};
use fer_train::evaluate::{Evaluation, json_path};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// The two evaluations of a model, which must agree with its manifest.
fn measured(model: &str) -> [Evaluation; 2] {
    let path = models().join(model);
    let (manifest, _) = Manifest::load(&path).unwrap();
    let evaluations = [Split::Validation, Split::Test].map(|split| {
        let name = Origin::Fer2013.split_name(split);
        let json = std::fs::read_to_string(json_path(&path, name)).unwrap();
        let evaluation: Evaluation = serde_json::from_str(&json).unwrap();
        assert_eq!(evaluation.file_name(), name, "the card's figures are plain ones");
        for entry in evaluation.manifest_metrics() {
            assert!(manifest.metrics.contains(&entry), "the manifest lacks {entry:?}");
        }
        evaluation
    });
    // Below it a model would be no better than the work that this project started from.
    let private = manifest.metrics.iter().find(|entry| entry.split == "PrivateTest").unwrap();
    assert!(private.macro_f1 > 0.62, "{private:?}");
    evaluations
}

#[test]
fn figures_are_those_that_were_measured() {
    let card = std::fs::read_to_string(models().join("README.md")).unwrap();
    let evaluations = measured("fer.yaml");
    for evaluation in evaluations {
        let text = evaluation.to_string();
        assert!(card.contains(&text), "models/README.md lacks this output of evaluate:\n{text}");
    }
    let evaluations = measured("fer-tiny.yaml");
    for (evaluation, split) in evaluations.iter().zip(["PublicTest", "PrivateTest"]) {
        let whole = &evaluation.whole;
        let row = format!("| {split} | {:.3} | {:.3} |", whole.accuracy, whole.macro_f1())
            .replace(" 0.", " .");
        assert!(card.contains(&row), "models/README.md lacks fer-tiny's row {row}");
    }
}
