//! The video as players on the network get it.

use gst::prelude::*;

use super::encode::{Container, hasten};
use super::output::overlay;
use super::{GraphError, element};
use crate::config::{Restream, Stream};

/// Frames that wait for the encoder: those that it has no time for are dropped, the oldest first.
const WAITING: u64 = 4;

/// What turns the frames that an `rtsp` output hands on into what one player, or several that share
/// it, gets.
#[derive(Debug, Clone)]
pub struct Media {
    settings: Restream,
    stream: Stream,
}

impl Media {
    /// Makes sure that everything it takes is there.
    ///
    /// # Errors
    ///
    /// [`GraphError`]: an element is missing.
    pub fn new(settings: &Restream, stream: &Stream) -> Result<Self, GraphError> {
        let media = Self { settings: settings.clone(), stream: stream.clone() };
        media.build()?;
        Ok(media)
    }

    /// A bin with a payloader `pay0`, and where its frames go in. Neither waits for anybody.
    ///
    /// # Errors
    ///
    /// [`GraphError`]: an element is missing.
    pub fn build(&self) -> Result<(gst::Bin, gst_app::AppSrc), GraphError> {
        let entry = element("appsrc")?;
        entry.set_property("is-live", true);
        entry.set_property("do-timestamp", true);
        entry.set_property_from_str("format", "time");
        entry.set_property("max-buffers", WAITING);
        entry.set_property("max-bytes", 0_u64);
        entry.set_property_from_str("leaky-type", "downstream");
        let payloader = element("rtph264pay")?;
        payloader.set_property("name", "pay0");
        payloader.set_property("pt", 96_u32);
        // Parameters come with each key frame: players join late, and resolutions change.
        payloader.set_property("config-interval", -1_i32);
        payloader.set_property_from_str("aggregate-mode", "zero-latency");
        let encoder = Container::Mp4.encoder(self.settings.encoder)?;
        encoder.iter().for_each(hasten);
        let mut elements = vec![entry.clone(), overlay(self.settings.overlay, &self.stream)?];
        elements.extend(encoder);
        elements.push(payloader);
        let bin = gst::Bin::new();
        bin.add_many(&elements)?;
        gst::Element::link_many(&elements)?;
        let entry = entry.downcast().map_err(|_| gst::glib::bool_error!("no appsrc"))?;
        Ok((bin, entry))
    }
}
