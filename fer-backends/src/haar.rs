//! Faces by OpenCV's Haar cascades (Viola and Jones).
//!
//! The frame is first shrunk until the smallest wanted face has the size of the cascade's window
//! (24 pixels for OpenCV's frontal faces): the time depends on `min_face` relative to the frame,
//! and hardly on the frame's resolution. Faces within a fifth of `min_face` are found less surely,
//! because few scan sizes hit them: ask for a little less than the smallest that matters.
//!
//! A known face is found again in a fraction of that time: around its place, at about its size.
//!
//! Where contrast is low, OpenCV does not look: there contrast is evened out first, near known faces and where
//! that is asked for.
//!
//! A [`Profile`] says which cascades look.

mod cascade;
mod contrast;
mod luma;
mod part;
mod profile;
mod threads;
mod tilt;

use std::path::PathBuf;

use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use opencv::core::{Mat, Rect as Area, Size};

pub use cascade::{FILE_NAME, PATH_VARIABLE, find as find_cascade};
pub use profile::Profile;

use contrast::{Evened, is_faint, is_unseen};
use luma::shrink;
use part::{Part, around};
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
    /// The same with its contrast evened out.
    evened: Evened,
    /// One of both with its edges repeated, or turned.
    framed: Mat,
}

/// Frames are enlarged at most by this much for faces smaller than the window. Beyond that there is
/// nothing to see.
const MAX_ENLARGEMENT: f64 = 2.0;

/// The size that it has there once the picture is shrunk, in windows: larger takes longer.
const SIZE_NEAR: f64 = 1.5;
/// Its largest size there, as a multiple of the known one; the least is the inverse of `SIZE_NEAR`.
const LARGEST_NEAR: f64 = 1.5;

/// Contrast is evened out by the square of so many windows around each pixel. Where that was tried, 2.7 found
/// every face, with 1 noise hid some and with 4 bright surroundings did.
const AROUND: f64 = 2.7;

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
            evened: Evened::default(),
            framed: Mat::default(),
        })
    }

    /// Shrinks `area` by `scale`, its pixels to squares; `None` if no window fits in then.
    fn shrink(
        &mut self,
        frame: &Frame<'_>,
        area: Area,
        scale: f64,
    ) -> opencv::Result<Option<Part>> {
        let side = |pixels: i32, scale: f64| (f64::from(pixels) * scale).round() as i32;
        let across = scale * f64::from(frame.pixel_aspect());
        let size = Size::new(side(area.width, across), side(area.height, scale));
        let window = self.passes.window();
        if size.width < window.width || size.height < window.height {
            return Ok(None);
        }
        threads::try_once()?;
        shrink(frame, area, &mut self.luma, &mut self.shrunk, size)?;
        Ok(Some(Part::new(area, size, frame, window)))
    }

    /// Finds faces of the part that has been shrunk.
    fn search(&mut self, part: &Part, scan: &Scan) -> opencv::Result<Vec<Detection>> {
        part.framed(&self.shrunk, &mut self.framed)?;
        let found = self.passes.scan(&self.framed, scan)?;
        let detection = |(found, hits)| Detection {
            rect: part.in_frame(part.unframed(found)),
            confidence: self.confidence(hits),
        };
        Ok(found.into_iter().map(detection).collect())
    }

    /// Finds faint faces of the whole frame, shrunk.
    fn search_faint(&mut self, part: &Part, scan: &Scan) -> opencv::Result<Vec<Detection>> {
        let window = self.passes.window();
        let unseen = self.evened.even_out(&self.shrunk, (AROUND * self.height()) as i32)?;
        if unseen < (window.width * window.height) as usize {
            return Ok(Vec::new());
        }
        let mut faces = Vec::new();
        for face in self.search_evened(part, scan)? {
            if is_unseen(&self.shrunk, part.in_picture(&face.rect))? {
                faces.push(face);
            }
        }
        Ok(faces)
    }

    /// Finds the faint faces of the part whose contrast has been evened out; [`search`](Self::search) sees the
    /// others.
    fn search_evened(&mut self, part: &Part, scan: &Scan) -> opencv::Result<Vec<Detection>> {
        part.framed(&self.evened.picture, &mut self.framed)?;
        let mut faces = Vec::new();
        for (found, hits) in self.passes.scan(&self.framed, scan)? {
            let found = part.unframed(found);
            if is_faint(&self.shrunk, found)? {
                let confidence = self.confidence(hits);
                faces.push(Detection { rect: part.in_frame(found), confidence });
            }
        }
        Ok(faces)
    }

    /// Shrinks the whole frame for faces of at least `min_face` pixels.
    fn shrink_whole(&mut self, frame: &Frame<'_>, min_face: f32) -> opencv::Result<Option<Part>> {
        let smallest = f64::from(min_face).max(self.height() / MAX_ENLARGEMENT);
        let whole = Area::new(0, 0, frame.width() as i32, frame.height() as i32);
        self.shrink(frame, whole, self.height() / smallest)
    }

    /// How faces of any size are looked for.
    const fn scan_for_all(&self) -> Scan {
        let Options { scale_factor, min_neighbors: neighbors, .. } = self.options;
        Scan { scale_factor, largest: Size { width: 0, height: 0 }, neighbors }
    }

    /// Shrinks what is around a known face, and says how that is scanned.
    fn shrink_near(
        &mut self,
        frame: &Frame<'_>,
        place: &Rect,
    ) -> opencv::Result<Option<(Part, Scan)>> {
        let Some(area) = around(place, frame) else { return Ok(None) };
        let scale = SIZE_NEAR * self.height() / f64::from(place.h);
        let scale = scale.min(MAX_ENLARGEMENT);
        let Some(part) = self.shrink(frame, area, scale)? else { return Ok(None) };
        let largest = (f64::from(place.h) * scale * LARGEST_NEAR) as i32;
        // That a face is there is known: fewer hits will do.
        let neighbors = self.options.min_neighbors.div_ceil(2);
        let largest = Size::new(largest, largest);
        Ok(Some((part, Scan { largest, neighbors, ..self.scan_for_all() })))
    }

    fn search_tilted(&mut self, frame: &Frame<'_>, place: &Rect) -> opencv::Result<Vec<Detection>> {
        let mut faces = Vec::new();
        let Some((part, scan)) = self.shrink_near(frame, place)? else { return Ok(faces) };
        for degrees in tilt::ANGLES {
            tilt::turn(&self.shrunk, degrees, &mut self.framed, part.size)?;
            for (found, hits) in self.passes.scan(&self.framed, &scan)? {
                let rect = part.in_frame(tilt::turned_back(found, degrees, part.size));
                faces.push(Detection { rect, confidence: self.confidence(hits) });
            }
        }
        Ok(faces)
    }

    fn search_near(&mut self, frame: &Frame<'_>, place: &Rect) -> opencv::Result<Vec<Detection>> {
        let Some((part, scan)) = self.shrink_near(frame, place)? else { return Ok(Vec::new()) };
        let found = self.search(&part, &scan)?;
        if found.is_empty() && self.evened.stretch_at(&self.shrunk, part.in_picture(place))? {
            return self.search_evened(&part, &scan);
        }
        Ok(found)
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
        let scan = self.scan_for_all();
        let part = self.shrink_whole(frame, min_face).map_err(scan_failed)?;
        part.map_or(Ok(Vec::new()), |part| self.search(&part, &scan)).map_err(scan_failed)
    }

    fn detect_faint(
        &mut self,
        frame: &Frame<'_>,
        min_face: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        let scan = self.scan_for_all();
        let part = self.shrink_whole(frame, min_face).map_err(scan_failed)?;
        let search = |part| self.search_faint(&part, &scan);
        part.map_or(Ok(Vec::new()), search).map_err(scan_failed)
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        let mut found = Vec::new();
        for place in places {
            found.extend(self.search_near(frame, place).map_err(scan_failed)?);
        }
        Ok(Some(found))
    }

    fn detect_tilted(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Vec<Detection>, BackendError> {
        let mut found = Vec::new();
        for place in places {
            found.extend(self.search_tilted(frame, place).map_err(scan_failed)?);
        }
        Ok(found)
    }
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
