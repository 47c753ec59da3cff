//! VGG-19 without batch norm (Simonyan and Zisserman 2014).

use tch::nn;

use super::classifier;
use crate::network::layers::{
    AdaptiveAverage, Conv, ConvConfig, Dense, Dropout, Flatten, MaxPool, Sequential,
};
use crate::recipe::Activation::Relu;
use crate::recipe::InputRecipe;

/// Channels and number of the convolutions before each pooling.
const FEATURES: [(i64, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];
/// Side of what the dense layers read.
const POOLED: i64 = 7;
/// Outputs of the hidden dense layers.
const HIDDEN: i64 = 4096;

/// Five stages of convolutions; two hidden dense layers; the last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    input: &InputRecipe,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let mut stages = Vec::new();
    let mut channels = input.channels();
    let mut position = 0;
    let config = ConvConfig { bias: true, ..ConvConfig::default() };
    for (outputs, count) in FEATURES {
        let mut layers = Sequential::default();
        for _ in 0..count {
            let conv = Conv::new(&(root / "features" / position), channels, outputs, config);
            layers = layers.with(conv).with(Relu);
            channels = outputs;
            position += 2;
        }
        stages.push(layers.with(MaxPool::HALVE));
        position += 1;
    }
    let side = input.size as i64 >> FEATURES.len();
    let dense = root / "classifier";
    let init = nn::init::DEFAULT_KAIMING_NORMAL;
    let first = Dense::new(&(&dense / 0), channels * POOLED * POOLED, HIDDEN, init);
    let start = Sequential::default().with(AdaptiveAverage { side, outputs: POOLED }).with(Flatten);
    stages.push(start.with(first).with(Relu).with(Dropout(dropout)));
    let second = Dense::new(&(&dense / 3), HIDDEN, HIDDEN, init);
    stages.push(Sequential::default().with(second).with(Relu));
    stages.push(classifier(Sequential::default(), &(&dense / 6), HIDDEN, dropout, classes));
    stages
}
