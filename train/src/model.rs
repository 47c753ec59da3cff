//! Networks, built from a recipe on a [`VarStore`], so that every tensor has a name.

use tch::nn::{self, Module, ModuleT, VarStore};
use tch::{Device, Kind, Tensor};

use fer_core::emotion::Emotion;

use crate::recipe::ModelRecipe;

/// A convolution without bias, followed by batch norm.
///
/// The two are kept as one unit because the export folds them into one convolution.
#[derive(Debug)]
pub struct ConvNorm {
    /// The convolution; its kernel is square and its padding keeps the resolution at stride 1.
    pub conv: nn::Conv2D,
    /// The batch norm that follows it.
    pub norm: nn::BatchNorm,
    /// Stride along both axes.
    pub stride: i64,
    /// Padding along both axes.
    pub padding: i64,
}

impl ConvNorm {
    fn new(path: nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Self {
        let padding = kernel / 2;
        let config = nn::ConvConfig {
            stride,
            padding,
            bias: false,
            ws_init: nn::init::DEFAULT_KAIMING_NORMAL,
            ..Default::default()
        };
        Self {
            conv: nn::conv2d(&path / "conv", inputs, outputs, kernel, config),
            norm: nn::batch_norm2d(&path / "norm", outputs, Default::default()),
            stride,
            padding,
        }
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let weight = self.conv.ws.to_kind(x.kind());
        let y = x.conv2d(&weight, None::<&Tensor>, stride, padding, [1, 1], 1);
        self.norm.forward_t(&y, train)
    }
}

/// Two 3×3 convolutions with a shortcut around them (He et al. 2015, "basic block").
#[derive(Debug)]
pub struct Block {
    /// Carries the block's stride.
    pub first: ConvNorm,
    /// Stride 1.
    pub second: ConvNorm,
    /// A 1×1 convolution where shape changes, otherwise the identity.
    pub shortcut: Option<ConvNorm>,
}

impl Block {
    fn new(path: nn::Path<'_>, inputs: i64, outputs: i64, stride: i64) -> Self {
        let shortcut = (inputs != outputs || stride != 1)
            .then(|| ConvNorm::new(&path / "shortcut", inputs, outputs, 1, stride));
        Self {
            first: ConvNorm::new(&path / "first", inputs, outputs, 3, stride),
            second: ConvNorm::new(&path / "second", outputs, outputs, 3, 1),
            shortcut,
        }
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let inner = self.second.forward(&self.first.forward(x, train).relu_(), train);
        match &self.shortcut {
            Some(shortcut) => (inner + shortcut.forward(x, train)).relu_(),
            None => (inner + x).relu_(),
        }
    }
}

/// A residual network: stem, stages of [`Block`]s, global average, one linear layer.
#[derive(Debug)]
pub struct Network {
    /// First convolution.
    pub stem: ConvNorm,
    /// All blocks, in order.
    pub blocks: Vec<Block>,
    /// Features to logits.
    pub head: nn::Linear,
    dropout: f64,
}

impl Network {
    /// Builds the network, with fresh random weights, on `store`.
    pub fn new(store: &VarStore, recipe: &ModelRecipe) -> Self {
        let ModelRecipe::Resnet { widths, blocks, stem_stride, dropout } = recipe;
        let root = store.root();
        let mut channels = widths.first().copied().unwrap_or(1);
        let stem = ConvNorm::new(&root / "stem", 1, channels, 3, *stem_stride);
        let mut all = Vec::new();
        for (stage, &width) in widths.iter().enumerate() {
            for block in 0..*blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let path = &root / format!("stage{stage}") / format!("block{block}");
                all.push(Block::new(path, channels, width, stride));
                channels = width;
            }
        }
        let classes = Emotion::ALL.len() as i64;
        let head = nn::linear(&root / "head", channels, classes, Default::default());
        Self { stem, blocks: all, head, dropout: *dropout }
    }

    /// Logits `[n, 7]` of normalised luma `[n, 1, 48, 48]`.
    ///
    /// With `train`, batch statistics and dropout are used and running statistics move.
    /// Convolutions run in the precision of `x`; weights, statistics and the last layer stay `f32`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let mut x = self.stem.forward(x, train).relu_();
        for block in &self.blocks {
            x = block.forward(&x, train);
        }
        let features = x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float);
        self.head.forward(&features.dropout(self.dropout, train))
    }
}

/// A network together with the store that owns its tensors.
#[derive(Debug)]
pub struct Model {
    /// Every tensor by name.
    pub store: VarStore,
    /// The function over them.
    pub network: Network,
}

impl Model {
    /// A model with fresh random weights on `device`.
    pub fn new(recipe: &ModelRecipe, device: Device) -> Self {
        let store = VarStore::new(device);
        let network = Network::new(&store, recipe);
        Self { store, network }
    }

    /// All tensors, batch norm's running statistics included, sorted by name.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let mut named: Vec<_> = self.store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        self.store.trainable_variables().iter().map(Tensor::numel).sum()
    }
}
