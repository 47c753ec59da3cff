//! Tiny recipes of any network, and images to go with them.

use fer_train::checkpoint::{DataSummary, Progress};
use fer_train::classes::Classes;
use fer_train::dataset::{Dataset, ImageShape, Images, Origin, Removed};
use fer_train::network::Model;
use fer_train::recipe::Recipe;
use tch::{Device, Kind, Tensor};

/// A small residual network of grey 16×16 images.
pub(crate) const RESNET: &str = "resnet: { widths: [4, 8], blocks: 1 }";

/// A recipe of `model` (YAML) for grey images of `size` pixels; batches of 14.
pub(crate) fn recipe(model: &str, size: usize) -> Recipe {
    let yaml = format!(
        "{{ name: tiny, seed: 3, input: {{ size: {size} }}, model: {{ {model} }}, optimiser: {{ \
         epochs: 1, batch: 14, kind: {{ adam: {{}} }}, learning_rate: 0.01 }} }}"
    );
    let recipe: Recipe = serde_yaml::from_str(&yaml).unwrap();
    recipe.check().unwrap();
    recipe
}

/// The same recipe for red, green and blue.
pub(crate) fn coloured(mut recipe: Recipe) -> Recipe {
    recipe.input.colour = fer_core::preprocess::Colour::Rgb;
    recipe.input.mean = vec![0.5; 3];
    recipe.input.std = vec![0.25; 3];
    recipe
}

/// `count` images of seven classes; the class shows as the period of stripes, over noise.
pub(crate) fn images(count: usize, shape: ImageShape, seed: u32) -> Images {
    let mut images = Images::new(shape, 7);
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for index in 0..count {
        let period = 2 * (index % 7) + 2;
        let pixel = |position| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bright = position % shape.width % period < period / 2;
            (state >> 26) as u8 + if bright { 150 } else { 40 }
        };
        let pixels: Vec<u8> = (0..shape.len()).map(pixel).collect();
        images.push(&pixels, index % 7);
    }
    images
}

/// Images of FER2013's classes for all splits.
pub(crate) fn dataset(shape: ImageShape, training: usize, validation: usize) -> Dataset {
    let mut dataset = Dataset::empty("tiny", Origin::Folder, Classes::fer2013(), shape);
    dataset.training = images(training, shape, 1);
    dataset.validation = images(validation, shape, 2);
    dataset
}

/// The progress of a run that has not begun.
pub(crate) fn progress(recipe: &Recipe, classes: Classes) -> Progress {
    let data = DataSummary {
        name: "tiny".into(),
        validation: "validation".into(),
        sha256: String::new(),
        removed: Removed::default(),
        class_counts: vec![1; classes.len()],
        synthetic: 0,
        validation_images: 1,
    };
    Progress::new(recipe.clone(), classes, data)
}

/// A model of `recipe` for seven classes whose batch norms have statistics that folding must not ignore, and whose
/// largest logit is about .1: untrained nets, EfficientNet above all, make rounding errors grow.
pub(crate) fn model(recipe: &Recipe) -> Model {
    tch::manual_seed(11);
    let mut model = Model::new(&recipe.model, &recipe.input, 7, Device::Cpu);
    model.store.freeze();
    let shape = recipe.input.image_shape();
    let sides = [4, shape.channels as i64, shape.height as i64, shape.width as i64];
    let x = Tensor::randn(sides, (Kind::Float, Device::Cpu)) * 2.0 + 1.0;
    for (name, tensor) in model.tensors() {
        // Scales of batch norms and all biases start at one value.
        if tensor.dim() == 1 && !name.contains("running") {
            let noise = tensor.rand_like() * 0.5;
            let _ = tensor.shallow_clone().g_add_(&noise);
        }
    }
    let _ = model.network.forward(&x, true, 0);
    let largest = model.network.forward(&x, false, 0).abs().max().double_value(&[]);
    let head = fer_train::network::head(&recipe.model);
    for (name, tensor) in model.tensors() {
        if name.starts_with(head) {
            // Deep networks of random weights magnify rounding: with AVX-512 a logit of .5 of
            // `efficientnet_b0` differs by 2.4e-4, more than a trained one's may.
            let _ = tensor.shallow_clone().g_mul_scalar_(0.1 / largest);
        }
    }
    model
}
