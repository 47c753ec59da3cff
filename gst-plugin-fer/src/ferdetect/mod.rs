//! `ferdetect`: finds faces in raw video, follows them, and names their facial expression.
//!
//! Video goes through unchanged but for what is drawn (`draw=false` leaves the pixels alone).
//! Each buffer gets a [`FerReportMeta`](crate::meta) and a region of interest for every face; the
//! bus gets an element message `ferdetect` on `face-appeared`, `emotion-changed` and `face-lost`.
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! ferdetect ! videoconvert ! autovideosink
//! ```

use fer_backends::haar::Profile;
use fer_backends::onnx::ExecutionProvider;
use fer_core::registry;
use gst::glib;
use gst::prelude::*;

mod analysis;
#[cfg(feature = "v1_24")]
mod analytics;
mod backends;
mod background;
mod clock;
mod imp;
mod lag;
mod messages;
mod mode;
pub mod parts;
mod save;
mod settings;
mod stats;
mod stream;
mod trouble;
mod upright;

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

/// The names that a property takes which chooses by name; `None` for every other property.
pub fn names(property: &str) -> Option<Vec<&'static str>> {
    Some(match property {
        "detector" => backends::detectors().names().collect(),
        "detector-profile" => Profile::ALL.map(Profile::name).to_vec(),
        "execution-provider" => ExecutionProvider::ALL.map(ExecutionProvider::name).to_vec(),
        "tracker" => registry::trackers().names().collect(),
        "smoothing" => registry::smoothers().names().collect(),
        _ => return None,
    })
}
