//! Frames of any size, strides and bytes: refused, or every pixel can be read.

use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::config::Config;
use fer_core::detect::Detection;
use fer_core::frame::{Component, Frame, LumaRange, Pixels};
use fer_core::geometry::Rect;
use fer_core::preprocess::{Colour, Normalisation, Shape, preprocess, sample_luma};
use fer_core::time::MediaTime;

/// Takes numbers from the front of the input; zeros once it is empty.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte() as u8)
    }

    /// Most often a small number, sometimes any.
    fn stride(&mut self) -> usize {
        match self.byte() {
            255 => u64::from_le_bytes(self.bytes()) as usize,
            small => small,
        }
    }

    fn float(&mut self) -> f32 {
        f32::from_le_bytes(self.bytes())
    }

    /// How large a place is: what takes forever to sample is for the analyser to refuse.
    fn size(&mut self) -> f32 {
        let size = self.float();
        if size.abs() <= 1000.0 { size } else { 24.0 }
    }
}

/// Makes up to four frames out of `data`, reads and analyses them.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let Ok(mut analyzer) = Analyzer::new(Config::default(), FaceSource::Upstream, None) else {
        return;
    };
    let mut now = MediaTime::ZERO;
    for _ in 0..4 {
        if input.0.is_empty() {
            break;
        }
        now = now + std::time::Duration::from_micros(u64::from(u32::from_le_bytes(input.bytes())));
        one(&mut input, &mut analyzer, now);
    }
}

fn one(input: &mut Input<'_>, analyzer: &mut Analyzer, now: MediaTime) {
    let (width, height, kind) = (input.byte() % 70, input.byte() % 70, input.byte());
    let layouts: [(usize, usize, u32, u32, usize); 3] = std::array::from_fn(|_| {
        let shifts = input.byte();
        let (x, y) = ((shifts % 5) as u32, (shifts / 5 % 5) as u32);
        (input.stride(), input.stride(), x, y, input.byte())
    });
    let place = Rect::new(input.float(), input.float(), input.size(), input.size());
    let wild = Rect::new(input.float(), input.float(), input.float(), input.float());
    let confidence = input.float();
    let (tensor_width, tensor_height) = (1 + input.byte() % 16, 1 + input.byte() % 16);
    let bytes = input.0;
    let component = |index: usize| {
        let (row, pixel, x, y, offset) = layouts[index];
        Component::new(&bytes[offset.min(bytes.len())..], row, pixel, x, y)
    };
    let pixels = match kind % 3 {
        0 => Pixels::Grey(component(0)),
        1 => Pixels::Yuv { y: component(0), u: component(1), v: component(2) },
        _ => Pixels::Rgb { r: component(0), g: component(1), b: component(2) },
    };
    let Ok(frame) = Frame::new(width, height, pixels) else { return };
    let range = if kind & 4 == 0 { LumaRange::Full } else { LumaRange::Limited };
    let frame = frame.with_colorimetry(range, kind & 8 == 0);
    let mut line = Vec::new();
    for y in 0..height {
        line.clear();
        frame.luma_row(y, 0..width, &mut line);
        for (x, luma) in line.iter().enumerate() {
            assert_eq!(f32::from(frame.luma(x, y)), *luma);
            let _ = frame.rgb(x, y);
        }
    }
    let plain = Normalisation { scale: 255.0, mean: vec![0.0; 3], std: vec![1.0; 3] };
    let colour = [Colour::Grey, Colour::Rgb, Colour::Bgr][kind / 16 % 3];
    let shape = Shape { width: tensor_width, height: tensor_height, colour };
    let mut tensor = Vec::new();
    preprocess(&frame, &place, shape, &plain, &mut tensor);
    assert_eq!(tensor.len(), shape.len());
    assert!(tensor.iter().all(|value| (-1e-3..=1.001).contains(value)), "{place:?} {tensor:?}");
    tensor.clear();
    sample_luma(&frame, &place, tensor_width, tensor_height, &mut tensor);
    assert!(tensor.iter().all(|value| (-0.1..=255.1).contains(value)), "{place:?} {tensor:?}");
    let faces = [place, wild].map(|rect| Detection { rect, confidence });
    match analyzer.analyze(&frame, now, &faces) {
        Ok(report) => assert!(report.faces.iter().all(|face| face.rect.is_valid()), "{report:?}"),
        Err(error) => panic!("{error}"),
    }
}
