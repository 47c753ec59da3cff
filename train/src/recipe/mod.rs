//! The recipe: everything that a training run depends on, in one closed YAML file.
//!
//! What a recipe leaves out has the default that is documented here; the run's folder gets the
//! recipe with every value written out.

mod augment;
mod check;
mod difference;
mod learning;
mod model;

use std::path::{Path, PathBuf};

use fer_core::preprocess::{Colour, Normalisation, Shape};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use serde_yaml::with::singleton_map;

pub use augment::{AugmentRecipe, DegradeRecipe};
pub use learning::{
    BalanceRecipe, DistillRecipe, EarlyStopping, LossRecipe, OptimiserKind, OptimiserRecipe,
    Quantity, ScheduleRecipe,
};
pub use model::{Activation, Architecture, ModelRecipe, PretrainedRecipe};

pub use self::check::MOST_EPOCHS;
use crate::dataset::ImageShape;

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
    /// A value given on the command line has no place in the recipe.
    #[error("--set {assignment}: {problem}")]
    Assignment {
        /// As it was given.
        assignment: String,
        /// What was wrong.
        problem: String,
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
    /// Seed of weights, order, SMOTE and augmentation, 0 to 4294967295. On one machine's CPU and
    /// thread count a seed repeats a run.
    pub seed: i64,
    /// CPU threads that libtorch may use, 1 to 1024; 1 by default.
    #[serde(default = "one_thread")]
    pub threads: i32,
    /// Where to train: `cpu` (the default), `cuda` or `cuda:N`.
    #[serde(default = "cpu")]
    pub device: String,
    /// Precision of activations and convolutions.
    #[serde(default)]
    pub precision: Precision,
    /// What is learnt from.
    #[serde(default)]
    pub data: DataRecipe,
    /// How bytes become the network's input.
    #[serde(default)]
    pub input: InputRecipe,
    /// The network.
    #[serde(with = "singleton_map")]
    pub model: ModelRecipe,
    /// How weights that were learnt elsewhere are taken up; needs `--weights`.
    #[serde(default)]
    pub pretrained: Option<PretrainedRecipe>,
    /// Random changes made to each training image, each time it is seen.
    #[serde(default)]
    pub augment: AugmentRecipe,
    /// What is done about classes of unequal size.
    #[serde(default, with = "singleton_map")]
    pub balance: BalanceRecipe,
    /// The loss.
    #[serde(default)]
    pub loss: LossRecipe,
    /// The optimiser.
    pub optimiser: OptimiserRecipe,
    /// The learning rate's course.
    #[serde(default, with = "singleton_map")]
    pub schedule: ScheduleRecipe,
    /// When to end before the last epoch; never, if left out.
    #[serde(default)]
    pub early_stopping: Option<EarlyStopping>,
    /// What the best epoch is chosen by, on the validation split.
    #[serde(default)]
    pub select: Quantity,
    /// How teachers are followed; needs `fer-train distill`.
    #[serde(default)]
    pub distill: Option<DistillRecipe>,
}

/// Precision of activations and convolutions while training; weights are always kept in `f32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Brain floating point, mixed with `f32`: for CUDA, and for CPUs with AVX-512 BF16.
    Bf16,
}

/// What is learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataRecipe {
    /// Drop training images that are pixel-identical to one of the other splits; yes by default.
    pub drop_twins: bool,
    /// Drop training images of one value; yes by default.
    pub drop_constant: bool,
    /// How much of the target is what FER+ votes say of the label (see the module `votes`),
    /// 0 (the default) to 1; the rest is the label itself. Images without votes keep their label.
    pub ferplus: f64,
}

impl Default for DataRecipe {
    fn default() -> Self {
        Self { drop_twins: true, drop_constant: true, ferplus: 0.0 }
    }
}

/// How bytes become the network's input: `(value / 255 − mean) / std`, a mean and a deviation for
/// each channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputRecipe {
    /// Width and height in pixels, 8 to 1024; 48 by default.
    pub size: usize,
    /// `grey` (the default) or `rgb`.
    pub colour: Colour,
    /// On the scale 0 to 1; 0.5 by default.
    pub mean: Vec<f32>,
    /// On the scale 0 to 1, above 0; 0.25 by default.
    pub std: Vec<f32>,
}

impl Default for InputRecipe {
    fn default() -> Self {
        Self { size: 48, colour: Colour::Grey, mean: vec![0.5], std: vec![0.25] }
    }
}

impl InputRecipe {
    /// Channels of the network's input.
    pub fn channels(&self) -> i64 {
        self.colour.channels() as i64
    }

    /// The shape of the bytes that become the input.
    pub fn image_shape(&self) -> ImageShape {
        ImageShape { width: self.size, height: self.size, channels: self.colour.channels() }
    }

    /// The input tensor's shape, as `fer-core` says it.
    pub fn shape(&self) -> Shape {
        Shape { width: self.size, height: self.size, colour: self.colour }
    }

    /// The normalisation, as a manifest says it.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { scale: 255.0, mean: self.mean.clone(), std: self.std.clone() }
    }
}

fn one_thread() -> i32 {
    1
}

fn cpu() -> String {
    "cpu".to_owned()
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    ///
    /// [`RecipeError`]: an unknown or missing key with its line, or all values out of range.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        Self::read_with(path, &[])
    }

    /// Reads a recipe, sets the values that `assignments` (`key.path=value`) name, and checks it.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or [`RecipeError::Assignment`].
    pub fn read_with(path: &Path, assignments: &[String]) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        let mut recipe: Self = serde_yaml::from_str(&text)
            .map_err(|source| RecipeError::Syntax { path: path.to_owned(), source })?;
        for assignment in assignments {
            recipe = recipe.with(assignment).map_err(|problem| RecipeError::Assignment {
                assignment: assignment.clone(),
                problem,
            })?;
        }
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe with one value changed.
    fn with(&self, assignment: &str) -> Result<Self, String> {
        let (key, value) = assignment.split_once('=').ok_or("expected key.path=value")?;
        let value: Value = serde_yaml::from_str(value).map_err(|error| error.to_string())?;
        let mut root = serde_yaml::to_value(self).map_err(|error| error.to_string())?;
        let mut place = &mut root;
        let parts: Vec<&str> = key.split('.').collect();
        for (depth, part) in parts.iter().enumerate() {
            if depth > 0 && matches!(place, Value::Null | Value::String(_)) {
                return Err(as_a_whole(&parts, depth, place, &value));
            }
            let keys = keys_of(place);
            place = place
                .get_mut(*part)
                .ok_or_else(|| format!("there is no `{part}` in it; accepted: {keys}"))?;
        }
        *place = value;
        serde_yaml::from_value(root).map_err(|error| explained(&error.to_string(), assignment))
    }

    /// Checks the range of every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError::Range`] with every value that is out of range.
    pub fn check(&self) -> Result<(), RecipeError> {
        let problems = check::problems(self);
        if problems.is_empty() { Ok(()) } else { Err(RecipeError::Range(problems)) }
    }

    /// The recipe as YAML, every value written out.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(self)
    }

    /// What keeps a run of `self` from going on as `other`, a line a key. What belongs to the machine
    /// does not, nor the number of epochs where the course of the learning rate does not depend on
    /// it.
    pub fn hindrances(&self, other: &Self) -> Vec<String> {
        let mut same =
            Self { threads: other.threads, device: other.device.clone(), ..self.clone() };
        if !matches!(self.schedule, ScheduleRecipe::Cosine { .. }) {
            same.optimiser.epochs = other.optimiser.epochs;
        }
        difference::between(&same, other)
    }
}

/// Why nothing below the first `depth` parts of a key can be set, and how all of it is set at once.
fn as_a_whole(parts: &[&str], depth: usize, found: &Value, value: &Value) -> String {
    let (above, below) = parts.split_at(depth);
    let above = above.join(".");
    let whole =
        below.iter().rev().fold(in_a_line(value), |inner, part| format!("{{{part}: {inner}}}"));
    let found = in_a_line(found);
    format!("`{above}` is {found}, with nothing below it; set all of it: '{above}={whole}'")
}

/// What the parser says, and how a choice is written that has values of its own.
fn explained(error: &str, assignment: &str) -> String {
    match assignment.split_once('=') {
        Some((key, choice)) if error.contains("expected struct variant") => {
            format!("`{choice}` has values of its own; write '{key}={{{choice}: {{}}}}' ({error})")
        }
        _ => error.to_owned(),
    }
}

/// A value as one line of YAML.
fn in_a_line(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default().replace('"', "")
}

fn keys_of(value: &Value) -> String {
    let names = value.as_mapping().into_iter().flat_map(serde_yaml::Mapping::keys);
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if names.is_empty() { "nothing below it".to_owned() } else { names.join(", ") }
}
