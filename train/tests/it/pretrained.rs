//! Weights that were learnt elsewhere are taken up whole or not at all, and frozen stages stay.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fer_train::network::pretrained::{PretrainedError, load};
use fer_train::network::{Model, Named};
use fer_train::onnx::graph::floats;
use fer_train::recipe::{PretrainedRecipe, Recipe};
use fer_train::run;
use fer_train::training::{Data, Start, Trainer, TrainingError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

use crate::tiny;

fn model(recipe: &Recipe, classes: usize) -> Model {
    let mut model = Model::new(&recipe.model, &recipe.input, classes, Device::Cpu);
    model.store.freeze();
    model
}

/// A file of `tensors` in `dtype`, which is F32, F16 or BF16.
fn written(folder: &Path, tensors: &Named, dtype: Dtype) -> PathBuf {
    let kind = match dtype {
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        _ => Kind::Float,
    };
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let sides = tensor.size().iter().map(|&side| side as usize).collect();
            let flat = tensor.to_kind(kind).contiguous();
            let mut bytes = vec![0; flat.numel() * kind.elt_size_in_bytes()];
            flat.f_copy_data_u8(&mut bytes, flat.numel()).unwrap();
            (name.clone(), sides, bytes)
        })
        .collect();
    let views = stored
        .iter()
        .map(|(name, sides, bytes)| (name, TensorView::new(dtype, sides.clone(), bytes).unwrap()));
    let path = folder.join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn differing(a: &Named, b: &Named) -> Vec<String> {
    let pairs = a.iter().zip(b).filter(|((_, a), (_, b))| floats(a) != floats(b));
    pairs.map(|((name, _), _)| name.clone()).collect()
}

#[test]
fn all_kinds_of_numbers_are_read_and_another_head_stays_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let mut foreign = model(&recipe, 1000).tensors();
    for (_, tensor) in &mut foreign {
        // Values that BF16 holds exactly.
        *tensor = tensor.rand_like().to_kind(Kind::BFloat16).to_kind(Kind::Float);
    }
    foreign.push(("stem.norm.num_batches_tracked".into(), Tensor::from(3.0_f32)));
    for dtype in [Dtype::F32, Dtype::BF16] {
        let model = model(&recipe, 7);
        let before: Vec<Vec<f32>> = model.tensors().iter().map(|(_, t)| floats(t)).collect();
        let path = written(folder.path(), &foreign, dtype);
        let loaded = load(&model, &recipe, &path).unwrap();
        assert_eq!(loaded.fresh, ["head.bias", "head.weight"]);
        assert_eq!(loaded.sha256.len(), 64);
        for (((name, now), before), (_, stored)) in model.tensors().iter().zip(before).zip(&foreign)
        {
            let expected = if name.starts_with("head") { before } else { floats(stored) };
            assert_eq!(floats(now), expected, "{name} as {dtype:?}");
        }
    }
    // Half precision has a shorter range and more digits.
    let model = model(&recipe, 1000);
    let halves: Named = foreign.iter().map(|(n, t)| (n.clone(), t.to_kind(Kind::Half))).collect();
    let loaded = load(&model, &recipe, &written(folder.path(), &halves, Dtype::F16)).unwrap();
    assert!(loaded.fresh.is_empty());
    assert!(differing(&model.tensors(), &halves).is_empty());
}

#[test]
fn grey_sees_what_colour_sees_in_a_grey_image() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let coloured = model(&tiny::coloured(recipe.clone()), 7);
    let grey = model(&recipe, 7);
    load(&grey, &recipe, &written(folder.path(), &coloured.tensors(), Dtype::F32)).unwrap();
    let x = Tensor::randn([2, 1, 16, 16], (Kind::Float, Device::Cpu));
    let expected = coloured.network.forward(&x.expand([2, 3, 16, 16], false), false, 0);
    let difference = (grey.network.forward(&x, false, 0) - expected).abs().max();
    assert!(difference.double_value(&[]) < 1e-5);
}

#[test]
fn every_tensor_that_does_not_fit_is_listed_and_nothing_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let mut foreign: HashMap<String, Tensor> = model(&recipe, 7).tensors().into_iter().collect();
    foreign.remove("stem.conv.weight");
    foreign.remove("stage0.block0.first.norm.running_var");
    foreign.insert("stage1.block0.first.norm.bias".into(), Tensor::from_slice(&[1.0_f32, 2.0]));
    foreign.insert("head.weight".into(), Tensor::ones([7, 9], (Kind::Float, Device::Cpu)));
    foreign.insert("aux.weight".into(), Tensor::from_slice(&[1.0_f32]));
    let path = written(folder.path(), &foreign.into_iter().collect(), Dtype::F32);
    let untouched = model(&recipe, 7);
    let before: Named = untouched.tensors().iter().map(|(n, t)| (n.clone(), t.copy())).collect();
    let error = load(&untouched, &recipe, &path).unwrap_err().to_string();
    for part in [
        "weights.safetensors",
        "`stem.conv.weight` is missing",
        "`stage0.block0.first.norm.running_var` is missing",
        "`stage1.block0.first.norm.bias` is [2]; expected [8]",
        "`head.weight` is [7, 9]; expected [7, 8]",
        "`aux.weight` is not in the network",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(error.lines().count(), 6, "{error}");
    assert!(differing(&untouched.tensors(), &before).is_empty());
}

#[test]
fn what_is_no_file_of_weights_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let model = model(&recipe, 7);
    let error = load(&model, &recipe, &folder.path().join("none.safetensors")).unwrap_err();
    assert!(error.to_string().contains("none.safetensors"), "{error}");
    let path = folder.path().join("weights.pth");
    std::fs::write(&path, b"PK\x03\x04 not safetensors").unwrap();
    let error = load(&model, &recipe, &path).unwrap_err().to_string();
    assert!(error.contains("weights.pth") && error.contains("not a safetensors"), "{error}");
}

/// The tensors of a run's network after its last epoch, by stage.
fn current(folder: &Path) -> HashMap<String, Vec<u8>> {
    let bytes = std::fs::read(folder.join(run::LAST)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .filter_map(|(name, view)| {
            Some((name.strip_prefix("model.")?.to_owned(), view.data().to_vec()))
        })
        .collect()
}

#[test]
fn frozen_stages_stay_and_move_after_they_joined() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = tiny::recipe(tiny::RESNET, 16);
    let data = Data::of(tiny::dataset(recipe.input.image_shape(), 28, 7), &recipe.data).unwrap();
    let first = folder.path().join("first");
    Trainer::new(recipe.clone(), data.clone(), &first, &Start::default())
        .unwrap()
        .run(&mut ())
        .unwrap();
    let own = first.join(run::BEST);

    recipe.pretrained = Some(PretrainedRecipe { frozen_epochs: 1, epochs_per_stage: 1 });
    let without =
        Trainer::new(recipe.clone(), data.clone(), &folder.path().join("none"), &Start::default());
    assert!(matches!(without, Err(TrainingError::Pretrained(PretrainedError::NoFile))));

    let second = folder.path().join("second");
    let mut previous: HashMap<String, Vec<u8>> = current(&first);
    // The last layer; then the stages before it join, and the stem at the end.
    for (epoch, moving) in
        [vec!["head"], vec!["head", "stage1"], vec!["head", "stage1", "stage0"]].iter().enumerate()
    {
        recipe.optimiser.epochs = epoch + 1;
        // The first time there is no checkpoint to resume: it begins with the weights.
        let start = Start { resume: true, weights: Some(own.clone()), ..Start::default() };
        let mut trainer = Trainer::new(recipe.clone(), data.clone(), &second, &start).unwrap();
        assert!(trainer.fresh_tensors().is_empty());
        trainer.run(&mut ()).unwrap();
        let now = current(&second);
        assert_eq!(now.len(), previous.len());
        for (name, bytes) in &now {
            let moves = moving.iter().any(|stage| name.starts_with(stage));
            assert_eq!(*bytes != previous[name], moves, "{name} in epoch {}", epoch + 1);
        }
        previous = now;
    }
}
