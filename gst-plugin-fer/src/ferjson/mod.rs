//! `ferjson`: video with metadata in, JSON Lines or ONVIF documents out.
//!
//! One line a frame, made from what `ferdetect` attached to it; the pixels are never looked at, so
//! any raw format in any kind of memory will do, and scaling, conversion or re-encoding may lie
//! between the two elements. [`SCHEMA`] describes a line, [`fer_core::record`] is its type.
//!
//! To a file, without drawing anything:
//!
//! ```text
//! gst-launch-1.0 filesrc location=talk.mp4 ! decodebin ! videoconvert ! ferdetect draw=false \
//!     ! ferjson source=talk.mp4 ! filesink location=talk.jsonl
//! ```
//!
//! To a TCP server beside a window, only the frames that have something to tell:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! ferdetect ! tee name=t t. ! queue ! videoconvert ! autovideosink \
//!     t. ! queue ! ferjson skip-empty=true ! tcpserversink port=5000 sync=false
//! ```
//!
//! As ONVIF's metadata stream (`format=onvif`), one XML document a frame, to a video management
//! system:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! ferdetect draw=false ! ferjson format=onvif ! rtponvifmetadatapay \
//!     ! udpsink host=127.0.0.1 port=5004
//! ```
//!
//! or of a recording, whose beginning is known, to a file:
//!
//! ```text
//! gst-launch-1.0 filesrc location=talk.mp4 ! decodebin ! videoconvert ! ferdetect draw=false \
//!     ! ferjson format=onvif start-utc=2026-11-26T11:20:18Z ! filesink location=talk.xml
//! ```
//!
//! What a reader may rely on:
//!
//! - a buffer is one whole line with its newline, and has the timestamps of its frame;
//! - as many lines as frames come out, unless `skip-empty` is set: then a gap event stands for
//!   each frame that is left out, so that sinks and muxers know time goes on;
//! - a frame without metadata gives a line without objects whose `frame` is `null`; the first one
//!   posts a warning, because `ferdetect` is missing upstream or its metadata was lost;
//! - an ONVIF document is one line too; [`fer_core::onvif`] tells what is where. A frame without
//!   metadata has none, as ONVIF has no word for a frame that was not looked at: a gap event stands
//!   for it. With `skip-empty` the first frame without faces after one with faces is written still, by ONVIF's rule;
//! - `utc` of a line and `UtcTime` of a document are what a `timestamp/x-unix` or `timestamp/x-ntp` reference of the
//!   frame says (`rtspsrc add-reference-timestamp-meta=true` adds it, once the camera has told its
//!   time), else `start-utc` and the position in the recording, else the wall clock's time when the
//!   frame was taken. Lines have the last for live sources alone, and no `utc` for others: two runs
//!   over a file write the same. A document's buffer has it as a `timestamp/x-unix` reference too;
//! - late lines are never a reason to drop frames: quality-of-service events end here.

use gst::glib;
use gst::prelude::*;

mod format;
mod imp;
mod output;
mod settings;
mod stream;
mod utc;

/// The JSON Schema (draft 2020-12) of one line.
pub const SCHEMA: &str = include_str!("../../schema/fer-frame-v1.schema.json");

glib::wrapper! {
    /// The element.
    pub struct FerJson(ObjectSubclass<imp::FerJson>) @extends gst::Element, gst::Object;
}

/// Registers the element under its name.
///
/// # Errors
/// The name is taken.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "ferjson", gst::Rank::NONE, FerJson::static_type())
}
