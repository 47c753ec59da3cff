//! A small net of inverted residuals after MobileNetV2 (Sandler et al. 2018).

use tch::nn;

use super::layers::{Conv, ConvConfig, Dense, Dropout, GlobalAverage, Sequential};
use super::torchvision::{Inverted, inverted_residual};
use crate::recipe::Activation::Relu6;

/// Width and depth.
pub(super) struct Shape<'a> {
    pub(super) widths: &'a [i64],
    pub(super) blocks: usize,
    pub(super) expansion: i64,
    pub(super) stem_stride: i64,
}

/// Stem; one stage a width; global average and last layer.
pub(super) fn stages(
    root: &nn::Path<'_>,
    inputs: i64,
    shape: &Shape<'_>,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let mut channels = shape.widths.first().copied().unwrap_or(1);
    let stem = ConvConfig { stride: shape.stem_stride, ..ConvConfig::default() };
    let stem = Conv::with_norm(&(root / "stem"), inputs, channels, stem);
    let mut stages = vec![Sequential::default().with(stem).with(Relu6)];
    for (stage, &width) in shape.widths.iter().enumerate() {
        let mut blocks = Sequential::default();
        for block in 0..shape.blocks {
            let path = root / format!("stage{stage}") / format!("block{block}");
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let expansion = shape.expansion;
            let block = Inverted { inputs: channels, outputs: width, stride, expansion };
            blocks = blocks.with(inverted_residual(&path, &block));
            channels = width;
        }
        stages.push(blocks);
    }
    let head = Dense::new(&(root / "head"), channels, classes, nn::init::DEFAULT_KAIMING_UNIFORM);
    stages.push(Sequential::default().with(GlobalAverage).with(Dropout(dropout)).with(head));
    stages
}
