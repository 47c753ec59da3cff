//! Convolutions.

use tch::{Tensor, nn};

use super::norm::folded;
use super::{Layer, Norm, NormConfig};
use crate::onnx::graph::Graph;

/// The form of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig {
    /// Side of the square kernel.
    pub kernel: i64,
    /// Along both axes.
    pub stride: i64,
    /// Inputs and outputs are split into so many groups.
    pub groups: i64,
    /// Whether a bias is added; superfluous before a batch norm.
    pub bias: bool,
    /// How weights start.
    pub init: nn::Init,
}

impl Default for ConvConfig {
    /// 3×3, stride 1, no bias, weights after He et al. (2015).
    fn default() -> Self {
        let init = nn::init::DEFAULT_KAIMING_NORMAL;
        Self { kernel: 3, stride: 1, groups: 1, bias: false, init }
    }
}

/// A convolution, padded so that stride 1 keeps the resolution, and the batch norm that follows
/// it, if any: one unit because the export folds them into one convolution.
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    norm: Option<Norm>,
    config: ConvConfig,
}

impl Conv {
    /// A convolution on `path`, without batch norm.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, config: ConvConfig) -> Self {
        let sides = [outputs, inputs / config.groups, config.kernel, config.kernel];
        let weight = path.var("weight", &sides, config.init);
        let bias = config.bias.then(|| path.var("bias", &[outputs], nn::Init::Const(0.0)));
        Self { weight, bias, norm: None, config }
    }

    /// The convolution followed by `norm`.
    #[must_use]
    pub fn normalised(mut self, norm: Norm) -> Self {
        self.norm = Some(norm);
        self
    }

    /// A convolution on `path / "conv"` and its batch norm on `path / "norm"`.
    pub fn with_norm(path: &nn::Path<'_>, inputs: i64, outputs: i64, config: ConvConfig) -> Self {
        let norm = Norm::new(path / "norm", outputs, NormConfig::TORCH);
        Self::new(&(path / "conv"), inputs, outputs, config).normalised(norm)
    }
}

impl Conv {
    /// Whether the channels fill vectors of eight, or are those of an image.
    ///
    /// Others must not lie side by side: oneDNN, as libtorch 2.11 has it, then writes beyond its
    /// memory (`jit_avx2_1x1_convolution_bwd_weights_t`, seen by valgrind with 4 channels).
    fn fills_vectors(&self) -> bool {
        let size = self.weight.size();
        let image = self.config.kernel > 1 && matches!(size[1], 1 | 3);
        let depthwise = self.config.groups == size[0];
        let dense = self.config.groups == 1 && (size[1] % 8 == 0 || image);
        size[0] % 8 == 0 && (dense || depthwise)
    }

    /// What a 1×1 convolution without batch norm makes of one pixel an image: `[n, inputs]` →
    /// `[n, outputs]`.
    pub(super) fn of_pixels(&self, x: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().map(|bias| bias.to_kind(x.kind()));
        x.linear(&self.weight.flatten(1, -1).to_kind(x.kind()), bias.as_ref())
    }
}

impl Layer for Conv {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let ConvConfig { kernel, stride, groups, .. } = self.config;
        let weight = self.weight.to_kind(x.kind());
        let (x, weight) = if self.fills_vectors() {
            (x.shallow_clone(), weight)
        } else {
            (channels_apart(x), channels_apart(&weight))
        };
        let bias = self.bias.as_ref().map(|bias| bias.to_kind(x.kind()));
        let y = x.conv2d(&weight, bias, [stride; 2], [kernel / 2; 2], [1, 1], groups);
        match &self.norm {
            Some(norm) => norm.forward(&y, train),
            None => y,
        }
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let ConvConfig { kernel, stride, groups, .. } = self.config;
        let (weight, bias) = folded(&self.weight, self.bias.as_ref(), self.norm.as_ref());
        let (weight, bias) = (graph.weight(&weight), graph.weight(&bias));
        graph.node("Conv", &[input, &weight, &bias], |node| {
            node.ints("kernel_shape", &[kernel; 2])
                .ints("strides", &[stride; 2])
                .ints("pads", &[kernel / 2; 4])
                .int("group", groups)
        })
    }
}

/// The same values, laid out channel after channel. Merging axes and splitting them again makes
/// that clear even where an image is one pixel, whose channels are apart and side by side at once.
fn channels_apart(x: &Tensor) -> Tensor {
    x.contiguous().flatten(1, -1).view(x.size().as_slice())
}
