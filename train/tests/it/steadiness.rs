//! Clips spliced from labelled faces, through the shipped model.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use fer_train::dataset::{Dataset, ImageShape, Split};
use fer_train::steadiness::{Options, SteadinessError, steadiness};

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/fer.yaml")
}

/// FER2013's form: patterns, 12 images in PublicTest of each of the classes.
fn patterns(classes: usize) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "emotion,pixels,Usage\n".to_owned();
    for index in 0..12 * classes {
        let pixel = |at: usize| (at % 48 * (index % 9 + 1) + at / 48 * (index % 5)) % 256;
        let pixels: Vec<String> = (0..48 * 48).map(|at| pixel(at).to_string()).collect();
        writeln!(text, "{},{},PublicTest", index % classes, pixels.join(" ")).unwrap();
    }
    let path = folder.path().join("fer2013.csv");
    std::fs::write(&path, text).unwrap();
    Dataset::read(&path, ImageShape::grey(48)).unwrap()
}

#[test]
fn smoothed_labels_switch_less_than_single_frames_and_frozen_faces_never() {
    let options = Options { minutes: 0.5, rate: 15.0, ..Options::default() };
    let found = steadiness(&model(), &patterns(3), Split::Validation, &options).unwrap();
    let names: Vec<&str> = found.rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["each frame alone", "none", "ema", "hmm"]);
    let switches = |index: usize| found.rows[index].1.switches_per_minute;
    // Patterns are no faces, so that single frames say anything.
    assert!(switches(0) > 0.0 && switches(2) < switches(0) && switches(3) < switches(0));
    assert_eq!(found.frozen_switches, 0);
    assert!((5.0..30.0).contains(&found.true_changes_per_minute));
}

#[test]
fn one_expression_cannot_change() {
    let error = steadiness(&model(), &patterns(1), Split::Validation, &Options::default());
    assert!(matches!(error, Err(SteadinessError::Classes { found: 1 })), "{error:?}");
}
