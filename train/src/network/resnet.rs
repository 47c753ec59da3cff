//! The blocks of CIFAR-style residual networks (He et al. 2015).

use tch::nn;

use super::layers::{Conv, ConvConfig, Residual, Sequential};
use super::staged::Step;
use crate::recipe::Activation::Relu;

/// Two 3×3 convolutions with a shortcut around them.
pub(super) fn basic_block(path: &nn::Path<'_>, step: &Step) -> Residual {
    let Step { inputs, outputs, stride } = *step;
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
