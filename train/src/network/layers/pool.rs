//! From many places of an image to fewer.

use tch::{Kind, Tensor};

use super::Layer;
use crate::onnx::graph::Graph;

/// The largest value of each square.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool {
    /// Side of the square.
    pub kernel: i64,
    /// Distance of two squares.
    pub stride: i64,
    /// Rows and columns added around.
    pub padding: i64,
}

impl MaxPool {
    /// Squares of 2×2 side by side; an odd last row or column is left out.
    pub const HALVE: Self = Self { kernel: 2, stride: 2, padding: 0 };
}

impl Layer for MaxPool {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        x.max_pool2d([self.kernel; 2], [self.stride; 2], [self.padding; 2], [1, 1], false)
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        graph.node("MaxPool", &[input], |node| {
            node.ints("kernel_shape", &[self.kernel; 2])
                .ints("strides", &[self.stride; 2])
                .ints("pads", &[self.padding; 4])
        })
    }
}

/// `[n, c, h, w]` → `[n, c]`: the mean of each channel, in `f32`.
#[derive(Debug, Clone, Copy)]
pub struct GlobalAverage;

impl Layer for GlobalAverage {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float)
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let pooled = graph.node("GlobalAveragePool", &[input], |node| node);
        Flatten.export(graph, &pooled)
    }
}

/// `[n, c, side, side]` → `[n, c, outputs, outputs]`: means over as many areas along each axis, of
/// whole pixels, which overlap where the side is no multiple, as PyTorch's `AdaptiveAvgPool2d`.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveAverage {
    /// Side of the input.
    pub side: i64,
    /// Side of the output.
    pub outputs: i64,
}

impl AdaptiveAverage {
    /// The matrix `[outputs, side]` that takes the means along one axis: area `i` begins at
    /// ⌊i · side / outputs⌋ and ends before ⌈(i + 1) · side / outputs⌉.
    fn matrix(self) -> Tensor {
        let Self { side, outputs } = self;
        let row = |i: i64| {
            let (start, end) = (i * side / outputs, ((i + 1) * side + outputs - 1) / outputs);
            (0..side).map(move |pixel| match (start..end).contains(&pixel) {
                true => 1.0 / (end - start) as f32,
                false => 0.0,
            })
        };
        Tensor::from_slice(&(0..outputs).flat_map(row).collect::<Vec<f32>>()).view([outputs, side])
    }
}

impl Layer for AdaptiveAverage {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        x.adaptive_avg_pool2d([self.outputs; 2])
    }

    /// As two products with matrices: ONNX has no such pooling.
    fn export(&self, graph: &mut Graph, input: &str) -> String {
        if self.side == self.outputs {
            return input.to_owned();
        }
        let matrix = self.matrix();
        let columns = graph.weight(&matrix.transpose(0, 1));
        let rows = graph.weight(&matrix);
        let narrow = graph.node("MatMul", &[input, &columns], |node| node);
        graph.node("MatMul", &[&rows, &narrow], |node| node)
    }
}

/// `[n, …]` → `[n, features]`.
#[derive(Debug, Clone, Copy)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        x.flatten(1, -1)
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        graph.node("Flatten", &[input], |node| node.int("axis", 1))
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn the_matrix_of_adaptive_pooling_pools_as_libtorch() {
        for (side, outputs) in [(1, 7), (2, 7), (5, 3), (7, 7), (9, 7), (14, 7)] {
            let pool = AdaptiveAverage { side, outputs };
            let x = Tensor::rand([2, 3, side, side], (Kind::Float, Device::Cpu));
            let matrix = pool.matrix();
            let found = matrix.matmul(&x.matmul(&matrix.transpose(0, 1)));
            let difference = (found - pool.forward(&x, false)).abs().max().double_value(&[]);
            assert!(difference < 1e-6, "{side} -> {outputs}: {difference}");
        }
        // Areas of 5 pixels in 3: [0, 2), [1, 4), [3, 5).
        let third = 1.0 / 3.0;
        assert_eq!(
            Vec::<f32>::try_from(AdaptiveAverage { side: 5, outputs: 3 }.matrix().flatten(0, -1))
                .unwrap(),
            [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, third, third, third, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]
        );
    }
}
