//! The network's part of a recipe.

use serde::{Deserialize, Serialize};

/// The network. Each is written as `model: { KIND: { … } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelRecipe {
    /// The CNN of the work that this project started from: per stage a 3×3 convolution, batch
    /// norm, activation, 2×2 max pooling and dropout; then dense layers, each with batch norm,
    /// activation and dropout; then one dense layer to the classes.
    SourceCnn {
        /// Channels of each stage; 32, 64, 128, 512 by default.
        #[serde(default = "source_filters")]
        filters: Vec<i64>,
        /// Features of each dense layer; 256, 128, 64 by default.
        #[serde(default = "source_dense")]
        dense: Vec<i64>,
        /// Activation after each batch norm.
        activation: Activation,
        /// Probability of dropping a value, after every stage and dense layer; 0.1 by default.
        #[serde(default = "tenth")]
        dropout: f64,
    },
    /// VGG as Khaireddin and Chen (2021) use it: stages of 3×3 convolutions with batch norm, each
    /// stage ending in max pooling; then dense layers.
    Vgg {
        /// Channels of each stage; 64, 128, 256, 512 by default.
        #[serde(default = "vgg_widths")]
        widths: Vec<i64>,
        /// Convolutions in each stage; 2 by default, which makes eight with four stages.
        #[serde(default = "two")]
        convolutions: usize,
        /// Features of each dense layer; 4096, 4096 by default.
        #[serde(default = "vgg_dense")]
        dense: Vec<i64>,
        /// Probability of dropping a value before each dense layer; 0.5 by default.
        #[serde(default = "half")]
        dropout: f64,
    },
    /// A CIFAR-style residual network of basic blocks (He et al. 2015).
    Resnet {
        /// Channels of each stage; each stage after the first halves the resolution.
        widths: Vec<i64>,
        /// Basic blocks in each stage, at least 1.
        blocks: usize,
        /// Stride of the first convolution: 1, or 2 to halve the sides of all that follows.
        #[serde(default = "one")]
        stem_stride: i64,
        /// Probability of dropping a feature before the last layer, 0 (the default) to .95.
        #[serde(default)]
        dropout: f64,
    },
    /// A small net of inverted residuals after MobileNetV2 (Sandler et al. 2018), for inputs of
    /// about 48 pixels.
    Mobilenet {
        /// Channels of each stage; each stage after the first halves the resolution.
        widths: Vec<i64>,
        /// Inverted residuals in each stage, at least 1.
        blocks: usize,
        /// How much wider the inside of a block is than its ends; 6 by default.
        #[serde(default = "six")]
        expansion: i64,
        /// Stride of the first convolution, 1 or 2.
        #[serde(default = "one")]
        stem_stride: i64,
        /// Probability of dropping a feature before the last layer, 0 (the default) to .95.
        #[serde(default)]
        dropout: f64,
    },
    /// A network in torchvision's standard form and with its tensor names, so that its published
    /// weights can be taken up.
    Torchvision {
        /// Which one.
        architecture: Architecture,
        /// Probability of dropping a feature before the last layer, 0 (the default) to .95. For
        /// `vgg19`, in its two hidden dense layers.
        #[serde(default)]
        dropout: f64,
    },
}

/// A standard network, under torchvision's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Residual network of 18 layers.
    Resnet18,
    /// Residual network of 50 layers, bottleneck blocks.
    Resnet50,
    /// VGG of 19 layers, without batch norm.
    Vgg19,
    /// MobileNetV2, width 1.
    MobilenetV2,
    /// EfficientNet-B0.
    EfficientnetB0,
}

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x where positive, eˣ − 1 elsewhere.
    Elu,
    /// x · sigmoid(x).
    Silu,
}

/// How weights that were learnt elsewhere are taken up.
///
/// At first only the last layer learns; then the stages before it join, the one nearest to the
/// output first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainedRecipe {
    /// Epochs in which only the last layer learns.
    #[serde(default)]
    pub frozen_epochs: usize,
    /// Epochs until one stage more joins; 0 (the default) lets all join at once.
    #[serde(default)]
    pub epochs_per_stage: usize,
}

impl PretrainedRecipe {
    /// How many of `stages` (the last of which is the last layer) are still frozen in `epoch`,
    /// counted from 1.
    pub fn frozen_stages(&self, epoch: usize, stages: usize) -> usize {
        let all = stages.saturating_sub(1);
        if epoch <= self.frozen_epochs {
            return all;
        }
        match (epoch - self.frozen_epochs - 1).checked_div(self.epochs_per_stage) {
            Some(joined) => all.saturating_sub(joined + 1),
            None => 0,
        }
    }
}

fn source_filters() -> Vec<i64> {
    vec![32, 64, 128, 512]
}

fn source_dense() -> Vec<i64> {
    vec![256, 128, 64]
}

fn vgg_widths() -> Vec<i64> {
    vec![64, 128, 256, 512]
}

fn vgg_dense() -> Vec<i64> {
    vec![4096, 4096]
}

fn tenth() -> f64 {
    0.1
}

fn half() -> f64 {
    0.5
}

fn one() -> i64 {
    1
}

fn two() -> usize {
    2
}

fn six() -> i64 {
    6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_join_from_the_output_on() {
        let pretrained = PretrainedRecipe { frozen_epochs: 2, epochs_per_stage: 3 };
        let frozen = |epoch| pretrained.frozen_stages(epoch, 4);
        let course: Vec<usize> = (1..=12).map(frozen).collect();
        assert_eq!(course, [3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0]);
        let at_once = PretrainedRecipe { frozen_epochs: 1, epochs_per_stage: 0 };
        assert_eq!([1, 2, 3].map(|epoch| at_once.frozen_stages(epoch, 4)), [3, 0, 0]);
    }
}
