//! Dense layers.

use tch::{Kind, Tensor, nn};

use super::norm::folded;
use super::{Layer, Norm};
use crate::onnx::graph::Graph;

/// A dense layer and the batch norm that follows it, if any. Computes in `f32`.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
    norm: Option<Norm>,
}

impl Dense {
    /// A dense layer on `path`.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, init: nn::Init) -> Self {
        let weight = path.var("weight", &[outputs, inputs], init);
        let bias = path.var("bias", &[outputs], nn::Init::Const(0.0));
        Self { weight, bias, norm: None }
    }

    /// The dense layer followed by `norm`.
    #[must_use]
    pub fn normalised(mut self, norm: Norm) -> Self {
        self.norm = Some(norm);
        self
    }
}

impl Layer for Dense {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let y = x.to_kind(Kind::Float).linear(&self.weight, Some(&self.bias));
        match &self.norm {
            Some(norm) => norm.forward(&y, train),
            None => y,
        }
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let (weight, bias) = folded(&self.weight, Some(&self.bias), self.norm.as_ref());
        let (weight, bias) = (graph.weight(&weight), graph.weight(&bias));
        graph.node("Gemm", &[input, &weight, &bias], |node| node.int("transB", 1))
    }
}
