//! The network on 8-bit numbers runs and stays close; what it costs is measured.

use std::path::Path;

use fer_core::manifest::Manifest;
use fer_train::dataset::{ImageShape, Split};
use fer_train::evaluate::{Scored, averaged_model, evaluate};
use fer_train::export::{Figures, export, quantised, write};
use fer_train::run;
use fer_train::training::{Data, Start, Trainer};

use crate::networks::description;
use crate::tiny;

#[test]
fn a_trained_network_keeps_its_accuracy_on_8_bit_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = tiny::recipe(tiny::RESNET, 16);
    recipe.optimiser.epochs = 8;
    let dataset = tiny::dataset(recipe.input.image_shape(), 140, 70);
    let data = Data::of(dataset.clone(), &recipe.data).unwrap();
    let mut trainer = Trainer::new(recipe, data, folder.path(), &Start::default()).unwrap();
    trainer.run(&mut ()).unwrap();
    let (model, progress) = averaged_model(&folder.path().join(run::BEST)).unwrap();

    let (file, description) = (Path::new("tiny.onnx"), description());
    let float = export(&model, &progress, &dataset.validation, file, &description).unwrap();
    let path = folder.path().join("tiny.int8.onnx");
    let int8 = quantised(
        &model,
        &progress,
        &dataset.validation,
        &dataset.training,
        Path::new("tiny.int8.onnx"),
        &description,
    )
    .unwrap();
    let manifest = write(&int8, &path).unwrap().unwrap();
    assert_eq!(manifest, folder.path().join("tiny.int8.yaml"));
    assert_eq!(Manifest::load(&manifest).unwrap().0, int8.manifest);
    assert!(int8.difference > 0.0 && int8.difference < 1.0, "{}", int8.difference);

    let measured = |exported| {
        Figures::measured(exported, file, &dataset.validation, &dataset.classes).unwrap()
    };
    let (float, int8) = (measured(&float), measured(&int8));
    assert!(float.accuracy > 0.8, "it has learnt something: {float:?}");
    assert!((float.accuracy - int8.accuracy).abs() < 0.05, "{float:?} {int8:?}");
    assert!(float.median_ms > 0.0 && int8.median_ms > 0.0);
    // The same figures as `evaluate` gives.
    let evaluation =
        evaluate(&mut Scored::open(&path).unwrap(), &dataset, Split::Validation).unwrap();
    assert_eq!(evaluation.whole.accuracy, int8.accuracy);
    assert!((evaluation.whole.macro_f1() - int8.macro_f1).abs() < 1e-12);
}

/// All operators that networks have, among them those that stay in `f32`.
#[test]
fn every_kind_of_network_can_be_quantised() {
    // The largest logit is about ½. Without training, EfficientNet's gates multiply errors.
    for (model, limit) in [
        ("source-cnn: { filters: [4, 8], dense: [16], activation: elu }", 0.05),
        ("source-cnn: { filters: [4, 8], dense: [16], activation: silu }", 0.05),
        ("vgg: { widths: [4, 8], dense: [16] }", 0.05),
        ("mobilenet: { widths: [8, 16], blocks: 2 }", 0.05),
        ("torchvision: { architecture: efficientnet_b0 }", 0.5),
    ] {
        let recipe = tiny::recipe(model, 32);
        let dataset = tiny::dataset(ImageShape::grey(32), 14, 7);
        let progress = tiny::progress(&recipe, dataset.classes.clone());
        let (network, file) = (tiny::model(&recipe), Path::new("q.onnx"));
        let int8 = quantised(
            &network,
            &progress,
            &dataset.validation,
            &dataset.training,
            file,
            &description(),
        )
        .unwrap();
        assert!(int8.difference > 0.0 && int8.difference < limit, "{model}: {}", int8.difference);
    }
}
