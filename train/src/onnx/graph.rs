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

    /// Takes apart a file that this program wrote; also the name of its output.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(file: &[u8]) -> Result<(Self, String), String> {
        let model =
            ModelProto::decode(file).map_err(|error| format!("is no ONNX file: {error}"))?;
        let (producer, own) = (model.producer_name, env!("CARGO_PKG_NAME"));
        if producer != own {
            // What others write has parts that are not known here.
            return Err(format!("was written by `{producer}`; expected a file of {own}"));
        }
        let graph = model.graph.unwrap_or_default();
        let whole = graph.initializer.iter().find(|weight| weight.floats().is_none());
        if let Some(weight) = whole {
            return Err(format!("has weights that are no floats, `{}`", weight.name));
        }
        let [output] = graph.output.as_slice() else {
            return Err(format!("has {} outputs; expected one", graph.output.len()));
        };
        let output = output.name.clone();
        Ok((Self { nodes: graph.node, weights: graph.initializer }, output))
    }

    /// Adds all of `other`, which reads the value `input` too; returns the new name of its value
    /// `output`.
    pub fn add(&mut self, other: Self, input: &str, output: &str) -> String {
        let prefix = format!("part{}_", self.nodes.len());
        let renamed =
            |name: &String| if name == input { name.clone() } else { format!("{prefix}{name}") };
        for mut weight in other.weights {
            weight.name = renamed(&weight.name);
            self.weights.push(weight);
        }
        for mut node in other.nodes {
            node.input = node.input.iter().map(renamed).collect();
            node.output = node.output.iter().map(renamed).collect();
            node.name = renamed(&node.name);
            self.nodes.push(node);
        }
        format!("{prefix}{output}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> (Graph, String) {
        let mut graph = Graph::default();
        let weight = graph.weight(&Tensor::from_slice(&[2.0_f32]));
        let product = graph.node("Mul", &["x", &weight], |node| node);
        (graph, product)
    }

    fn file(producer: &str) -> Vec<u8> {
        let labels = ["a".to_owned()];
        let signature =
            Signature { name: "n", input: "x", sides: [1, 1, 1], output: "y", labels: &labels };
        let (graph, product) = graph();
        let mut model = ModelProto::decode(&*graph.finish(&product, &signature)).unwrap();
        model.producer_name = producer.to_owned();
        model.encode_to_vec()
    }

    #[test]
    fn a_graph_is_added_under_names_of_its_own() {
        let (mut both, first) = graph();
        let (read, output) = Graph::parse(&file("fer-train")).unwrap();
        assert_eq!(output, "y");
        let second = both.add(read, "x", &output);
        assert_eq!(both.nodes.len(), 2);
        assert_eq!(both.nodes[1].input, ["x", "part1_weight0"]);
        assert_eq!(both.weights[1].name, "part1_weight0");
        assert_eq!((first.as_str(), second.as_str()), ("mul0", "part1_y"));
        assert_eq!(both.nodes[1].output, [second]);
    }

    #[test]
    fn files_of_others_are_refused() {
        let error = Graph::parse(&file("pytorch")).unwrap_err();
        assert_eq!(error, "was written by `pytorch`; expected a file of fer-train");
        assert!(Graph::parse(b"\xff\xff\xff").unwrap_err().starts_with("is no ONNX file"));
    }
}
