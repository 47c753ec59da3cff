//! VGG with batch norm for small inputs, as Khaireddin and Chen (2021) use it.

use tch::nn;

use super::layers::{Conv, ConvConfig, Dense, Dropout, Flatten, MaxPool, Sequential};
use crate::recipe::Activation::Relu;
use crate::recipe::InputRecipe;

/// Width and depth.
pub(super) struct Shape<'a> {
    pub(super) widths: &'a [i64],
    pub(super) convolutions: usize,
    pub(super) dense: &'a [i64],
}

/// One stage a width; one stage a dense layer; the last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    input: &InputRecipe,
    shape: &Shape<'_>,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let mut stages = Vec::new();
    let mut channels = input.channels();
    for (stage, &width) in shape.widths.iter().enumerate() {
        let mut layers = Sequential::default();
        for index in 0..shape.convolutions {
            let path = root / format!("stage{stage}") / format!("conv{index}");
            let conv = Conv::with_norm(&path, channels, width, ConvConfig::default());
            layers = layers.with(conv).with(Relu);
            channels = width;
        }
        stages.push(layers.with(MaxPool::HALVE));
    }
    let side = input.size as i64 >> shape.widths.len();
    let mut features = channels * side * side;
    let mut start = Sequential::default().with(Flatten);
    for (index, &outputs) in shape.dense.iter().enumerate() {
        let path = root / format!("dense{index}");
        let dense = Dense::new(&path, features, outputs, nn::init::DEFAULT_KAIMING_NORMAL);
        stages.push(std::mem::take(&mut start).with(Dropout(dropout)).with(dense).with(Relu));
        features = outputs;
    }
    let head = Dense::new(&(root / "head"), features, classes, nn::init::DEFAULT_KAIMING_UNIFORM);
    stages.push(start.with(Dropout(dropout)).with(head));
    stages
}
