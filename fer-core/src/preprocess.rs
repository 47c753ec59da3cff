//! From a face's rectangle to the classifier's input tensor: the only such code in the project,
//! used by training and by inference alike.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::frame::Frame;
use crate::geometry::Rect;

/// What the channels of the input tensor hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// One channel, luma.
    Grey,
    /// Three channels: red, green, blue.
    Rgb,
    /// Three channels: blue, green, red.
    Bgr,
}

impl Colour {
    /// How many channels the tensor has.
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

/// What is cut out of the frame, given the detector's rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Crop {
    /// Added on each side, as a fraction of the rectangle's size, −0.4 to 1.
    pub margin: f32,
    /// Whether the cut-out is a square where it is shown, around the rectangle, so that a face keeps
    /// its shape.
    pub square: bool,
}

impl Crop {
    /// The rectangle to sample for a face found at `face`; may reach beyond the frame. Both are in
    /// pixels of `pixel_aspect`, as [`Frame::pixel_aspect`] has it.
    pub fn region(&self, face: &Rect, pixel_aspect: f32) -> Rect {
        let face = if self.square {
            face.scaled(pixel_aspect, 1.0).squared().scaled(pixel_aspect.recip(), 1.0)
        } else {
            *face
        };
        face.expanded(self.margin)
    }
}

/// How pixels become the numbers of a tensor `[n, channels, height, width]` of `f32`.
///
/// Each value is `(pixel / scale − mean) / std`, with `pixel` in 0..=255.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Normalisation {
    /// Divisor of the pixel: 255 for inputs on 0..1, 1 for inputs on 0..255.
    pub scale: f32,
    /// Subtracted, one a channel.
    pub mean: Vec<f32>,
    /// Divisor, one a channel.
    pub std: Vec<f32>,
}

impl Normalisation {
    /// One value of the tensor. `train` repeats these operations in this order, on tensors.
    #[inline]
    pub fn apply(&self, pixel: f32, channel: usize) -> f32 {
        (pixel / self.scale - self.mean[channel]) / self.std[channel]
    }
}

/// The size and the kind of a classifier's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Channels.
    pub colour: Colour,
}

impl Shape {
    /// Numbers one face takes: channels × height × width.
    pub const fn len(&self) -> usize {
        self.colour.channels() * self.height * self.width
    }

    /// Whether a side is zero.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Samples `region` (pixels of `frame`) to `shape` and appends its normalised values to `tensor`,
/// channel by channel, row by row.
///
/// Shrinking averages over the area that a target pixel covers (a triangle filter, as Pillow's
/// `BILINEAR`), enlarging is bilinear; a region of the target's size on whole pixels is copied
/// exactly. Beyond the frame the nearest border pixel is repeated, so that any place is fine, and any
/// size for which there is time.
pub fn preprocess(
    frame: &Frame<'_>,
    region: &Rect,
    shape: Shape,
    normalisation: &Normalisation,
    tensor: &mut Vec<f32>,
) {
    Sampler::default().preprocess(frame, region, shape, normalisation, tensor);
}

/// Samples the luma of `region` to `width` × `height` values on 0..=255, appended to `out`.
pub fn sample_luma(
    frame: &Frame<'_>,
    region: &Rect,
    width: usize,
    height: usize,
    out: &mut Vec<f32>,
) {
    let mut sampler = Sampler::default();
    sampler.aim(frame, region, width, height);
    let read = |y: usize, xs: Range<usize>, line: &mut Vec<f32>| frame.luma_row(y, xs, line);
    sampler.resample(read, |value| out.push(value));
}

/// Samples regions one after another in the same memory.
#[derive(Debug, Default)]
pub struct Sampler {
    columns: Taps,
    rows: Taps,
    /// The source rows, resampled along themselves.
    narrowed: Vec<f32>,
    line: Vec<f32>,
    sums: Vec<f32>,
}

impl Sampler {
    /// As the function [`preprocess`].
    pub fn preprocess(
        &mut self,
        frame: &Frame<'_>,
        region: &Rect,
        shape: Shape,
        normalisation: &Normalisation,
        tensor: &mut Vec<f32>,
    ) {
        self.aim(frame, region, shape.width, shape.height);
        tensor.reserve(shape.len());
        for channel in 0..shape.colour.channels() {
            let read = |y: usize, xs: Range<usize>, line: &mut Vec<f32>| match shape.colour {
                Colour::Grey => frame.luma_row(y, xs, line),
                Colour::Rgb => line.extend(xs.map(|x| f32::from(frame.rgb(x, y)[channel]))),
                Colour::Bgr => line.extend(xs.map(|x| f32::from(frame.rgb(x, y)[2 - channel]))),
            };
            self.resample(read, |value| tensor.push(normalisation.apply(value, channel)));
        }
    }

    fn aim(&mut self, frame: &Frame<'_>, region: &Rect, width: usize, height: usize) {
        self.columns.set(region.x, region.w, width, frame.width());
        self.rows.set(region.y, region.h, height, frame.height());
    }

    /// Separable resampling: along each row first, then across the rows. `read` appends some pixels of
    /// a row.
    fn resample(
        &mut self,
        read: impl Fn(usize, Range<usize>, &mut Vec<f32>),
        mut emit: impl FnMut(f32),
    ) {
        let Self { columns, rows, narrowed, line, sums } = self;
        let width = columns.spans.len();
        let (source_columns, source_rows) = (columns.source_range(), rows.source_range());
        narrowed.clear();
        for y in source_rows.clone() {
            line.clear();
            read(y, source_columns.clone(), line);
            narrowed.extend(columns.spans.iter().map(|(first, range)| {
                let values = &line[first - source_columns.start..];
                columns.weights[range.clone()].iter().zip(values).map(|(w, v)| w * v).sum::<f32>()
            }));
        }
        sums.clear();
        sums.resize(width, 0.0);
        for (first, range) in &rows.spans {
            sums.fill(0.0);
            let lines = narrowed[(first - source_rows.start) * width..].chunks_exact(width);
            for (weight, line) in rows.weights[range.clone()].iter().zip(lines) {
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += weight * value;
                }
            }
            sums.iter().copied().for_each(&mut emit);
        }
    }
}

/// Which source samples make a target sample, on one axis.
#[derive(Debug, Default)]
struct Taps {
    /// For each target sample: its first source index and its weights' place in `weights`.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<f32>,
}

impl Taps {
    fn set(&mut self, start: f32, length: f32, target: usize, source: usize) {
        let step = length / target as f32;
        // Never narrower than one source pixel, or enlarging would miss samples.
        let radius = step.max(1.0);
        let last = source as i64 - 1;
        self.spans.clear();
        self.weights.clear();
        for index in 0..target {
            // Pixel i covers [i, i + 1); its centre lies at i + 0.5.
            let center = start + (index as f32 + 0.5) * step - 0.5;
            // Further out there is the same border pixel, and at last no number for the place.
            let center = center.max(-radius - 1.0).min(last as f32 + radius + 1.0);
            let from = (center - radius).floor() as i64 + 1;
            let to = ((center + radius).ceil() as i64).max(from + 1);
            self.push(center, radius, from..to, last);
        }
    }

    fn push(&mut self, center: f32, radius: f32, span: Range<i64>, last: i64) {
        let begin = self.weights.len();
        let first = span.start.clamp(0, last);
        let mut sum = 0.0;
        for position in span {
            let weight = (1.0 - (position as f32 - center).abs() / radius).max(0.0);
            let slot = begin + (position.clamp(0, last) - first) as usize;
            if slot == self.weights.len() {
                self.weights.push(0.0);
            }
            self.weights[slot] += weight;
            sum += weight;
        }
        for weight in &mut self.weights[begin..] {
            *weight /= sum;
        }
        self.spans.push((first as usize, begin..self.weights.len()));
    }

    fn source_range(&self) -> Range<usize> {
        let begin = self.spans.iter().map(|(first, _)| *first).min().unwrap_or(0);
        let end = self.spans.iter().map(|(first, range)| first + range.len()).max().unwrap_or(0);
        begin..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Normalisation {
        Normalisation { scale: 1.0, mean: vec![0.0; 3], std: vec![1.0; 3] }
    }

    fn grey(width: usize, height: usize) -> Shape {
        Shape { width, height, colour: Colour::Grey }
    }

    fn run(frame: &Frame<'_>, region: Rect, shape: Shape) -> Vec<f32> {
        let mut tensor = Vec::new();
        preprocess(frame, &region, shape, &plain(), &mut tensor);
        assert_eq!(tensor.len(), shape.len());
        tensor
    }

    #[test]
    fn a_region_of_the_targets_size_is_copied() {
        let data: Vec<u8> = (0..48 * 48).map(|i| (i * 37 % 256) as u8).collect();
        let frame = Frame::grey(48, 48, &data).unwrap();
        let tensor = run(&frame, Rect::new(0., 0., 48., 48.), grey(48, 48));
        let expected: Vec<f32> = data.iter().map(|&v| f32::from(v)).collect();
        assert_eq!(tensor, expected);
    }

    #[test]
    fn normalisation_is_scale_then_mean_then_std() {
        let normalisation = Normalisation { scale: 255.0, mean: vec![0.5], std: vec![0.5] };
        assert_eq!(normalisation.apply(0.0, 0), -1.0);
        assert_eq!(normalisation.apply(255.0, 0), 1.0);
        assert_eq!(normalisation.apply(127.5, 0), 0.0);
    }

    #[test]
    fn halving_is_the_triangle_filter() {
        // 4 → 2, radius 2, centres 0.5 and 2.5. Target 0 sees positions −1..=2 with weights
        // .25 .75 .75 .25; −1 repeats 0: (.25 + .75)·0 + .75·100 + .25·200 = 125, over 2.
        let data = [0, 100, 200, 240];
        let frame = Frame::grey(4, 1, &data).unwrap();
        let tensor = run(&frame, Rect::new(0., 0., 4., 1.), grey(2, 1));
        assert!((tensor[0] - 62.5).abs() < 1e-4, "{tensor:?}");
        // .25·100 + .75·200 + (.75 + .25)·240 = 415, over 2.
        assert!((tensor[1] - 207.5).abs() < 1e-4, "{tensor:?}");
    }

    #[test]
    fn doubling_is_bilinear() {
        let frame = Frame::grey(2, 1, &[0, 100]).unwrap();
        let tensor = run(&frame, Rect::new(0., 0., 2., 1.), grey(4, 1));
        for (value, expected) in tensor.iter().zip([0., 25., 75., 100.]) {
            assert!((value - expected).abs() < 1e-4, "{tensor:?}");
        }
    }

    #[test]
    fn beyond_the_border_the_border_repeats() {
        let frame = Frame::grey(2, 2, &[10, 20, 30, 40]).unwrap();
        let far = run(&frame, Rect::new(-100., -100., 3., 3.), grey(2, 2));
        assert_eq!(far, [10.0; 4]);
        let far = run(&frame, Rect::new(500., 500., 3., 3.), grey(2, 2));
        assert_eq!(far, [40.0; 4]);
        for (place, expected) in
            [(-1e19, 10.), (1e19, 40.), (-1e9, 10.), (f32::INFINITY, 40.), (f32::NAN, 10.)]
        {
            assert_eq!(run(&frame, Rect::new(place, place, 3., 3.), grey(2, 2)), [expected; 4]);
            assert_eq!(run(&frame, Rect::new(place, place, 0., 1e-9), grey(2, 2)), [expected; 4]);
        }
    }

    #[test]
    fn channels_come_one_after_the_other() {
        let data = [1u8, 2, 3];
        let at = |offset: usize| crate::frame::Component::new(&data[offset..], 3, 3, 0, 0);
        let pixels = crate::frame::Pixels::Rgb { r: at(0), g: at(1), b: at(2) };
        let frame = Frame::new(1, 1, pixels).unwrap();
        let whole = Rect::new(0., 0., 1., 1.);
        let shape = |colour| Shape { width: 1, height: 1, colour };
        assert_eq!(run(&frame, whole, shape(Colour::Rgb)), [1., 2., 3.]);
        assert_eq!(run(&frame, whole, shape(Colour::Bgr)), [3., 2., 1.]);
    }

    #[test]
    fn the_crop_is_a_square_with_a_margin() {
        let crop = Crop { margin: 0.1, square: true };
        // 20×40 → the 40-square at x = −10, plus 4 on each side.
        let is = |region: Rect, expected: [f32; 4]| {
            let found = [region.x, region.y, region.w, region.h];
            let far = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > 1e-4);
            assert!(!far, "{region:?}, expected {expected:?}");
        };
        is(crop.region(&Rect::new(0., 0., 20., 40.), 1.0), [-14., -4., 48., 48.]);
        // Of pixels twice as wide as high that is a square already; of 10 × 40 it is half of one.
        is(crop.region(&Rect::new(0., 0., 20., 40.), 2.0), [-2., -4., 24., 48.]);
        is(crop.region(&Rect::new(0., 0., 10., 40.), 2.0), [-7., -4., 24., 48.]);
    }
}
