//! MobileNetV2 (Sandler et al. 2018), width 1.

use tch::nn;

use super::{classifier, conv_norm, depthwise, numbered, pointwise};
use crate::network::layers::{ConvConfig, GlobalAverage, Residual, Sequential};
use crate::recipe::Activation::Relu6;

/// Expansion, channels, blocks and first stride of each stage.
const STAGES: [(i64, i64, usize, i64); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];
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
    let mut stages = vec![Sequential::default().with(stem).with(Relu6)];
    let mut channels = STEM;
    let mut position = 1;
    for (expansion, outputs, count, first_stride) in STAGES {
        let mut blocks = Sequential::default();
        for index in 0..count {
            let stride = if index == 0 { first_stride } else { 1 };
            let block = Inverted { inputs: channels, outputs, stride, expansion };
            blocks = blocks.with(inverted_residual(&(&features / position), &block));
            channels = outputs;
            position += 1;
        }
        stages.push(blocks);
    }
    let last = conv_norm(&(&features / position), channels, LAST, pointwise());
    stages.push(Sequential::default().with(last).with(Relu6));
    let start = Sequential::default().with(GlobalAverage);
    stages.push(classifier(start, &(root / "classifier" / 1), LAST, dropout, classes));
    stages
}

/// The form of an inverted residual.
pub(in crate::network) struct Inverted {
    pub(in crate::network) inputs: i64,
    pub(in crate::network) outputs: i64,
    pub(in crate::network) stride: i64,
    /// How much wider the inside is than the input.
    pub(in crate::network) expansion: i64,
}

/// 1×1 to more channels, 3×3 on each of them, 1×1 to few, without an activation at the end; with a
/// shortcut around where that fits.
pub(in crate::network) fn inverted_residual(path: &nn::Path<'_>, form: &Inverted) -> Sequential {
    let &Inverted { inputs, outputs, stride, expansion } = form;
    let path = path / "conv";
    let wide = inputs * expansion;
    let mut inner = Sequential::default();
    let mut position = 0;
    if expansion != 1 {
        inner = inner.with(conv_norm(&(&path / position), inputs, wide, pointwise())).with(Relu6);
        position += 1;
    }
    inner = inner
        .with(conv_norm(&(&path / position), wide, wide, depthwise(wide, 3, stride)))
        .with(Relu6)
        .with(numbered(&path, position + 1, wide, outputs, pointwise()));
    if stride != 1 || inputs != outputs {
        return inner;
    }
    let shortcut = Sequential::default();
    Sequential::default().with(Residual { inner, shortcut, activation: None })
}
