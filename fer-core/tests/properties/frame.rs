use fer_core::frame::{Component, Frame, LumaRange, Pixels};
use fer_core::geometry::Rect;
use fer_core::preprocess::{Colour, Normalisation, Shape, preprocess, sample_luma};
use proptest::prelude::*;

use crate::support::{any_number, cases};

/// How one component lies in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) pixel_stride: usize,
    pub(crate) padding: usize,
    pub(crate) shifts: (u32, u32),
}

impl Layout {
    fn row_stride(&self, width: usize) -> usize {
        (((width - 1) >> self.shifts.0) + 1) * self.pixel_stride + self.padding
    }

    /// Bytes up to the last sample and no further.
    pub(crate) fn needed(&self, width: usize, height: usize) -> usize {
        ((height - 1) >> self.shifts.1) * self.row_stride(width)
            + ((width - 1) >> self.shifts.0) * self.pixel_stride
            + 1
    }

    fn component<'a>(&self, data: &'a [u8], width: usize) -> Component<'a> {
        Component::new(
            data,
            self.row_stride(width),
            self.pixel_stride,
            self.shifts.0,
            self.shifts.1,
        )
    }
}

/// A picture of any size and layout, its components' bytes one after another.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    kind: u8,
    layouts: [Layout; 3],
    limited: bool,
    bt709: bool,
    seed: u8,
}

impl Picture {
    pub(crate) fn bytes(&self) -> [Vec<u8>; 3] {
        let plane = |index: usize| -> Vec<u8> {
            let needed = self.layouts[index].needed(self.width, self.height);
            (0..needed).map(|i| (i * 37 + index * 11 + usize::from(self.seed)) as u8).collect()
        };
        [plane(0), plane(1), plane(2)]
    }

    pub(crate) fn frame<'a>(&self, bytes: &'a [Vec<u8>; 3]) -> Frame<'a> {
        self.try_frame([&bytes[0], &bytes[1], &bytes[2]]).unwrap()
    }

    fn try_frame<'a>(
        &self,
        bytes: [&'a [u8]; 3],
    ) -> Result<Frame<'a>, fer_core::frame::FrameError> {
        let [a, b, c] = [0, 1, 2].map(|i| self.layouts[i].component(bytes[i], self.width));
        let pixels = match self.kind {
            0 => Pixels::Grey(a),
            1 => Pixels::Yuv { y: a, u: b, v: c },
            _ => Pixels::Rgb { r: a, g: b, b: c },
        };
        let range = if self.limited { LumaRange::Limited } else { LumaRange::Full };
        Ok(Frame::new(self.width, self.height, pixels)?.with_colorimetry(range, self.bt709))
    }
}

pub(crate) fn picture() -> impl Strategy<Value = Picture> {
    let layout = (1..5_usize, 0..20_usize, (0..3_u32, 0..3_u32))
        .prop_map(|(pixel_stride, padding, shifts)| Layout { pixel_stride, padding, shifts });
    let side = || prop_oneof![3 => 1..=64_usize, 1 => 1..=3_usize];
    (side(), side(), 0..3_u8, prop::array::uniform3(layout), any::<(bool, bool, u8)>()).prop_map(
        |(width, height, kind, layouts, (limited, bt709, seed))| Picture {
            width,
            height,
            kind,
            layouts,
            limited,
            bt709,
            seed,
        },
    )
}

/// A place anywhere, of a size that a face may have in a small frame.
fn place() -> impl Strategy<Value = Rect> {
    let size = || prop_oneof![4 => 0.0..300.0_f32, 1 => Just(0.0), 1 => Just(1e-45)];
    (any_number(), any_number(), size(), size()).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn every_pixel_can_be_read_and_not_a_byte_less(picture in picture()) {
        let bytes = picture.bytes();
        let frame = picture.frame(&bytes);
        let mut line = Vec::new();
        for y in 0..picture.height {
            line.clear();
            frame.luma_row(y, 0..picture.width, &mut line);
            prop_assert_eq!(line.len(), picture.width);
            for (x, &luma) in line.iter().enumerate() {
                prop_assert_eq!(f32::from(frame.luma(x, y)), luma);
                let [r, g, b] = frame.rgb(x, y);
                prop_assert!(picture.kind > 0 || (r == g && g == b));
            }
        }
        let used = if picture.kind == 0 { 1 } else { 3 };
        for short in 0..used {
            let mut planes = [&bytes[0][..], &bytes[1], &bytes[2]];
            planes[short] = &planes[short][..planes[short].len() - 1];
            prop_assert!(picture.try_frame(planes).is_err(), "plane {short}");
        }
    }

    #[test]
    fn any_place_gives_a_tensor_of_pixels(
        picture in picture(), place in place(), width in 1..20_usize, height in 1..20_usize,
        colour in prop::sample::select(vec![Colour::Grey, Colour::Rgb, Colour::Bgr]),
    ) {
        let bytes = picture.bytes();
        let frame = picture.frame(&bytes);
        let plain = Normalisation { scale: 255.0, mean: vec![0.0; 3], std: vec![1.0; 3] };
        let shape = Shape { width, height, colour };
        let mut tensor = Vec::new();
        preprocess(&frame, &place, shape, &plain, &mut tensor);
        prop_assert_eq!(tensor.len(), shape.len());
        prop_assert!(tensor.iter().all(|v| (-1e-5..=1.00001).contains(v)), "{tensor:?}");
        let mut luma = Vec::new();
        sample_luma(&frame, &place, width, height, &mut luma);
        prop_assert_eq!(luma.len(), width * height);
        // Weights that sum to 1 go no further than what they weigh.
        let all: Vec<f32> = (0..picture.height * picture.width)
            .map(|i| f32::from(frame.luma(i % picture.width, i / picture.width))).collect();
        let low = all.iter().copied().fold(f32::MAX, f32::min) - 1e-2;
        let high = all.iter().copied().fold(f32::MIN, f32::max) + 1e-2;
        prop_assert!(luma.iter().all(|v| (low..=high).contains(v)), "{low} {high} {luma:?}");
    }
}
