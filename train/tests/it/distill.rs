//! Teachers and students.

use std::path::{Path, PathBuf};

use fer_core::manifest::Manifest;
use fer_core::preprocess::Crop;
use fer_train::distill::Teachers;
use fer_train::evaluate::averaged_model;
use fer_train::export::{Description, export, write};
use fer_train::recipe::{DistillRecipe, Recipe};
use fer_train::run::{BEST, LAST};
use fer_train::training::{Start, Trainer, TrainingError};
use tch::{Device, Kind, Tensor};

use crate::support;

fn taught(teachers: &[PathBuf]) -> Start {
    Start { teachers: teachers.to_vec(), ..Start::default() }
}

fn student(epochs: usize) -> Recipe {
    let distill = Some(DistillRecipe { temperature: 2.0, weight: 1.0, sample: None });
    Recipe { distill, seed: 11, ..support::recipe(epochs) }
}

fn start(recipe: &Recipe, folder: &Path, start: &Start) -> Result<Trainer, TrainingError> {
    Trainer::new(recipe.clone(), support::data(), folder, start)
}

fn trained(recipe: &Recipe, folder: &Path) -> PathBuf {
    start(recipe, folder, &Start::default()).unwrap().run(&mut ()).unwrap();
    folder.join(BEST)
}

#[test]
fn a_student_learns_from_its_teachers_alone() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(15);
    recipe.augment.flip = false;
    let teachers = [3, 4].map(|seed| {
        let recipe = Recipe { seed, ..recipe.clone() };
        trained(&recipe, &folder.path().join(format!("teacher{seed}")))
    });
    // With weight 1 the labels have no say.
    let mut pupil = student(15);
    pupil.augment.flip = false;
    let at = folder.path().join("student");
    let mut trainer = start(&pupil, &at, &taught(&teachers)).unwrap();
    trainer.run(&mut ()).unwrap();
    let (best, _) = trainer.progress().best.unwrap();
    assert!(best > 0.4, "mean of accuracy and macro-F1 is {best}; chance is 0.14");
    assert_eq!(trainer.progress().teachers.len(), 2);
    drop(trainer);

    // It goes on with the same teachers only.
    let again = Start { resume: true, ..taught(&teachers) };
    start(&pupil, &at, &again).unwrap();
    let many = DistillRecipe { temperature: 2.0, weight: 1.0, sample: Some(3) };
    let many = Recipe { distill: Some(many), ..pupil.clone() };
    let error = start(&many, &folder.path().join("many"), &taught(&teachers)).unwrap_err();
    assert!(error.to_string().contains("distill.sample: 3; expected at most the 2"), "{error}");
    let fewer = Start { resume: true, ..taught(&teachers[..1]) };
    let error = start(&pupil, &at, &fewer).unwrap_err().to_string();
    assert!(error.contains("list of teachers differs"), "{error}");
}

#[test]
fn an_onnx_file_teaches_as_its_checkpoint_does() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = trained(&support::recipe(1), &folder.path().join("teacher"));
    let (model, progress) = averaged_model(&checkpoint).unwrap();
    let onnx = folder.path().join("tiny.onnx");
    let description = Description {
        name: "tiny".into(),
        licence: "none".into(),
        source: "a test".into(),
        crop: Crop { margin: 0.0, square: true },
    };
    let images = support::images(70, 500);
    let exported = export(&model, &progress, &images, &onnx, &description).unwrap();
    write(&exported, &onnx).unwrap().unwrap();
    let (manifest, _) = Manifest::load(&onnx.with_extension("yaml")).unwrap();

    tch::manual_seed(1);
    let view = Tensor::rand([5, 1, 48, 48], (Kind::Float, Device::Cpu));
    let of = |path: &Path, temperature: f64| {
        let paths = [path.to_owned()];
        let mut teachers =
            Teachers::open(&paths, &student(1), &progress.classes, Device::Cpu).unwrap();
        teachers.probabilities(&view, temperature).unwrap()
    };
    // The manifest's temperature comes before the one that softens.
    let calibrated = f64::from(manifest.output.temperature);
    assert!((calibrated - 1.0).abs() > 1e-3, "the test needs a temperature");
    let difference = of(&onnx, 2.0) - of(&checkpoint, 2.0 * calibrated);
    assert!(difference.abs().max().double_value(&[]) < 1e-5);
    let taught = taught(&[onnx]);
    start(&student(1), &folder.path().join("student"), &taught).unwrap().run(&mut ()).unwrap();
}

#[test]
fn teachers_that_do_not_fit_are_refused() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let error = start(&student(1), &at("a"), &Start::default()).unwrap_err().to_string();
    assert!(error.contains("no teacher"), "{error}");

    let mut small = support::recipe(1);
    small.input.size = 32;
    let teacher = trained(&small, &at("teacher"));
    assert!(at("teacher").join(LAST).exists());
    let taught = taught(std::slice::from_ref(&teacher));
    let error = start(&student(1), &at("b"), &taught).unwrap_err().to_string();
    assert!(error.contains("32×32") && error.contains("48×48"), "{error}");
    let error = start(&support::recipe(1), &at("c"), &taught).unwrap_err().to_string();
    assert!(error.contains("`distill`"), "{error}");
    assert!(!at("b").exists() && !at("c").exists(), "a folder was made for nothing");
}
