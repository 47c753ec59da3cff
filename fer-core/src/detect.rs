//! The contract of face detectors.

use std::ops::Range;

use crate::frame::Frame;
use crate::geometry::Rect;

/// A face that a detector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// In pixels of the frame that was searched.
    pub rect: Rect,
    /// 0 to 1, comparable only between results of one detector.
    pub confidence: f32,
}

/// Two boxes whose intersection over union is above this are of one face, or of one mistake: those of
/// two people seldom overlap at all.
pub const SAME_FACE: f32 = 0.3;

/// A face is faint whose luma deviates by so many levels, of 255: in the dark, in haze or against the light.
/// Detectors may need another look for it. What deviates by less is blank.
pub const FAINT: Range<f32> = 0.5..20.0;

/// A face may fill the frame and reach beyond it. What is larger than so many frames is none, and to
/// sample it would take forever.
const MOST_FRAMES: f32 = 4.0;

impl Detection {
    /// Whether this can be a face of `frame`: a rectangle of at least a pixel, part of it in the frame,
    /// and not larger by far than that.
    pub fn is_plausible(&self, frame: &Frame<'_>) -> bool {
        self.is_plausible_in(frame.width() as f32, frame.height() as f32)
    }

    /// The same, of a frame of that size.
    pub fn is_plausible_in(&self, width: f32, height: f32) -> bool {
        let sizes = 1.0..=MOST_FRAMES * width.max(height);
        let rect = &self.rect;
        rect.is_valid()
            && sizes.contains(&rect.w)
            && sizes.contains(&rect.h)
            && (-rect.w..width).contains(&rect.x)
            && (-rect.h..height).contains(&rect.y)
    }
}

/// Why a detector or classifier can't be made or run. Says what, the value, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A model, cascade or library can't be loaded.
    #[error("{0}")]
    Load(String),
    /// An option has a value out of range.
    #[error("{option} is {value}, accepted: {accepted}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// The accepted range or names.
        accepted: String,
    },
    /// It failed while running.
    #[error("{0}")]
    Run(String),
}

/// Finds faces in one frame. Keeps no memory of earlier frames.
pub trait FaceDetector: Send {
    /// All faces of `frame` whose height is at least `min_face` pixels, in any order.
    ///
    /// # Errors
    /// The native library failed; the message says how.
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError>;

    /// Those faces of the same that have too little contrast for [`detect`](Self::detect). None from a detector
    /// that minds no contrast.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    fn detect_faint(
        &mut self,
        frame: &Frame<'_>,
        min_face: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        let _ = (frame, min_face);
        Ok(Vec::new())
    }

    /// Faces near `places` (pixels of the frame) and about as large; one may be given twice where
    /// places are close to each other. `None`, also without any places, from a detector that is no faster
    /// so: that one is asked for the whole frame instead.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        let _ = (frame, places);
        Ok(None)
    }

    /// Faces near `places` that are tilted too far for [`detect_near`](Self::detect_near), in upright boxes.
    /// None from a detector that minds no tilt.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    fn detect_tilted(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Vec<Detection>, BackendError> {
        let _ = (frame, places);
        Ok(Vec::new())
    }
}

/// A face of which so much lies within another is a part of it: no face is in front of another one's
/// middle.
const WITHIN: f32 = 0.8;

/// Non-maximum suppression: of any two faces that overlap by more than `iou`, only the one with the
/// higher confidence stays. They are then in falling order of confidence.
pub fn suppress(detections: &mut Vec<Detection>, iou: f32) {
    keep_best(detections, |one, other| one.iou(other) > iou);
}

/// The same of two of which one lies within the other, where confidences say how likely each is a face.
pub fn suppress_parts(detections: &mut Vec<Detection>) {
    keep_best(detections, |one, other| {
        let smaller = one.area().min(other.area());
        one.is_valid() && other.is_valid() && one.intersection(other).area() >= WITHIN * smaller
    });
}

fn keep_best(detections: &mut Vec<Detection>, is_same: impl Fn(&Rect, &Rect) -> bool) {
    detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept = 0;
    for index in 0..detections.len() {
        let detection = detections[index];
        if !detections[..kept].iter().any(|other| is_same(&other.rect, &detection.rect)) {
            detections[kept] = detection;
            kept += 1;
        }
    }
    detections.truncate(kept);
}

/// The baseline: finds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullDetector;

impl FaceDetector for NullDetector {
    fn detect(&mut self, _: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, confidence: f32) -> Detection {
        Detection { rect: Rect::new(x, 0., 10., 10.), confidence }
    }

    fn suppressed(mut faces: Vec<Detection>, iou: f32) -> Vec<Detection> {
        suppress(&mut faces, iou);
        faces
    }

    #[test]
    fn of_overlapping_faces_the_best_stays() {
        // IoU of 0 and 5 is 1/3, of 0 and 6 it is 4/16, of 5 and 6 it is 9/11.
        let kept = suppressed(vec![face(5., 0.7), face(0., 0.9), face(6., 0.8)], 0.3);
        assert_eq!(kept, [face(0., 0.9), face(6., 0.8)]);
        let kept = suppressed(vec![face(0., 0.9), face(5., 0.7)], 0.34);
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn a_face_within_a_face_is_none() {
        let face = |x: f32, size: f32, confidence| Detection {
            rect: Rect::new(x, x, size, size),
            confidence,
        };
        // A quarter of the larger one's area, and all of the smaller one's.
        let mut faces = vec![face(0., 10., 0.9), face(4., 5., 0.8)];
        suppress_parts(&mut faces);
        assert_eq!(faces, [face(0., 10., 0.9)]);
        // 16 of 25 lie within.
        let mut faces = vec![face(0., 10., 0.8), face(6., 5., 0.9)];
        suppress_parts(&mut faces);
        assert_eq!(faces.len(), 2);
    }
}
