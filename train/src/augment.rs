//! From bytes to the network's input, on whole batches in device memory.
//!
//! [`normalise`] alone is what a test image gets; it repeats `fer-core`'s operations in their
//! order, so that the two agree bit for bit. [`Augment`] makes the random changes of training.

use tch::{Device, Kind, Tensor};

use crate::recipe::{AugmentRecipe, InputRecipe};

/// `grid_sample`'s code for bilinear interpolation.
const BILINEAR: i64 = 0;
/// `grid_sample`'s code for repeating the border beyond the image.
const BORDER: i64 = 1;

/// `(value / 255 − mean) / std` of bytes `[n, 1, h, w]`, as `f32`.
pub fn normalise(bytes: &Tensor, input: &InputRecipe) -> Tensor {
    standardise(&(bytes.to_kind(Kind::Float) / 255.0), input)
}

fn standardise(unit: &Tensor, input: &InputRecipe) -> Tensor {
    (unit - f64::from(input.mean)) / f64::from(input.std)
}

/// The random changes of a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Augment {
    recipe: AugmentRecipe,
    input: InputRecipe,
}

impl Augment {
    /// The changes that `recipe` describes, followed by the normalisation of `input`.
    pub fn new(recipe: AugmentRecipe, input: InputRecipe) -> Self {
        Self { recipe, input }
    }

    /// Normalised `f32` images of bytes `[n, 1, h, w]`, each changed at random.
    ///
    /// Random numbers come from libtorch's generator.
    pub fn apply(&self, bytes: &Tensor) -> Tensor {
        let unit = bytes.to_kind(Kind::Float) / 255.0;
        let warped = self.warp(&unit);
        let lit = self.light(&warped);
        self.erase(standardise(&lit, &self.input))
    }

    /// Flip, rotation, scale and shift in one resampling.
    fn warp(&self, x: &Tensor) -> Tensor {
        let recipe = &self.recipe;
        let (n, device) = (x.size()[0], x.device());
        let radians = recipe.rotation.to_radians();
        let angle = uniform(&[n], -radians, radians, device);
        // The grid maps output to input: a face that shall be larger is sampled more narrowly.
        let zoom = uniform(&[n], recipe.scale[0], recipe.scale[1], device).reciprocal();
        let mirror = if recipe.flip {
            Tensor::rand([n], (Kind::Float, device)).ge(0.5).to_kind(Kind::Float) * 2.0 - 1.0
        } else {
            Tensor::ones([n], (Kind::Float, device))
        };
        // Grid coordinates span −1 to 1, so that a fraction of the side counts twice.
        let shift = uniform(&[n, 2], -2.0 * recipe.shift, 2.0 * recipe.shift, device);
        let (cos, sin) = (angle.cos() * &zoom, angle.sin() * &zoom);
        let theta = Tensor::stack(
            &[&cos * &mirror, -&sin, shift.select(1, 0), &sin * &mirror, cos, shift.select(1, 1)],
            1,
        )
        .view([n, 2, 3]);
        let grid = Tensor::affine_grid_generator(&theta, x.size(), false);
        x.grid_sampler(&grid, BILINEAR, BORDER, false)
    }

    /// Contrast around the image's own mean, then brightness, kept within 0 to 1.
    fn light(&self, x: &Tensor) -> Tensor {
        let (n, device) = (x.size()[0], x.device());
        let recipe = &self.recipe;
        let contrast = uniform(&[n, 1, 1, 1], -recipe.contrast, recipe.contrast, device) + 1.0;
        let brightness = uniform(&[n, 1, 1, 1], -recipe.brightness, recipe.brightness, device);
        let mean = x.mean_dim([1_i64, 2, 3].as_slice(), true, Kind::Float);
        ((x - &mean) * contrast + mean + brightness).clamp(0.0, 1.0)
    }

    /// A rectangle of one random grey, in some of the images.
    fn erase(&self, x: Tensor) -> Tensor {
        if self.recipe.erase == 0.0 {
            return x;
        }
        let size = x.size();
        let (n, device) = (size[0], x.device());
        let chosen = Tensor::rand([n, 1], (Kind::Float, device)).lt(self.recipe.erase);
        let rows = self.erased_span(n, size[2], device).logical_and(&chosen);
        let columns = self.erased_span(n, size[3], device);
        let mask = rows.view([n, 1, size[2], 1]).logical_and(&columns.view([n, 1, 1, size[3]]));
        let grey = Tensor::randn([n, 1, 1, 1], (Kind::Float, device));
        grey.where_self(&mask, &x)
    }

    /// For each image, which of `side` positions lie in its rectangle: `[n, side]`.
    fn erased_span(&self, n: i64, side: i64, device: Device) -> Tensor {
        let largest = self.recipe.erase_side * side as f64;
        let length = uniform(&[n, 1], largest / 4.0, largest, device);
        let start = Tensor::rand([n, 1], (Kind::Float, device)) * (side as f64 - &length);
        let position = Tensor::arange(side, (Kind::Float, device)).view([1, side]);
        position.ge_tensor(&start).logical_and(&position.lt_tensor(&(start + length)))
    }
}

/// Mixes a batch with itself in another order: inputs and soft targets alike.
///
/// One weight for the batch, drawn from Beta(`alpha`, `alpha`) (Zhang et al. 2017).
pub fn mixup(x: &Tensor, targets: &Tensor, alpha: f64) -> (Tensor, Tensor) {
    let device = x.device();
    let shape = Tensor::full([2], alpha, (Kind::Double, Device::Cpu));
    // A Beta variable is a ratio of two Gamma variables.
    let gamma = shape.internal_standard_gamma();
    let (a, b) = (gamma.double_value(&[0]), gamma.double_value(&[1]));
    let weight = if a + b > 0.0 { a / (a + b) } else { 0.5 };
    let order = Tensor::randperm(x.size()[0], (Kind::Int64, device));
    let mix = |t: &Tensor| t * weight + t.index_select(0, &order) * (1.0 - weight);
    (mix(x), mix(targets))
}

fn uniform(size: &[i64], low: f64, high: f64, device: Device) -> Tensor {
    Tensor::rand(size, (Kind::Float, device)) * (high - low) + low
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: InputRecipe = InputRecipe { mean: 0.5, std: 0.25 };

    fn still() -> AugmentRecipe {
        AugmentRecipe {
            flip: false,
            rotation: 0.0,
            scale: [1.0, 1.0],
            shift: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            erase: 0.0,
            erase_side: 0.0,
            mixup: 0.0,
            mixup_alpha: 1.0,
        }
    }

    fn bytes(images: i64) -> Tensor {
        Tensor::randint(256, [images, 1, 8, 8], (Kind::Uint8, Device::Cpu))
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn no_change_is_normalisation_alone() {
        let bytes = bytes(5);
        let x = Augment::new(still(), INPUT).apply(&bytes);
        assert!(distance(&x, &normalise(&bytes, &INPUT)) < 1e-4);
    }

    #[test]
    fn a_flip_mirrors_left_and_right() {
        let bytes = bytes(40);
        let plain = normalise(&bytes, &INPUT);
        let mirrored = plain.flip([3]);
        let x = Augment::new(AugmentRecipe { flip: true, ..still() }, INPUT).apply(&bytes);
        let mut flipped = 0;
        for image in 0..40 {
            let of = |t: &Tensor| t.narrow(0, image, 1);
            let is_mirrored = distance(&of(&x), &of(&mirrored)) < 1e-4;
            assert!(is_mirrored || distance(&of(&x), &of(&plain)) < 1e-4);
            flipped += usize::from(is_mirrored);
        }
        assert!((5..=35).contains(&flipped), "{flipped} of 40 images were mirrored");
    }

    #[test]
    fn a_zoom_keeps_the_middle_and_repeats_the_border() {
        // Left half black, right half white: at any scale the middle stays where it is, and
        // nothing but the two values and what lies between them appears.
        let half = Tensor::cat(
            &[
                Tensor::zeros([1, 1, 8, 4], (Kind::Uint8, Device::Cpu)),
                Tensor::full([1, 1, 8, 4], 255, (Kind::Uint8, Device::Cpu)),
            ],
            3,
        );
        for scale in [0.5, 2.0] {
            let recipe = AugmentRecipe { scale: [scale, scale], ..still() };
            let x = Augment::new(recipe, INPUT).apply(&half);
            let at = |column: i64| x.double_value(&[0, 0, 4, column]);
            assert!((at(0) + 2.0).abs() < 1e-4 && (at(7) - 2.0).abs() < 1e-4);
            assert!((at(3) + at(4)).abs() < 1e-4, "the middle moved: {} {}", at(3), at(4));
        }
    }

    #[test]
    fn light_stays_within_range() {
        let recipe = AugmentRecipe { brightness: 1.0, contrast: 1.0, ..still() };
        let x = Augment::new(recipe, INPUT).apply(&bytes(50));
        assert!(x.min().double_value(&[]) >= -2.0 && x.max().double_value(&[]) <= 2.0);
    }

    #[test]
    fn erasing_is_one_rectangle_of_one_value() {
        let recipe = AugmentRecipe { erase: 1.0, erase_side: 0.75, ..still() };
        let bytes = bytes(30);
        let plain = normalise(&bytes, &INPUT);
        let x = Augment::new(recipe, INPUT).apply(&bytes);
        for image in 0..30 {
            let of = |t: &Tensor| Vec::<f32>::try_from(t.get(image).flatten(0, -1)).unwrap();
            let (before, after) = (of(&plain), of(&x));
            let changed: Vec<usize> =
                (0..64).filter(|&at| (before[at] - after[at]).abs() > 1e-3).collect();
            // Sides of 1.5 to 6 pixels cover at least one pixel each way and at most seven.
            assert!(changed.len() <= 49, "{} pixels", changed.len());
            assert!(changed.iter().all(|&at| after[at] == after[changed[0]]));
        }
    }

    #[test]
    fn mixup_mixes_inputs_and_targets_alike() {
        // The input is the target itself, so both must stay equal, and each sums to 1.
        let targets = Tensor::eye(7, (Kind::Float, Device::Cpu));
        let (x, mixed) = mixup(&targets, &targets, 0.4);
        assert!(distance(&x, &mixed) == 0.0);
        let sums = mixed.sum_dim_intlist([1_i64].as_slice(), false, Kind::Float);
        assert!(distance(&sums, &Tensor::ones([7], (Kind::Float, Device::Cpu))) < 1e-6);
    }
}
