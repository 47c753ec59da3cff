//! Batch norm, and how it is folded into what comes before it.

use tch::nn::{self, ModuleT};
use tch::{Kind, Tensor};

/// How batch norm keeps its statistics.
#[derive(Debug, Clone, Copy)]
pub struct NormConfig {
    /// Added to the variance.
    pub epsilon: f64,
    /// How much of a batch's statistics the running ones take up.
    pub momentum: f64,
}

impl NormConfig {
    /// PyTorch's.
    pub const TORCH: Self = Self { epsilon: 1e-5, momentum: 0.1 };
    /// Keras's, whose momentum of 0.99 is the part that is kept.
    pub const KERAS: Self = Self { epsilon: 1e-3, momentum: 0.01 };
}

/// Batch norm over channels or features.
#[derive(Debug)]
pub struct Norm {
    norm: nn::BatchNorm,
    epsilon: f64,
}

impl Norm {
    /// With scale 1 and shift 0.
    pub fn new(path: nn::Path<'_>, channels: i64, config: NormConfig) -> Self {
        let settings = nn::BatchNormConfig {
            momentum: config.momentum,
            eps: config.epsilon,
            ws_init: nn::Init::Const(1.0),
            ..Default::default()
        };
        // One-dimensional or two-dimensional: libtorch's function is the same.
        Self { norm: nn::batch_norm2d(path, channels, settings), epsilon: config.epsilon }
    }

    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if x.dim() == 2 {
            return self.norm.forward_t(&x.unsqueeze(-1).unsqueeze(-1), train).flatten(1, -1);
        }
        self.norm.forward_t(x, train)
    }

    /// The factor and the summand a channel that equal it with its running statistics.
    ///
    /// Computed in `f64`, so that folding adds no error of its own.
    fn affine(&self) -> (Tensor, Tensor) {
        let norm = &self.norm;
        let spread = (double(&norm.running_var) + self.epsilon).sqrt();
        let scale = match &norm.ws {
            Some(weight) => double(weight) / spread,
            None => spread.reciprocal(),
        };
        let shift = match &norm.bs {
            Some(bias) => double(bias),
            None => scale.zeros_like(),
        };
        let summand = shift - double(&norm.running_mean) * &scale;
        (scale, summand)
    }
}

fn double(tensor: &Tensor) -> Tensor {
    tensor.detach().to_kind(Kind::Double)
}

/// `weight` and `bias` with a following batch norm folded in; the first axis is the outputs'.
pub(super) fn folded(
    weight: &Tensor,
    bias: Option<&Tensor>,
    norm: Option<&Norm>,
) -> (Tensor, Tensor) {
    let outputs = weight.size()[0];
    let bias = match bias {
        Some(bias) => double(bias),
        None => Tensor::zeros([outputs], (Kind::Double, weight.device())),
    };
    let Some(norm) = norm else { return (weight.detach(), bias) };
    let (scale, summand) = norm.affine();
    let mut sides = vec![1; weight.dim()];
    sides[0] = -1;
    (double(weight) * scale.view(sides.as_slice()), bias * scale + summand)
}
