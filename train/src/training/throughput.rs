//! How many images a second a recipe trains and infers.

use std::path::Path;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::tally::Tally;
use super::{Data, Start, Trainer, TrainingError, error};
use crate::augment::normalise;
use crate::classes::Classes;
use crate::dataset::{Images, Removed};
use crate::onnx::cost::multiply_adds;
use crate::onnx::graph::{Graph, floats};
use crate::recipe::{BalanceRecipe, DataRecipe, Recipe};

/// Batches that are not counted: memory is allocated and code chosen in them.
const WARM_UP: usize = 2;

/// What a recipe's network costs, and how fast it is here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throughput {
    /// Trainable parameters.
    pub parameters: usize,
    /// Multiply-adds of convolutions and dense layers, an image.
    pub multiply_adds: u64,
    /// Images a second of training: augmentation, forward, backward, optimiser.
    pub training: f64,
    /// Images a second of normalisation and forward pass.
    pub inference: f64,
}

/// Times `recipe` for `time` each, with random images of `classes` classes in its batch size.
///
/// Teachers, foreign weights, votes and SMOTE are left out: they need data.
///
/// # Errors
///
/// [`TrainingError`]: bad recipe, missing device, out of memory.
pub fn throughput(
    recipe: &Recipe,
    classes: usize,
    time: Duration,
) -> Result<Throughput, TrainingError> {
    let mut recipe = Recipe {
        distill: None,
        pretrained: None,
        data: DataRecipe { ferplus: 0.0, ..recipe.data },
        ..recipe.clone()
    };
    if matches!(recipe.balance, BalanceRecipe::Smote { .. }) {
        recipe.balance = BalanceRecipe::None;
    }
    let batch = recipe.optimiser.batch;
    let data = noise(&recipe, classes);
    let mut trainer = Trainer::prepare(recipe, data, Path::new(""), &Start::default())?;
    error::out_of_memory(batch, || trainer.throughput(time))?
}

/// As many random images as a batch holds, in all classes.
fn noise(recipe: &Recipe, classes: usize) -> Data {
    let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
    let shape = recipe.input.image_shape();
    let mut images = Images::new(shape, classes);
    for index in 0..recipe.optimiser.batch.max(classes) {
        let pixels = Tensor::randint(256, [shape.len() as i64], (Kind::Float, Device::Cpu));
        let pixels: Vec<u8> = floats(&pixels).iter().map(|&value| value as u8).collect();
        images.push(&pixels, index % classes);
    }
    Data {
        name: "noise".to_owned(),
        validation_name: "noise".to_owned(),
        classes: Classes::from_names(&names).0,
        validation: images.clone(),
        training: images,
        removed: Removed::default(),
    }
}

impl Trainer {
    fn throughput(&mut self, time: Duration) -> Result<Throughput, TrainingError> {
        let mut graph = Graph::default();
        self.model.network.export(&mut graph, "images");
        let shape = self.recipe.input.image_shape();
        let sides = [shape.channels, shape.height, shape.width].map(|side| side as i64);
        Ok(Throughput {
            parameters: self.model.parameters(),
            multiply_adds: multiply_adds(&graph, "images", sides),
            training: self.training_rate(time)?,
            inference: self.inference_rate(time)?,
        })
    }

    fn training_rate(&mut self, time: Duration) -> Result<f64, TrainingError> {
        let batch = self.recipe.optimiser.batch;
        let mut tally = Tally::new(1, usize::MAX, batch, self.device);
        rate(batch, time, || {
            let chosen = self.order().narrow(0, 0, batch as i64);
            let loss = self.step(&chosen, 0, &mut tally)?;
            // Reading it makes the CPU wait for a GPU.
            loss.double_value(&[]);
            Ok(())
        })
    }

    fn inference_rate(&self, time: Duration) -> Result<f64, TrainingError> {
        let batch = self.recipe.optimiser.batch;
        let bytes = self.validation.bytes.narrow(0, 0, batch as i64);
        rate(batch, time, || {
            tch::no_grad(|| {
                let x = normalise(&bytes, &self.recipe.input);
                let x = x.to_kind(self.recipe.precision.kind());
                floats(&self.model.network.forward(&x, false, 0));
            });
            Ok(())
        })
    }
}

/// Images a second of `work`, which takes `batch` of them.
fn rate(
    batch: usize,
    time: Duration,
    mut work: impl FnMut() -> Result<(), TrainingError>,
) -> Result<f64, TrainingError> {
    for _ in 0..WARM_UP {
        work()?;
    }
    let started = Instant::now();
    let mut images = 0;
    loop {
        work()?;
        images += batch;
        let elapsed = started.elapsed();
        if elapsed >= time {
            return Ok(images as f64 / elapsed.as_secs_f64());
        }
    }
}
