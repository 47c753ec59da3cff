//! Clips spliced from labelled faces: what every frame shows is known.

use crate::dataset::Images;

/// Mean time between two changes of expression, in seconds: 15.7 changes a minute.
const MEAN_SEGMENT: f64 = 60.0 / 15.7;
/// No expression is shorter, in seconds.
const SHORTEST_SEGMENT: f64 = 0.8;
/// How long one face of an expression is shown, in seconds: a face that talks and moves is, to a
/// classifier, another one several times a second.
const FACE: [f64; 2] = [0.03, 0.2];
/// How far each edge of the box lies from its place, at most, as a fraction of the side: a
/// detector's, from frame to frame.
const JITTER: f32 = 0.04;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The class that it shows.
    pub class: usize,
    /// The position of the face among the images.
    pub image: usize,
    /// By how much the box's left, right, top and bottom edges are off, as fractions of its side.
    pub off: [f32; 4],
}

/// A face that changes its expression at `minutes` · 15.7 known moments or so: each expression lasts
/// .8 s and on, 3.8 s on average, and is shown by one face after another, in boxes that jitter.
///
/// Only `classes` are shown, those of them that there are images of.
pub fn spliced(
    images: &Images,
    classes: &[usize],
    minutes: f64,
    rate: f64,
    seed: u64,
) -> Vec<Shown> {
    let mut random = fastrand::Rng::with_seed(seed);
    let of_class = positions(images);
    let shown: Vec<usize> = (0..of_class.len())
        .filter(|class| classes.contains(class) && !of_class[*class].is_empty())
        .collect();
    let length = (minutes * 60.0 * rate) as usize;
    let mut frames = Vec::with_capacity(length);
    let mut class = usize::MAX;
    while frames.len() < length && shown.len() > 1 {
        let others: Vec<usize> = shown.iter().copied().filter(|&other| other != class).collect();
        class = others[random.usize(..others.len())];
        let waiting = -(1.0 - random.f64()).ln() * (MEAN_SEGMENT - SHORTEST_SEGMENT);
        let end = frames.len() + ((SHORTEST_SEGMENT + waiting) * rate) as usize;
        while frames.len() < end {
            let image = of_class[class][random.usize(..of_class[class].len())];
            let seconds = FACE[0] + random.f64() * (FACE[1] - FACE[0]);
            for _ in 0..((seconds * rate) as usize).clamp(1, end - frames.len()) {
                let off = [(); 4].map(|()| JITTER * (2.0 * random.f32() - 1.0));
                frames.push(Shown { class, image, off });
            }
        }
    }
    frames.truncate(length);
    frames
}

/// One face for `seconds`, always the same picture in the same box.
pub fn frozen(images: &Images, image: usize, seconds: f64, rate: f64) -> Vec<Shown> {
    let shown = Shown { class: images.labels()[image], image, off: [0.0; 4] };
    vec![shown; (seconds * rate) as usize]
}

/// The positions of the images of each class.
fn positions(images: &Images) -> Vec<Vec<usize>> {
    let mut of_class = vec![Vec::new(); images.classes()];
    for (position, &label) in images.labels().iter().enumerate() {
        of_class[label].push(position);
    }
    of_class
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ImageShape;

    #[test]
    fn a_clip_changes_as_often_as_it_says_and_shows_what_it_says() {
        let mut images = Images::new(ImageShape::grey(1), 4);
        (0..30).for_each(|index| images.push(&[0], index % 3));
        let all = [0, 1, 2, 3];
        let clip = spliced(&images, &all, 20.0, 10.0, 7);
        assert_eq!(clip.len(), 12_000);
        assert!(clip.iter().all(|shown| shown.class == images.labels()[shown.image]));
        let changes = clip.windows(2).filter(|pair| pair[0].class != pair[1].class).count();
        // 314 are expected; segments are rounded down to whole frames.
        assert!((260..380).contains(&changes), "{changes}");
        // The third class of four has no images and is never shown.
        assert!(clip.iter().all(|shown| shown.class < 3));
        assert_eq!(clip, spliced(&images, &all, 20.0, 10.0, 7));
        assert_ne!(clip, spliced(&images, &all, 20.0, 10.0, 8));
        let two = spliced(&images, &[0, 2], 20.0, 10.0, 7);
        assert!(two.iter().all(|shown| shown.class != 1) && two.len() == 12_000);
    }
}
