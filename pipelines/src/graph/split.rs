//! Encoded video, cut into files at key frames.

use std::path::PathBuf;

use gst::prelude::*;

use super::{GraphError, element};

/// What cuts, and the bin around it, whose pad `sink` takes video.
pub(super) struct Splitter {
    pub(super) bin: gst::Bin,
    /// The `splitmuxsink`, which is told when to cut.
    pub(super) element: gst::Element,
    /// Where video comes in.
    pub(super) pad: gst::Pad,
}

/// Writes files of `muxer`. `next` is called as a file begins, with its first frame's time, when the one
/// before it is closed, and names it; where it cannot, the output ends there.
pub(super) fn splitter(
    muxer: &gst::Element,
    next: impl Fn(gst::ClockTime) -> Result<PathBuf, String> + Send + Sync + 'static,
) -> Result<Splitter, GraphError> {
    let file = element("filesink")?;
    file.set_property("sync", false);
    file.set_property("async", false);
    let splitter = element("splitmuxsink")?;
    splitter.set_property("muxer", muxer);
    splitter.set_property("sink", file);
    let refused = || gst::glib::bool_error!("splitmuxsink takes no video");
    let pad = splitter.request_pad_simple("video").ok_or_else(refused)?;
    let bin = gst::Bin::new();
    bin.add(&splitter)?;
    bin.add_pad(&gst::GhostPad::builder_with_target(&pad)?.name("sink").build())?;
    splitter.connect("format-location-full", false, move |values| {
        let sample = values.get(2).and_then(|value| value.get::<gst::Sample>().ok());
        let start = sample.as_ref().and_then(|sample| sample.buffer()?.pts());
        match next(start.unwrap_or_default()) {
            Ok(path) => Some(path.to_string_lossy().as_ref().to_value()),
            Err(reason) => {
                let splitter = values.first().and_then(|it| it.get::<gst::Element>().ok());
                if let Some(splitter) = splitter {
                    gst::element_error!(splitter, gst::ResourceError::Write, ("{reason}"));
                }
                // No name, which is not the same as no value: that would end the process.
                Some(None::<&str>.to_value())
            }
        }
    });
    Ok(Splitter { bin, element: splitter, pad })
}
