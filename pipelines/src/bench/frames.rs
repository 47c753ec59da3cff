//! The frames that everything is measured with, decoded beforehand.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;

use super::start;
use crate::graph::portrait::{Clip, named};
use crate::graph::{self, portrait};

/// How often failures are looked for while no frame comes.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// Raw frames in memory.
#[derive(Debug)]
pub struct Frames {
    /// Their format.
    pub caps: gst::Caps,
    /// Their pictures, with timestamps from 0.
    pub buffers: Vec<gst::Buffer>,
    /// How long each is shown.
    pub duration: gst::ClockTime,
}

/// What frames are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second.
    pub rate: u32,
    /// How many, at most.
    pub count: usize,
}

impl Frames {
    /// Frames of a recording, or of the bundled film of a portrait.
    ///
    /// # Errors
    ///
    /// The recording cannot be decoded.
    pub fn load(recording: Option<&Path>, shape: Shape) -> Result<Self> {
        let Shape { width, height, rate, count } = shape;
        let line = format!(
            "queue name=in ! videoconvert ! videoscale ! videorate ! video/x-raw,format=I420,\
             width={width},height={height},framerate={rate}/1,pixel-aspect-ratio=1/1 ! \
             appsink name=out sync=false max-buffers=4"
        );
        let pipeline = gst::parse::launch(&line)?
            .downcast::<gst::Pipeline>()
            .map_err(|_| anyhow!("no pipeline"))?;
        let entry = named::<gst::Element>(&pipeline, "in")?;
        match recording {
            Some(path) => graph::recording(&pipeline, path, &entry)?,
            None => film(&pipeline, &entry)?,
        }
        let sink = named::<gst_app::AppSink>(&pipeline, "out")?;
        start(&pipeline)?;
        let frames = pull(&pipeline, &sink, count);
        pipeline.set_state(gst::State::Null)?;
        let (caps, buffers) = frames?.context("there is no video in it")?;
        let duration = gst::ClockTime::SECOND / u64::from(rate);
        Ok(Self { caps, buffers, duration })
    }

    /// Frame number `index` of the frames again and again, at its time.
    pub fn frame(&self, index: usize) -> gst::Buffer {
        let mut buffer = self.buffers[index % self.buffers.len()].copy();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(self.duration * index as u64);
            buffer.set_duration(self.duration);
        }
        buffer
    }
}

/// The first frames, at most `count`; none where there is no video.
fn pull(
    pipeline: &gst::Pipeline,
    sink: &gst_app::AppSink,
    count: usize,
) -> Result<Option<(gst::Caps, Vec<gst::Buffer>)>> {
    let (mut caps, mut buffers) = (None, Vec::new());
    while buffers.len() < count && !sink.is_eos() {
        if let Some(sample) = sink.try_pull_sample(TICK) {
            caps = sample.caps_owned();
            buffers.extend(sample.buffer_owned());
            continue;
        }
        let failed = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        if let Some(gst::MessageView::Error(error)) = failed.as_ref().map(|it| it.view()) {
            bail!("{}", error.error());
        }
    }
    Ok(caps.filter(|_| !buffers.is_empty()).map(|caps| (caps, buffers)))
}

/// The film of the bundled portrait, as fast as it is taken.
fn film(pipeline: &gst::Pipeline, entry: &gst::Element) -> Result<()> {
    let clip = Clip::load()?;
    let source = gst_app::AppSrc::builder().format(gst::Format::Time).build();
    pipeline.add(&source)?;
    source.link(entry)?;
    let (width, height) = portrait::SIZE;
    let info =
        gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width as u32, height as u32);
    let rate = gst::Fraction::new(portrait::RATE as i32, 1);
    source.set_caps(Some(&info.fps(rate).build()?.to_caps()?));
    source.set_block(true);
    std::thread::spawn(move || {
        // Refused when enough was taken.
        (0..)
            .map_while(|index| clip.frame(index).ok())
            .all(|frame| source.push_buffer(frame).is_ok())
    });
    Ok(())
}
