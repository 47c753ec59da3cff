//! What is written for a frame, and what the pad says of it.

use fer_core::record::SCHEMA_VERSION;
use gst::glib;

/// What is written for a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "FerJsonFormat")]
#[repr(i32)]
pub(super) enum FerJsonFormat {
    /// [`fer_core::record`].
    #[default]
    #[enum_value(name = "A line of JSON", nick = "json")]
    Json,
    /// [`fer_core::onvif`].
    #[enum_value(name = "An XML document of ONVIF's metadata stream", nick = "onvif")]
    Onvif,
}

impl FerJsonFormat {
    pub(super) fn caps(self) -> gst::Caps {
        match self {
            // As with GStreamer's other JSON elements, `format` names what the JSON says.
            Self::Json => gst::Caps::builder("application/x-json")
                .field("format", "fer-frame")
                .field("schema-version", SCHEMA_VERSION as i32)
                .build(),
            // What gst-plugins-rs's elements of ONVIF take and give; `parsed`: a buffer is a
            // whole document, of one frame.
            Self::Onvif => gst::Caps::builder("application/x-onvif-metadata")
                .field("encoding", "utf8")
                .field("parsed", true)
                .build(),
        }
    }

    /// The caps of all formats.
    pub(super) fn all_caps() -> gst::Caps {
        let mut caps = Self::Json.caps();
        caps.merge(Self::Onvif.caps());
        caps
    }
}
