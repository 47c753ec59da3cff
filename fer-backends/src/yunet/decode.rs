//! From YuNet's output tensors to faces.

use fer_core::detect::Detection;
use fer_core::geometry::Rect;

/// The outputs at one stride, row by row of a grid of cells of `stride` × `stride` pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level<'a> {
    /// Pixels of the input a cell spans.
    pub(super) stride: usize,
    /// Cells across.
    pub(super) columns: usize,
    /// How much a cell is a face, one value each.
    pub(super) class: &'a [f32],
    /// How well its box fits, one value each.
    pub(super) object: &'a [f32],
    /// Centre offset in cells (x, y), logarithm of the size in cells (w, h).
    pub(super) boxes: &'a [f32],
}

impl Level<'_> {
    /// Appends the faces that score at least `threshold`, in pixels of the network's input.
    ///
    /// As OpenCV's `FaceDetectorYNImpl::postProcess`: the score is the geometric mean of the two.
    pub(super) fn decode(&self, threshold: f32, found: &mut Vec<Detection>) {
        let stride = self.stride as f32;
        let scores = self.class.iter().zip(self.object);
        for (cell, (scores, offsets)) in scores.zip(self.boxes.chunks_exact(4)).enumerate() {
            let score = (scores.0.clamp(0.0, 1.0) * scores.1.clamp(0.0, 1.0)).sqrt();
            if score.is_nan() || score < threshold {
                continue;
            }
            let (row, column) = (cell / self.columns, cell % self.columns);
            let rect = Rect::from_center(
                (column as f32 + offsets[0]) * stride,
                (row as f32 + offsets[1]) * stride,
                offsets[2].exp() * stride,
                offsets[3].exp() * stride,
            );
            if rect.is_valid() {
                found.push(Detection { rect, confidence: score });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_decoded_as_worked_by_hand() {
        // Cell 3 of a grid of 2 columns is row 1, column 1: centre (1.5, 1.25) cells of 8 pixels,
        // size e^0 × e^ln 2 cells.
        let mut boxes = [0.0; 16];
        boxes[12..].copy_from_slice(&[0.5, 0.25, 0.0, 2f32.ln()]);
        let level = Level {
            stride: 8,
            columns: 2,
            class: &[0.0, f32::NAN, 0.5, 0.81],
            object: &[1.0, 1.0, 0.5, 1.0],
            boxes: &boxes,
        };
        let mut found = Vec::new();
        level.decode(0.6, &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].confidence - 0.9).abs() < 1e-6);
        let expected = Rect::new(12.0 - 4.0, 10.0 - 8.0, 8.0, 16.0);
        assert!(found[0].rect.iou(&expected) > 0.9999, "{found:?}");
    }

    #[test]
    fn infinite_boxes_are_dropped() {
        let level = Level {
            stride: 8,
            columns: 1,
            class: &[1.0],
            object: &[1.0],
            boxes: &[0.0, 0.0, 1e9, 0.0],
        };
        let mut found = Vec::new();
        level.decode(0.6, &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
