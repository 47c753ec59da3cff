//! ResNet-18 and ResNet-50 (He et al. 2015), the latter with the stride in the 3×3 convolution.

use tch::nn;

use super::{classifier, conv_norm};
use crate::network::layers::{
    Conv, ConvConfig, GlobalAverage, MaxPool, Norm, NormConfig, Residual, Sequential,
};
use crate::recipe::Activation::Relu;

/// Blocks of each stage, and their kind.
pub(super) struct Shape {
    blocks: [usize; 4],
    bottleneck: bool,
}

pub(super) const RESNET18: Shape = Shape { blocks: [2, 2, 2, 2], bottleneck: false };
pub(super) const RESNET50: Shape = Shape { blocks: [3, 4, 6, 3], bottleneck: true };

/// How much wider a bottleneck's output is than its inside.
const WIDENING: i64 = 4;

/// Stem; four stages of blocks; global average and last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    inputs: i64,
    shape: &Shape,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let mut channels = 64;
    let stem = ConvConfig { kernel: 7, stride: 2, ..ConvConfig::default() };
    let stem = Conv::new(&(root / "conv1"), inputs, channels, stem).normalised(Norm::new(
        root / "bn1",
        channels,
        NormConfig::TORCH,
    ));
    let pool = MaxPool { kernel: 3, stride: 2, padding: 1 };
    let mut stages = vec![Sequential::default().with(stem).with(Relu).with(pool)];
    for (stage, &count) in shape.blocks.iter().enumerate() {
        let width = 64 << stage;
        let path = root / format!("layer{}", stage + 1);
        let mut blocks = Sequential::default();
        for index in 0..count {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let convolutions = convolutions(width, stride, shape.bottleneck);
            blocks = blocks.with(block(&(&path / index), channels, stride, &convolutions));
            channels = if shape.bottleneck { WIDENING * width } else { width };
        }
        stages.push(blocks);
    }
    let start = Sequential::default().with(GlobalAverage);
    stages.push(classifier(start, &(root / "fc"), channels, dropout, classes));
    stages
}

/// Outputs and form of a block's convolutions.
fn convolutions(width: i64, stride: i64, bottleneck: bool) -> Vec<(i64, ConvConfig)> {
    let form = |kernel, stride| ConvConfig { kernel, stride, ..ConvConfig::default() };
    if bottleneck {
        vec![(width, form(1, 1)), (width, form(3, stride)), (WIDENING * width, form(1, 1))]
    } else {
        vec![(width, form(3, stride)), (width, form(3, 1))]
    }
}

/// Convolutions with a shortcut around them.
fn block(
    path: &nn::Path<'_>,
    inputs: i64,
    stride: i64,
    convolutions: &[(i64, ConvConfig)],
) -> Residual {
    let mut inner = Sequential::default();
    let mut channels = inputs;
    for (index, &(outputs, config)) in convolutions.iter().enumerate() {
        let number = index + 1;
        let norm = Norm::new(path / format!("bn{number}"), outputs, NormConfig::TORCH);
        let conv = Conv::new(&(path / format!("conv{number}")), channels, outputs, config);
        inner = if index == 0 { inner } else { inner.with(Relu) };
        inner = inner.with(conv.normalised(norm));
        channels = outputs;
    }
    let mut shortcut = Sequential::default();
    if inputs != channels || stride != 1 {
        let narrow = ConvConfig { kernel: 1, stride, ..ConvConfig::default() };
        shortcut = shortcut.with(conv_norm(&(path / "downsample"), inputs, channels, narrow));
    }
    Residual { inner, shortcut, activation: Some(Relu) }
}
