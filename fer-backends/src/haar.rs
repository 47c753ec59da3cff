//! Faces by OpenCV's Haar cascades (Viola and Jones).
//!
//! The frame is first shrunk until the smallest wanted face has the size of the cascade's window
//! (24 pixels for OpenCV's frontal faces): the time depends on `min_face` relative to the frame,
//! and hardly on the frame's resolution. Faces within a fifth of `min_face` are found less surely,
//! because few scan sizes hit them: ask for a little less than the smallest that matters.

mod cascade;

use std::path::PathBuf;

use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::frame::{Component, Frame, Pixels, rgb_to_luma};
use fer_core::geometry::Rect;
use opencv::core::{Mat, Size, Vector};
use opencv::imgproc;
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;

pub use cascade::{FILE_NAME, PATH_VARIABLE, find as find_cascade};

/// How the cascade is scanned.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The cascade's XML file. Without it `$FER_CASCADE`, then OpenCV's frontal face cascade where
    /// distributions install it, under `/usr/share`, `/usr/local/share` or `/opt/homebrew/share`.
    pub cascade: Option<PathBuf>,
    /// From one scan size to the next, 1.01 to 2. Smaller finds more and takes longer.
    pub scale_factor: f64,
    /// How many overlapping hits make a face, 0 to 20: more finds fewer faces, and fewer things
    /// that are none. 0 returns every hit as it is.
    pub min_neighbors: u32,
}

impl Default for Options {
    fn default() -> Self {
        // Measured: 98 % of the faces of 1.1 and 5, fewer false ones, in 60 % of the time.
        Self { cascade: None, scale_factor: 1.2, min_neighbors: 4 }
    }
}

impl Options {
    fn check(&self) -> Result<(), BackendError> {
        if !(1.01..=2.0).contains(&self.scale_factor) {
            return Err(BackendError::Option {
                option: "scale-factor",
                value: self.scale_factor.to_string(),
                accepted: "1.01 to 2".to_owned(),
            });
        }
        if self.min_neighbors > 20 {
            return Err(BackendError::Option {
                option: "min-neighbors",
                value: self.min_neighbors.to_string(),
                accepted: "0 to 20".to_owned(),
            });
        }
        Ok(())
    }
}

/// A cascade, ready to scan.
///
/// A detection's confidence is n / (n + 8), where n is the number of overlapping hits, counted as
/// if the scale factor were 1.1: more scan sizes give more hits.
#[derive(Debug)]
pub struct HaarDetector {
    cascade: CascadeClassifier,
    /// The smallest face that the cascade can see.
    window: Size,
    options: Options,
    luma: Vec<u8>,
    shrunk: Mat,
}

/// Frames are enlarged at most by this much for faces smaller than the window. Beyond that there is
/// nothing to see.
const MAX_ENLARGEMENT: f64 = 2.0;

impl HaarDetector {
    /// Loads the cascade.
    ///
    /// # Errors
    /// An option is out of range, or the cascade is missing or damaged.
    pub fn new(options: Options) -> Result<Self, BackendError> {
        options.check()?;
        let cascade = cascade::load(&find_cascade(options.cascade.as_deref())?)?;
        let window = cascade.get_original_window_size().map_err(failed)?;
        let shrunk = Mat::default();
        Ok(Self { cascade, window, options, luma: Vec::new(), shrunk })
    }

    /// Changes scale factor and neighbours; the cascade stays the one that was loaded.
    ///
    /// # Errors
    /// A value is out of range; the old ones stay.
    pub fn set_scan(&mut self, scale_factor: f64, min_neighbors: u32) -> Result<(), BackendError> {
        let options =
            Options { cascade: self.options.cascade.clone(), scale_factor, min_neighbors };
        options.check()?;
        self.options = options;
        Ok(())
    }

    /// Scans the shrunk luma: boxes in its pixels, and how many hits made each.
    fn scan(&mut self) -> opencv::Result<Vec<(opencv::core::Rect, i32)>> {
        let (mut boxes, mut hits) = (Vector::new(), Vector::new());
        self.cascade.detect_multi_scale2(
            &self.shrunk,
            &mut boxes,
            &mut hits,
            self.options.scale_factor,
            self.options.min_neighbors as i32,
            0,
            self.window,
            Size::default(),
        )?;
        let mut found: Vec<_> = boxes.iter().zip(hits.iter()).collect();
        // OpenCV's threads finish in any order.
        found.sort_by_key(|(b, hits)| (b.y, b.x, b.height, b.width, *hits));
        Ok(found)
    }

    fn confidence(&self, hits: i32) -> f32 {
        let hits = f64::from(hits) * self.options.scale_factor.ln() / 1.1f64.ln();
        (hits / (hits + 8.0)) as f32
    }
}

impl FaceDetector for HaarDetector {
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        let window = f64::from(self.window.height);
        let smallest = f64::from(min_face).max(window / MAX_ENLARGEMENT);
        let scale = window / smallest;
        let side = |pixels: usize| (pixels as f64 * scale).round() as i32;
        let size = Size::new(side(frame.width()), side(frame.height()));
        if size.width < self.window.width || size.height < self.window.height {
            return Ok(Vec::new());
        }
        shrink(frame, &mut self.luma, &mut self.shrunk, size).map_err(failed)?;
        let found = self.scan().map_err(failed)?;
        let sx = frame.width() as f32 / size.width as f32;
        let sy = frame.height() as f32 / size.height as f32;
        Ok(found
            .into_iter()
            .map(|(b, hits)| Detection {
                rect: Rect::new(b.x as f32, b.y as f32, b.width as f32, b.height as f32)
                    .scaled(sx, sy),
                confidence: self.confidence(hits),
            })
            .collect())
    }
}

fn failed(error: opencv::Error) -> BackendError {
    BackendError::Run(format!("OpenCV failed: {}", error.message))
}

/// Resizes the frame's luma into `shrunk`: from the frame's own bytes where they lie pixel by pixel,
/// else from a copy in `scratch`. The range is left as it is: the cascade evens out contrast itself.
fn shrink(
    frame: &Frame<'_>,
    scratch: &mut Vec<u8>,
    shrunk: &mut Mat,
    size: Size,
) -> opencv::Result<()> {
    let (width, height) = (frame.width(), frame.height());
    let (data, stride) = match *frame.pixels() {
        Pixels::Grey(y) | Pixels::Yuv { y, .. } if lies_by_rows(&y, width, height) => {
            (&y.data()[..y.row_stride() * height], y.row_stride())
        }
        Pixels::Grey(y) | Pixels::Yuv { y, .. } => {
            copy_luma(y, width, height, scratch);
            (scratch.as_slice(), width)
        }
        Pixels::Rgb { r, g, b } => {
            mix_luma([r, g, b], width, height, scratch);
            (scratch.as_slice(), width)
        }
    };
    let rows = Mat::new_rows_cols_with_data(height as i32, stride as i32, data)?;
    let pixels = rows.roi(opencv::core::Rect::new(0, 0, width as i32, height as i32))?;
    let enlarges = size.height > height as i32;
    let filter = if enlarges { imgproc::INTER_LINEAR } else { imgproc::INTER_AREA };
    imgproc::resize(&pixels, shrunk, size, 0.0, 0.0, filter)
}

/// Whether OpenCV can read the component in place. The last row may end before its padding.
fn lies_by_rows(y: &Component<'_>, width: usize, height: usize) -> bool {
    y.pixel_stride() == 1 && y.row_stride() >= width && y.data().len() >= y.row_stride() * height
}

fn copy_luma(y: Component<'_>, width: usize, height: usize, out: &mut Vec<u8>) {
    out.clear();
    for row in 0..height {
        let samples = y.data()[row * y.row_stride()..].iter();
        out.extend(samples.step_by(y.pixel_stride()).take(width));
    }
}

fn mix_luma(components: [Component<'_>; 3], width: usize, height: usize, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(width * height);
    for row in 0..height {
        let [r, g, b] =
            components.map(|c| c.data()[row * c.row_stride()..].iter().step_by(c.pixel_stride()));
        let pixels = r.zip(g).zip(b).take(width);
        out.extend(pixels.map(|((&r, &g), &b)| rgb_to_luma(r, g, b)));
    }
}
