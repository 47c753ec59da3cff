//! A VGG with fewer channels: what is dead goes, what is left is the same function.

use fer_train::checkpoint::{self, prefixed};
use fer_train::classes::Classes;
use fer_train::evaluate::averaged_model;
use fer_train::network::Model;
use fer_train::prune::{PruneError, Pruned, Widths, prune};
use fer_train::recipe::{Precision, Recipe};
use fer_train::training::{DeviceImages, logits_of};
use tch::{Device, Tensor, no_grad};

use crate::{support, tiny};

const VGG: &str = "vgg: { widths: [4, 6], dense: [8] }";

/// Silences output `index` of every layer before the last.
fn silence(model: &Model, index: i64) {
    no_grad(|| {
        for (name, tensor) in model.tensors() {
            if name.contains(".norm.weight")
                || name.contains(".norm.bias")
                || name.contains("dense0")
            {
                let _ = tensor.select(0, index).zero_();
            }
        }
    });
}

/// Statistics as of a trained network: of the images themselves.
fn settle(model: &Model, recipe: &Recipe, bytes: &Tensor) {
    no_grad(|| {
        for _ in 0..100 {
            let x = fer_train::augment::normalise(bytes, &recipe.input);
            let _ = model.network.forward(&x, true, 0);
        }
    });
}

fn widths(stages: &[i64], dense: &[i64]) -> Widths {
    Widths { stages: stages.to_vec(), dense: dense.to_vec() }
}

#[test]
fn dead_channels_are_taken_out_and_nothing_else_changes() {
    let _turn = support::turn();
    let recipe = tiny::recipe(VGG, 16);
    let model = tiny::model(&recipe);
    let images = tiny::dataset(recipe.input.image_shape(), 140, 70).training;
    let bytes = DeviceImages::new(&images, 0.0, Device::Cpu).bytes;
    silence(&model, 2);
    settle(&model, &recipe, &bytes);
    let progress = tiny::progress(&recipe, Classes::fer2013());
    let mut layers = Vec::new();
    let smaller = widths(&[3, 5], &[7]);
    let (tensors, pruned) =
        prune(&model, &progress, &images, &smaller, |layer| layers.push(layer)).unwrap();
    let told: Vec<(&str, i64, i64)> =
        layers.iter().map(|Pruned { layer, from, to, .. }| (layer.as_str(), *from, *to)).collect();
    assert_eq!(
        told,
        [
            ("stage0.conv0", 4, 3),
            ("stage0.conv1", 4, 3),
            ("stage1.conv0", 6, 5),
            ("stage1.conv1", 6, 5),
            ("dense0", 8, 7)
        ]
    );
    assert!(layers.iter().all(|layer| layer.lost < 1e-3), "{layers:?}");

    // It is a checkpoint of a network of that recipe.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pruned.safetensors");
    let mut progress = progress;
    progress.recipe.model = pruned;
    checkpoint::save(&path, &prefixed("average.", tensors), &progress).unwrap();
    let (small, _) = averaged_model(&path).unwrap();
    assert!(small.parameters() < model.parameters());
    let logits = |model: &Model| logits_of(model, &bytes, &recipe.input, Precision::F32);
    let furthest =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
    let (before, after) = (logits(&model), logits(&small));
    let range = before.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let apart = furthest(&before, &after) / range;
    assert!(apart < 0.02, "{apart}");
}

#[test]
fn what_stays_stands_in_for_what_goes() {
    let _turn = support::turn();
    let recipe = tiny::recipe("vgg: { widths: [8, 6], dense: [8] }", 16);
    let model = tiny::model(&recipe);
    let images = tiny::dataset(recipe.input.image_shape(), 140, 70).training;
    let bytes = DeviceImages::new(&images, 0.0, Device::Cpu).bytes;
    settle(&model, &recipe, &bytes);
    // Only the first stage: what comes after it is fitted to it all the same.
    let progress = tiny::progress(&recipe, Classes::fer2013());
    let mut lost = Vec::new();
    let smaller = widths(&[5, 6], &[8]);
    let (tensors, pruned) =
        prune(&model, &progress, &images, &smaller, |layer| lost.push(layer.lost)).unwrap();
    assert_eq!(lost.len(), 5);
    let mut small = Model::new(&pruned, &recipe.input, 7, Device::Cpu);
    small.store.freeze();
    let copied = |small: &Model, name: &str, values: &Tensor| {
        no_grad(|| small.store.variables()[name].shallow_clone().copy_(values));
    };
    for (name, values) in &tensors {
        copied(&small, name, values);
    }
    let logits = |model: &Model| logits_of(model, &bytes, &recipe.input, Precision::F32);
    let error = |found: &[f32]| {
        let wanted = logits(&model);
        wanted.iter().zip(found).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
    };
    let pruned = error(&logits(&small));
    // In training it is the same: its statistics are those of what it sees.
    settle(&small, &recipe, &bytes);
    let settled = error(&logits(&small));
    // The first five channels of each layer as they were are no such thing.
    for (name, values) in model.tensors() {
        let target = &small.store.variables()[&name];
        let mut values = values.shallow_clone();
        for (dimension, &side) in target.size().iter().enumerate() {
            values = values.narrow(dimension as i64, 0, side);
        }
        copied(&small, &name, &values);
    }
    let cut_off = error(&logits(&small));
    assert!(pruned.max(settled) < 0.2 * cut_off, "{pruned} {settled} {cut_off}");
}

#[test]
fn what_cannot_be_pruned_is_said() {
    let _turn = support::turn();
    let refused = |net: &str, smaller: &Widths| -> PruneError {
        let recipe = tiny::recipe(net, 16);
        let images = tiny::dataset(recipe.input.image_shape(), 14, 7).training;
        let progress = tiny::progress(&recipe, Classes::fer2013());
        prune(&tiny::model(&recipe), &progress, &images, smaller, |_| ()).unwrap_err()
    };
    let error = refused(tiny::RESNET, &widths(&[4], &[])).to_string();
    assert!(error.contains("is no `vgg`"), "{error}");
    let error = refused(VGG, &widths(&[3], &[7])).to_string();
    assert_eq!(error, "--widths: [3]; expected 2 numbers, as the network has [4, 6]");
    let error = refused(VGG, &widths(&[3, 7], &[7])).to_string();
    assert_eq!(error, "--widths: 7; expected 1 to 6, what the network has");
    let error = refused(VGG, &widths(&[3, 6], &[0])).to_string();
    assert_eq!(error, "--dense: 0; expected 1 to 8, what the network has");
    let error = refused(VGG, &widths(&[4, 6], &[8])).to_string();
    assert!(error.contains("has these widths"), "{error}");
}
