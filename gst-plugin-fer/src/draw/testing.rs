//! Frames and reports to test with.

use std::time::Duration;

use fer_core::emotion::{Probabilities, StableLabel};
use fer_core::geometry::Rect;
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoMeta};

use super::area::Area;
use super::canvas::Canvas;

/// A buffer of noise whose rows are padded, and where the padding is noise too.
pub(crate) struct Picture {
    pub(crate) info: VideoInfo,
    pub(crate) buffer: gst::Buffer,
}

impl Picture {
    pub(crate) fn new(format: VideoFormat, width: u32, height: u32) -> Self {
        gst::init().unwrap();
        let info = VideoInfo::builder(format, width, height).build().unwrap();
        let strides: Vec<i32> = info.stride().iter().map(|stride| stride + 13).collect();
        let mut offsets = Vec::new();
        let mut size = 5;
        for (plane, stride) in strides.iter().enumerate() {
            offsets.push(size);
            let component = (0..info.n_components())
                .find(|&component| info.comp_plane(component as u8) as usize == plane)
                .unwrap();
            size += *stride as usize * info.comp_height(component as u8) as usize;
        }
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..size)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let mut buffer = gst::Buffer::from_mut_slice(noise);
        let flags = gst_video::VideoFrameFlags::empty();
        let target = buffer.get_mut().unwrap();
        VideoMeta::add_full(target, flags, format, width, height, &offsets, &strides).unwrap();
        Self { info, buffer }
    }

    /// The same with pixels that are shown `width` ÷ `height` wide.
    pub(crate) fn with_aspect(mut self, width: i32, height: i32) -> Self {
        let Self { info, .. } = &self;
        let builder = VideoInfo::builder(info.format(), info.width(), info.height());
        self.info = builder.par(gst::Fraction::new(width, height)).build().unwrap();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.buffer.map_readable().unwrap().to_vec()
    }

    pub(crate) fn with_frame<R>(
        &mut self,
        act: impl FnOnce(&mut VideoFrameRef<&mut gst::BufferRef>) -> R,
    ) -> R {
        let buffer = self.buffer.get_mut().unwrap();
        let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer, &self.info).unwrap();
        act(&mut frame)
    }

    /// Gives all colours of all pixels one byte value.
    pub(crate) fn flatten(&mut self, value: u8) {
        self.with_frame(|frame| {
            let canvas = Canvas::new(frame).unwrap();
            for component in &canvas.colours {
                for y in 0..=(canvas.height as usize - 1) >> component.y_shift {
                    for x in 0..=(canvas.width as usize - 1) >> component.x_shift {
                        canvas.planes[component.plane][component.index(x, y)] = value;
                    }
                }
            }
        });
    }

    /// The colours of one pixel, as `fer-core` reads them.
    pub(crate) fn rgb(&self, x: i32, y: i32) -> [i32; 3] {
        let frame = VideoFrameRef::from_buffer_ref_readable(&self.buffer, &self.info).unwrap();
        let view = crate::pixels::view(&frame).unwrap();
        view.rgb(x as usize, y as usize).map(i32::from)
    }

    /// For each byte, whether it belongs to a sample of a pixel for which `allowed` is true.
    pub(crate) fn bytes_of(
        &mut self,
        alpha: bool,
        allowed: impl Fn(i32, i32) -> bool,
    ) -> Vec<bool> {
        let before = self.bytes();
        let mut mask = vec![false; before.len()];
        let start = self.buffer.map_readable().unwrap().as_ptr() as usize;
        self.with_frame(|frame| {
            let canvas = Canvas::new(frame).unwrap();
            let alpha = canvas.alpha.filter(|_| alpha);
            for component in canvas.colours.iter().chain(alpha.iter()) {
                let plane = canvas.planes[component.plane].as_ptr() as usize - start;
                for y in 0..canvas.height {
                    for x in (0..canvas.width).filter(|&x| allowed(x, y)) {
                        let (sx, sy) = (x >> component.x_shift, y >> component.y_shift);
                        mask[plane + component.index(sx as usize, sy as usize)] = true;
                    }
                }
            }
        });
        mask
    }
}

/// Fails where a byte changed that is not in `mask`.
pub(crate) fn assert_untouched(before: &[u8], after: &[u8], mask: &[bool], what: &str) {
    let changed = before.iter().zip(after).zip(mask);
    let first = changed.enumerate().find(|(_, ((old, new), inside))| old != new && !**inside);
    assert!(first.is_none(), "{what}: byte {first:?} changed");
}

pub(crate) fn inside(area: &Area, x: i32, y: i32) -> bool {
    x >= area.x && x < area.right() && y >= area.y && y < area.bottom()
}

pub(crate) fn face(track: u64, rect: Rect, stable: StableLabel) -> FaceReport {
    let mut weights = [0.3, 0.1, 0.25, 0.4, 0.35, 0.15, 0.6];
    if let Some(emotion) = stable {
        weights[emotion.index()] = 6.0;
    }
    let smoothed = Probabilities::from_weights(weights).unwrap();
    FaceReport {
        track,
        rect,
        confidence: 0.9,
        detected: true,
        emotion: Some(FaceEmotion {
            stable,
            since: MediaTime::ZERO,
            smoothed,
            raw: smoothed,
            model: "test".into(),
            inferred: true,
            age: Duration::ZERO,
        }),
    }
}

pub(crate) fn report(faces: Vec<FaceReport>) -> FrameReport {
    FrameReport { faces, ..FrameReport::default() }
}
