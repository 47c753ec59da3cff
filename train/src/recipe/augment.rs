//! The random changes of a recipe.

use serde::{Deserialize, Serialize};

/// Random changes made to each training image, each time it is seen. By default none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentRecipe {
    /// Mirror every second image on average.
    pub flip: bool,
    /// Largest rotation either way, in degrees.
    pub rotation: f64,
    /// Smallest and largest scale.
    pub scale: [f64; 2],
    /// Largest shift either way along each axis, as a fraction of the side.
    pub shift: f64,
    /// How far each edge of the box may lie from its true place, as a fraction of the side:
    /// what a detector's box is off by.
    pub box_jitter: f64,
    /// Largest change of brightness either way, on the scale 0 to 1.
    pub brightness: f64,
    /// Largest relative change of contrast either way.
    pub contrast: f64,
    /// Largest standard deviation of Gaussian noise, on the scale 0 to 1.
    pub noise: f64,
    /// What distance, lenses, dim light and compression take.
    pub degrade: DegradeRecipe,
    /// Probability that a rectangle of an image is erased.
    pub erase: f64,
    /// Largest side of the erased rectangle, as a fraction of the image's side.
    pub erase_side: f64,
    /// Probability that a batch is mixed with itself in another order (mixup).
    pub mixup: f64,
    /// Probability that a batch gets a rectangle of itself in another order (CutMix).
    pub cutmix: f64,
    /// Both parameters of the Beta distribution that mixup's and CutMix's weight is drawn from;
    /// 0.4 by default.
    pub mix_alpha: f64,
}

impl Default for AugmentRecipe {
    fn default() -> Self {
        Self {
            flip: false,
            rotation: 0.0,
            scale: [1.0, 1.0],
            shift: 0.0,
            box_jitter: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            noise: 0.0,
            degrade: DegradeRecipe::default(),
            erase: 0.0,
            erase_side: 0.4,
            mixup: 0.0,
            cutmix: 0.0,
            mix_alpha: 0.4,
        }
    }
}

/// What distance, lenses, dim light and compression take from a face. By default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DegradeRecipe {
    /// Probability of each of these changes, in each image by itself; 0.25 by default.
    pub probability: f64,
    /// Smallest face that the image is reduced to before it is enlarged again, as a fraction of
    /// its side; 1 is no reduction.
    pub shrink: f64,
    /// Largest standard deviation of a Gaussian blur, as a fraction of the side; 0 is none.
    pub blur: f64,
    /// Shortest exposure, as a fraction of the image's own; 1 is no darkening.
    pub darken: f64,
    /// Lowest quality of JPEG compression, 1 to 100; 100 is none at all.
    pub jpeg: f64,
}

impl Default for DegradeRecipe {
    fn default() -> Self {
        Self { probability: 0.25, shrink: 1.0, blur: 0.0, darken: 1.0, jpeg: 100.0 }
    }
}
