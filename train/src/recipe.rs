//! The recipe: everything that a training run depends on, in one closed YAML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What can be wrong with a recipe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file could not be read.
    #[error("cannot read the recipe `{path}`: {source}")]
    Io {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not YAML of the recipe's schema; the message has line and column.
    #[error("the recipe `{path}` is not valid: {source}")]
    Syntax {
        /// The file that was asked for.
        path: PathBuf,
        /// What the parser said.
        source: serde_yaml::Error,
    },
    /// Values are out of range; all of them are listed.
    #[error("the recipe has values out of range:\n  {}", .0.join("\n  "))]
    Range(Vec<String>),
}

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the run; part of the exported model's name.
    pub name: String,
    /// Seed of weights, order and augmentation. On one machine's CPU and thread count a seed
    /// repeats a run.
    pub seed: i64,
    /// CPU threads that libtorch may use, 1 to 1024.
    pub threads: i32,
    /// Precision of activations and convolutions.
    pub precision: Precision,
    /// What is left out of the training split.
    pub data: DataRecipe,
    /// How bytes become the network's input.
    pub input: InputRecipe,
    /// The network.
    pub model: ModelRecipe,
    /// Random changes made to each training image, each time it is seen.
    pub augment: AugmentRecipe,
    /// Loss and its weighting.
    pub loss: LossRecipe,
    /// The optimiser and its schedule.
    pub optimiser: OptimiserRecipe,
}

/// Precision of activations and convolutions while training; weights are always kept in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    F32,
    /// Brain floating point: three times as fast on CPUs with AVX-512 BF16.
    Bf16,
}

impl Precision {
    /// libtorch's name for it.
    pub fn kind(self) -> tch::Kind {
        match self {
            Self::F32 => tch::Kind::Float,
            Self::Bf16 => tch::Kind::BFloat16,
        }
    }
}

/// What is left out of the training split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecipe {
    /// Drop training rows that are pixel-identical to a test row.
    pub drop_twins: bool,
    /// Drop training images of one value.
    pub drop_constant: bool,
}

/// How bytes become the network's input: `(value / 255 − mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecipe {
    /// Mean of the luma, on the scale 0 to 1.
    pub mean: f32,
    /// Standard deviation of the luma, on the scale 0 to 1; above 0.
    pub std: f32,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelRecipe {
    /// A CIFAR-style residual network of basic blocks.
    Resnet {
        /// Channels of each stage; each stage after the first halves the resolution.
        widths: Vec<i64>,
        /// Basic blocks in each stage, at least 1.
        blocks: usize,
        /// Stride of the first convolution: 1, or 2 to halve the cost of all that follows by four.
        stem_stride: i64,
        /// Probability of dropping a feature before the last layer, 0 to below 1.
        dropout: f64,
    },
}

/// Random changes made to each training image, each time it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentRecipe {
    /// Mirror every second image on average.
    pub flip: bool,
    /// Largest rotation either way, in degrees.
    pub rotation: f64,
    /// Smallest and largest scale.
    pub scale: [f64; 2],
    /// Largest shift either way along each axis, as a fraction of the side.
    pub shift: f64,
    /// Largest change of brightness either way, on the scale 0 to 1.
    pub brightness: f64,
    /// Largest relative change of contrast either way.
    pub contrast: f64,
    /// Probability that a rectangle of an image is erased.
    pub erase: f64,
    /// Largest side of the erased rectangle, as a fraction of the image's side.
    pub erase_side: f64,
    /// Probability that a batch is mixed with itself in another order (mixup).
    pub mixup: f64,
    /// Both parameters of the Beta distribution that mixup's weight is drawn from, above 0.
    pub mixup_alpha: f64,
}

/// Loss and its weighting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRecipe {
    /// Probability mass spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
    /// A class weighs (largest class ÷ its count) to this power: 0 is no weighting, 1 is full.
    pub class_weight_power: f64,
}

/// The optimiser and its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserRecipe {
    /// Passes over the training split.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Epochs of linear warm-up from 0.
    pub warmup_epochs: f64,
    /// Learning rate at the end of the cosine, as a fraction of the highest.
    pub final_fraction: f64,
    /// Nesterov momentum, 0 to below 1.
    pub momentum: f64,
    /// L2 penalty on convolution and linear weights (not on biases and batch norm).
    pub weight_decay: f64,
    /// Decay of the exponential moving average of weights that is evaluated and kept.
    pub ema_decay: f64,
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    ///
    /// [`RecipeError`]: an unknown or missing key with its line, or all values out of range.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        let recipe: Self = serde_yaml::from_str(&text)
            .map_err(|source| RecipeError::Syntax { path: path.to_owned(), source })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Checks the range of every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError::Range`] with every value that is out of range.
    pub fn check(&self) -> Result<(), RecipeError> {
        let ModelRecipe::Resnet { widths, blocks, stem_stride, dropout } = &self.model;
        let (a, l, o) = (&self.augment, &self.loss, &self.optimiser);
        let mut problems = Vec::new();
        let mut range = |key: &str, value: f64, low: f64, high: f64| {
            if !(low..=high).contains(&value) {
                problems.push(format!("{key}: {value}; expected {low} to {high}"));
            }
        };
        range("threads", f64::from(self.threads), 1.0, 1024.0);
        range("input.mean", f64::from(self.input.mean), 0.0, 1.0);
        range("input.std", f64::from(self.input.std), 1e-3, 1e3);
        range("model.widths (how many)", widths.len() as f64, 1.0, 5.0);
        for &width in widths {
            range("model.widths", width as f64, 1.0, 4096.0);
        }
        range("model.blocks", *blocks as f64, 1.0, 64.0);
        range("model.stem_stride", *stem_stride as f64, 1.0, 2.0);
        range("model.dropout", *dropout, 0.0, 0.95);
        range("augment.rotation", a.rotation, 0.0, 180.0);
        range("augment.scale[0]", a.scale[0], 0.1, a.scale[1]);
        range("augment.scale[1]", a.scale[1], a.scale[0], 10.0);
        range("augment.shift", a.shift, 0.0, 1.0);
        range("augment.brightness", a.brightness, 0.0, 1.0);
        range("augment.contrast", a.contrast, 0.0, 1.0);
        range("augment.erase", a.erase, 0.0, 1.0);
        range("augment.erase_side", a.erase_side, 0.0, 1.0);
        range("augment.mixup", a.mixup, 0.0, 1.0);
        range("augment.mixup_alpha", a.mixup_alpha, 0.01, 100.0);
        range("loss.label_smoothing", l.label_smoothing, 0.0, 0.95);
        range("loss.class_weight_power", l.class_weight_power, 0.0, 1.0);
        range("optimiser.epochs", o.epochs as f64, 1.0, 1e5);
        range("optimiser.batch", o.batch as f64, 2.0, 65536.0);
        range("optimiser.learning_rate", o.learning_rate, 1e-9, 100.0);
        range("optimiser.warmup_epochs", o.warmup_epochs, 0.0, o.epochs as f64);
        range("optimiser.final_fraction", o.final_fraction, 0.0, 1.0);
        range("optimiser.momentum", o.momentum, 0.0, 0.9999);
        range("optimiser.weight_decay", o.weight_decay, 0.0, 1.0);
        range("optimiser.ema_decay", o.ema_decay, 0.0, 0.999_999);
        if problems.is_empty() { Ok(()) } else { Err(RecipeError::Range(problems)) }
    }
}
