//! Networks in torchvision's standard form: its tensor names, shapes, batch norm and function, so
//! that its published weights can be taken up.

mod efficientnet_b0;
mod mobilenet_v2;
mod resnet;
mod vgg;

use tch::nn;

pub(super) use self::mobilenet_v2::{Inverted, inverted_residual};
use super::layers::{Conv, ConvConfig, Dense, Dropout, Norm, NormConfig, Sequential};
use crate::recipe::{Architecture, InputRecipe};

/// From the input on; the last is the last layer, under the name that [`head`] says.
pub(super) fn stages(
    root: &nn::Path<'_>,
    input: &InputRecipe,
    architecture: Architecture,
    dropout: f64,
    classes: i64,
) -> Vec<Sequential> {
    let inputs = input.channels();
    match architecture {
        Architecture::Resnet18 => resnet::stages(root, inputs, &resnet::RESNET18, dropout, classes),
        Architecture::Resnet50 => resnet::stages(root, inputs, &resnet::RESNET50, dropout, classes),
        Architecture::Vgg19 => vgg::stages(root, input, dropout, classes),
        Architecture::MobilenetV2 => mobilenet_v2::stages(root, inputs, dropout, classes),
        Architecture::EfficientnetB0 => efficientnet_b0::stages(root, inputs, dropout, classes),
    }
}

/// The name of the last layer.
pub(super) fn head(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Resnet18 | Architecture::Resnet50 => "fc",
        Architecture::Vgg19 => "classifier.6",
        Architecture::MobilenetV2 | Architecture::EfficientnetB0 => "classifier.1",
    }
}

/// A convolution on `path / "0"` with its batch norm on `path / "1"`.
fn conv_norm(path: &nn::Path<'_>, inputs: i64, outputs: i64, config: ConvConfig) -> Conv {
    numbered(path, 0, inputs, outputs, config)
}

/// A convolution on `path / first` with its batch norm on `path / (first + 1)`.
fn numbered(
    path: &nn::Path<'_>,
    first: usize,
    inputs: i64,
    outputs: i64,
    config: ConvConfig,
) -> Conv {
    let norm = Norm::new(path / (first + 1), outputs, NormConfig::TORCH);
    Conv::new(&(path / first), inputs, outputs, config).normalised(norm)
}

/// A convolution of single channels.
fn depthwise(channels: i64, kernel: i64, stride: i64) -> ConvConfig {
    ConvConfig { kernel, stride, groups: channels, ..ConvConfig::default() }
}

/// A 1×1 convolution.
fn pointwise() -> ConvConfig {
    ConvConfig { kernel: 1, ..ConvConfig::default() }
}

/// Dropout and the last layer on `path`.
fn classifier(
    start: Sequential,
    path: &nn::Path<'_>,
    features: i64,
    dropout: f64,
    classes: i64,
) -> Sequential {
    let dense = Dense::new(path, features, classes, nn::init::DEFAULT_KAIMING_UNIFORM);
    start.with(Dropout(dropout)).with(dense)
}
