//! `feroverlay`: draws what `ferdetect` found, or hides the faces, from the metadata alone.
//!
//! It needs no model and looks for no faces, so it may stand after scaling, on another branch of a
//! `tee`, or behind an encoder and a decoder: places in the metadata are fractions of the frame.
//! Nobody adapts them: what turns, mirrors, crops or adds borders belongs before `ferdetect`. Another shape
//! of the frame is noticed, warned of, and hidden as a whole where faces are to be hidden.
//!
//! Boxes, labels and bar charts of the seven probabilities:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! ferdetect draw=false ! videoscale \
//!     ! video/x-raw,width=1280,height=720 ! feroverlay labels-language=ru ! videoconvert ! autovideosink
//! ```
//!
//! Only hide the faces, draw nothing:
//!
//! ```text
//! gst-launch-1.0 filesrc location=street.mp4 ! decodebin ! videoconvert \
//!     ! ferdetect draw=false inference-interval=0 scan-interval=0 \
//!     ! feroverlay draw=false privacy=pixelate ! x264enc ! mp4mux ! filesink location=hidden.mp4
//! ```
//!
//! What a user may rely on:
//!
//! - as many buffers come out as went in, with their timestamps, flags and metadata; late ones are
//!   drawn on too, none is dropped;
//! - a buffer without metadata, or whose metadata has no faces, goes through untouched and
//!   uncopied, unless faces are to be hidden and nobody has looked for any: then all of it is
//!   hidden; one that someone else holds too is copied before it is drawn on;
//! - every property may be changed at any time and holds from the next buffer on.
//!
//! `privacy` hides the faces that were found. It can't hide one that was missed, so it is no
//! proof that nobody in a recording can be recognised.

use gst::glib;
use gst::prelude::*;

mod imp;
mod settings;

glib::wrapper! {
    /// The element.
    pub struct FerOverlay(ObjectSubclass<imp::FerOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element under its name.
///
/// # Errors
/// The name is taken.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "feroverlay", gst::Rank::NONE, FerOverlay::static_type())
}
