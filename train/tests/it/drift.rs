//! Guards against training and inference drifting apart.

use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::Manifest;
use fer_core::preprocess::{Colour, Shape, preprocess};
use fer_train::augment::normalise;
use fer_train::classes::Classes;
use fer_train::recipe::{InputRecipe, Recipe};
use fer_train::training::DeviceImages;

use crate::support;

const SIDE: usize = 48;

/// Bits of the trainer's tensor and of the core's, for images that hold every byte value.
fn tensors(input: &InputRecipe) -> (Vec<u32>, Vec<u32>) {
    let mut images = support::images(3, 5);
    let every: Vec<u8> = (0..SIDE * SIDE).map(|position| (position % 256) as u8).collect();
    images.push(&every, 6);

    let device = DeviceImages::new(&images, 0.0, tch::Device::Cpu);
    let trainer = Vec::<f32>::try_from(normalise(&device.bytes, input).flatten(0, -1)).unwrap();
    let shape = Shape { width: SIDE, height: SIDE, colour: Colour::Grey };
    let mut core = Vec::new();
    for (pixels, _) in images.iter() {
        let frame = Frame::grey(SIDE, SIDE, pixels).unwrap();
        let whole = Rect::new(0.0, 0.0, SIDE as f32, SIDE as f32);
        preprocess(&frame, &whole, shape, &input.normalisation(), &mut core);
    }
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    (bits(&trainer), bits(&core))
}

#[test]
fn the_trainers_tensor_is_the_cores_bit_for_bit() {
    let shipped = Recipe::read(&support::small_recipe()).unwrap().input;
    // Values that f32 does not hold exactly show a different order of operations.
    let odd = InputRecipe { mean: vec![0.507_7], std: vec![0.255_03], ..InputRecipe::default() };
    for input in [shipped, odd] {
        let (trainer, core) = tensors(&input);
        assert_eq!(trainer.len(), 4 * SIDE * SIDE);
        assert!(trainer == core, "the tensors differ for {input:?}");
    }
}

#[test]
fn the_shipped_models_labels_are_the_label_sets() {
    let path = support::recipes().join("../../models/fer.yaml");
    let (manifest, _) = Manifest::load(&path).unwrap();
    assert_eq!(manifest.output.labels, Classes::fer2013().names());
    let small = Recipe::read(&support::small_recipe()).unwrap();
    assert_eq!(manifest.input.normalisation, small.input.normalisation());
    assert_eq!(manifest.shape(), small.input.shape());
}
