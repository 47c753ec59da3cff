//! The ONNX file computes what the trainer computes, and its manifest describes it.

use std::path::Path;

use fer_core::emotion::Emotion;
use fer_core::manifest::Manifest;
use fer_core::preprocess::Crop;
use fer_train::dataset::{Dataset, Split};
use fer_train::evaluate::{Scored, evaluate, json_path, speed};
use fer_train::export::{Description, ExportError, TOLERANCE, export, write};
use fer_train::model::Model;
use tch::{Device, Kind, Tensor};

use crate::support;

/// A tiny net whose batch norm has statistics that folding must not ignore.
fn model() -> Model {
    tch::manual_seed(11);
    let model = Model::new(&support::recipe(1).model, Device::Cpu);
    let batch = Tensor::randn([16, 1, 48, 48], (Kind::Float, Device::Cpu)) * 2.0 + 1.0;
    tch::no_grad(|| {
        for _ in 0..20 {
            let _ = model.network.forward(&batch, true);
        }
        for (name, tensor) in model.tensors() {
            if name.contains("norm") && tensor.requires_grad() {
                let noise = tensor.rand_like() * 0.5 + 0.5;
                tensor.shallow_clone().copy_(&noise);
            }
        }
    });
    model
}

fn description() -> Description {
    Description {
        name: "tiny".into(),
        licence: "none".into(),
        source: "a test".into(),
        crop: Crop { margin: 0.1, square: true },
    }
}

#[test]
fn logits_agree_and_files_load() {
    let _turn = support::turn();
    let images = support::images(70, 1);
    let input = support::recipe(1).input;
    let exported =
        export(&model(), &input, &images, Path::new("tiny.onnx"), &description()).unwrap();
    assert!(exported.difference <= TOLERANCE);

    let folder = tempfile::tempdir().unwrap();
    let onnx = folder.path().join("tiny.onnx");
    let manifest = write(&exported, &onnx).unwrap();
    let (read, bytes) = Manifest::load(&manifest).unwrap();
    assert_eq!(read, exported.manifest);
    assert_eq!(bytes, exported.onnx);
    assert_eq!(read.output.labels, Emotion::ALL.map(Emotion::name));
    assert!(speed(&onnx, 20).unwrap().median_ms > 0.0);

    let mut dataset = Dataset { public_test: images, ..Dataset::default() };
    // Half of the scored rows get a twin in Training.
    for index in 0..35 {
        let label = dataset.public_test.labels()[index];
        dataset.training.push(dataset.public_test.image(index), label);
    }
    let mut scored = Scored::open(&manifest).unwrap();
    let evaluation = evaluate(&mut scored, &dataset, Split::PublicTest).unwrap();
    assert_eq!((evaluation.whole.images, evaluation.without_twins.images), (70, 35));
    let card = "a\n<!-- evaluate PublicTest -->\nold\n<!-- end PublicTest -->\nb\n";
    let card = evaluation.put_into_card(card).unwrap();
    assert!(card.starts_with("a\n") && card.ends_with("b\n") && !card.contains("old"), "{card}");
    assert!(card.contains(&evaluation.to_string()));
    assert_eq!(evaluation.put_into_card(&card).unwrap(), card);
    let error = evaluation.put_into_card("no marks").unwrap_err().to_string();
    assert!(error.contains("<!-- evaluate PublicTest -->"), "{error}");
    let mut described = read;
    evaluation.put_into(&mut described);
    evaluation.put_into(&mut described);
    assert_eq!(described.metrics.len(), 2, "an older figure is replaced");
    assert_eq!(described.metrics[1].split, "PublicTest without twins in Training");
    assert!((described.metrics[0].accuracy - evaluation.whole.accuracy).abs() <= 5e-5);
    assert_eq!(
        json_path(Path::new("models/fer.yaml"), Split::PrivateTest),
        Path::new("models/fer.PrivateTest.json")
    );
}

#[test]
fn a_net_that_gives_nan_is_not_exported() {
    let _turn = support::turn();
    let model = model();
    tch::no_grad(|| {
        let _ = model.network.head.ws.shallow_clone().fill_(f64::NAN);
    });
    let (images, input) = (support::images(7, 1), support::recipe(1).input);
    let error = export(&model, &input, &images, Path::new("nan.onnx"), &description());
    assert!(matches!(error, Err(ExportError::Parity { .. })), "{error:?}");
}

#[test]
fn scoring_a_missing_split_is_an_error() {
    let _turn = support::turn();
    let images = support::images(14, 1);
    let input = support::recipe(1).input;
    let exported =
        export(&model(), &input, &images, Path::new("tiny.onnx"), &description()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = write(&exported, &folder.path().join("tiny.onnx")).unwrap();
    let mut scored = Scored::open(&manifest).unwrap();
    let error = evaluate(&mut scored, &Dataset::default(), Split::PrivateTest).unwrap_err();
    assert!(error.to_string().contains("no PrivateTest rows"), "{error}");
}
