//! Parts with more than one way through them.

use tch::{Kind, Tensor, nn};

use super::{Conv, ConvConfig, Layer, Sequential};
use crate::onnx::graph::Graph;
use crate::recipe::Activation;

/// The sum of two ways, then an activation, if any.
#[derive(Debug)]
pub struct Residual {
    /// The longer way.
    pub inner: Sequential,
    /// The shorter way; without layers it is the input itself.
    pub shortcut: Sequential,
    /// What follows the sum.
    pub activation: Option<Activation>,
}

impl Layer for Residual {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let sum = self.inner.forward(x, train) + self.shortcut.forward(x, train);
        match self.activation {
            Some(activation) => activation.forward(&sum, train),
            None => sum,
        }
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let inner = self.inner.export(graph, input);
        let shortcut = self.shortcut.export(graph, input);
        let sum = graph.node("Add", &[&inner, &shortcut], |node| node);
        match self.activation {
            Some(activation) => activation.export(graph, &sum),
            None => sum,
        }
    }
}

/// Each channel times a factor from 0 to 1 that depends on the means of all channels (Hu et al.
/// 2018).
#[derive(Debug)]
pub struct SqueezeExcite {
    squeeze: Conv,
    excite: Conv,
}

impl SqueezeExcite {
    /// Over `channels`, which are squeezed into `squeezed`; dense layers on `path / "fc1"` and
    /// `path / "fc2"`, kept as 1×1 convolutions, SiLU between them.
    pub fn new(path: &nn::Path<'_>, channels: i64, squeezed: i64) -> Self {
        let dense = ConvConfig { kernel: 1, bias: true, ..ConvConfig::default() };
        Self {
            squeeze: Conv::new(&(path / "fc1"), channels, squeezed, dense),
            excite: Conv::new(&(path / "fc2"), squeezed, channels, dense),
        }
    }
}

impl Layer for SqueezeExcite {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let means = x.mean_dim([2_i64, 3].as_slice(), false, None::<Kind>);
        let hidden = Activation::Silu.forward(&self.squeeze.of_pixels(&means), train);
        x * self.excite.of_pixels(&hidden).sigmoid().unsqueeze(-1).unsqueeze(-1)
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let means = graph.node("GlobalAveragePool", &[input], |node| node);
        let squeezed = self.squeeze.export(graph, &means);
        let hidden = Activation::Silu.export(graph, &squeezed);
        let excited = self.excite.export(graph, &hidden);
        let factors = graph.node("Sigmoid", &[&excited], |node| node);
        graph.node("Mul", &[input, &factors], |node| node)
    }
}
