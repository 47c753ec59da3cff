//! A mapped, writable frame as a list of colour components.

use crate::pixels;
use gst_video::prelude::*;
use gst_video::{VideoFormatInfo, VideoFrameRef};

use super::area::Area;
use super::aspect::Aspect;
use super::colour::{Mix, Space};
use super::error::DrawError;

/// Where the bytes of one component lie, and how a drawn colour becomes its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    pub(crate) plane: usize,
    /// Byte of the first sample in the plane.
    pub(crate) offset: usize,
    /// Bytes from one row of samples to the next.
    pub(crate) stride: usize,
    /// Bytes from one sample to the next in a row.
    pub(crate) step: usize,
    /// 1 where two columns of pixels share a sample.
    pub(crate) x_shift: u32,
    /// 1 where two rows of pixels share a sample.
    pub(crate) y_shift: u32,
    pub(crate) mix: Mix,
}

impl Component {
    /// The byte of sample (`x`, `y`) in its plane.
    #[inline]
    pub(crate) const fn index(&self, x: usize, y: usize) -> usize {
        self.offset + y * self.stride + x * self.step
    }
}

/// A frame to draw on. The bytes between components (x of BGRx) and between rows are never written.
pub(crate) struct Canvas<'a> {
    pub(crate) planes: [&'a mut [u8]; 4],
    /// Grey: one; else three.
    pub(crate) colours: Vec<Component>,
    pub(crate) alpha: Option<Component>,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) aspect: Aspect,
    /// Two rows of drawn pixels, kept from one blend to the next.
    pub(crate) scratch: Vec<u32>,
}

impl<'a> Canvas<'a> {
    /// Borrows the planes of a mapped frame; nothing is copied.
    ///
    /// # Errors
    /// The format is not one of plain bytes, or a plane is too short.
    pub(crate) fn new(
        frame: &'a mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<Self, DrawError> {
        let format = frame.format_info();
        let (width, height) = (frame.width(), frame.height());
        if !is_plain(&format) {
            return Err(DrawError::Format(format.format()));
        }
        let aspect = Aspect::of(frame.info());
        let space = Space::of(&format, &frame.info().colorimetry());
        let strides = [0, 1, 2, 3].map(|plane| {
            frame
                .plane_stride()
                .get(plane)
                .map_or(0, |&stride| usize::try_from(stride).unwrap_or(0))
        });
        let mut lengths = [0; 4];
        for (plane, length) in (0..frame.n_planes()).zip(&mut lengths) {
            *length = pixels::plane_length(frame, plane).ok_or(DrawError::Misplaced { plane })?;
        }
        let mut planes = frame.planes_data_mut();
        for (plane, length) in planes.iter_mut().zip(lengths) {
            let whole = std::mem::take(plane);
            *plane = whole.get_mut(..length).unwrap_or_default();
        }
        let component = |index: usize| -> Result<Component, DrawError> {
            let plane = format.plane()[index] as usize;
            let component = Component {
                plane,
                offset: format.poffset()[index] as usize,
                stride: strides[plane],
                step: format.pixel_stride()[index].unsigned_abs() as usize,
                x_shift: format.w_sub()[index],
                y_shift: format.h_sub()[index],
                mix: space.mix(index),
            };
            let last_x = (width.max(1) as usize - 1) >> component.x_shift;
            let last_y = (height.max(1) as usize - 1) >> component.y_shift;
            let needed = component.index(last_x, last_y);
            let actual = planes[plane].len();
            if needed >= actual {
                return Err(DrawError::Short { plane, actual, needed });
            }
            Ok(component)
        };
        let count = if format.is_gray() { 1 } else { 3 };
        let colours = (0..count).map(component).collect::<Result<_, _>>()?;
        let alpha = if format.has_alpha() { Some(component(3)?) } else { None };
        // Above 8K sides an i32 still holds every product that is formed.
        Ok(Self {
            planes,
            colours,
            alpha,
            width: width as i32,
            height: height as i32,
            aspect,
            scratch: Vec::new(),
        })
    }

    /// The whole frame.
    pub(crate) const fn area(&self) -> Area {
        Area::new(0, 0, self.width, self.height)
    }
}

fn is_plain(format: &VideoFormatInfo) -> bool {
    let count = format.n_components() as usize;
    let kind = format.is_gray() || format.is_yuv() || format.is_rgb();
    let bytes = format.depth().iter().take(count).all(|&depth| depth == 8)
        && format.shift().iter().take(count).all(|&shift| shift == 0);
    // Two components are grey with alpha in some formats; none is offered.
    let counted = if format.is_gray() { count == 1 } else { count == 3 || count == 4 };
    let shared = |sub: &[u32]| sub.iter().take(count).all(|&shift| shift <= 1);
    let halved = shared(format.w_sub()) && shared(format.h_sub());
    kind && bytes
        && counted
        && halved
        && !format.is_tiled()
        && !format.is_complex()
        && !format.has_palette()
}
