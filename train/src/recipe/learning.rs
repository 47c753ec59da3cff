//! Balance, loss, optimiser, schedule: how a recipe learns.

use serde::{Deserialize, Serialize};
use serde_yaml::with::singleton_map;

use crate::metrics::Metrics;

/// What is done about classes of unequal size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum BalanceRecipe {
    /// Nothing.
    #[default]
    None,
    /// A class weighs (largest class ÷ its count) to a power in the loss.
    ClassWeights {
        /// 0 is no weighting; 1, the default, makes all classes weigh the same.
        #[serde(default = "one")]
        power: f64,
    },
    /// Each image is drawn with a probability proportional to that weight; an epoch has as many
    /// draws as there are images.
    BalancedSampling {
        /// 0 draws evenly over images; 1, the default, evenly over classes.
        #[serde(default = "one")]
        power: f64,
    },
    /// Every class gets as many images as the largest by interpolation between neighbours of one
    /// class (Chawla et al. 2002).
    Smote {
        /// Neighbours to choose from.
        k: usize,
    },
    /// Easy images weigh less in the loss: (1 − p)^gamma (Lin et al. 2017).
    Focal {
        /// 0 is plain cross-entropy; 2 is usual.
        gamma: f64,
    },
    /// The loss sees logits shifted by tau · log(class frequency), so that the network itself
    /// learns balanced ones (Menon et al. 2020).
    LogitAdjustment {
        /// 0 is plain cross-entropy; 1 is balanced.
        #[serde(default = "one")]
        tau: f64,
    },
}

/// The loss: cross-entropy, and penalties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossRecipe {
    /// Probability mass spread evenly over all classes, 0 (the default) to .95.
    pub label_smoothing: f64,
    /// Factor of the sum of absolute weights, biases and batch norm left out; 0 by default.
    pub l1: f64,
}

/// The optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserRecipe {
    /// Passes over the training split.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Which one.
    #[serde(with = "singleton_map")]
    pub kind: OptimiserKind,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// L2 penalty on convolution and linear weights (not on biases and batch norm); 0 by default.
    #[serde(default)]
    pub weight_decay: f64,
    /// Largest norm of all gradients together, beyond which they are scaled down; 0, the default,
    /// is no limit.
    #[serde(default)]
    pub clip_norm: f64,
    /// Radius ρ of sharpness-aware minimisation (SAM, Foret et al. 2021): gradients are taken where
    /// the loss is highest within this distance of the weights, to first order, so that weights are
    /// sought around which it is low. Weight decay and L1 act at the weights themselves. Twice the
    /// work. .05 to .2 are usual; 0, the default, is no SAM.
    #[serde(default)]
    pub sam_radius: f64,
    /// Decay of the exponential moving average of weights that is evaluated and kept; 0, the
    /// default, keeps the weights themselves.
    #[serde(default)]
    pub ema_decay: f64,
}

/// A way to move weights along their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimiserKind {
    /// Stochastic gradient descent with Nesterov momentum.
    Sgd {
        /// 0 to below 1; 0.9 by default.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2014); the L2 penalty is part of the gradient.
    Adam {
        /// Decays of the averages of gradient and squared gradient; 0.9 and 0.999 by default.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the root of the averaged square; 1e-8 by default.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2017).
    Adamw {
        /// As for Adam.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// As for Adam.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
}

/// The learning rate's course.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleRecipe {
    /// Always the highest.
    #[default]
    Constant,
    /// Lower by a factor whenever the validation split has not improved for some epochs.
    Plateau {
        /// What has to improve; the loss by default.
        #[serde(default = "loss")]
        monitor: Quantity,
        /// 0 to below 1; 0.5 by default.
        #[serde(default = "half")]
        factor: f64,
        /// Epochs without improvement; 7 by default.
        #[serde(default = "seven")]
        patience: usize,
    },
    /// Lower by a factor every so many epochs.
    Step {
        /// Epochs between two steps.
        every: usize,
        /// 0 to below 1.
        factor: f64,
    },
    /// Linear warm-up, then half a cosine.
    Cosine {
        /// Epochs of warm-up; 0 by default.
        #[serde(default)]
        warmup_epochs: f64,
        /// Where the cosine ends, as a fraction of the highest rate; 0.001 by default.
        #[serde(default = "thousandth")]
        final_fraction: f64,
    },
}

/// When to end before the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// What has to improve on the validation split.
    pub monitor: Quantity,
    /// Epochs without improvement.
    pub patience: usize,
}

/// A figure of the validation split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Mean of accuracy and macro-F1: neither the frequent classes nor the rarest decide alone.
    #[default]
    Mean,
    /// Fraction that is right.
    Accuracy,
    /// Mean of the classes' F1.
    MacroF1,
    /// Mean negative log-likelihood; lower is better.
    Loss,
}

impl Quantity {
    /// The figure, turned so that more is better.
    pub fn of(self, metrics: &Metrics) -> f64 {
        match self {
            Self::Mean => f64::midpoint(metrics.accuracy, metrics.macro_f1()),
            Self::Accuracy => metrics.accuracy,
            Self::MacroF1 => metrics.macro_f1(),
            Self::Loss => -metrics.nll,
        }
    }
}

/// How teachers are followed: their softened probabilities are a second target (Hinton et al.
/// 2015).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillRecipe {
    /// Divisor of the logits of teachers and student, at least 1; 3 by default.
    #[serde(default = "three")]
    pub temperature: f64,
    /// How much of the loss is the divergence from the teachers, 0 to 1; 0.9 by default.
    #[serde(default = "nine_tenths")]
    pub weight: f64,
    /// How many teachers, drawn at random, a batch follows; all by default. As the gradient is
    /// linear in the teachers' probabilities, on average it is that of all of them, for less.
    #[serde(default)]
    pub sample: Option<usize>,
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn three() -> f64 {
    3.0
}

fn nine_tenths() -> f64 {
    0.9
}

fn thousandth() -> f64 {
    0.001
}

fn seven() -> usize {
    7
}

fn momentum() -> f64 {
    0.9
}

fn betas() -> [f64; 2] {
    [0.9, 0.999]
}

fn epsilon() -> f64 {
    1e-8
}

fn loss() -> Quantity {
    Quantity::Loss
}
