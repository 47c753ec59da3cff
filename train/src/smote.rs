//! SMOTE: images between neighbours of one class (Chawla et al. 2002).

use tch::{Device, Kind, Tensor};

use crate::classes::Classes;
use crate::dataset::Images;

/// Images whose distances are computed at once; more only cost memory.
const CHUNK: i64 = 1024;

/// Why a class cannot be filled up.
#[derive(Debug, thiserror::Error)]
pub enum SmoteError {
    /// There is nothing to interpolate between.
    #[error(
        "balance.smote: class `{class}` has {images} training images and k is {k}; expected more \
         images than k in every class: lower k, or choose class-weights"
    )]
    TooFew {
        /// The class.
        class: String,
        /// Its images.
        images: usize,
        /// Neighbours that were asked for.
        k: usize,
    },
}

/// New images until every class has as many as the largest.
///
/// Each lies at a random place between a random image of its class and one of that image's `k`
/// nearest neighbours within the class (Euclidean distance of pixels). Random numbers come from
/// libtorch's generator.
///
/// # Errors
///
/// [`SmoteError`] where a class that has to grow has no more than `k` images.
pub fn synthetic(images: &Images, classes: &Classes, k: usize) -> Result<Images, SmoteError> {
    let counts = images.class_counts();
    let largest = counts.iter().copied().max().unwrap_or(0);
    for (class, &count) in counts.iter().enumerate() {
        if count < largest && count <= k {
            let class = classes.name(class).to_owned();
            return Err(SmoteError::TooFew { class, images: count, k });
        }
    }
    let mut grown = Images::new(images.shape(), images.classes());
    for (class, &count) in counts.iter().enumerate() {
        let missing = largest - count;
        if missing == 0 {
            continue;
        }
        let own = of_class(images, class);
        let made = between(&own, &neighbours(&own, k), missing);
        let mut bytes = vec![0; made.numel()];
        made.copy_data(&mut bytes, made.numel());
        for pixels in bytes.chunks_exact(images.shape().len()) {
            grown.push(pixels, class);
        }
    }
    Ok(grown)
}

/// The pixels of one class, `[n, pixels]`.
fn of_class(images: &Images, class: usize) -> Tensor {
    let mut pixels = Vec::new();
    for (image, _) in images.iter().filter(|&(_, label)| label == class) {
        pixels.extend_from_slice(image);
    }
    Tensor::from_slice(&pixels).view([-1, images.shape().len() as i64]).to_kind(Kind::Float)
}

/// For each row of `x` the positions of its `k` nearest other rows, `[n, k]`.
fn neighbours(x: &Tensor, k: usize) -> Tensor {
    let n = x.size()[0];
    let squares = x.square().sum_dim_intlist([1_i64].as_slice(), false, Kind::Float);
    let mut nearest = Vec::new();
    for start in (0..n).step_by(CHUNK as usize) {
        let length = CHUNK.min(n - start);
        // |a − b|² without |a|², which is the same along a row.
        let distance = &squares - x.narrow(0, start, length).matmul(&x.tr()) * 2.0;
        // The row itself is no neighbour.
        let _ = distance.narrow(1, start, length).fill_diagonal_(f64::INFINITY, false);
        nearest.push(distance.topk(k as i64, 1, false, true).1);
    }
    Tensor::cat(&nearest, 0)
}

/// `count` rows between random rows of `x` and one of their neighbours, as bytes.
fn between(x: &Tensor, neighbours: &Tensor, count: usize) -> Tensor {
    let (count, (n, k)) = (count as i64, (x.size()[0], neighbours.size()[1]));
    let base = Tensor::randint(n, [count], (Kind::Int64, Device::Cpu));
    let choice = Tensor::randint(k, [count, 1], (Kind::Int64, Device::Cpu));
    let other = neighbours.index_select(0, &base).gather(1, &choice, false).flatten(0, -1);
    let weight = Tensor::rand([count, 1], (Kind::Float, Device::Cpu));
    let from = x.index_select(0, &base);
    let way = x.index_select(0, &other) - &from;
    (from + way * weight).round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ImageShape;

    fn classes(count: usize) -> Classes {
        let names: Vec<String> = (0..count).map(|class| format!("class{class}")).collect();
        Classes::from_names(&names).0
    }

    #[test]
    fn neighbours_by_hand() {
        // On a line at 0, 10, 12, 40: nearest of 0 is 10; of 10 is 12; of 12 is 10; of 40 is 12.
        let x = Tensor::from_slice(&[0.0_f32, 10.0, 12.0, 40.0]).view([4, 1]);
        let nearest = Vec::<i64>::try_from(neighbours(&x, 1).flatten(0, -1)).unwrap();
        assert_eq!(nearest, [1, 2, 1, 2]);
        let two = Vec::<i64>::try_from(neighbours(&x, 2).get(0)).unwrap();
        assert_eq!(two, [1, 2]);
    }

    #[test]
    fn new_images_lie_between_neighbours_of_their_class() {
        let mut images = Images::new(ImageShape { width: 2, height: 1, channels: 1 }, 2);
        for _ in 0..50 {
            images.push(&[255, 255], 0);
        }
        // Two pairs far from each other; with k = 1 nothing appears between the pairs.
        for (x, y) in [(0, 0), (10, 20), (200, 0), (210, 20)] {
            images.push(&[x, y], 1);
        }
        tch::manual_seed(1);
        let made = synthetic(&images, &classes(2), 1).unwrap();
        assert_eq!(made.class_counts(), [0, 46]);
        for (pixels, _) in made.iter() {
            let (x, y) = (f64::from(pixels[0]), f64::from(pixels[1]));
            let x = if x >= 200.0 { x - 200.0 } else { x };
            assert!(x <= 10.0, "{pixels:?}");
            assert!((y - 2.0 * x).abs() <= 2.0, "{pixels:?} is not on the line of its pair");
        }
        let distinct: std::collections::HashSet<_> = made.iter().map(|(p, _)| p.to_vec()).collect();
        assert!(distinct.len() > 10, "they are all at the same place");
    }

    #[test]
    fn small_and_empty_classes_are_named() {
        let mut images = Images::new(ImageShape::grey(1), 3);
        for (label, count) in [(0, 9), (1, 6)] {
            for pixel in 0..count {
                images.push(&[pixel], label);
            }
        }
        let error = synthetic(&images, &classes(3), 6).unwrap_err().to_string();
        assert!(error.contains("`class1` has 6") && error.contains("k is 6"), "{error}");
        let error = synthetic(&images, &classes(3), 5).unwrap_err().to_string();
        assert!(error.contains("`class2` has 0"), "{error}");
    }
}
