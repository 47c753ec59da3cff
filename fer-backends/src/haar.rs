//! Faces by OpenCV's Haar cascades (Viola and Jones).
//!
//! The frame is first shrunk until the smallest wanted face has the size of the cascade's window
//! (24 pixels for OpenCV's frontal faces): the time depends on `min_face` relative to the frame,
//! and hardly on the frame's resolution. Faces within a fifth of `min_face` are found less surely,
//! because few scan sizes hit them: ask for a little less than the smallest that matters.
//!
//! A known face is found again in a fraction of that time: around its place, at about its size.
//!
//! A [`Profile`] says which cascades look.

mod cascade;
mod luma;
mod profile;
mod threads;

use std::path::PathBuf;

use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use opencv::core::{self, Mat, Rect as Area, Size};

pub use cascade::{FILE_NAME, PATH_VARIABLE, find as find_cascade};
pub use profile::Profile;

use luma::shrink;
use profile::{Passes, Scan};

/// How the cascade is scanned.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The cascade's XML file. Without it `$FER_CASCADE`, then OpenCV's frontal face cascade where
    /// distributions install it, under `/usr/share`, `/usr/local/share` or `/opt/homebrew/share`.
    pub cascade: Option<PathBuf>,
    /// Which cascades look; more find more faces, and take longer.
    pub profile: Profile,
    /// From one scan size to the next, 1.01 to 2. Smaller finds more and takes longer.
    pub scale_factor: f64,
    /// Overlapping hits beyond the first that make a face, 0 to 20: more finds fewer faces, and fewer
    /// things that are none. 0 gives every hit as it is.
    pub min_neighbors: u32,
}

impl Default for Options {
    fn default() -> Self {
        // Measured: 98 % of the faces of 1.1 and 5, fewer false ones, in 60 % of the time.
        Self { cascade: None, profile: Profile::Fast, scale_factor: 1.2, min_neighbors: 4 }
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

/// Cascades, ready to scan.
///
/// A detection's confidence is n / (n + 8), where n is the number of overlapping hits, counted as
/// if the scale factor were 1.1: more scan sizes give more hits.
#[derive(Debug)]
pub struct HaarDetector {
    passes: Passes,
    options: Options,
    luma: Vec<u8>,
    shrunk: Mat,
    /// The same with its edges repeated.
    framed: Mat,
}

/// Frames are enlarged at most by this much for faces smaller than the window. Beyond that there is
/// nothing to see.
const MAX_ENLARGEMENT: f64 = 2.0;

/// Where a known face is looked for: so much of its size around its place.
const MARGIN_NEAR: f32 = 0.5;
/// The size that it has there once the picture is shrunk, in windows: larger takes longer.
const SIZE_NEAR: f64 = 1.5;
/// Its largest size there, as a multiple of the known one; the least is the inverse of `SIZE_NEAR`.
const LARGEST_NEAR: f64 = 1.5;

impl HaarDetector {
    /// Loads the cascades.
    ///
    /// # Errors
    /// An option is out of range, or a cascade is missing or damaged.
    pub fn new(options: Options) -> Result<Self, BackendError> {
        options.check()?;
        let passes = Passes::load(options.profile, options.cascade.as_deref())?;
        Ok(Self {
            passes,
            options,
            luma: Vec::new(),
            shrunk: Mat::default(),
            framed: Mat::default(),
        })
    }

    /// Finds faces of `area` that are at least as large as the window once that is shrunk by
    /// `scale`, its pixels to squares, and at most `largest` pixels of it.
    fn search(
        &mut self,
        frame: &Frame<'_>,
        area: Area,
        scale: f64,
        largest: Size,
        neighbors: u32,
    ) -> opencv::Result<Vec<Detection>> {
        let side = |pixels: i32, scale: f64| (f64::from(pixels) * scale).round() as i32;
        let across = scale * f64::from(frame.pixel_aspect());
        let size = Size::new(side(area.width, across), side(area.height, scale));
        let window = self.passes.window();
        if size.width < window.width || size.height < window.height {
            return Ok(Vec::new());
        }
        threads::try_once()?;
        shrink(frame, area, &mut self.luma, &mut self.shrunk, size)?;
        let beyond = Beyond::new(area, frame, window);
        beyond.repeat(&self.shrunk, &mut self.framed)?;
        let scan = Scan { scale_factor: self.options.scale_factor, largest, neighbors };
        let found = self.passes.scan(&self.framed, &scan)?;
        let (sx, sy) =
            (area.width as f32 / size.width as f32, area.height as f32 / size.height as f32);
        let detection = |(b, hits): (Area, i32)| {
            let (x, y) = (b.x - beyond.left, b.y - beyond.top);
            let rect = Rect::new(x as f32, y as f32, b.width as f32, b.height as f32);
            let mut rect = rect.scaled(sx, sy);
            (rect.x, rect.y) = (rect.x + area.x as f32, rect.y + area.y as f32);
            Detection { rect, confidence: self.confidence(hits) }
        };
        Ok(found.into_iter().map(detection).collect())
    }

    fn height(&self) -> f64 {
        f64::from(self.passes.window().height)
    }

    fn confidence(&self, hits: i32) -> f32 {
        let hits = f64::from(hits) * self.options.scale_factor.ln() / 1.1f64.ln();
        (hits / (hits + 8.0)) as f32
    }
}

/// Makes OpenCV scan on the calling thread alone, for the whole process: it has no other setting. For
/// live streams, which leave the other cores to the video and to each other.
///
/// # Errors
/// OpenCV refuses.
pub fn use_one_thread() -> Result<(), BackendError> {
    opencv::core::set_num_threads(1).map_err(opencv_failed)
}

impl FaceDetector for HaarDetector {
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        let smallest = f64::from(min_face).max(self.height() / MAX_ENLARGEMENT);
        let whole = Area::new(0, 0, frame.width() as i32, frame.height() as i32);
        let (scale, neighbors) = (self.height() / smallest, self.options.min_neighbors);
        self.search(frame, whole, scale, Size::default(), neighbors).map_err(scan_failed)
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        let mut found = Vec::new();
        for place in places {
            let Some(area) = around(place, frame) else { continue };
            let scale = SIZE_NEAR * self.height() / f64::from(place.h);
            let scale = scale.min(MAX_ENLARGEMENT);
            let largest = (f64::from(place.h) * scale * LARGEST_NEAR) as i32;
            let largest = Size::new(largest, largest);
            // That a face is there is known: fewer hits will do.
            let neighbors = self.options.min_neighbors.div_ceil(2);
            found.extend(self.search(frame, area, scale, largest, neighbors).map_err(scan_failed)?);
        }
        Ok(Some(found))
    }
}

/// A face may be cut off by so much of its size: what is at the frame's edge is repeated beyond it, as
/// cascades know whole faces only.
const CUT_OFF: f64 = 0.25;

/// Pixels of the shrunk picture beyond the frame.
struct Beyond {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Beyond {
    /// Where an area touches the frame's edges.
    fn new(area: Area, frame: &Frame<'_>, window: Size) -> Self {
        let pixels = (CUT_OFF * f64::from(window.height)) as i32;
        let at = |is_edge: bool| if is_edge { pixels } else { 0 };
        Self {
            left: at(area.x == 0),
            right: at(area.x + area.width >= frame.width() as i32),
            top: at(area.y == 0),
            bottom: at(area.y + area.height >= frame.height() as i32),
        }
    }

    fn repeat(&self, picture: &Mat, framed: &mut Mat) -> opencv::Result<()> {
        let Self { left, right, top, bottom } = *self;
        let repeated = core::BORDER_REPLICATE;
        core::copy_make_border(
            picture,
            framed,
            top,
            bottom,
            left,
            right,
            repeated,
            Default::default(),
        )
    }
}

/// What is searched for a face that was at `place`; `None` if that is outside of the frame.
fn around(place: &Rect, frame: &Frame<'_>) -> Option<Area> {
    let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
    let inside = place.expanded(MARGIN_NEAR).intersection(&whole);
    // To whole pixels outwards: what touches an edge is to be seen to.
    let (x, y) = (inside.x as i32, inside.y as i32);
    let right = (inside.right().ceil() as i32).min(frame.width() as i32);
    let bottom = (inside.bottom().ceil() as i32).min(frame.height() as i32);
    let area = Area::new(x, y, right - x, bottom - y);
    (place.is_valid() && inside.is_valid() && area.width > 0 && area.height > 0).then_some(area)
}

/// A scan has failed. OpenCV goes on with one thread: if one got no memory, the next scan would wait for
/// it for ever.
fn scan_failed(error: opencv::Error) -> BackendError {
    threads::distrust();
    opencv_failed(error)
}

fn opencv_failed(error: opencv::Error) -> BackendError {
    BackendError::Run(format!("OpenCV failed: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_face_is_searched_up_to_the_edges_that_it_touches() {
        let pixels = [0; 200 * 100];
        let frame = Frame::grey(200, 100, &pixels).unwrap();
        // Half a size more on each side, to whole pixels, at most to the edge; and which edges are met.
        for (place, area, edges) in [
            ((60.0, 40.0, 20.0, 20.0), (50, 30, 40, 40), ""),
            ((60.5, 40.3, 20.2, 20.2), (50, 30, 41, 41), ""),
            ((9.7, 40.0, 20.0, 20.0), (0, 30, 40, 40), "left"),
            ((170.7, 40.0, 20.0, 20.0), (160, 30, 40, 40), "right"),
            ((60.0, 5.2, 20.6, 20.6), (49, 0, 42, 37), "top"),
            ((60.0, 73.5, 20.6, 20.6), (49, 63, 42, 37), "bottom"),
            ((150.4, 60.9, 60.1, 60.1), (120, 30, 80, 70), "right bottom"),
        ] {
            let found = around(&Rect::new(place.0, place.1, place.2, place.3), &frame).unwrap();
            assert_eq!((found.x, found.y, found.width, found.height), area, "{place:?}");
            let beyond = Beyond::new(found, &frame, Size::new(24, 24));
            let met = [
                ("left", beyond.left),
                ("right", beyond.right),
                ("top", beyond.top),
                ("bottom", beyond.bottom),
            ];
            let met = met.iter().filter(|(_, pixels)| *pixels == 6).map(|(edge, _)| *edge);
            assert_eq!(met.collect::<Vec<_>>().join(" "), edges, "{place:?}");
        }
        assert_eq!(around(&Rect::new(300.0, 40.0, 20.0, 20.0), &frame), None);
        assert_eq!(around(&Rect::new(f32::NAN, 40.0, 20.0, 20.0), &frame), None);
    }
}
