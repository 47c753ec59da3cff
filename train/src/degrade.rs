//! What distance, lenses, dim light and compression take from a face, on whole batches in device
//! memory.
//!
//! Every function takes values from 0 to 1, `[n, channels, h, w]`, and one strength an image,
//! `[n]`, on the same device, and returns values from 0 to 1. Training draws the strengths at
//! random ([`crate::augment`]); an evaluation sets them ([`crate::evaluate`]).

use tch::{Kind, Tensor};

/// Side of JPEG's blocks.
const BLOCK: i64 = 8;

/// The table of luminance quantisation that JPEG encoders scale by their quality (ITU-T T.81,
/// table K.1).
#[rustfmt::skip]
const LUMINANCE: [f32; 64] = [
    16., 11., 10., 16.,  24.,  40.,  51.,  61.,
    12., 12., 14., 19.,  26.,  58.,  60.,  55.,
    14., 13., 16., 24.,  40.,  57.,  69.,  56.,
    14., 17., 22., 29.,  51.,  87.,  80.,  62.,
    18., 22., 37., 56.,  68., 109., 103.,  77.,
    24., 35., 55., 64.,  81., 104., 113.,  92.,
    49., 64., 78., 87., 103., 121., 120., 101.,
    72., 92., 95., 98., 112., 100., 103.,  99.,
];

/// Gaussian blur; `sigma` in pixels, 0 for none.
pub fn blur(x: &Tensor, sigma: &Tensor) -> Tensor {
    let matrix = |side: i64| {
        let position = Tensor::arange(side, (Kind::Float, x.device()));
        let distance = position.view([1, side, 1]) - position.view([1, 1, side]);
        // No blur is a very narrow one.
        let sigma = sigma.clamp_min(1e-3).view([-1, 1, 1]);
        let weight = (-(distance / sigma).square() / 2.0).exp();
        &weight / weight.sum_dim_intlist([2_i64].as_slice(), true, Kind::Float)
    };
    along_both(x, matrix)
}

/// What is left of an image that was only `side` pixels high (rounded, 1 to its height): averaged
/// over areas, then enlarged by bilinear interpolation.
pub fn shrink(x: &Tensor, side: &Tensor) -> Tensor {
    let height = x.size()[2];
    let scale = side / height as f64;
    along_both(x, |length| {
        let cells = (&scale * length as f64).round().clamp(1.0, length as f64).view([-1, 1, 1]);
        interpolations(&cells, length).matmul(&averages(&cells, length))
    })
}

/// A shorter exposure, which leaves fewer of the 256 levels: `exposure` is the fraction of the
/// light, above 0 to 1.
pub fn darken(x: &Tensor, exposure: &Tensor) -> Tensor {
    (x * exposure.view([-1, 1, 1, 1]) * 255.0).round() / 255.0
}

/// Gaussian noise of standard deviation `deviation`, from libtorch's random generator.
pub fn noise(x: &Tensor, deviation: &Tensor) -> Tensor {
    (x + x.randn_like() * deviation.view([-1, 1, 1, 1])).clamp(0.0, 1.0)
}

/// JPEG compression and back at `quality` 1 to 100, as libjpeg means it; each channel as luminance.
pub fn jpeg(x: &Tensor, quality: &Tensor) -> Tensor {
    let (height, width) = (x.size()[2], x.size()[3]);
    // Encoders fill the last blocks by repeating the border.
    let (below, right) = ((-height).rem_euclid(BLOCK), (-width).rem_euclid(BLOCK));
    let padded = x.replication_pad2d([0, right, 0, below]);
    let (rows, columns) = (cosines(height + below, x), cosines(width + right, x));
    let blocks = [(height + below) / BLOCK, (width + right) / BLOCK];
    let table = quantisation(quality, x).repeat([1, 1, blocks[0], blocks[1]]);
    let levels = (padded * 255.0).round() - 128.0;
    let coefficients = rows.matmul(&levels).matmul(&columns.tr()) / &table;
    let restored = rows.tr().matmul(&(coefficients.round() * table)).matmul(&columns) + 128.0;
    let cut = restored.narrow(2, 0, height).narrow(3, 0, width);
    cut.round().clamp(0.0, 255.0) / 255.0
}

/// `M(h) · x · M(w)ᵀ`, where `matrix(side)` gives a matrix `[side, side]` for each image.
fn along_both(x: &Tensor, matrix: impl Fn(i64) -> Tensor) -> Tensor {
    let rows = matrix(x.size()[2]).unsqueeze(1);
    let columns = matrix(x.size()[3]).unsqueeze(1);
    rows.matmul(x).matmul(&columns.transpose(2, 3)).clamp(0.0, 1.0)
}

/// `[n, side, side]`: row k is how much each pixel counts in the k-th of `cells` equal areas; the
/// rows after those are of no use.
fn averages(cells: &Tensor, side: i64) -> Tensor {
    let position = Tensor::arange(side, (Kind::Float, cells.device()));
    let (area, pixel) = (position.view([1, side, 1]), position.view([1, 1, side]));
    let length = cells.reciprocal() * side as f64;
    let start = (&area * &length).maximum(&pixel);
    let end = ((area + 1.0) * &length).minimum(&(pixel + 1.0));
    (end - start).clamp_min(0.0) / length
}

/// `[n, side, side]`: row i is how much each of `cells` areas counts in the i-th pixel.
fn interpolations(cells: &Tensor, side: i64) -> Tensor {
    let position = Tensor::arange(side, (Kind::Float, cells.device()));
    let centre = (position.view([1, side, 1]) + 0.5) * cells / side as f64 - 0.5;
    let within = centre.clamp_min(0.0).minimum(&(cells - 1.0));
    (-(within - position.view([1, 1, side])).abs() + 1.0).clamp_min(0.0)
}

/// The cosine transform of blocks side by side, an orthogonal matrix `[side, side]`.
fn cosines(side: i64, like: &Tensor) -> Tensor {
    let block: Vec<f32> = (0..BLOCK * BLOCK)
        .map(|index| {
            let (frequency, position) = ((index / BLOCK) as f32, (index % BLOCK) as f32);
            let scale = if frequency == 0.0 { 0.125_f32 } else { 0.25 }.sqrt();
            let angle = (2.0 * position + 1.0) * frequency * std::f32::consts::PI / 16.0;
            scale * angle.cos()
        })
        .collect();
    let block = Tensor::from_slice(&block).view([BLOCK, BLOCK]).to_device(like.device());
    Tensor::eye(side / BLOCK, (Kind::Float, like.device())).kron(&block)
}

/// A quantisation table for each image, `[n, 1, 8, 8]`.
fn quantisation(quality: &Tensor, like: &Tensor) -> Tensor {
    let quality = quality.round().clamp(1.0, 100.0).view([-1, 1, 1, 1]);
    let coarse = quality.reciprocal() * 5000.0;
    let fine = &quality * -2.0 + 200.0;
    let percent = coarse.where_self(&quality.lt(50.0), &fine);
    let table = Tensor::from_slice(&LUMINANCE).to_device(like.device()).view([1, 1, BLOCK, BLOCK]);
    ((table * percent.floor() + 50.0) / 100.0).floor().clamp(1.0, 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn random(n: i64, height: i64, width: i64) -> Tensor {
        tch::manual_seed(1);
        Tensor::randint(256, [n, 1, height, width], (Kind::Float, Device::Cpu)) / 255.0
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, 1, -1])
    }

    fn values(x: &Tensor) -> Vec<f32> {
        Vec::try_from(x.flatten(0, -1)).unwrap()
    }

    fn near(found: &Tensor, expected: &[f32], by: f32) {
        let found = values(found);
        assert_eq!(found.len(), expected.len());
        let far = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > by);
        assert!(!far, "{found:?}\nexpected {expected:?}");
    }

    #[test]
    fn blur_by_hand() {
        // σ = 1: weights 1, e^-½ = .60653, e^-2 = .13534; of the middle one of five pixels their
        // sum is 1 + 2 · .60653 + 2 · .13534 = 2.48374, of the first 1 + .60653 + .13534 +
        // e^-4.5 (.01111) + e^-8 (.00034) = 1.75332.
        let x = row(&[0.0, 0.0, 1.0, 0.0, 0.0]);
        let y = blur(&x, &Tensor::from_slice(&[1.0_f32]));
        assert!((values(&y)[2] - 1.0 / 2.48374).abs() < 1e-4);
        assert!((values(&y)[0] - 0.13534 / 1.75332).abs() < 1e-4);
        // A flat image stays what it is, and so does any under σ = 0.
        near(&blur(&row(&[0.3; 6]), &Tensor::from_slice(&[2.0_f32])), &[0.3; 6], 1e-6);
        let x = random(2, 5, 7);
        near(&blur(&x, &Tensor::from_slice(&[0.0_f32, 0.0])), &values(&x), 1e-6);
    }

    #[test]
    fn shrinking_by_hand() {
        // Four pixels down, six across, to half: averages of pairs (.1, .5, .9 across), and
        // between their centres, at ½, 2½ and 4½, linear: pixel 1 lies a quarter of the way.
        let line = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
        let x = row(&line).repeat([1, 1, 4, 1]);
        let y = shrink(&x, &Tensor::from_slice(&[2.0_f32]));
        let expected = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9];
        near(&y, &expected.repeat(4), 1e-6);
        // Its own height is no change; each image has its own strength.
        let x = random(2, 6, 6);
        let y = shrink(&x, &Tensor::from_slice(&[6.0_f32, 1.0]));
        near(&y.get(0), &values(&x.get(0)), 1e-6);
        let mean = values(&x.get(1)).iter().sum::<f32>() / 36.0;
        near(&y.get(1), &[mean; 36], 1e-5);
    }

    #[test]
    fn darkness_leaves_fewer_levels() {
        let x = row(&[0.0, 100.0 / 255.0, 101.0 / 255.0, 1.0]);
        let y = darken(&x, &Tensor::from_slice(&[0.1_f32])) * 255.0;
        // 10 and 10.1 are one level; 25.5 rounds to the even neighbour, 26.
        near(&y, &[0.0, 10.0, 10.0, 26.0], 1e-4);
    }

    #[test]
    fn noise_has_the_strength_that_is_asked_for() {
        let grey = Tensor::full([2, 1, 100, 100], 0.5, (Kind::Float, Device::Cpu));
        tch::manual_seed(1);
        let y = noise(&grey, &Tensor::from_slice(&[0.0_f32, 0.1]));
        assert_eq!(y.get(0), grey.get(0));
        let deviation = y.get(1).std(false).double_value(&[]);
        assert!((deviation - 0.1).abs() < 0.005, "{deviation}");
    }

    /// By the `image` crate's encoder and decoder.
    fn real_jpeg(x: &Tensor, quality: u8) -> Vec<f32> {
        use image::codecs::jpeg::JpegEncoder;
        let (height, width) = (x.size()[2] as u32, x.size()[3] as u32);
        let bytes: Vec<u8> = values(&(x * 255.0)).iter().map(|v| v.round() as u8).collect();
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, quality)
            .encode(&bytes, width, height, image::ExtendedColorType::L8)
            .unwrap();
        let image = image::load_from_memory(&file).unwrap().into_luma8();
        image.as_raw().iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }

    #[test]
    fn jpeg_is_what_an_encoder_and_decoder_make() {
        // Sides that are multiples of 8, and sides that are not.
        let smooth = |height, width, sigma: f32| {
            blur(&random(1, height, width), &Tensor::from_slice(&[sigma]))
        };
        let images = [(smooth(20, 27, 1.5), [10, 50, 90]), (smooth(24, 16, 0.6), [15, 60, 100])];
        for (x, qualities) in images {
            for quality in qualities {
                let found = values(&jpeg(&x, &Tensor::from_slice(&[f32::from(quality)])));
                let expected = real_jpeg(&x, quality);
                let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() * 255.0);
                let worst = off.clone().fold(0.0, f32::max);
                let mean = off.sum::<f32>() / found.len() as f32;
                // Encoders compute the transform in integers: a coefficient that lies between
                // two levels may fall on either.
                assert!(mean < 1.5 && worst < 12.0, "quality {quality}: {mean} {worst}");
            }
        }
    }
}
