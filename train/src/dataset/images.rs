//! Labelled images of one size, kept as bytes in one piece.

use fer_core::frame::{Component, Frame, FrameError, Pixels};
use fer_core::geometry::Rect;
use fer_core::preprocess::{Colour, Normalisation, Shape, preprocess};

/// Size and channels that all images of a set share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShape {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 (luma) or 3 (red, green, blue).
    pub channels: usize,
}

impl ImageShape {
    /// A square of luma.
    pub const fn grey(side: usize) -> Self {
        Self { width: side, height: side, channels: 1 }
    }

    /// Bytes of one image.
    pub const fn len(self) -> usize {
        self.width * self.height * self.channels
    }

    /// Whether a side is zero.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// `bytes`, planar and row-major, as `fer-core` sees a frame.
    ///
    /// # Errors
    ///
    /// [`FrameError`] where `bytes` are too few.
    pub fn frame(self, bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
        let plane = self.width * self.height;
        let component = |channel: usize| {
            Component::new(bytes.get(channel * plane..).unwrap_or(&[]), self.width, 1, 0, 0)
        };
        let pixels = if self.channels == 3 {
            Pixels::Rgb { r: component(0), g: component(1), b: component(2) }
        } else {
            Pixels::Grey(component(0))
        };
        Frame::new(self.width, self.height, pixels)
    }

    /// The whole image as a rectangle.
    pub fn whole(self) -> Rect {
        Rect::new(0.0, 0.0, self.width as f32, self.height as f32)
    }
}

/// Labelled images of one shape.
///
/// Pixels are planar (all of a channel before the next), row-major, 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    shape: ImageShape,
    classes: usize,
    pixels: Vec<u8>,
    labels: Vec<usize>,
    votes: Vec<f32>,
}

impl Images {
    /// No images yet, of `shape` and with labels below `classes`.
    pub fn new(shape: ImageShape, classes: usize) -> Self {
        Self { shape, classes, pixels: Vec::new(), labels: Vec::new(), votes: Vec::new() }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Size and channels of each image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The class index of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The pixels of image `index`, which must be below [`Self::len`].
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.shape.len();
        &self.pixels[index * length..(index + 1) * length]
    }

    /// The images one by one.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.pixels.chunks_exact(self.shape.len().max(1)).zip(self.labels.iter().copied())
    }

    /// Adds one image; `pixels` has the shape's length and `label` is below the class count.
    pub fn push(&mut self, pixels: &[u8], label: usize) {
        debug_assert_eq!(pixels.len(), self.shape.len());
        debug_assert!(label < self.classes);
        self.pixels.extend_from_slice(pixels);
        self.labels.push(label);
    }

    /// Several people's votes on the class of each image: a distribution `[classes]` an image, all
    /// zero where no vote names a class. `None` where nobody was asked.
    pub fn votes(&self) -> Option<&[f32]> {
        (!self.votes.is_empty()).then_some(&self.votes)
    }

    /// Sets [`Self::votes`]; `votes` is `[len, classes]` flat, or empty.
    pub fn set_votes(&mut self, votes: Vec<f32>) {
        debug_assert!(votes.is_empty() || votes.len() == self.len() * self.classes);
        self.votes = votes;
    }

    /// Adds images of the same shape; they have no votes.
    pub fn extend(&mut self, others: &Self) {
        debug_assert_eq!(self.shape, others.shape);
        self.pixels.extend_from_slice(&others.pixels);
        self.labels.extend_from_slice(&others.labels);
        if !self.votes.is_empty() {
            self.votes.resize(self.labels.len() * self.classes, 0.0);
        }
    }

    /// At most `count` images, spread over all of them, which may be sorted by class; without votes.
    pub fn evenly_chosen(&self, count: usize) -> Self {
        let count = count.min(self.len());
        let mut chosen = Self::new(self.shape, self.classes);
        for index in (0..count).map(|index| index * self.len() / count) {
            chosen.push(self.image(index), self.labels[index]);
        }
        chosen
    }

    /// The images for which `keep` says yes, in order, with their votes.
    pub fn filtered(&self, mut keep: impl FnMut(&[u8]) -> bool) -> Self {
        let mut kept = Self::new(self.shape, self.classes);
        for (index, (pixels, label)) in self.iter().enumerate() {
            if keep(pixels) {
                kept.push(pixels, label);
                if let Some(votes) = self.votes() {
                    let row = index * self.classes..(index + 1) * self.classes;
                    kept.votes.extend_from_slice(&votes[row]);
                }
            }
        }
        kept
    }

    /// The same labels and votes on other pixels, as many.
    pub fn with_pixels(&self, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), self.pixels.len());
        Self { pixels, labels: self.labels.clone(), votes: self.votes.clone(), ..*self }
    }

    /// How many images each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// The same images in another size or with other channels, by `fer-core`'s own sampling,
    /// rounded to bytes. Of the same shape they stay what they are.
    ///
    /// # Errors
    ///
    /// [`FrameError`] where an image has no pixels.
    pub fn resampled(self, shape: ImageShape) -> Result<Self, FrameError> {
        if shape == self.shape {
            return Ok(self);
        }
        let mut resampled = Self::new(shape, self.classes);
        let mut bytes = Vec::with_capacity(shape.len());
        for (pixels, label) in self.iter() {
            bytes.clear();
            resample(pixels, self.shape, shape, &mut bytes)?;
            resampled.push(&bytes, label);
        }
        resampled.votes = self.votes;
        Ok(resampled)
    }
}

/// Appends one image of shape `from` as bytes of shape `to`.
///
/// # Errors
///
/// [`FrameError`] where `pixels` are too few.
pub fn resample(
    pixels: &[u8],
    from: ImageShape,
    to: ImageShape,
    bytes: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let colour = if to.channels == 3 { Colour::Rgb } else { Colour::Grey };
    let shape = Shape { width: to.width, height: to.height, colour };
    let channels = colour.channels();
    let plain = Normalisation { scale: 1.0, mean: vec![0.0; channels], std: vec![1.0; channels] };
    let mut values = Vec::with_capacity(shape.len());
    preprocess(&from.frame(pixels)?, &from.whole(), shape, &plain, &mut values);
    bytes.extend(values.iter().map(|value| value.round() as u8));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_are_of_all_parts_of_a_sorted_split() {
        let mut images = Images::new(ImageShape::grey(1), 4);
        for index in 0..2000 {
            images.push(&[0], index / 500);
        }
        assert_eq!(images.evenly_chosen(512).class_counts(), [128; 4]);
        assert_eq!(images.evenly_chosen(1999).len(), 1999);
        assert_eq!(images.evenly_chosen(3000).len(), 2000);
    }

    #[test]
    fn filtering_keeps_labels_and_votes_together() {
        let mut images = Images::new(ImageShape::grey(1), 2);
        for (pixel, label) in [(1, 0), (2, 1), (3, 0)] {
            images.push(&[pixel], label);
        }
        images.set_votes(vec![1.0, 0.0, 0.25, 0.75, 0.0, 0.0]);
        let kept = images.filtered(|pixels| pixels[0] != 1);
        assert_eq!((kept.labels(), kept.votes()), (&[1, 0][..], Some(&[0.25, 0.75, 0.0, 0.0][..])));
        assert_eq!(kept.class_counts(), [1, 1]);
    }

    #[test]
    fn grey_becomes_colour_and_back_unchanged() {
        let mut images = Images::new(ImageShape::grey(2), 1);
        images.push(&[0, 100, 200, 255], 0);
        let rgb =
            images.clone().resampled(ImageShape { channels: 3, ..ImageShape::grey(2) }).unwrap();
        assert_eq!(rgb.image(0)[4..8], [0, 100, 200, 255]);
        assert_eq!(rgb.clone().resampled(ImageShape::grey(2)).unwrap(), images);
        // Twice the width: bilinear, as worked by hand in fer-core.
        let wide = images.resampled(ImageShape { width: 4, height: 1, channels: 1 }).unwrap();
        assert_eq!(wide.len(), 1);
    }
}
