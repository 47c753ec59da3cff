//! From a trained network to an ONNX file with its manifest, checked against the trainer itself.

use std::path::{Path, PathBuf};

use fer_backends::onnx::{OnnxClassifier, Options};
use fer_core::detect::BackendError;
use fer_core::emotion::Emotion;
use fer_core::manifest::{Input, Manifest, Output, OutputKind, SCHEMA_VERSION, sha256_hex};
use fer_core::preprocess::{Colour, Crop, Normalisation};
use prost::Message;
use tch::{Kind, Tensor};

use crate::checkpoint::write_atomically;
use crate::dataset::{Images, SIDE};
use crate::evaluate::raw_outputs;
use crate::model::{Block, ConvNorm, Model, Network};
use crate::onnx::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto,
};
use crate::recipe::{InputRecipe, Precision};
use crate::report::fit_temperature;
use crate::training::{DeviceImages, logits_of};

/// Largest difference that is accepted between a logit of the ONNX file and of the trainer.
pub const TOLERANCE: f32 = 1e-4;
/// The operators' version. ONNX Runtime 1.12 and later read it.
const OPSET: i64 = 17;
/// The format's version that belongs to it.
const IR_VERSION: i64 = 8;
/// Names of the input and the output tensor.
const INPUT: &str = "input";
const OUTPUT: &str = "logits";
/// Written above every manifest that this program writes.
const MANIFEST_HEADER: &str = "\
# Written by `fer-train export`; the metrics by `fer-train evaluate --write-manifest`.
# Do not edit figures by hand: run the command again.
";

/// What can stop an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// ONNX Runtime is missing or refuses the file.
    #[error("the exported network does not run: {0}")]
    Runtime(#[from] BackendError),
    /// The file does not compute what the trainer computes.
    #[error(
        "image {image}: the exported network's logits differ by {difference:e} from the trainer's; \
         expected at most {TOLERANCE:e}; nothing was written"
    )]
    Parity {
        /// Position of the image in the split that was compared.
        image: usize,
        /// Largest difference.
        difference: f32,
    },
    /// There is no image to compare and calibrate on.
    #[error("no PublicTest image to check the export on; expected at least one")]
    NoImages,
    /// A file could not be written.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest could not be put into YAML.
    #[error("cannot write the manifest `{path}`: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What the writer said.
        source: serde_yaml::Error,
    },
}

/// What a manifest says that a checkpoint does not know.
#[derive(Debug, Clone)]
pub struct Description {
    /// The model's name.
    pub name: String,
    /// The licence of weights and data.
    pub licence: String,
    /// Where the model comes from.
    pub source: String,
    /// What is cut out around a detected face.
    pub crop: Crop,
}

/// A network in memory, checked, with its manifest.
#[derive(Debug)]
pub struct Exported {
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// Its manifest, without metrics.
    pub manifest: Manifest,
    /// Largest difference found between its logits and the trainer's.
    pub difference: f32,
}

/// Exports `model`, calibrates it on `public_test` and compares it with the trainer on the same
/// images.
///
/// `file` is the ONNX file's name beside the manifest.
///
/// # Errors
///
/// [`ExportError`]; above all a difference of more than [`TOLERANCE`].
pub fn export(
    model: &Model,
    input: &InputRecipe,
    public_test: &Images,
    file: &Path,
    description: &Description,
) -> Result<Exported, ExportError> {
    if public_test.is_empty() {
        return Err(ExportError::NoImages);
    }
    let device_images = DeviceImages::new(public_test, model.store.device());
    let expected = logits_of(model, &device_images.bytes, input, Precision::F32);
    let onnx = onnx_file(&model.network, &description.name);
    let mut manifest = manifest(input, file, description, &onnx);
    manifest.output.temperature = fit_temperature(&expected, public_test.labels()) as f32;

    let options = Options::default();
    let origin = file.display().to_string();
    let mut classifier = OnnxClassifier::from_memory(manifest.clone(), &onnx, &origin, &options)?;
    let found = raw_outputs(&mut classifier, public_test)?;
    let difference = compare(&expected, &found)?;
    Ok(Exported { onnx, manifest, difference })
}

/// The largest difference between rows of logits.
fn compare(expected: &[[f32; Emotion::COUNT]], found: &[f32]) -> Result<f32, ExportError> {
    let mut largest = 0.0_f32;
    for (image, (row, found)) in expected.iter().zip(found.as_chunks().0).enumerate() {
        let found: &[f32; Emotion::COUNT] = found;
        for (a, b) in row.iter().zip(found) {
            let difference = (a - b).abs();
            // Written so that NaN is refused too.
            if difference.is_nan() || difference > TOLERANCE {
                return Err(ExportError::Parity { image, difference });
            }
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

fn manifest(input: &InputRecipe, file: &Path, description: &Description, onnx: &[u8]) -> Manifest {
    Manifest {
        schema_version: SCHEMA_VERSION,
        name: description.name.clone(),
        file: file.to_owned(),
        sha256: sha256_hex(onnx),
        input: Input {
            tensor: INPUT.to_owned(),
            width: SIDE,
            height: SIDE,
            colour: Colour::Grey,
            normalisation: normalisation(input),
            crop: description.crop,
        },
        output: Output {
            tensor: OUTPUT.to_owned(),
            kind: OutputKind::Logits,
            temperature: 1.0,
            labels: Emotion::ALL.iter().map(|emotion| emotion.name().to_owned()).collect(),
        },
        licence: description.licence.clone(),
        source: description.source.clone(),
        metrics: Vec::new(),
    }
}

/// The recipe's input as the manifest says it.
pub fn normalisation(input: &InputRecipe) -> Normalisation {
    Normalisation { scale: 255.0, mean: vec![input.mean], std: vec![input.std] }
}

/// Writes the ONNX file to `path` and its manifest beside it, with the extension `.yaml`.
///
/// # Errors
///
/// [`ExportError::Io`] or [`ExportError::Manifest`].
pub fn write(exported: &Exported, path: &Path) -> Result<PathBuf, ExportError> {
    write_atomically(path, &exported.onnx)
        .map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
    let beside = path.with_extension("yaml");
    write_manifest(&exported.manifest, &beside)?;
    Ok(beside)
}

/// Writes a manifest.
///
/// # Errors
///
/// [`ExportError::Io`] or [`ExportError::Manifest`].
pub fn write_manifest(manifest: &Manifest, path: &Path) -> Result<(), ExportError> {
    let yaml = serde_yaml::to_string(manifest)
        .map_err(|source| ExportError::Manifest { path: path.to_owned(), source })?;
    write_atomically(path, format!("{MANIFEST_HEADER}{yaml}").as_bytes())
        .map_err(|source| ExportError::Io { path: path.to_owned(), source })
}

/// The bytes of an ONNX file that computes what `network` computes when it does not train.
pub fn onnx_file(network: &Network, name: &str) -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let mut value = graph.conv(&network.stem, INPUT, "stem");
    value = graph.relu(&value);
    for (index, block) in network.blocks.iter().enumerate() {
        value = graph.block(block, &value, &format!("block{index}"));
    }
    graph.head(network, &value);
    let side = SIDE as i64;
    let graph = GraphProto {
        node: graph.nodes,
        name: name.to_owned(),
        initializer: graph.weights,
        input: vec![ValueInfoProto::batched(INPUT, &[1, side, side])],
        output: vec![ValueInfoProto::batched(OUTPUT, &[Emotion::COUNT as i64])],
    };
    let labels = Emotion::ALL.map(Emotion::name).join(",");
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Facial expression classifier; its manifest is the YAML file beside it".into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: vec![StringStringEntryProto { key: "labels".to_owned(), value: labels }],
    }
    .encode_to_vec()
}

/// Nodes and weights as they are collected.
#[derive(Default)]
struct GraphBuilder {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl GraphBuilder {
    /// A convolution with its batch norm folded in; returns its value's name.
    fn conv(&mut self, unit: &ConvNorm, input: &str, name: &str) -> String {
        let (weight, bias) = fold(unit);
        let kernel = unit.conv.ws.size()[2];
        self.weight(&format!("{name}.weight"), &weight);
        self.weight(&format!("{name}.bias"), &bias);
        let node = NodeProto::new(
            "Conv",
            &[input, &format!("{name}.weight"), &format!("{name}.bias")],
            name,
        )
        .ints("kernel_shape", &[kernel; 2])
        .ints("strides", &[unit.stride; 2])
        .ints("pads", &[unit.padding; 4]);
        self.nodes.push(node);
        name.to_owned()
    }

    fn relu(&mut self, input: &str) -> String {
        let name = format!("{input}.relu");
        self.nodes.push(NodeProto::new("Relu", &[input], &name));
        name
    }

    fn block(&mut self, block: &Block, input: &str, name: &str) -> String {
        let first = self.conv(&block.first, input, &format!("{name}.first"));
        let first = self.relu(&first);
        let second = self.conv(&block.second, &first, &format!("{name}.second"));
        let shortcut = match &block.shortcut {
            Some(unit) => self.conv(unit, input, &format!("{name}.shortcut")),
            None => input.to_owned(),
        };
        let sum = format!("{name}.sum");
        self.nodes.push(NodeProto::new("Add", &[&second, &shortcut], &sum));
        self.relu(&sum)
    }

    fn head(&mut self, network: &Network, input: &str) {
        self.weight("head.weight", &network.head.ws);
        let zeros = Tensor::zeros([Emotion::COUNT as i64], (Kind::Float, tch::Device::Cpu));
        self.weight("head.bias", network.head.bs.as_ref().unwrap_or(&zeros));
        self.nodes.push(NodeProto::new("GlobalAveragePool", &[input], "pooled"));
        self.nodes.push(NodeProto::new("Flatten", &["pooled"], "features").int("axis", 1));
        let inputs = ["features", "head.weight", "head.bias"];
        self.nodes.push(NodeProto::new("Gemm", &inputs, OUTPUT).int("transB", 1));
    }

    fn weight(&mut self, name: &str, tensor: &Tensor) {
        self.weights.push(TensorProto::float(name, &tensor.size(), floats(tensor)));
    }
}

/// The weight and bias of one convolution that equals `unit` with its running statistics.
///
/// Computed in `f64`, so that folding adds no error of its own.
fn fold(unit: &ConvNorm) -> (Tensor, Tensor) {
    let double = |tensor: &Tensor| tensor.detach().to_kind(Kind::Double);
    let norm = &unit.norm;
    let eps = nn_epsilon();
    let spread = (double(&norm.running_var) + eps).sqrt();
    let scale = match &norm.ws {
        Some(weight) => double(weight) / spread,
        None => spread.reciprocal(),
    };
    let shift = match &norm.bs {
        Some(bias) => double(bias),
        None => scale.zeros_like(),
    };
    let weight = double(&unit.conv.ws) * scale.view([-1, 1, 1, 1]);
    let bias = shift - double(&norm.running_mean) * scale;
    (weight, bias)
}

/// What batch norm adds to a variance.
fn nn_epsilon() -> f64 {
    tch::nn::BatchNormConfig::default().eps
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut values = vec![0.0; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}
