//! A scan, and what is known of faces before it.

use super::Scan;
use crate::detect::{BackendError, Detection, FaceDetector, SAME_FACE};
use crate::frame::Frame;
use crate::geometry::Rect;
use crate::thumbnail::Thumbnail;
use crate::track::Track;

/// A face counts as large from this multiple of the smallest size.
const LARGE: f32 = 2.0;
/// A scan for large faces finds those reliably that are this multiple of its own smallest size.
const LARGE_SURELY: f32 = 1.25;

/// The heights, in pixels, of the smallest face that is looked for, and of one that is large.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Of the smallest face.
    pub(crate) small: f32,
    /// Of the smallest large one.
    pub(crate) large: f32,
}

impl Sizes {
    /// `min_face` is a fraction of the frame's shorter side: a telephone held upright sees the same
    /// faces.
    pub(crate) fn new(min_face: f32, frame: &Frame<'_>) -> Self {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        let shorter = height.min(width * frame.pixel_aspect());
        let small = min_face * shorter;
        // Twice a very large one fits into no frame.
        Self { small, large: (LARGE * small).min(0.5 * shorter).max(small) }
    }

    /// Whether a scan for large faces may overlook this one.
    pub(crate) fn is_small(self, face: &Rect) -> bool {
        face.h < LARGE_SURELY * self.large
    }
}

/// Where in a list of known faces' places groups end: first come those of confirmed large faces, then of
/// confirmed small ones, then of faint ones, then of small and of large ones that are not confirmed yet.
pub(crate) struct KnownFaces {
    large: usize,
    confirmed: usize,
    faint: usize,
}

impl KnownFaces {
    pub(crate) fn fill(
        places: &mut Vec<Rect>,
        tracks: &[Track],
        sizes: Sizes,
        frame: &Frame<'_>,
    ) -> Self {
        // Around a face against the light it is bright.
        let is_faint = |track: &Track| Thumbnail::new(frame, &track.rect.expanded(-0.1)).is_faint();
        let mut add = |wanted: &dyn Fn(&Track) -> bool| {
            places.extend(tracks.iter().filter(|track| wanted(track)).map(|track| track.rect));
            places.len()
        };
        let is_small = |track: &Track| sizes.is_small(&track.rect);
        // To look at the frame takes longest: last.
        let large = add(&|it| it.confirmed && !is_small(it) && !is_faint(it));
        let confirmed = add(&|it| it.confirmed && is_small(it) && !is_faint(it));
        let faint = add(&is_faint);
        add(&|it| !it.confirmed && is_small(it) && !is_faint(it));
        add(&|it| !it.confirmed && !is_small(it) && !is_faint(it));
        Self { large, confirmed, faint }
    }

    /// The places near which a scan is to be less strict; `closely` if also where it looks anyway. In the whole
    /// frame it may not see faint ones.
    pub(crate) fn near<'a>(&self, places: &'a [Rect], scan: Scan, closely: bool) -> &'a [Rect] {
        match scan {
            Scan::None => &[],
            Scan::Local => places,
            Scan::Large if closely => places,
            Scan::Large => &places[self.large..],
            Scan::Full if closely => &places[..self.faint],
            Scan::Full => &places[self.confirmed..self.faint],
        }
    }
}

/// Scans a frame, less strictly near the known faces `near`, and tells what kind of scan it was: a
/// detector that cannot search locally scans it in full.
pub(crate) fn scan(
    detector: &mut dyn FaceDetector,
    frame: &Frame<'_>,
    kind: Scan,
    near: &[Rect],
    sizes: Sizes,
    found: &mut Vec<Detection>,
) -> Result<Scan, BackendError> {
    let Some(known) = detector.detect_near(frame, near)? else {
        found.extend(detector.detect(frame, sizes.small)?);
        return Ok(Scan::Full);
    };
    found.extend(known);
    match kind {
        Scan::None | Scan::Local => {}
        Scan::Large => found.extend(detector.detect(frame, sizes.large)?),
        Scan::Full => found.extend(detector.detect(frame, sizes.small)?),
    }
    Ok(kind)
}

/// Looks for faint faces as well where a scan of the whole frame of some kind has found nobody.
pub(crate) fn scan_for_faint(
    detector: &mut dyn FaceDetector,
    frame: &Frame<'_>,
    kind: Scan,
    sizes: Sizes,
    found: &mut Vec<Detection>,
) -> Result<(), BackendError> {
    if kind == Scan::Full {
        found.extend(detector.detect_faint(frame, sizes.small)?);
    }
    // Noise, which hides large ones too, is less where the picture is shrunk for them.
    if found.is_empty() && (kind != Scan::Full || sizes.large > sizes.small) {
        found.extend(detector.detect_faint(frame, sizes.large)?);
    }
    Ok(())
}

/// Looks once more for those of the confirmed faces `known` that a scan has not found: a head held to a side
/// is not seen else. Leaves those in `known` that are looked for.
pub(crate) fn scan_for_tilted(
    detector: &mut dyn FaceDetector,
    frame: &Frame<'_>,
    known: &mut Vec<Rect>,
    found: &mut Vec<Detection>,
) -> Result<(), BackendError> {
    known.retain(|place| found.iter().all(|face| face.rect.iou(place) < SAME_FACE));
    if !known.is_empty() {
        found.extend(detector.detect_tilted(frame, known)?);
    }
    Ok(())
}
