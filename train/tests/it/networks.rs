//! Every architecture trains, and its ONNX file computes what it computes; but VGG-19, of 140
//! million weights, is in `torchvision.rs` alone.

use std::path::Path;

use fer_core::preprocess::Crop;
use fer_train::classes::Classes;
use fer_train::export::{Description, Exported, TOLERANCE, export, write};
use fer_train::network::Model;
use fer_train::recipe::Recipe;
use tch::{Device, Kind, Tensor};

use crate::tiny;

const VGG: &str = "vgg: { widths: [4, 8], convolutions: 2, dense: [16], dropout: 0.2 }";
const SOURCE: &str = "source-cnn: { filters: [4, 8], dense: [16, 8], activation: elu }";
const MOBILENET: &str = "mobilenet: { widths: [8, 16], blocks: 2, expansion: 3, stem_stride: 2 }";

pub(crate) fn description() -> Description {
    Description {
        name: "tiny".into(),
        licence: "none".into(),
        source: "a test".into(),
        crop: Crop { margin: 0.1, square: true },
    }
}

pub(crate) fn exported(recipe: &Recipe, model: &Model) -> Exported {
    let progress = tiny::progress(recipe, Classes::fer2013());
    let images = tiny::images(3, recipe.input.image_shape(), 1);
    export(model, &progress, &images, Path::new("tiny.onnx"), &description()).unwrap()
}

/// The network trains, every stage of it, and its export agrees with it.
fn check(recipe: &Recipe) {
    let mut model = tiny::model(recipe);
    let exported = exported(recipe, &model);
    assert!(exported.difference <= TOLERANCE && exported.difference > 0.0);

    model.store.unfreeze();
    let shape = recipe.input.image_shape();
    let sides = [2, shape.channels as i64, shape.height as i64, shape.width as i64];
    let logits = model.network.forward(&Tensor::randn(sides, (Kind::Float, Device::Cpu)), true, 0);
    assert_eq!(logits.size(), [2, 7]);
    logits.log_softmax(-1, Kind::Float).select(1, 0).sum(Kind::Float).backward();
    for (name, tensor) in model.tensors().iter().filter(|(name, _)| !name.contains("running")) {
        assert!(tensor.grad().defined(), "no gradient reaches {name}");
    }
}

#[test]
fn vgg() {
    // 17 pixels: an odd side is rounded down.
    check(&tiny::recipe(VGG, 17));
    check(&tiny::coloured(tiny::recipe("vgg: { widths: [4], dense: [] }", 8)));
}

#[test]
fn source_cnn() {
    check(&tiny::recipe(SOURCE, 16));
}

#[test]
fn resnet() {
    check(&tiny::recipe(tiny::RESNET, 16));
}

#[test]
fn mobilenet() {
    check(&tiny::recipe(MOBILENET, 17));
}

fn torchvision(architecture: &str, size: usize) -> Recipe {
    tiny::recipe(&format!("torchvision: {{ architecture: {architecture}, dropout: 0.1 }}"), size)
}

#[test]
fn resnet18() {
    check(&torchvision("resnet18", 32));
}

#[test]
fn resnet50() {
    check(&tiny::coloured(torchvision("resnet50", 33)));
}

#[test]
fn mobilenet_v2() {
    check(&torchvision("mobilenet_v2", 32));
}

#[test]
fn efficientnet_b0() {
    check(&torchvision("efficientnet_b0", 47));
}

#[test]
fn an_input_that_would_vanish_is_refused() {
    for (model, size, least) in [(VGG, 48, 0), ("torchvision: { architecture: vgg19 }", 31, 32)] {
        let mut recipe = tiny::recipe(model, 48);
        recipe.input.size = size;
        let problem = recipe.check().err().map(|error| error.to_string()).unwrap_or_default();
        match least {
            0 => assert_eq!(problem, ""),
            _ => {
                let told = format!("input.size: {size}; expected at least {least}");
                assert!(problem.contains(&told), "{problem}");
            }
        }
    }
}

#[test]
fn a_network_for_other_classes_is_written_without_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let names: Vec<String> = ["dog", "cat", "a", "b", "c", "d", "happy"].map(String::from).into();
    let progress = tiny::progress(&recipe, Classes::from_names(&names).0);
    let (images, path) =
        (tiny::images(3, recipe.input.image_shape(), 1), folder.path().join("a.onnx"));
    let model = tiny::model(&recipe);
    let exported = export(&model, &progress, &images, Path::new("a.onnx"), &description()).unwrap();
    assert!(exported.unusable.as_ref().unwrap().contains("1 of its classes (a, b, c, cat, d, dog"));
    assert_eq!(write(&exported, &path).unwrap(), None);
    assert!(!path.with_extension("yaml").exists());
    let bytes = std::fs::read(path).unwrap();
    let labels = b"a,b,c,cat,d,dog,happy";
    assert!(bytes.windows(labels.len()).any(|window| window == labels));
}
