//! Encoders and containers.

use gst::prelude::*;

use super::{GraphError, element};
use crate::config::Encoder;

/// H.264 encoders in hardware, the ones that are tried first.
pub(crate) const HARDWARE: [&str; 5] =
    ["vah264enc", "nvh264enc", "qsvh264enc", "v4l2h264enc", "vtenc_h264"];

/// What a container takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Mp4,
    Matroska,
    WebM,
}

impl Container {
    /// By the ending of a file's name; the schema knows no others.
    pub(super) fn of(file: &str) -> Self {
        match file.rsplit('.').next() {
            Some("webm") => Self::WebM,
            Some("mkv") => Self::Matroska,
            _ => Self::Mp4,
        }
    }

    pub(super) fn muxer(self) -> Result<gst::Element, GraphError> {
        match self {
            Self::Mp4 => element("mp4mux"),
            Self::Matroska => element("matroskamux"),
            Self::WebM => element("webmmux"),
        }
    }

    /// The elements that turn raw video into what the container takes.
    pub(super) fn encoder(self, encoder: Encoder) -> Result<Vec<gst::Element>, GraphError> {
        let convert = [element("videoconvert")?, element("videoscale")?];
        // H.264 for common players takes even sizes only.
        let even = element("capsfilter")?;
        let sides = gst::IntRange::<i32>::with_step(2, 16384, 2);
        let caps = gst::Caps::builder("video/x-raw").field("width", sides).field("height", sides);
        even.set_property("caps", caps.field("format", gst::List::new(["I420", "NV12"])).build());
        let encoders = match self {
            Self::WebM => vec![vp8()?],
            Self::Mp4 | Self::Matroska => vec![h264(encoder)?, element("h264parse")?],
        };
        Ok(convert.into_iter().chain([even]).chain(encoders).collect())
    }
}

fn vp8() -> Result<gst::Element, GraphError> {
    let encoder = element("vp8enc")?;
    encoder.set_property("deadline", 1_i64);
    encoder.set_property("cpu-used", 8_i32);
    encoder.set_property("target-bitrate", 2_000_000_i32);
    Ok(encoder)
}

fn h264(encoder: Encoder) -> Result<gst::Element, GraphError> {
    if encoder == Encoder::Auto {
        for factory in HARDWARE {
            if let Ok(encoder) = element(factory) {
                return Ok(encoder);
            }
        }
    }
    let software = element("x264enc")?;
    software.set_property_from_str("speed-preset", "veryfast");
    Ok(software)
}
