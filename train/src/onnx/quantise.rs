//! Static quantisation: weights and activations as whole numbers of 8 bits, in the format in which
//! `QuantizeLinear` and `DequantizeLinear` stand around the unchanged operators.
//!
//! A runtime joins each operator with the pairs around it and computes on whole numbers; one that
//! does not know how still computes the same function. The scheme is Jacob et al.'s (2018): one
//! scale for each output channel of a weight, symmetric around 0; one scale and one zero point for
//! each activation, from the range that it was seen to have.

use std::collections::HashMap;

use super::graph::Graph;
use super::proto::{NodeProto, TensorProto};

/// Largest weight after quantisation. Of the 127 that fit only 64 are used: CPUs without dot
/// products of 8-bit numbers (AVX2 before VNNI) add two products in 16 bits, and 2 · 255 · 64 is
/// the most that fits there.
const LARGEST_WEIGHT: f32 = 64.0;
/// Largest bias after quantisation: a bias is added to the sum of products, which needs room too.
const LARGEST_BIAS: f32 = (1_u32 << 30) as f32;
/// Largest activation after quantisation.
const LARGEST_ACTIVATION: f32 = 255.0;

/// The smallest and the largest that each value of a graph was seen to be.
#[derive(Debug, Clone, Default)]
pub struct Ranges(HashMap<String, (f32, f32)>);

impl Ranges {
    /// Takes in some of the numbers of the value `name`.
    pub fn see(&mut self, name: &str, numbers: &[f32]) {
        // 0 is always in it: padding is 0.
        let (low, high) = self.0.get(name).copied().unwrap_or_default();
        let range = numbers.iter().fold((low, high), |(a, b), &x| (a.min(x), b.max(x)));
        match self.0.get_mut(name) {
            Some(known) => *known = range,
            None => drop(self.0.insert(name.to_owned(), range)),
        }
    }

    fn of(&self, name: &str) -> Option<Activation> {
        self.0.get(name).map(|&(low, high)| Activation::over(low, high))
    }
}

/// Scale and zero point: number = (whole number − zero) · scale.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Activation {
    scale: f32,
    zero: u8,
}

impl Activation {
    fn over(low: f32, high: f32) -> Self {
        let scale = (high - low) / LARGEST_ACTIVATION;
        // A value that is always 0.
        let scale = if scale > 0.0 { scale } else { 1.0 };
        Self { scale, zero: (-low / scale).round().clamp(0.0, LARGEST_ACTIVATION) as u8 }
    }
}

/// `graph` with everything quantised but `output`; `input` is the image.
///
/// Values that `ranges` has not seen stay as they are.
pub fn quantised(graph: &Graph, input: &str, output: &str, ranges: &Ranges) -> Graph {
    let mut quantiser = Quantiser::new(graph, output, ranges);
    quantiser.activation(input, ranges.of(input));
    for node in &graph.nodes {
        quantiser.node(node);
    }
    quantiser.quantised
}

/// A graph under construction.
struct Quantiser<'a> {
    weights: HashMap<&'a str, &'a TensorProto>,
    /// The operators that read each value.
    readers: HashMap<&'a str, Vec<&'a str>>,
    ranges: &'a Ranges,
    output: &'a str,
    /// Under which name a value is read, and how it is quantised.
    names: HashMap<String, (String, Option<Activation>)>,
    quantised: Graph,
}

impl<'a> Quantiser<'a> {
    fn new(graph: &'a Graph, output: &'a str, ranges: &'a Ranges) -> Self {
        let mut readers: HashMap<&str, Vec<&str>> = HashMap::new();
        for node in &graph.nodes {
            for name in &node.input {
                readers.entry(name).or_default().push(&node.op_type);
            }
        }
        Self {
            weights: graph.weights.iter().map(|w| (w.name.as_str(), w)).collect(),
            readers,
            ranges,
            output,
            names: HashMap::new(),
            quantised: Graph::default(),
        }
    }

    /// Writes a node that reads quantised values, and quantises what it makes.
    fn node(&mut self, node: &NodeProto) {
        let first = node.input.first().map_or("", String::as_str);
        let source = self.names.get(first).and_then(|(_, activation)| *activation);
        let mut written = node.clone();
        written.input = match (node.op_type.as_str(), source, node.input.as_slice()) {
            ("Conv" | "Gemm", Some(source), [x, weight, bias]) => {
                self.linear(source, [x, weight, bias])
            }
            _ => node.input.iter().map(|name| self.read(name)).collect(),
        };
        self.quantised.nodes.push(written);
        let made = match node.op_type.as_str() {
            // These only choose among numbers.
            "MaxPool" | "Flatten" => source,
            _ => self.ranges.of(node.value()),
        };
        let stays = node.value() == self.output
            || self.is_clipped_next(node.value())
            || self.is_averaged_next(node.value());
        self.activation(node.value(), made.filter(|_| !stays));
    }

    /// Whether `name` is only read by an activation that clips it: it is joined with the node
    /// before and the quantisation after, which clips as well.
    fn is_clipped_next(&self, name: &str) -> bool {
        matches!(self.readers.get(name).map(Vec::as_slice), Some(["Relu" | "Clip"]))
    }

    /// Whether `name` is only read by a mean: logits of one of several networks, of which there are
    /// few, and which say more as they are.
    fn is_averaged_next(&self, name: &str) -> bool {
        matches!(self.readers.get(name).map(Vec::as_slice), Some(["Mean"]))
    }

    /// The name under which `name` is read; a weight that stays as it is is copied.
    fn read(&mut self, name: &str) -> String {
        if let Some(weight) = self.weights.remove(name) {
            self.quantised.weights.push(weight.clone());
        }
        self.names.get(name).map_or_else(|| name.to_owned(), |(read, _)| read.clone())
    }

    /// Writes the pair of nodes after the value `name`, if it is quantised.
    fn activation(&mut self, name: &str, activation: Option<Activation>) {
        let read = match activation {
            None => name.to_owned(),
            Some(Activation { scale, zero }) => {
                let [scale_name, zero_name] =
                    ["scale", "zero"].map(|part| format!("{name}_{part}"));
                let weights = &mut self.quantised.weights;
                weights.push(TensorProto::float(&scale_name, &[], [scale]));
                weights.push(TensorProto::uint8(&zero_name, &[], vec![zero]));
                let whole = format!("{name}_quantised");
                let parts = [&scale_name, &zero_name].map(String::as_str);
                self.pair("QuantizeLinear", [name, parts[0], parts[1]], &whole);
                let read = format!("{name}_dequantised");
                self.pair("DequantizeLinear", [&whole, parts[0], parts[1]], &read);
                read
            }
        };
        self.names.insert(name.to_owned(), (read, activation));
    }

    fn pair(&mut self, operator: &str, inputs: [&str; 3], output: &str) {
        self.quantised.nodes.push(NodeProto::new(operator, &inputs, output));
    }

    /// What a convolution or dense layer reads: image, weight and bias, all dequantised.
    fn linear(&mut self, source: Activation, names: [&String; 3]) -> Vec<String> {
        let [x, weight, bias] = names;
        let stored = [weight, bias].map(|name| self.weights.get(name.as_str()).copied());
        let values =
            stored.map(|tensor| tensor.and_then(|tensor| Some((tensor, tensor.floats()?))));
        let [Some((weight, weights)), Some((bias, biases))] = values else {
            return names.map(|name| self.read(name)).to_vec();
        };
        let whole = WholeWeights::new(&weights, &biases, source.scale);
        let channels = &bias.dims;
        let bias_scales = whole.scales.iter().map(|scale| scale * source.scale);
        let numbers = TensorProto::int8(&quantised_name(weight), &weight.dims, whole.weights);
        let zeros = TensorProto::int8(&zero_name(weight), channels, vec![0; biases.len()]);
        let bias_numbers = TensorProto::int32(&quantised_name(bias), channels, whole.biases);
        let bias_zeros = TensorProto::int32(&zero_name(bias), channels, vec![0; biases.len()]);
        let bias_scales = TensorProto::float(&scale_name(bias), channels, bias_scales);
        let scales =
            TensorProto::float(&scale_name(weight), channels, whole.scales.iter().copied());
        let read = vec![
            self.read(x),
            self.dequantised(&weight.name, [numbers, scales, zeros]),
            self.dequantised(&bias.name, [bias_numbers, bias_scales, bias_zeros]),
        ];
        read
    }

    /// Writes the node that turns whole numbers, a scale for each along the first axis, back.
    fn dequantised(&mut self, name: &str, parts: [TensorProto; 3]) -> String {
        let read = format!("{name}_dequantised");
        let inputs = parts.each_ref().map(|part| part.name.as_str());
        let node = NodeProto::new("DequantizeLinear", &inputs, &read).int("axis", 0);
        self.quantised.nodes.push(node);
        self.quantised.weights.extend(parts);
        read
    }
}

fn quantised_name(tensor: &TensorProto) -> String {
    format!("{}_quantised", tensor.name)
}

fn scale_name(tensor: &TensorProto) -> String {
    format!("{}_scale", tensor.name)
}

fn zero_name(tensor: &TensorProto) -> String {
    format!("{}_zero", tensor.name)
}

/// Weights and biases as whole numbers, with a scale for each output channel.
#[derive(Debug, PartialEq)]
struct WholeWeights {
    weights: Vec<i8>,
    /// Whole number · scale of the channel · scale of the input.
    biases: Vec<i32>,
    scales: Vec<f32>,
}

impl WholeWeights {
    /// `weights` are `[channels, …]` and `biases` `[channels]`, of which there is at least one.
    fn new(weights: &[f32], biases: &[f32], input_scale: f32) -> Self {
        let length = (weights.len() / biases.len().max(1)).max(1);
        let mut whole = Self { weights: Vec::new(), biases: Vec::new(), scales: Vec::new() };
        for (channel, &bias) in weights.chunks_exact(length).zip(biases) {
            let largest = channel.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            // A channel whose weights are next to nothing would make its bias overflow.
            let least = bias.abs() / (LARGEST_BIAS * input_scale);
            let scale = (largest / LARGEST_WEIGHT).max(least);
            let scale = if scale > 0.0 { scale } else { 1.0 };
            whole.weights.extend(channel.iter().map(|weight| (weight / scale).round() as i8));
            let bias = f64::from(bias) / (f64::from(scale) * f64::from(input_scale));
            whole.biases.push(bias.round() as i32);
            whole.scales.push(scale);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    #[test]
    fn ranges_hold_zero_and_become_scale_and_zero_point() {
        let mut ranges = Ranges::default();
        ranges.see("a", &[1.0, 2.0]);
        ranges.see("a", &[5.1]);
        // 0 to 5.1 in 255 steps of 0.02.
        assert_eq!(ranges.of("a"), Some(Activation { scale: 5.1 / 255.0, zero: 0 }));
        // -1 to 1.55 in 255 steps of 0.01: 0 is 100 steps above the lowest.
        ranges.see("b", &[-1.0, 1.55]);
        let b = ranges.of("b").unwrap();
        assert!((b.scale - 0.01).abs() < 1e-7 && b.zero == 100, "{b:?}");
        ranges.see("c", &[0.0]);
        assert_eq!(ranges.of("c"), Some(Activation { scale: 1.0, zero: 0 }));
        assert_eq!(ranges.of("d"), None);
    }

    #[test]
    fn weights_are_scaled_by_channel_and_biases_never_overflow() {
        // Channel 0: 0.64 becomes 64, so a step is 0.01; the bias's is 0.01 · 0.5.
        // Channel 1 is 0, and takes the step that its bias needs: 2^-30 / 0.5 · 3.
        // Channel 2 has nothing at all.
        let whole = WholeWeights::new(&[0.64, -0.32, 0.0, 0.0, 0.0, 0.0], &[0.1, 3.0, 0.0], 0.5);
        assert_eq!(whole.weights, [64, -32, 0, 0, 0, 0]);
        assert_eq!(whole.biases, [20, 1 << 30, 0]);
        assert!((whole.scales[0] - 0.01).abs() < 1e-8);
        assert!((whole.scales[1] / (6.0 / LARGEST_BIAS) - 1.0).abs() < 1e-6);
        assert_eq!(whole.scales[2], 1.0);
    }

    #[test]
    fn what_is_averaged_stays_as_it_is() {
        let mut graph = Graph::default();
        let one = graph.node("Relu", &["x"], |node| node);
        let other = graph.node("Elu", &["x"], |node| node);
        let mean = graph.node("Mean", &[&one, &other], |node| node);
        let mut ranges = Ranges::default();
        ["x", &one, &other, &mean].into_iter().for_each(|name| ranges.see(name, &[1.0]));
        let quantised = quantised(&graph, "x", &mean, &ranges);
        let operators: Vec<&str> = quantised.nodes.iter().map(|n| n.op_type.as_str()).collect();
        assert_eq!(operators, ["QuantizeLinear", "DequantizeLinear", "Relu", "Elu", "Mean"]);
        assert_eq!(quantised.nodes[4].input, [one, other]);
    }

    #[test]
    fn every_operator_reads_quantised_values_and_clipping_is_joined() {
        let mut graph = Graph::default();
        let (weight, bias) = (Tensor::from(1.0_f32).view([1, 1]), Tensor::from_slice(&[0.0_f32]));
        let (weight, bias) = (graph.weight(&weight), graph.weight(&bias));
        let first = graph.node("Gemm", &["x", &weight, &bias], |node| node.int("transB", 1));
        let relu = graph.node("Relu", &[&first], |node| node);
        let last = graph.node("Elu", &[&relu], |node| node);
        let mut ranges = Ranges::default();
        for name in ["x", &first, &relu, &last] {
            ranges.see(name, &[1.0]);
        }
        let quantised = quantised(&graph, "x", &last, &ranges);
        let operators: Vec<&str> = quantised.nodes.iter().map(|n| n.op_type.as_str()).collect();
        let (q, d) = ("QuantizeLinear", "DequantizeLinear");
        // Image; weight and bias; no pair between Gemm and Relu; none after the output.
        assert_eq!(operators, [q, d, d, d, "Gemm", "Relu", q, d, "Elu"]);
        assert_eq!(quantised.nodes[4].input[0], "x_dequantised");
        assert_eq!(quantised.nodes[8].input, [format!("{relu}_dequantised")]);
        assert!(quantised.weights.iter().all(|weight| weight.name != "weight0"));
    }
}
