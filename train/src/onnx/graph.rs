//! An ONNX graph as it is written, node by node.

use prost::Message;
use tch::{Device, Kind, Tensor};

use super::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto,
};

/// The operators' version. ONNX Runtime 1.12 and later read it.
const OPSET: i64 = 17;
/// The format's version that belongs to it.
const IR_VERSION: i64 = 8;

/// Nodes and weights as they are collected.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) weights: Vec<TensorProto>,
}

/// What a file says of itself.
#[derive(Debug, Clone)]
pub struct Signature<'a> {
    /// The graph's name.
    pub name: &'a str,
    /// Name of the input tensor, `[batch, channels, height, width]`.
    pub input: &'a str,
    /// Its channels, height and width.
    pub sides: [i64; 3],
    /// Name of the output tensor, `[batch, labels]`.
    pub output: &'a str,
    /// The classes in the output's order.
    pub labels: &'a [String],
}

impl Graph {
    /// Adds a weight of `f32`; returns its name.
    pub fn weight(&mut self, tensor: &Tensor) -> String {
        let name = format!("weight{}", self.weights.len());
        self.weights.push(TensorProto::float(&name, &tensor.size(), floats(tensor)));
        name
    }

    /// Adds a node that makes one value, with the settings that `set` gives it; returns the
    /// value's name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        set: impl FnOnce(NodeProto) -> NodeProto,
    ) -> String {
        let name = format!("{}{}", operator.to_lowercase(), self.nodes.len());
        self.nodes.push(set(NodeProto::new(operator, inputs, &name)));
        name
    }

    /// The bytes of a file whose output is `value`.
    pub fn finish(mut self, value: &str, signature: &Signature<'_>) -> Vec<u8> {
        let output = self.nodes.iter_mut().flat_map(|node| &mut node.output);
        for name in output.filter(|name| *name == value) {
            signature.output.clone_into(name);
        }
        let classes = signature.labels.len() as i64;
        self.file(vec![ValueInfoProto::batched(signature.output, &[classes])], signature)
    }

    /// The bytes of a file whose outputs are the values of all nodes, under their own names.
    pub fn observed(self, signature: &Signature<'_>) -> Vec<u8> {
        let outputs = self.nodes.iter().map(|node| ValueInfoProto::open(node.value())).collect();
        self.file(outputs, signature)
    }

    fn file(self, output: Vec<ValueInfoProto>, signature: &Signature<'_>) -> Vec<u8> {
        let graph = GraphProto {
            node: self.nodes,
            name: signature.name.to_owned(),
            initializer: self.weights,
            input: vec![ValueInfoProto::batched(signature.input, &signature.sides)],
            output,
        };
        let labels = signature.labels.join(",");
        let labels = StringStringEntryProto { key: "labels".to_owned(), value: labels };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: "Image classifier; its manifest is the YAML file beside it".to_owned(),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: vec![labels],
        }
        .encode_to_vec()
    }
}

/// The values of a tensor, on the CPU and in `f32`.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut values = vec![0.0; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}
