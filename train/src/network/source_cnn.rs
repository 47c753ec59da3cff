//! The CNN of the work that this project started from, with Keras's initial weights and batch
//! norm, as it was trained there.

use tch::nn;

use super::layers::{
    Conv, ConvConfig, Dense, Dropout, Flatten, MaxPool, Norm, NormConfig, Sequential,
};
use crate::recipe::{Activation, InputRecipe};

/// Width, depth and activation.
pub(super) struct Shape<'a> {
    pub(super) filters: &'a [i64],
    pub(super) dense: &'a [i64],
    pub(super) activation: Activation,
}

/// One stage a convolution; one stage a dense layer; the last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    input: &InputRecipe,
    shape: &Shape<'_>,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let mut stages = Vec::new();
    let mut channels = input.channels();
    let mut side = input.size as i64;
    for (index, &filters) in shape.filters.iter().enumerate() {
        let path = root / format!("stage{index}");
        let config = ConvConfig {
            bias: true,
            init: glorot(9 * channels, 9 * filters),
            ..Default::default()
        };
        let norm = Norm::new(&path / "norm", filters, NormConfig::KERAS);
        stages.push(
            Sequential::default()
                .with(Conv::new(&(&path / "conv"), channels, filters, config).normalised(norm))
                .with(shape.activation)
                .with(MaxPool::HALVE)
                .with(Dropout(dropout)),
        );
        channels = filters;
        side /= 2;
    }
    let mut features = channels * side * side;
    for (index, &outputs) in shape.dense.iter().enumerate() {
        let path = root / format!("dense{index}");
        let norm = Norm::new(&path / "norm", outputs, NormConfig::KERAS);
        let dense = Dense::new(&(&path / "dense"), features, outputs, glorot(features, outputs));
        let start = Sequential::default();
        let start = if index == 0 { start.with(Flatten) } else { start };
        stages
            .push(start.with(dense.normalised(norm)).with(shape.activation).with(Dropout(dropout)));
        features = outputs;
    }
    let head = Dense::new(&(root / "head"), features, classes, glorot(features, classes));
    stages.push(Sequential::default().with(head));
    stages
}

/// Keras's default start (Glorot and Bengio 2010): uniform within √(6 / (inputs + outputs)).
fn glorot(inputs: i64, outputs: i64) -> nn::Init {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    nn::Init::Uniform { lo: -bound, up: bound }
}
