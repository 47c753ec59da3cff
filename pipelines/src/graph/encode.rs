//! Encoders and containers.

use gst::prelude::*;

use super::timeline::go_on;
use super::{GraphError, element};
use crate::config::Encoder;

/// H.264 encoders in hardware, the ones that are tried first. Not `v4l2h264enc`: on a Raspberry Pi it
/// does not start unless it is told a level.
pub(crate) const HARDWARE: [&str; 4] = ["vah264enc", "nvh264enc", "qsvh264enc", "vtenc_h264"];

/// The name of the muxer in a video's bin.
pub(super) const MUXER: &str = "muxer";
/// The name of the filter that chooses the size of what is encoded.
const SIZE: &str = "size";

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
        match file.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("webm") => Self::WebM,
            Some("mkv") => Self::Matroska,
            _ => Self::Mp4,
        }
    }

    pub(super) fn muxer(self) -> Result<gst::Element, GraphError> {
        let muxer = element(match self {
            Self::Mp4 => "mp4mux",
            Self::Matroska => "matroskamux",
            Self::WebM => "webmmux",
        })?;
        muxer.set_property("name", MUXER);
        Ok(muxer)
    }

    /// Encoded video as its muxer takes it.
    pub(super) fn coded(self) -> gst::Caps {
        match self {
            Self::WebM => gst::Caps::new_empty_simple("video/x-vp8"),
            Self::Mp4 | Self::Matroska => gst::Caps::builder("video/x-h264")
                .field("stream-format", "avc")
                .field("alignment", "au")
                .build(),
        }
    }

    /// Lets what has been written be played if the end never comes, as after a power cut. Matroska does
    /// by itself; MP4 has its index at its end, and so has one each two seconds until then.
    pub(super) fn survive_a_cut(self, muxer: &gst::Element, sink: &gst::Element) {
        if self == Self::Mp4 && muxer.has_property("fragment-mode") {
            muxer.set_property_from_str("fragment-mode", "first-moov-then-finalise");
            muxer.set_property("fragment-duration", 2000_u32);
        }
        sink.set_property_from_str("buffer-mode", "unbuffered");
    }

    /// The elements that turn raw video into what the container takes, in a file: of one size and kind, on one
    /// line of time.
    pub(super) fn file_encoder(self, encoder: Encoder) -> Result<Vec<gst::Element>, GraphError> {
        let mut elements = self.encoder(encoder)?;
        before_encoder(&elements).into_iter().for_each(keep_form);
        // What an encoder keeps back would be placed by what comes after it.
        let flat = element("identity")?;
        flat.set_property("single-segment", true);
        flat.static_pad("src").iter().for_each(go_on);
        elements.insert(0, flat);
        elements.first().and_then(|first| first.static_pad("sink")).iter().for_each(settle);
        Ok(elements)
    }

    /// The elements that turn raw video into what the container takes.
    pub(super) fn encoder(self, encoder: Encoder) -> Result<Vec<gst::Element>, GraphError> {
        let convert = [element("videoconvert")?, element("videoscale")?];
        // H.264 for common players takes even sizes only.
        let even = element("capsfilter")?;
        let sides = gst::IntRange::<i32>::with_step(2, 16384, 2);
        let caps = gst::Caps::builder("video/x-raw").field("width", sides).field("height", sides);
        even.set_property("caps", caps.field("format", gst::List::new(["I420", "NV12"])).build());
        even.set_property("name", SIZE);
        state_a_rate(&even);
        let encoders = match self {
            Self::WebM => vec![vp8()?],
            Self::Mp4 | Self::Matroska => vec![h264(encoder)?, element("h264parse")?],
        };
        Ok(convert.into_iter().chain([even]).chain(encoders).collect())
    }
}

/// Of the elements of an encoder the one by which raw video enters it.
pub(super) fn before_encoder(elements: &[gst::Element]) -> Option<&gst::Element> {
    elements.iter().find(|element| element.name() == SIZE)
}

/// States some frame rate of video whose rate is unknown or varies: mp4mux 1.22 loses the last frame
/// of such video. Frames keep their own times.
fn state_a_rate(before_encoder: &gst::Element) {
    let Some(pad) = before_encoder.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
        if let gst::EventView::Caps(caps) = event.view()
            && let Some(format) = caps.caps().structure(0)
            && format.get::<gst::Fraction>("framerate").is_ok_and(|rate| rate.numer() == 0)
        {
            let mut caps = caps.caps_owned();
            caps.make_mut().set("framerate", gst::Fraction::new(30, 1));
            info.data = Some(gst::PadProbeData::Event(gst::event::Caps::new(&caps)));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Makes all video like the first frame: of its size, with borders where the shape differs, and of its
/// colours. A camera that changes, or recordings in a row that differ, break Matroska files, and most
/// players of MP4.
fn keep_form(before_encoder: &gst::Element) {
    let Some(pad) = before_encoder.static_pad("src") else { return };
    let filter = before_encoder.downgrade();
    // Not with the first caps: a recording may say that it is turned after those.
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let first = pad.peer().and_then(|encoder| encoder.current_caps());
        if let (Some(filter), Some(first)) = (filter.upgrade(), first) {
            filter.set_property("caps", pixels(&first));
            keep_caps(pad, first);
        }
        gst::PadProbeReturn::Remove
    });
}

/// Of caps what a converter and a scaler can bring about.
fn pixels(caps: &gst::Caps) -> gst::Caps {
    let mut pixels = gst::Structure::new_empty("video/x-raw");
    // Without a stated shape of the pixels, that would change instead of the size.
    pixels.set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    let names = ["format", "width", "height", "pixel-aspect-ratio", "colorimetry", "chroma-site"];
    for name in names {
        if let Some(value) = caps.structure(0).and_then(|found| found.value(name).ok()) {
            pixels.set_value(name, value.to_owned());
        }
    }
    pixels.into()
}

/// Tells whoever is behind a pad of the first caps only: frames that are alike to the pixel, and have
/// times of their own, may come as often as they like.
fn keep_caps(pad: &gst::Pad, first: gst::Caps) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|event| event.type_() == gst::EventType::Caps) {
            info.data = Some(gst::PadProbeData::Event(gst::event::Caps::new(&first)));
        }
        gst::PadProbeReturn::Ok
    });
}

/// What changes behind a pad is settled there: asked to negotiate anew, whoever is before it would
/// ask all outputs, and wait for those that wait for their first frame.
fn settle(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
        let is_change = info.event().is_some_and(|it| it.type_() == gst::EventType::Reconfigure);
        if is_change { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
}

/// Sets an encoder up for those who watch as it happens: nothing is kept back, and who joins late
/// gets a key frame within two seconds, at 25 frames each.
pub(super) fn hasten(element: &gst::Element) {
    keep_nothing_back(element);
    // Milliseconds: key frames may not fill the network.
    let x264 = [("bitrate", "4096"), ("vbv-buf-capacity", "600")];
    set(element, if is_x264(element) { &x264 } else { &[] });
    set(element, &[("key-int-max", "50"), ("gop-size", "50")]);
}

/// Has an encoder give each frame before it takes the next. Else it keeps some twenty, and until a key
/// frame that it was asked for has come out, GStreamer asks for no other.
pub(super) fn keep_nothing_back(element: &gst::Element) {
    set(element, if is_x264(element) { &[("tune", "zerolatency")] } else { &[] });
    set(element, &[("zerolatency", "true")]);
}

fn is_x264(element: &gst::Element) -> bool {
    element.factory().is_some_and(|factory| factory.name() == "x264enc")
}

/// Sets those properties that the element has.
fn set(element: &gst::Element, properties: &[(&str, &str)]) {
    for (property, value) in properties {
        if element.has_property(property) {
            element.set_property_from_str(property, value);
        }
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
    // Constant quality; x264's way of keeping to a bit rate makes no two runs equal.
    software.set_property_from_str("pass", "qual");
    software.set_property("quantizer", 23_u32);
    software.set_property("vbv-buf-capacity", 0_u32);
    Ok(software)
}
