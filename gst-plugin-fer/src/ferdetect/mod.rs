//! `ferdetect`: finds faces in raw video, follows them, and names their facial expression.
//!
//! Video goes through unchanged but for what is drawn (`draw=false` leaves the pixels alone).
//! Each buffer gets a [`FerReportMeta`](crate::meta) and a region of interest for every face; the
//! bus gets an element message `ferdetect` on `face-appeared`, `emotion-changed` and `face-lost`.
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! ferdetect ! videoconvert ! autovideosink
//! ```

use gst::glib;
use gst::prelude::*;

mod backends;
mod clock;
mod imp;
mod messages;
mod save;
mod settings;
mod stats;
mod stream;

glib::wrapper! {
    /// The element `ferdetect`.
    pub struct FerDetect(ObjectSubclass<imp::FerDetect>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with a plugin.
///
/// # Errors
/// GStreamer refuses it.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "ferdetect", gst::Rank::NONE, FerDetect::static_type())
}
