//! The few messages of the ONNX format that the export writes.
//!
//! Field numbers and enumeration values are those of `onnx/onnx.proto` in the ONNX repository
//! (IR version 8); fields that the export has no use for are left out, which protobuf allows.

use prost::Message;

/// `TensorProto.DataType.FLOAT`.
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType.UINT8`.
pub const UINT8: i32 = 2;
/// `TensorProto.DataType.INT8`.
pub const INT8: i32 = 3;
/// `TensorProto.DataType.INT32`.
pub const INT32: i32 = 6;

/// A file: a graph and what is needed to understand it.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the format itself.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The program that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// That program's version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// Text for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Versions of the operators.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Named texts.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A set of operators and its version.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// Empty for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A named text.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in the order of execution, with the weights that they use.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Operations.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What the user gives.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What the user gets.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the values it reads.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// One setting of an operator: a whole number or a list of them.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The value, if `type` is 2.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// The values, if `type` is 7.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// `AttributeType`: 2 is `INT`, 7 is `INTS`.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

/// A weight.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Its shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// [`FLOAT`], [`UINT8`], [`INT8`] or [`INT32`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Its values, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// The name, type and shape of a graph's input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type and shape.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// The type of a value; here always a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// Element type and shape.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// [`FLOAT`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Its sides.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Sides, outermost first.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: one of the two fields is set.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// A fixed side.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name of a side that is known when the network runs.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

impl NodeProto {
    /// A node that makes one value, named like it.
    pub fn new(op_type: &str, input: &[&str], output: &str) -> Self {
        Self {
            input: input.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op_type.to_owned(),
            attribute: Vec::new(),
        }
    }

    /// The node with a whole number as a setting.
    #[must_use]
    pub fn int(mut self, name: &str, i: i64) -> Self {
        let name = name.to_owned();
        self.attribute.push(AttributeProto { name, i, ints: Vec::new(), r#type: 2 });
        self
    }

    /// The value that it makes.
    pub fn value(&self) -> &str {
        self.output.first().map_or("", String::as_str)
    }

    /// The list of whole numbers of the setting `name`; empty if it is not set.
    pub fn ints_of(&self, name: &str) -> &[i64] {
        let found = self.attribute.iter().find(|attribute| attribute.name == name);
        found.map_or(&[], |attribute| &attribute.ints)
    }

    /// The node with a list of whole numbers as a setting.
    #[must_use]
    pub fn ints(mut self, name: &str, ints: &[i64]) -> Self {
        let name = name.to_owned();
        self.attribute.push(AttributeProto { name, i: 0, ints: ints.to_vec(), r#type: 7 });
        self
    }
}

impl TensorProto {
    /// A weight of `f32` values.
    pub fn float(name: &str, dims: &[i64], values: impl IntoIterator<Item = f32>) -> Self {
        Self::raw(name, dims, FLOAT, bytes(values.into_iter().map(f32::to_le_bytes)))
    }

    /// A weight of whole numbers of 8 bits with a sign.
    pub fn int8(name: &str, dims: &[i64], values: impl IntoIterator<Item = i8>) -> Self {
        Self::raw(name, dims, INT8, bytes(values.into_iter().map(i8::to_le_bytes)))
    }

    /// A weight of whole numbers of 8 bits.
    pub fn uint8(name: &str, dims: &[i64], values: Vec<u8>) -> Self {
        Self::raw(name, dims, UINT8, values)
    }

    /// A weight of whole numbers of 32 bits.
    pub fn int32(name: &str, dims: &[i64], values: impl IntoIterator<Item = i32>) -> Self {
        Self::raw(name, dims, INT32, bytes(values.into_iter().map(i32::to_le_bytes)))
    }

    fn raw(name: &str, dims: &[i64], data_type: i32, raw_data: Vec<u8>) -> Self {
        Self { dims: dims.to_vec(), data_type, name: name.to_owned(), raw_data }
    }

    /// The values, if they are `f32`.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let values = || self.raw_data.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four));
        (self.data_type == FLOAT).then(|| values().collect())
    }
}

/// Numbers of `N` bytes one after the other.
fn bytes<const N: usize>(numbers: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(N * numbers.size_hint().0);
    for number in numbers {
        bytes.extend_from_slice(&number);
    }
    bytes
}

impl ValueInfoProto {
    /// A value `[batch, sides…]` of `f32`, the batch being open.
    pub fn batched(name: &str, sides: &[i64]) -> Self {
        let batch = Dimension { dim_value: None, dim_param: Some("batch".to_owned()) };
        let fixed = sides.iter().map(|&side| Dimension { dim_value: Some(side), dim_param: None });
        let shape = TensorShapeProto { dim: std::iter::once(batch).chain(fixed).collect() };
        Self::float(name, Some(shape))
    }

    /// A value of `f32` whose shape the reader finds out.
    pub fn open(name: &str) -> Self {
        Self::float(name, None)
    }

    fn float(name: &str, shape: Option<TensorShapeProto>) -> Self {
        let tensor_type = TensorType { elem_type: FLOAT, shape };
        Self { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
    }
}
