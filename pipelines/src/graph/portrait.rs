//! A film that needs no file: a still portrait, panned and zoomed.

use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use fer_core::frame::{Component, Frame, Pixels};
use fer_core::geometry::Rect;
use fer_core::preprocess::{Colour, Normalisation, Shape, preprocess};
use gst::prelude::*;

use super::{GraphError, element};
use crate::config::Test;

/// NASA's portrait of Eileen Collins, public domain; see `assets/NOTICE`.
const PORTRAIT: &[u8] = include_bytes!("../../assets/astronaut.png");

/// Frames until the film repeats itself.
pub const FRAMES: u64 = 125;
/// Frames a second.
pub const RATE: u64 = 25;
/// Pixels across and down.
pub const SIZE: (usize, usize) = (640, 480);

/// The portrait, decoded.
#[derive(Debug)]
pub struct Clip {
    width: usize,
    height: usize,
    stride: usize,
    rgb: Vec<u8>,
}

impl Clip {
    /// Decodes the portrait with GStreamer.
    ///
    /// # Errors
    ///
    /// GStreamer lacks what decodes PNG.
    pub fn load() -> Result<Self> {
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

    /// One frame of [`SIZE`] as packed RGB, its timestamps set for [`RATE`]; the film repeats
    /// itself after [`FRAMES`].
    ///
    /// # Errors
    ///
    /// Never, as long as the portrait is decoded.
    pub fn frame(&self, index: u64) -> Result<gst::Buffer> {
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

/// The film as a live source, in any size and rate.
pub(super) fn source(test: &Test) -> Result<gst::Element, GraphError> {
    let clip = Clip::load().map_err(|error| GraphError::Portrait(error.to_string()))?;
    let (width, height) = (SIZE.0 as i32, SIZE.1 as i32);
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGB")
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(test.rate as i32, 1))
        .build();
    let film = gst_app::AppSrc::builder()
        .format(gst::Format::Time)
        .is_live(true)
        .block(true)
        .max_bytes(2 * 3 * (SIZE.0 * SIZE.1) as u64)
        .caps(&caps)
        .build();
    let (rate, frames) = (u64::from(test.rate), test.frames.map(u64::from));
    let next = Mutex::new(0_u64);
    film.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |film, _| {
                let Ok(mut next) = next.lock() else { return };
                if frames.is_some_and(|frames| *next >= frames) {
                    // Fails only when the pipeline is on its way down.
                    let _ = film.end_of_stream();
                    return;
                }
                let Ok(mut buffer) = clip.frame(*next * RATE / rate) else { return };
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(gst::ClockTime::SECOND * *next / rate);
                    buffer.set_duration(gst::ClockTime::SECOND / rate);
                }
                *next += 1;
                let _ = film.push_buffer(buffer);
            })
            .build(),
    );
    let size = element("capsfilter")?;
    let [width, height] = test.size.map(|side| side as i32);
    let caps = gst::Caps::builder("video/x-raw").field("width", width).field("height", height);
    size.set_property("caps", caps.build());
    let chain = [film.upcast(), element("clocksync")?, element("videoscale")?, size.clone()];
    let bin = gst::Bin::with_name("portrait");
    bin.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    if let Some(pad) = size.static_pad("src") {
        bin.add_pad(&gst::GhostPad::with_target(&pad)?)?;
    }
    Ok(bin.upcast())
}

/// An element of a pipeline, by its name and type.
///
/// # Errors
///
/// There is none.
pub fn named<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> Result<T> {
    pipeline
        .by_name(name)
        .and_then(|element| element.downcast::<T>().ok())
        .with_context(|| format!("the pipeline has no element {name} of the expected type"))
}
