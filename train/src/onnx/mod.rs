//! Writing ONNX files.

pub mod cost;
pub mod graph;
pub mod proto;
pub mod quantise;
