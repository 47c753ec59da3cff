//! Noise that only training knows.

use tch::{Kind, Tensor};

use super::Layer;
use crate::onnx::graph::Graph;

/// Sets values to zero with this probability, only while training.
#[derive(Debug, Clone, Copy)]
pub struct Dropout(pub f64);

impl Layer for Dropout {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if train && self.0 > 0.0 { x.dropout(self.0, true) } else { x.shallow_clone() }
    }

    fn export(&self, _graph: &mut Graph, input: &str) -> String {
        input.to_owned()
    }
}

/// Drops the whole of an image's values with this probability, only while training, and enlarges
/// what stays so that the mean is kept: the long way of a residual block is skipped (Huang et al.
/// 2016).
#[derive(Debug, Clone, Copy)]
pub struct StochasticDepth(pub f64);

impl Layer for StochasticDepth {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if !train || self.0 == 0.0 {
            return x.shallow_clone();
        }
        let mut sides = vec![1; x.dim()];
        sides[0] = x.size()[0];
        let kept = Tensor::rand(sides.as_slice(), (Kind::Float, x.device())).ge(self.0);
        x * (kept.to_kind(Kind::Float) / (1.0 - self.0)).to_kind(x.kind())
    }

    fn export(&self, _graph: &mut Graph, input: &str) -> String {
        input.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn stochastic_depth_drops_whole_images_and_keeps_the_mean() {
        tch::manual_seed(1);
        let x = Tensor::ones([4000, 2, 1, 1], (Kind::Float, Device::Cpu));
        let y = StochasticDepth(0.2).forward(&x, true).view([-1, 2]);
        let values = Vec::<Vec<f32>>::try_from(&y).unwrap();
        assert!(values.iter().all(|row| *row == [0.0, 0.0] || *row == [1.25, 1.25]));
        // The standard deviation of the mean of 4,000 draws is 1.25·√(.2·.8 / 4000) = 0.008.
        assert!((y.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 0.04);
        assert_eq!(StochasticDepth(0.2).forward(&x, false), x);
    }
}
