//! What a graph costs to compute.

use std::collections::HashMap;

use super::graph::Graph;
use super::proto::NodeProto;

/// Multiplications with a following addition in convolutions and dense layers, for one image with
/// `sides` (channels, height, width). Everything else is left out, as is usual.
pub fn multiply_adds(graph: &Graph, input: &str, sides: [i64; 3]) -> u64 {
    let weights: HashMap<&str, &[i64]> =
        graph.weights.iter().map(|w| (w.name.as_str(), w.dims.as_slice())).collect();
    // Height and width of each value.
    let mut areas = HashMap::from([(input, [sides[1], sides[2]])]);
    let mut total = 0;
    for node in &graph.nodes {
        let read = node.input.iter().filter_map(|name| areas.get(name.as_str()));
        // The larger one where a factor for each channel meets a picture.
        let before = read.copied().max().unwrap_or([1, 1]);
        let weight = node.input.get(1).and_then(|name| weights.get(name.as_str()).copied());
        let after = area(node, before);
        areas.insert(node.value(), after);
        let products = weight.unwrap_or_default().iter().product::<i64>();
        total += match node.op_type.as_str() {
            "Conv" => products * after[0] * after[1],
            "Gemm" => products,
            _ => 0,
        };
    }
    total.max(0) as u64
}

/// Height and width of what `node` makes of a value of those.
fn area(node: &NodeProto, before: [i64; 2]) -> [i64; 2] {
    let (kernel, pads) = (node.ints_of("kernel_shape"), node.ints_of("pads"));
    let strides = node.ints_of("strides");
    match (node.op_type.as_str(), kernel, strides, pads) {
        ("Conv" | "MaxPool", [k, ..], [stride, ..], [pad, ..]) => {
            before.map(|side| (side + 2 * pad - k) / stride + 1)
        }
        ("GlobalAveragePool" | "Flatten" | "Gemm", ..) => [1, 1],
        _ => before,
    }
}
