//! EfficientNet-B0 (Tan and Le 2019).

use tch::nn;

use super::{classifier, conv_norm, depthwise, pointwise};
use crate::network::layers::{
    ConvConfig, GlobalAverage, Residual, Sequential, SqueezeExcite, StochasticDepth,
};
use crate::recipe::Activation::Silu;

/// Expansion, kernel, first stride, channels and blocks of each stage.
const STAGES: [(i64, i64, i64, i64, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];
/// Blocks of all stages.
const BLOCKS: usize = 16;
/// Probability that the last block is skipped in training; it grows evenly from 0 at the first.
const SKIPPED: f64 = 0.2;
/// Channels of the stem.
const STEM: i64 = 32;
/// Channels before the global average.
const LAST: i64 = 1280;

/// Stem; seven stages of blocks; the last convolution; global average and last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    inputs: i64,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let features = root / "features";
    let stem = ConvConfig { stride: 2, ..ConvConfig::default() };
    let stem = conv_norm(&(&features / 0), inputs, STEM, stem);
    let mut stages = vec![Sequential::default().with(stem).with(Silu)];
    let mut channels = STEM;
    let mut done = 0;
    for (stage, (expansion, kernel, first_stride, outputs, count)) in STAGES.into_iter().enumerate()
    {
        let path = &features / (stage + 1);
        let mut blocks = Sequential::default();
        for index in 0..count {
            let stride = if index == 0 { first_stride } else { 1 };
            let skipped = SKIPPED * done as f64 / BLOCKS as f64;
            let form = Form { inputs: channels, outputs, kernel, stride, expansion, skipped };
            blocks = blocks.with(block(&(&path / index), &form));
            channels = outputs;
            done += 1;
        }
        stages.push(blocks);
    }
    let last = conv_norm(&(&features / (STAGES.len() + 1)), channels, LAST, pointwise());
    stages.push(Sequential::default().with(last).with(Silu));
    let start = Sequential::default().with(GlobalAverage);
    stages.push(classifier(start, &(root / "classifier" / 1), LAST, dropout, classes));
    stages
}

/// The form of a block.
struct Form {
    inputs: i64,
    outputs: i64,
    kernel: i64,
    stride: i64,
    expansion: i64,
    skipped: f64,
}

/// An inverted residual with squeeze-and-excitation.
fn block(path: &nn::Path<'_>, form: &Form) -> Sequential {
    let &Form { inputs, outputs, kernel, stride, expansion, skipped } = form;
    let path = path / "block";
    let wide = inputs * expansion;
    let mut inner = Sequential::default();
    let mut position = 0;
    if expansion != 1 {
        inner = inner.with(conv_norm(&(&path / position), inputs, wide, pointwise())).with(Silu);
        position += 1;
    }
    inner = inner
        .with(conv_norm(&(&path / position), wide, wide, depthwise(wide, kernel, stride)))
        .with(Silu)
        .with(SqueezeExcite::new(&(&path / (position + 1)), wide, (inputs / 4).max(1)))
        .with(conv_norm(&(&path / (position + 2)), wide, outputs, pointwise()));
    if stride != 1 || inputs != outputs {
        return inner;
    }
    let (inner, shortcut) = (inner.with(StochasticDepth(skipped)), Sequential::default());
    Sequential::default().with(Residual { inner, shortcut, activation: None })
}
