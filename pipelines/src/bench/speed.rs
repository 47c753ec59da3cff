//! As fast as it goes: frames a second, and processor time a frame.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use gst::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::{Frames, start};
use crate::graph::portrait::named;

/// What some elements take for some frames.
#[derive(Debug, Clone)]
pub struct Speed {
    /// Frames that went through.
    pub frames: usize,
    /// Time that passed.
    pub wall: Duration,
    /// Processor time of the whole process.
    pub cpu: Duration,
    /// What an element called `fer` has counted.
    pub stats: Option<gst::Structure>,
}

impl Speed {
    /// Frames a second.
    pub fn rate(&self) -> f64 {
        self.frames as f64 / self.wall.as_secs_f64()
    }

    /// Processor milliseconds a frame.
    pub fn cpu_millis(&self) -> f64 {
        1e3 * self.cpu.as_secs_f64() / self.frames as f64
    }
}

/// Processor time of this process so far.
pub(super) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Sends all frames through elements, in gst-launch-1.0's syntax.
///
/// # Errors
///
/// An element is missing or fails.
pub fn speed(frames: &Frames, elements: &str) -> Result<Speed> {
    let buffers = (0..frames.buffers.len()).map(|index| frames.frame(index));
    through(&frames.caps, buffers.collect(), elements)
}

/// Sends buffers through elements.
pub(super) fn through(
    caps: &gst::Caps,
    buffers: Vec<gst::Buffer>,
    elements: &str,
) -> Result<Speed> {
    let line = format!("appsrc name=in ! {elements} ! fakesink sync=false");
    let pipeline = gst::parse::launch(&line)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| anyhow!("no pipeline"))?;
    let source = named::<gst_app::AppSrc>(&pipeline, "in")?;
    source.set_caps(Some(caps));
    source.set_format(gst::Format::Time);
    source.set_block(true);
    source.set_property("max-buffers", 8_u64);
    source.set_max_bytes(0);
    start(&pipeline)?;
    let (start, before, count) = (Instant::now(), cpu(), buffers.len());
    for buffer in buffers {
        // The reason of a failure is on the bus.
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    let _ = source.end_of_stream();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let ended = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(None, &types));
    let (wall, cpu) = (start.elapsed(), cpu() - before);
    let detector = pipeline.by_name("fer");
    let stats = detector.map(|fer| fer.property::<gst::Structure>("stats"));
    pipeline.set_state(gst::State::Null)?;
    match ended.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => bail!("{elements}: {}", error.error()),
        _ => Ok(Speed { frames: count, wall, cpu, stats }),
    }
}

/// Processor milliseconds that decoding a frame of H.264 takes.
///
/// # Errors
///
/// x264enc or avdec_h264 is missing.
pub fn decoding(frames: &Frames) -> Result<Speed> {
    let line = "appsrc name=in ! x264enc speed-preset=veryfast ! h264parse ! \
                video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(line)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| anyhow!("no pipeline"))?;
    let source = named::<gst_app::AppSrc>(&pipeline, "in")?;
    let sink = named::<gst_app::AppSink>(&pipeline, "out")?;
    source.set_caps(Some(&frames.caps));
    source.set_format(gst::Format::Time);
    source.set_max_bytes(0);
    start(&pipeline)?;
    for index in 0..frames.buffers.len() {
        source.push_buffer(frames.frame(index))?;
    }
    source.end_of_stream()?;
    let samples: Vec<gst::Sample> = std::iter::from_fn(|| sink.pull_sample().ok()).collect();
    pipeline.set_state(gst::State::Null)?;
    let caps = samples.first().and_then(|sample| sample.caps_owned());
    let caps = caps.ok_or_else(|| anyhow!("nothing was encoded"))?;
    let buffers = samples.iter().filter_map(|sample| sample.buffer_owned()).collect();
    through(&caps, buffers, "avdec_h264 max-threads=1")
}
