//! `ferjson`: video with metadata in, JSON Lines out.
//!
//! One line a frame, made from what `ferdetect` attached to it; the pixels are never looked at, so
//! any raw format in any kind of memory will do, and scaling, conversion or re-encoding may lie
//! between the two elements. [`SCHEMA`] describes a line, [`fer_core::record`] is its type.
//!
//! To a file, without drawing anything:
//!
//! ```text
//! gst-launch-1.0 filesrc location=talk.mp4 ! decodebin ! ferdetect draw=false \
//!     ! ferjson source=talk.mp4 ! filesink location=talk.jsonl
//! ```
//!
//! To a TCP server beside a window, only the frames that have something to tell:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! ferdetect ! tee name=t t. ! queue ! videoconvert ! autovideosink \
//!     t. ! queue ! ferjson skip-empty=true ! tcpserversink port=5000 sync=false
//! ```
//!
//! What a reader may rely on:
//!
//! - a buffer is one whole line with its newline, and has the timestamps of its frame;
//! - as many lines as frames come out, unless `skip-empty` is set: then a gap event stands for
//!   each frame that is left out, so that sinks and muxers know time goes on;
//! - a frame without metadata gives a line without objects whose `frame` is `null`; the first one
//!   posts a warning, because `ferdetect` is missing upstream or its metadata was lost;
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
