//! The ONNX file computes what the trainer computes, and its manifest describes it.

use std::path::Path;

use fer_core::emotion::Emotion;
use fer_core::manifest::Manifest;
use fer_core::preprocess::Crop;
use fer_train::checkpoint::Progress;
use fer_train::dataset::{Dataset, Images, Split};
use fer_train::evaluate::{Scored, averaged_model, evaluate, json_path, speed};
use fer_train::export::{Description, ExportError, Exported, TOLERANCE, export, write};
use fer_train::network::Model;
use tch::{Device, Kind, Tensor};

use crate::support;

/// A tiny net whose batch norm has statistics that folding must not ignore, and its run.
fn model() -> (Model, Progress) {
    let folder = tempfile::tempdir().unwrap();
    let (model, progress) = averaged_model(&support::trained(folder.path())).unwrap();
    tch::manual_seed(11);
    let batch = Tensor::randn([16, 1, 48, 48], (Kind::Float, Device::Cpu)) * 2.0 + 1.0;
    tch::no_grad(|| {
        for _ in 0..20 {
            let _ = model.network.forward(&batch, true, 0);
        }
        for (name, tensor) in model.tensors() {
            if name.contains("norm") && !name.contains("running") {
                let noise = tensor.rand_like() * 0.5 + 0.5;
                tensor.shallow_clone().copy_(&noise);
            }
        }
    });
    (model, progress)
}

fn description() -> Description {
    Description {
        name: "tiny".into(),
        licence: "none".into(),
        source: "a test".into(),
        crop: Crop { margin: 0.1, square: true },
    }
}

fn exported(images: &Images) -> Exported {
    let (model, progress) = model();
    export(&model, &progress, images, Path::new("tiny.onnx"), &description()).unwrap()
}

#[test]
fn logits_agree_and_files_load() {
    let _turn = support::turn();
    let images = support::images(70, 500);
    let exported = exported(&images);
    assert!(exported.difference <= TOLERANCE);

    let folder = tempfile::tempdir().unwrap();
    let onnx = folder.path().join("tiny.onnx");
    let manifest = write(&exported, &onnx).unwrap().unwrap();
    let (read, bytes) = Manifest::load(&manifest).unwrap();
    assert_eq!(read, exported.manifest);
    assert_eq!(bytes, exported.onnx);
    assert_eq!(read.output.labels, Emotion::ALL.map(Emotion::name));
    assert!(speed(&onnx, 20).unwrap().median_ms > 0.0);

    // Half of the scored images get a twin in Training.
    let mut dataset = Dataset { validation: images, ..support::dataset() };
    for index in 0..35 {
        let image = dataset.validation.image(index).to_vec();
        dataset.training.push(&image, dataset.validation.labels()[index]);
    }
    let mut scored = Scored::open(&manifest).unwrap();
    let evaluation = evaluate(&mut scored, &dataset, Split::Validation).unwrap();
    assert_eq!(
        (evaluation.whole.images, evaluation.without_twins.as_ref().unwrap().images),
        (70, 35)
    );
    let card = "a\n<!-- evaluate PublicTest -->\nold\n<!-- end PublicTest -->\nb\n";
    let card = evaluation.put_into_card(card).unwrap();
    assert!(card.starts_with("a\n") && card.ends_with("b\n") && !card.contains("old"), "{card}");
    assert!(card.contains(&evaluation.to_string()));
    assert_eq!(evaluation.put_into_card(&card).unwrap(), card);
    let windows = |card: &str| card.replace('\n', "\r\n");
    assert_eq!(evaluation.put_into_card(&windows(&card)).unwrap(), windows(&card));
    let error = evaluation.put_into_card("no marks").unwrap_err().to_string();
    assert!(error.contains("<!-- evaluate PublicTest -->"), "{error}");
    let mut described = read;
    evaluation.put_into(&mut described).unwrap();
    evaluation.put_into(&mut described).unwrap();
    assert_eq!(described.metrics.len(), 2, "an older figure is replaced");
    assert_eq!(described.metrics[1].split, "PublicTest without twins in Training");
    assert!((described.metrics[0].accuracy - evaluation.whole.accuracy).abs() <= 5e-5);
    assert_eq!(
        json_path(Path::new("models/fer.yaml"), "PrivateTest"),
        Path::new("models/fer.PrivateTest.json")
    );
}

#[test]
fn a_net_that_gives_nan_is_not_exported() {
    let _turn = support::turn();
    let (model, progress) = model();
    tch::no_grad(|| {
        let head = &model.store.variables()["head.weight"];
        let _ = head.shallow_clone().fill_(f64::NAN);
    });
    let images = support::images(7, 1);
    let error = export(&model, &progress, &images, Path::new("nan.onnx"), &description());
    assert!(matches!(error, Err(ExportError::Parity { .. })), "{error:?}");
}

#[test]
fn scoring_a_missing_split_is_an_error() {
    let _turn = support::turn();
    let images = support::images(14, 1);
    let folder = tempfile::tempdir().unwrap();
    let manifest = write(&exported(&images), &folder.path().join("tiny.onnx")).unwrap().unwrap();
    let mut scored = Scored::open(&manifest).unwrap();
    let dataset = Dataset { test: support::images(0, 0), ..support::dataset() };
    let error = evaluate(&mut scored, &dataset, Split::Test).unwrap_err();
    assert!(error.to_string().contains("no PrivateTest images"), "{error}");
}
