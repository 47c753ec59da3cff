//! One frame's report as one XML document of ONVIF's metadata stream.
//!
//! What is where follows ONVIF's Analytics Service Specification, chapter "Scene Description", and
//! its schemas `metadatastream.xsd` and `humanface.xsd`:
//!
//! - coordinates are the normalised ones, −1 to 1 with x to the right and y upwards, cut off at the
//!   frame's edges; so no `tt:Transformation` is needed;
//! - a face is a `tt:Object` with its track as `ObjectId`, of the type `HumanFace`; a face that is
//!   lost is a `tt:Delete` in the `tt:ObjectTree`, as its id never comes again;
//! - `fc:Expression` is the stable label in ONVIF's words: see [`expression`]. It is left out while
//!   the label is `uncertain`;
//! - ONVIF names movements of the face, no emotions. The stable label itself and its probability
//!   are in `tt:Extension`, which is the vendors' place, in the namespace [`NAMESPACE`]: readers
//!   that do not know it skip it;
//! - `Source` of `tt:Frame` is the stream's name; what the user says of the video's origin is
//!   `VideoSource` in [`NAMESPACE`].
//!
//! The same report at the same time always gives the same bytes.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event as XmlEvent};

use crate::emotion::{Emotion, label_name};
use crate::event::{Event, EventKind};
use crate::record::{BoundingBox, fraction};
use crate::report::{FaceEmotion, FaceReport, FrameReport};
use crate::time::rfc3339;

/// The namespace of what ONVIF has no word for; a name, there is nothing to fetch.
pub const NAMESPACE: &str = "https://github.com/gst-plugin-fer/gst-plugin-fer/onvif/v1";

/// ONVIF's metadata stream, prefix `tt`.
const STREAM: &str = "http://www.onvif.org/ver10/schema";
/// ONVIF's description of faces, prefix `fc`.
const FACE: &str = "http://www.onvif.org/ver20/analytics/humanface";

type Xml = Writer<Vec<u8>>;

/// The word of `fc:Expression` for an emotion: the movement that is typical of it.
///
/// Sadness, fear and disgust show in movements that ONVIF does not name: `Other`.
pub fn expression(emotion: Emotion) -> &'static str {
    match emotion {
        Emotion::Neutral => "Natural",
        Emotion::Happiness => "Smile",
        Emotion::Surprise => "RaisedEyebrows",
        Emotion::Anger => "Frown",
        Emotion::Sadness | Emotion::Fear | Emotion::Disgust => "Other",
    }
}

/// The whole document, in UTF-8, on one line with its newline.
///
/// `utc` is when the frame was taken, in nanoseconds since 1970; it is written to the microsecond.
/// `source` is where the video comes from, in the user's words.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn document(report: &FrameReport, utc: u64, source: Option<&str>) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new(Vec::new());
    xml.write_event(XmlEvent::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("tt:MetadataStream")
        .with_attributes([("xmlns:tt", STREAM), ("xmlns:fc", FACE), ("xmlns:fer", NAMESPACE)])
        .write_inner_content(|xml| {
            xml.create_element("tt:VideoAnalytics")
                .write_inner_content(|xml| frame(xml, report, utc, source))?;
            Ok(())
        })?;
    let mut document = xml.into_inner();
    document.push(b'\n');
    Ok(document)
}

fn frame(xml: &mut Xml, report: &FrameReport, utc: u64, source: Option<&str>) -> io::Result<()> {
    let time = rfc3339(utc);
    let name = writable(&report.stream_id);
    let source = source.map(writable);
    let mut element = xml.create_element("tt:Frame").with_attribute(("UtcTime", time.as_str()));
    if !name.is_empty() {
        element = element.with_attribute(("Source", &*name));
    }
    if let Some(source) = &source {
        element = element.with_attribute(("fer:VideoSource", &**source));
    }
    let lost: Vec<u64> = report.events.iter().filter_map(lost).collect();
    if report.faces.is_empty() && lost.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|xml| {
        for face in &report.faces {
            xml.create_element("tt:Object")
                .with_attribute(("ObjectId", face.track.to_string().as_str()))
                .write_inner_content(|xml| {
                    xml.create_element("tt:Appearance")
                        .write_inner_content(|xml| appearance(xml, face))?;
                    Ok(())
                })?;
        }
        tree(xml, &lost)
    })?;
    Ok(())
}

fn lost(event: &Event) -> Option<u64> {
    (event.kind == EventKind::FaceLost).then_some(event.track)
}

fn tree(xml: &mut Xml, lost: &[u64]) -> io::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    xml.create_element("tt:ObjectTree").write_inner_content(|xml| {
        for track in lost {
            xml.create_element("tt:Delete")
                .with_attribute(("ObjectId", track.to_string().as_str()))
                .write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The schema's order: shape, class, extension, face.
fn appearance(xml: &mut Xml, face: &FaceReport) -> io::Result<()> {
    xml.create_element("tt:Shape").write_inner_content(|xml| shape(xml, face))?;
    xml.create_element("tt:Class").write_inner_content(|xml| {
        xml.create_element("tt:Type")
            .with_attribute(("Likelihood", fraction(face.confidence).to_string().as_str()))
            .write_text_content(BytesText::new("HumanFace"))?;
        Ok(())
    })?;
    let Some(emotion) = &face.emotion else { return Ok(()) };
    xml.create_element("tt:Extension").write_inner_content(|xml| label(xml, emotion))?;
    let Some(stable) = emotion.stable else { return Ok(()) };
    xml.create_element("tt:HumanFace").write_inner_content(|xml| {
        xml.create_element("fc:Expression")
            .write_text_content(BytesText::new(expression(stable)))?;
        Ok(())
    })?;
    Ok(())
}

fn shape(xml: &mut Xml, face: &FaceReport) -> io::Result<()> {
    let BoundingBox { x_min, x_max, y_min, y_max } = BoundingBox::of(&face.rect);
    xml.create_element("tt:BoundingBox")
        .with_attributes([
            ("left", across(x_min).as_str()),
            ("top", up(y_min).as_str()),
            ("right", across(x_max).as_str()),
            ("bottom", up(y_max).as_str()),
        ])
        .write_empty()?;
    xml.create_element("tt:CenterOfGravity")
        .with_attributes([
            ("x", across((x_min + x_max) / 2.0).as_str()),
            ("y", up((y_min + y_max) / 2.0).as_str()),
        ])
        .write_empty()?;
    Ok(())
}

fn label(xml: &mut Xml, emotion: &FaceEmotion) -> io::Result<()> {
    let likelihood = emotion.stable.map(|stable| fraction(emotion.smoothed.of(stable)).to_string());
    let mut element = xml.create_element("fer:Emotion");
    if let Some(likelihood) = &likelihood {
        element = element.with_attribute(("Likelihood", likelihood.as_str()));
    }
    element.write_text_content(BytesText::new(label_name(emotion.stable)))?;
    Ok(())
}

/// A fraction of the frame's width from the left, as ONVIF's x.
fn across(fraction: f64) -> String {
    rounded(2.0 * fraction - 1.0)
}

/// A fraction of the frame's height from the top, as ONVIF's y.
fn up(fraction: f64) -> String {
    rounded(1.0 - 2.0 * fraction)
}

fn rounded(value: f64) -> String {
    const DECIMALS: f64 = 1e6;
    // Adding zero turns −0 into 0.
    ((value * DECIMALS).round() / DECIMALS + 0.0).to_string()
}

/// `text` with U+FFFD for each character that no XML document may hold, escaped or not.
fn writable(text: &str) -> Cow<'_, str> {
    let is_forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(is_forbidden) {
        Cow::Owned(text.replace(is_forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
