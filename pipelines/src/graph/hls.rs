//! The video in segments.

use std::path::PathBuf;
use std::sync::Arc;

use gst::prelude::*;

use super::encode::Container;
use super::output::overlay;
use super::split::{Splitter, splitter};
use super::{GraphError, element};
use crate::config::{Hls, Stream};

/// Says where segments go, and hears how far they reach.
pub trait Segments: Send + Sync {
    /// A segment begins at a time, and the one before it is whole: the file of the new one.
    ///
    /// # Errors
    ///
    /// The playlist cannot be written any more: the output ends there.
    fn next(&self, start: gst::ClockTime) -> Result<PathBuf, String>;
    /// The segment reaches to this time at least.
    fn reach(&self, end: gst::ClockTime);
}

/// Everything from an output's queue to its segments.
pub(super) fn elements(
    head: gst::Element,
    settings: &Hls,
    stream: &Stream,
    segments: Option<Arc<dyn Segments>>,
) -> Result<Vec<gst::Element>, GraphError> {
    let mut elements = vec![head, overlay(settings.overlay, stream)?];
    elements.extend(Container::Mp4.file_encoder(settings.encoder)?);
    elements.push(cut(settings, segments)?.upcast());
    Ok(elements)
}

/// What cuts the video at key frames that it asks for, as a bin with a pad `sink`.
fn cut(settings: &Hls, segments: Option<Arc<dyn Segments>>) -> Result<gst::Bin, GraphError> {
    let namer = segments.clone();
    let Splitter { bin, element: splitter, pad } =
        splitter(&element("mpegtsmux")?, move |start| match &namer {
            Some(segments) => segments.next(start),
            None => Ok(PathBuf::new()),
        })?;
    splitter.set_property("max-size-time", u64::from(settings.segment) * 1_000_000_000);
    splitter.set_property("send-keyframe-requests", true);
    if let Some(segments) = segments {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(end) = info.buffer().and_then(|buffer| end(buffer)) {
                segments.reach(end);
            }
            gst::PadProbeReturn::Ok
        });
    }
    Ok(bin)
}

fn end(buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    Some(buffer.pts()?.saturating_add(buffer.duration().unwrap_or_default()))
}
