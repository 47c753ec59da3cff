//! What the networks of residual blocks for small images share: a stem, stages of blocks, and one
//! layer to the classes.

use tch::nn;

use super::layers::{Conv, ConvConfig, Dense, Dropout, GlobalAverage, Layer, Sequential};
use crate::recipe::Activation;

/// Width and depth.
pub(super) struct Shape<'a> {
    /// Channels of each stage; every stage after the first halves the resolution.
    pub(super) widths: &'a [i64],
    /// Blocks in each stage.
    pub(super) blocks: usize,
    /// Stride of the first convolution.
    pub(super) stem_stride: i64,
    /// What follows the first convolution.
    pub(super) activation: Activation,
    /// Probability of dropping a feature before the last layer.
    pub(super) dropout: f64,
}

/// Channels and stride of one block.
pub(super) struct Step {
    pub(super) inputs: i64,
    pub(super) outputs: i64,
    pub(super) stride: i64,
}

/// Stem; one stage a width, of blocks as `block` builds them; global average and last layer.
pub(super) fn stages<L: Layer + 'static>(
    root: &nn::Path<'_>,
    inputs: i64,
    shape: &Shape<'_>,
    classes: i64,
    block: impl Fn(&nn::Path<'_>, &Step) -> L,
) -> Vec<Sequential> {
    let mut channels = shape.widths.first().copied().unwrap_or(1);
    let stem = ConvConfig { stride: shape.stem_stride, ..ConvConfig::default() };
    let stem = Conv::with_norm(&(root / "stem"), inputs, channels, stem);
    let mut stages = vec![Sequential::default().with(stem).with(shape.activation)];
    for (stage, &outputs) in shape.widths.iter().enumerate() {
        let mut blocks = Sequential::default();
        for index in 0..shape.blocks {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let path = root / format!("stage{stage}") / format!("block{index}");
            blocks = blocks.with(block(&path, &Step { inputs: channels, outputs, stride }));
            channels = outputs;
        }
        stages.push(blocks);
    }
    let head = Dense::new(&(root / "head"), channels, classes, nn::init::DEFAULT_KAIMING_UNIFORM);
    stages.push(Sequential::default().with(GlobalAverage).with(Dropout(shape.dropout)).with(head));
    stages
}
