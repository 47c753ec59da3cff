//! Networks, built from a recipe on a [`VarStore`], so that every tensor has a name.
//!
//! A network is a list of stages, each a sequence of [`layers`]. A layer computes, and writes
//! itself into an ONNX graph: the two lie side by side so that they stay the same function.

pub mod layers;
pub mod memory;
pub mod pretrained;
mod resnet;
mod source_cnn;
mod staged;
mod torchvision;
mod vgg;

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use self::layers::{Layer, Sequential};
use self::memory::Memory;
use self::staged::Step;
use self::torchvision::{Inverted, inverted_residual};
use crate::onnx::graph::Graph;
use crate::recipe::Activation::{Relu, Relu6};
use crate::recipe::{InputRecipe, ModelRecipe, Precision};

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

/// A function from images to logits.
#[derive(Debug)]
pub struct Network {
    /// From the input on; the last is the last layer, to the classes.
    stages: Vec<Sequential>,
}

impl Network {
    /// Builds the network, with fresh random weights, on `store`.
    pub fn new(store: &VarStore, model: &ModelRecipe, input: &InputRecipe, classes: i64) -> Self {
        let root = store.root();
        let stages = match model {
            ModelRecipe::SourceCnn { filters, dense, activation, dropout } => {
                let shape = source_cnn::Shape { filters, dense, activation: *activation };
                source_cnn::stages(&root, input, &shape, *dropout, classes)
            }
            &ModelRecipe::Resnet { ref widths, blocks, stem_stride, dropout } => {
                let shape =
                    staged::Shape { widths, blocks, stem_stride, activation: Relu, dropout };
                staged::stages(&root, input.channels(), &shape, classes, resnet::basic_block)
            }
            ModelRecipe::Vgg { widths, convolutions, dense, dropout } => {
                let shape = vgg::Shape { widths, convolutions: *convolutions, dense };
                vgg::stages(&root, input, &shape, *dropout, classes)
            }
            &ModelRecipe::Mobilenet { ref widths, blocks, expansion, stem_stride, dropout } => {
                let shape =
                    staged::Shape { widths, blocks, stem_stride, activation: Relu6, dropout };
                staged::stages(&root, input.channels(), &shape, classes, |path, step| {
                    let Step { inputs, outputs, stride } = *step;
                    inverted_residual(path, &Inverted { inputs, outputs, stride, expansion })
                })
            }
            ModelRecipe::Torchvision { architecture, dropout } => {
                torchvision::stages(&root, input, *architecture, *dropout, classes)
            }
        };
        Self { stages }
    }

    /// Logits `[n, classes]` of normalised images `[n, channels, size, size]`.
    ///
    /// With `train`, batch statistics and dropout are used and running statistics move; but the
    /// first `frozen` stages stay as they are, and no gradient reaches them. Convolutions run in
    /// the precision of `x`; weights, statistics and dense layers stay `f32`.
    pub fn forward(&self, x: &Tensor, train: bool, frozen: usize) -> Tensor {
        let (still, learning) = self.stages.split_at(frozen.min(self.stages.len()));
        let mut x = x.shallow_clone();
        tch::no_grad(|| {
            for stage in still {
                x = stage.forward(&x, false);
            }
        });
        for stage in learning {
            x = stage.forward(&x, train);
        }
        x
    }

    /// Number of stages that can be frozen one after the other, the last layer included.
    pub fn stages(&self) -> usize {
        self.stages.len()
    }

    /// Writes the function that is computed without `train` into `graph`; returns the name of the
    /// logits.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        self.stages.iter().fold(input.to_owned(), |value, stage| stage.export(graph, &value))
    }
}

impl Precision {
    /// libtorch's name for it.
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// The name of the layer of `model` that makes the logits.
pub fn head(model: &ModelRecipe) -> &'static str {
    match model {
        ModelRecipe::Torchvision { architecture, .. } => torchvision::head(*architecture),
        _ => "head",
    }
}

/// A network together with the store that owns its tensors.
#[derive(Debug)]
pub struct Model {
    /// Every tensor by name.
    pub store: VarStore,
    /// The function over them.
    pub network: Network,
    /// Where their values lie, unless a tensor was given others of its own.
    pub memory: Memory,
}

impl Model {
    /// A model with fresh random weights on `device`.
    pub fn new(model: &ModelRecipe, input: &InputRecipe, classes: usize, device: Device) -> Self {
        let store = VarStore::new(device);
        let network = Network::new(&store, model, input, classes as i64);
        let memory = Memory::of(&store);
        Self { store, network, memory }
    }

    /// All tensors, batch norm's running statistics included, sorted by name.
    pub fn tensors(&self) -> Named {
        let mut named: Vec<_> = self.store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        self.store.trainable_variables().iter().map(Tensor::numel).sum()
    }
}
