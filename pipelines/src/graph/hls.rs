//! The video in segments.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;

use super::encode::{Container, before_encoder, keep_nothing_back};
use super::output::overlay;
use super::rotation::cut;
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
    let entry = before_encoder(&elements).and_then(|element| element.static_pad("src"));
    if let Some(pad) = entry {
        cut(&pad, Duration::from_secs(settings.segment.into()));
    }
    elements.iter().for_each(keep_nothing_back);
    elements.push(splitter(settings, segments)?.upcast());
    Ok(elements)
}

/// What cuts the video at its key frames, as a bin with a pad `sink`.
fn splitter(settings: &Hls, segments: Option<Arc<dyn Segments>>) -> Result<gst::Bin, GraphError> {
    let file = element("filesink")?;
    file.set_property("sync", false);
    file.set_property("async", false);
    let splitter = element("splitmuxsink")?;
    splitter.set_property("muxer", element("mpegtsmux")?);
    splitter.set_property("sink", file);
    // Groups of pictures begin with the first frame from a segment's start on, which may be a little late.
    splitter.set_property("max-size-time", u64::from(settings.segment) * 1_100_000_000);
    let refused = || gst::glib::bool_error!("splitmuxsink takes no video");
    let pad = splitter.request_pad_simple("video").ok_or_else(refused)?;
    let bin = gst::Bin::new();
    bin.add(&splitter)?;
    bin.add_pad(&gst::GhostPad::builder_with_target(&pad)?.name("sink").build())?;
    let Some(segments) = segments else { return Ok(bin) };
    let told = Arc::clone(&segments);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(end) = info.buffer().and_then(|buffer| end(buffer)) {
            told.reach(end);
        }
        gst::PadProbeReturn::Ok
    });
    splitter.connect("format-location-full", false, move |values| {
        let sample = values.get(2).and_then(|value| value.get::<gst::Sample>().ok());
        let start = sample.as_ref().and_then(|sample| sample.buffer()?.pts());
        match segments.next(start.unwrap_or_default()) {
            Ok(path) => Some(path.to_string_lossy().as_ref().to_value()),
            Err(reason) => {
                let splitter = values.first().and_then(|it| it.get::<gst::Element>().ok());
                if let Some(splitter) = splitter {
                    gst::element_error!(splitter, gst::ResourceError::Write, ("{reason}"));
                }
                // A name that no file can have. Without one the segment before would be opened again, and
                // emptied; and no value at all would end the process.
                Some("".to_value())
            }
        }
    });
    Ok(bin)
}

fn end(buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    Some(buffer.pts()?.saturating_add(buffer.duration().unwrap_or_default()))
}
