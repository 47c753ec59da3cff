//! Activation functions.

use tch::Tensor;

use super::Layer;
use crate::onnx::graph::Graph;
use crate::recipe::Activation;

impl Layer for Activation {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        match self {
            Self::Relu => x.relu(),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Elu => x.elu(),
            Self::Silu => x.silu(),
        }
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        match self {
            Self::Relu => graph.node("Relu", &[input], |node| node),
            Self::Relu6 => {
                let bounds = [0.0_f32, 6.0].map(|bound| graph.weight(&Tensor::from(bound)));
                graph.node("Clip", &[input, &bounds[0], &bounds[1]], |node| node)
            }
            Self::Elu => graph.node("Elu", &[input], |node| node),
            Self::Silu => {
                let gate = graph.node("Sigmoid", &[input], |node| node);
                graph.node("Mul", &[input, &gate], |node| node)
            }
        }
    }
}
