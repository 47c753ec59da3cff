//! CIFAR-style residual networks of basic blocks (He et al. 2015).

use tch::nn;

use super::layers::{Conv, ConvConfig, Dense, Dropout, GlobalAverage, Residual, Sequential};
use crate::recipe::Activation::Relu;

/// Width and depth.
pub(super) struct Shape<'a> {
    pub(super) widths: &'a [i64],
    pub(super) blocks: usize,
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
    let mut stages = vec![Sequential::default().with(stem).with(Relu)];
    for (stage, &width) in shape.widths.iter().enumerate() {
        let mut blocks = Sequential::default();
        for block in 0..shape.blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let path = root / format!("stage{stage}") / format!("block{block}");
            blocks = blocks.with(basic_block(&path, channels, width, stride));
            channels = width;
        }
        stages.push(blocks);
    }
    let head = Dense::new(&(root / "head"), channels, classes, nn::init::DEFAULT_KAIMING_UNIFORM);
    stages.push(Sequential::default().with(GlobalAverage).with(Dropout(dropout)).with(head));
    stages
}

/// Two 3×3 convolutions with a shortcut around them.
fn basic_block(path: &nn::Path<'_>, inputs: i64, outputs: i64, stride: i64) -> Residual {
    let strided = ConvConfig { stride, ..ConvConfig::default() };
    let inner = Sequential::default()
        .with(Conv::with_norm(&(path / "first"), inputs, outputs, strided))
        .with(Relu)
        .with(Conv::with_norm(&(path / "second"), outputs, outputs, ConvConfig::default()));
    let mut shortcut = Sequential::default();
    if inputs != outputs || stride != 1 {
        let narrow = ConvConfig { kernel: 1, ..strided };
        shortcut = shortcut.with(Conv::with_norm(&(path / "shortcut"), inputs, outputs, narrow));
    }
    Residual { inner, shortcut, activation: Some(Relu) }
}
