//! The layers that networks are made of.

mod activation;
mod block;
mod conv;
mod dense;
mod drop;
mod norm;
mod pool;

use std::fmt::Debug;

use tch::Tensor;

pub use self::block::{Residual, SqueezeExcite};
pub use self::conv::{Conv, ConvConfig};
pub use self::dense::Dense;
pub use self::drop::{Dropout, StochasticDepth};
pub use self::norm::{Norm, NormConfig};
pub use self::pool::{AdaptiveAverage, Flatten, GlobalAverage, MaxPool};
use crate::onnx::graph::Graph;

/// One function with its weights.
pub trait Layer: Debug + Send {
    /// Computes; with `train`, batch statistics and dropout are used and running statistics move.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor;

    /// Writes what [`Self::forward`] computes without `train` into `graph`, reading the value
    /// `input`; returns the name of the value it makes.
    fn export(&self, graph: &mut Graph, input: &str) -> String;
}

/// Layers one after the other.
#[derive(Debug, Default)]
pub struct Sequential(Vec<Box<dyn Layer>>);

impl Sequential {
    /// With one layer more at the end.
    #[must_use]
    pub fn with(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(Box::new(layer));
        self
    }
}

impl Layer for Sequential {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.0.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x, train))
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        self.0.iter().fold(input.to_owned(), |value, layer| layer.export(graph, &value))
    }
}
