//! The demo's own film: a still portrait, panned and zoomed.

use anyhow::{Context, Result, anyhow};
use fer_core::frame::{Component, Frame, Pixels};
use fer_core::geometry::Rect;
use fer_core::preprocess::{Colour, Normalisation, Shape, preprocess};
use gst::prelude::*;

/// NASA's portrait of Eileen Collins, public domain; see `assets/NOTICE`.
const PORTRAIT: &[u8] = include_bytes!("../assets/astronaut.png");

/// Frames in the film.
pub(crate) const FRAMES: u64 = 125;
/// Frames a second.
pub(crate) const RATE: u64 = 25;
/// Pixels across and down.
pub(crate) const SIZE: (usize, usize) = (640, 480);

/// The portrait, decoded.
pub(crate) struct Clip {
    width: usize,
    height: usize,
    stride: usize,
    rgb: Vec<u8>,
}

impl Clip {
    /// Decodes the portrait with GStreamer.
    pub(crate) fn load() -> Result<Self> {
        let pipeline = gst::parse::launch(
            "appsrc name=in ! pngdec ! videoconvert ! video/x-raw,format=RGB ! \
             appsink name=out sync=false",
        )?
        .downcast::<gst::Pipeline>()
        .map_err(|_| anyhow!("no pipeline"))?;
        let source = named::<gst_app::AppSrc>(&pipeline, "in")?;
        let sink = named::<gst_app::AppSink>(&pipeline, "out")?;
        pipeline.set_state(gst::State::Playing)?;
        source.push_buffer(gst::Buffer::from_slice(PORTRAIT))?;
        source.end_of_stream()?;
        let sample = sink.pull_sample().context("the bundled portrait can't be decoded");
        pipeline.set_state(gst::State::Null)?;
        let sample = sample?;
        let caps = sample.caps().context("no caps")?;
        let info = gst_video::VideoInfo::from_caps(caps)?;
        let map = sample.buffer().context("no picture")?.map_readable()?;
        Ok(Self {
            width: info.width() as usize,
            height: info.height() as usize,
            stride: info.stride()[0] as usize,
            rgb: map.to_vec(),
        })
    }

    /// What the camera sees in one frame, in pixels of the portrait.
    fn view(&self, frame: u64) -> Rect {
        let phase = frame as f32 / FRAMES as f32 * std::f32::consts::TAU;
        let height = self.height as f32 * (0.75 - 0.2 * phase.sin());
        let width = height * SIZE.0 as f32 / SIZE.1 as f32;
        let x = self.width as f32 * (0.45 + 0.08 * phase.cos());
        let y = self.height as f32 * (0.36 + 0.04 * (2.0 * phase).sin());
        Rect::from_center(x, y, width, height)
    }

    /// One frame as packed RGB, its timestamps set.
    pub(crate) fn frame(&self, index: u64) -> Result<gst::Buffer> {
        let at = |channel: usize| Component::new(&self.rgb[channel..], self.stride, 3, 0, 0);
        let pixels = Pixels::Rgb { r: at(0), g: at(1), b: at(2) };
        let portrait = Frame::new(self.width, self.height, pixels)?;
        let (width, height) = SIZE;
        let shape = Shape { width, height, colour: Colour::Rgb };
        let plain = Normalisation { scale: 1.0, mean: vec![0.0; 3], std: vec![1.0; 3] };
        let mut planes = Vec::new();
        preprocess(&portrait, &self.view(index), shape, &plain, &mut planes);
        let pixels = width * height;
        let packed: Vec<u8> =
            (0..3 * pixels).map(|i| planes[(i % 3) * pixels + i / 3].round() as u8).collect();
        let mut buffer = gst::Buffer::from_mut_slice(packed);
        if let Some(buffer) = buffer.get_mut() {
            let frame_time = gst::ClockTime::SECOND / RATE;
            buffer.set_pts(frame_time * index);
            buffer.set_duration(frame_time);
        }
        Ok(buffer)
    }
}

/// An element of a pipeline, by its name and type.
pub(crate) fn named<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> Result<T> {
    pipeline
        .by_name(name)
        .and_then(|element| element.downcast::<T>().ok())
        .with_context(|| format!("the pipeline has no element {name} of the expected type"))
}
