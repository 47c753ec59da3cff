//! From bytes to the network's input, on whole batches in device memory.
//!
//! [`normalise`] alone is what an image gets that is scored; it repeats `fer-core`'s operations in
//! their order, so that the two agree bit for bit. [`Augment`] makes the random changes of
//! training, on values from 0 to 1, so that networks with different normalisations can see the
//! same view.

use tch::{Device, Kind, Tensor};

use crate::degrade;
use crate::recipe::{AugmentRecipe, InputRecipe};

/// `grid_sample`'s code for bilinear interpolation.
const BILINEAR: i64 = 0;
/// `grid_sample`'s code for repeating the border beyond the image.
const BORDER: i64 = 1;

/// `(value / 255 − mean) / std` of bytes `[n, channels, h, w]`, as `f32`.
pub fn normalise(bytes: &Tensor, input: &InputRecipe) -> Tensor {
    standardise(&unit(bytes), input)
}

/// `value / 255` of bytes, as `f32`.
pub fn unit(bytes: &Tensor) -> Tensor {
    bytes.to_kind(Kind::Float) / 255.0
}

/// `(value − mean) / std` of values from 0 to 1, `[n, channels, h, w]`.
pub fn standardise(unit: &Tensor, input: &InputRecipe) -> Tensor {
    if let ([mean], [std]) = (input.mean.as_slice(), input.std.as_slice()) {
        // Numbers go with the call; tensors from here would make a GPU wait for them.
        return (unit - f64::from(*mean)) / f64::from(*std);
    }
    let moment = |values: &[f32]| {
        Tensor::from_slice(values).to_device(unit.device()).view([1, values.len() as i64, 1, 1])
    };
    (unit - moment(&input.mean)) / moment(&input.std)
}

/// The random changes of a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Augment {
    recipe: AugmentRecipe,
}

impl Augment {
    /// The changes that `recipe` describes.
    pub fn new(recipe: AugmentRecipe) -> Self {
        Self { recipe }
    }

    /// Bytes `[n, channels, h, w]` as values from 0 to 1, each image changed at random.
    ///
    /// Random numbers come from libtorch's generator.
    pub fn view(&self, bytes: &Tensor) -> Tensor {
        let warped = self.warp(unit(bytes));
        let lit = self.light(warped);
        let degraded = self.degrade(lit);
        let noisy = self.noise(degraded);
        self.erase(self.compress(noisy))
    }

    /// Flip, rotation, scale, shift and the jitter of a detector's box, in one resampling.
    fn warp(&self, x: Tensor) -> Tensor {
        let recipe = &self.recipe;
        let still = AugmentRecipe {
            flip: recipe.flip,
            rotation: 0.0,
            scale: [1.0, 1.0],
            shift: 0.0,
            box_jitter: 0.0,
            ..*recipe
        };
        if *recipe == still {
            return if recipe.flip { flip(&x) } else { x };
        }
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
        // Each edge of the box by itself. Grid coordinates span −1 to 1, so that a fraction of
        // the side counts twice in a shift, and so does the mean of two edges.
        let edges = uniform(&[n, 4], -recipe.box_jitter, recipe.box_jitter, device);
        let edge = |index: i64| edges.select(1, index);
        let (width, height) = (edge(1) - edge(0) + 1.0, edge(3) - edge(2) + 1.0);
        let shift = uniform(&[n, 2], -2.0 * recipe.shift, 2.0 * recipe.shift, device);
        let (right, down) =
            (shift.select(1, 0) + edge(0) + edge(1), shift.select(1, 1) + edge(2) + edge(3));
        let (cos, sin) = (angle.cos() * &zoom, angle.sin() * &zoom);
        let theta = Tensor::stack(
            &[
                &cos * &mirror * &width,
                -&sin * &height,
                right,
                &sin * &mirror * width,
                cos * height,
                down,
            ],
            1,
        )
        .view([n, 2, 3]);
        let grid = Tensor::affine_grid_generator(&theta, x.size(), false);
        x.grid_sampler(&grid, BILINEAR, BORDER, false)
    }

    /// Contrast around the image's own mean, then brightness, kept within 0 to 1.
    fn light(&self, x: Tensor) -> Tensor {
        let recipe = &self.recipe;
        if recipe.contrast == 0.0 && recipe.brightness == 0.0 {
            return x;
        }
        let (n, device) = (x.size()[0], x.device());
        let contrast = uniform(&[n, 1, 1, 1], -recipe.contrast, recipe.contrast, device) + 1.0;
        let brightness = uniform(&[n, 1, 1, 1], -recipe.brightness, recipe.brightness, device);
        let mean = x.mean_dim([1_i64, 2, 3].as_slice(), true, Kind::Float);
        ((x - &mean) * contrast + mean + brightness).clamp(0.0, 1.0)
    }

    /// Dim light, blur and distance, each in some of the images.
    fn degrade(&self, mut x: Tensor) -> Tensor {
        let recipe = &self.recipe.degrade;
        let side = x.size()[2] as f64;
        if recipe.darken < 1.0 {
            // Halving the light is as likely anywhere in the range.
            x = degrade::darken(&x, &self.sometimes(&x, recipe.darken.ln(), 0.0).exp());
        }
        if recipe.blur > 0.0 {
            x = degrade::blur(&x, &self.sometimes(&x, recipe.blur * side, 0.0));
        }
        if recipe.shrink < 1.0 {
            x = degrade::shrink(&x, &self.sometimes(&x, recipe.shrink * side, side));
        }
        x
    }

    /// Gaussian noise, of another strength in each image.
    fn noise(&self, x: Tensor) -> Tensor {
        if self.recipe.noise == 0.0 {
            return x;
        }
        degrade::noise(&x, &uniform(&[x.size()[0]], 0.0, self.recipe.noise, x.device()))
    }

    /// JPEG compression of some of the images.
    fn compress(&self, x: Tensor) -> Tensor {
        let recipe = &self.recipe.degrade;
        if recipe.jpeg == 100.0 {
            return x;
        }
        let chosen = self.chosen(x.size()[0], x.device());
        let quality = uniform(&[x.size()[0]], recipe.jpeg, 100.0, x.device());
        degrade::jpeg(&x, &quality).where_self(&chosen.view([-1, 1, 1, 1]), &x)
    }

    /// A strength for each image: uniform between `strongest` and `none` where it is chosen, else
    /// `none`.
    fn sometimes(&self, x: &Tensor, strongest: f64, none: f64) -> Tensor {
        let (n, device) = (x.size()[0], x.device());
        let strength = uniform(&[n], strongest, none, device);
        strength.where_scalarother(&self.chosen(n, device), none)
    }

    /// Which of `n` images are degraded in one way.
    fn chosen(&self, n: i64, device: Device) -> Tensor {
        Tensor::rand([n], (Kind::Float, device)).lt(self.recipe.degrade.probability)
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
        let grey = Tensor::rand([n, 1, 1, 1], (Kind::Float, device));
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

/// Mirrors every second image on average, exactly.
fn flip(x: &Tensor) -> Tensor {
    let chosen = Tensor::rand([x.size()[0], 1, 1, 1], (Kind::Float, x.device())).lt(0.5);
    x.flip([3]).where_self(&chosen, x)
}

fn uniform(size: &[i64], low: f64, high: f64, device: Device) -> Tensor {
    Tensor::rand(size, (Kind::Float, device)) * (high - low) + low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::DegradeRecipe;

    fn still() -> AugmentRecipe {
        AugmentRecipe::default()
    }

    fn view(recipe: AugmentRecipe, bytes: &Tensor) -> Tensor {
        Augment::new(recipe).view(bytes)
    }

    fn bytes(images: i64) -> Tensor {
        Tensor::randint(256, [images, 1, 8, 8], (Kind::Uint8, Device::Cpu))
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn no_change_is_the_image_itself() {
        let bytes = bytes(5);
        assert_eq!(distance(&view(still(), &bytes), &unit(&bytes)), 0.0);
    }

    #[test]
    fn channels_are_standardised_by_themselves() {
        let input = InputRecipe {
            mean: vec![0.0, 0.5, 1.0],
            std: vec![1.0, 0.5, 0.25],
            ..InputRecipe::default()
        };
        let x = standardise(&Tensor::full([1, 3, 1, 1], 0.75, (Kind::Float, Device::Cpu)), &input);
        assert_eq!(Vec::<f32>::try_from(x.flatten(0, -1)).unwrap(), [0.75, 0.5, -1.0]);
    }

    #[test]
    fn a_flip_mirrors_left_and_right() {
        let bytes = bytes(40);
        let plain = unit(&bytes);
        let mirrored = plain.flip([3]);
        // Alone, and as a part of the resampling that a rotation by nothing still needs.
        for recipe in [still(), AugmentRecipe { rotation: 1e-9, ..still() }] {
            let x = view(AugmentRecipe { flip: true, ..recipe }, &bytes);
            let mut flipped = 0;
            for image in 0..40 {
                let of = |t: &Tensor| t.narrow(0, image, 1);
                let is_mirrored = distance(&of(&x), &of(&mirrored)) < 1e-4;
                assert!(is_mirrored || distance(&of(&x), &of(&plain)) < 1e-4);
                flipped += usize::from(is_mirrored);
            }
            assert!((5..=35).contains(&flipped), "{flipped} of 40 images were mirrored");
        }
    }

    /// Left half black, right half white.
    fn half() -> Tensor {
        let black = Tensor::zeros([1, 1, 8, 4], (Kind::Uint8, Device::Cpu));
        let white = Tensor::full([1, 1, 8, 4], 255, (Kind::Uint8, Device::Cpu));
        Tensor::cat(&[black, white], 3)
    }

    #[test]
    fn a_zoom_keeps_the_middle_and_repeats_the_border() {
        // At any scale the middle stays where it is, and nothing but the two values and what lies
        // between them appears.
        for scale in [0.5, 2.0] {
            let x = view(AugmentRecipe { scale: [scale, scale], ..still() }, &half());
            let at = |column: i64| x.double_value(&[0, 0, 4, column]);
            assert!(at(0).abs() < 1e-4 && (at(7) - 1.0).abs() < 1e-4);
            assert!((at(3) + at(4) - 1.0).abs() < 1e-4, "the middle moved: {} {}", at(3), at(4));
        }
    }

    #[test]
    fn box_jitter_moves_each_edge_within_its_bounds() {
        // With edges off by at most a quarter of the side, the step in the middle of 8 pixels
        // moves by at most 2 pixels to a side and then up to a factor of two away from the middle:
        // columns 0 and 7 keep their value.
        let many = half().expand([200, 1, 8, 8], false).contiguous();
        let x = view(AugmentRecipe { box_jitter: 0.2, ..still() }, &many);
        let column = |index: i64| x.select(3, index);
        assert!(column(0).max().double_value(&[]) < 0.01);
        assert!(column(7).min().double_value(&[]) > 0.99);
        let brightness = x.mean_dim([1_i64, 2, 3].as_slice(), false, Kind::Float);
        assert!(brightness.std(false).double_value(&[]) > 0.03, "nothing moved");
        assert!((brightness.mean(Kind::Float).double_value(&[]) - 0.5).abs() < 0.05);
    }

    #[test]
    fn light_and_noise_stay_within_range() {
        let recipe = AugmentRecipe { brightness: 1.0, contrast: 1.0, noise: 0.5, ..still() };
        let x = view(recipe, &bytes(50));
        assert!(x.min().double_value(&[]) >= 0.0 && x.max().double_value(&[]) <= 1.0);
    }

    #[test]
    fn noise_has_the_strength_that_is_asked_for() {
        // Standard deviations even over 0 to .1: the mean square is .1² / 3.
        let grey = Tensor::full([4000, 1, 8, 8], 128, (Kind::Uint8, Device::Cpu));
        let x = view(AugmentRecipe { noise: 0.1, ..still() }, &grey);
        let square = (x - unit(&grey)).square().mean(Kind::Float).double_value(&[]);
        assert!((square - 0.01 / 3.0).abs() < 3e-4, "{square}");
    }

    #[test]
    fn degradations_change_as_many_images_as_asked() {
        let bytes = Tensor::randint(256, [400, 1, 16, 16], (Kind::Uint8, Device::Cpu));
        let none = DegradeRecipe { probability: 0.5, ..DegradeRecipe::default() };
        for degrade in [
            DegradeRecipe { shrink: 0.25, ..none },
            DegradeRecipe { blur: 0.1, ..none },
            DegradeRecipe { darken: 0.2, ..none },
            DegradeRecipe { jpeg: 10.0, ..none },
        ] {
            let x = view(AugmentRecipe { degrade, ..still() }, &bytes);
            assert!(x.min().double_value(&[]) >= 0.0 && x.max().double_value(&[]) <= 1.0);
            let change = (x - unit(&bytes)).abs().amax([1, 2, 3], false);
            let changed = change.gt(1e-5).to_kind(Kind::Float).sum(Kind::Float).double_value(&[]);
            // Half of 400, give or take five standard deviations; a sixth of the heights that
            // an image is reduced to round to its own.
            assert!((140.0..=250.0).contains(&changed), "{changed} images: {degrade:?}");
        }
    }

    #[test]
    fn erasing_is_one_rectangle_of_one_value() {
        let recipe = AugmentRecipe { erase: 1.0, erase_side: 0.75, ..still() };
        let bytes = bytes(30);
        let plain = unit(&bytes);
        let x = view(recipe, &bytes);
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
}
