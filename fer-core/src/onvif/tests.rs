use std::time::Duration;

use roxmltree::{Document, Node};

use super::*;
use crate::emotion::{Probabilities, StableLabel};
use crate::geometry::Rect;
use crate::time::MediaTime;

/// 2026-11-26 11:20:18.5 and 1,999 ns more.
const UTC: u64 = 1_795_692_018_500_001_999;

fn face(track: u64, rect: Rect, emotion: Option<FaceEmotion>) -> FaceReport {
    FaceReport { track, rect, confidence: 0.875, detected: true, emotion }
}

fn emotion(stable: StableLabel) -> Option<FaceEmotion> {
    Some(FaceEmotion {
        stable,
        since: MediaTime::ZERO,
        smoothed: Probabilities::from_weights([0.05, 0.0, 0.05, 0.7, 0.0, 0.1, 0.1]).unwrap(),
        raw: Probabilities::UNIFORM,
        model: "net".into(),
        inferred: true,
        age: Duration::ZERO,
    })
}

fn report(faces: Vec<FaceReport>, events: Vec<Event>) -> FrameReport {
    FrameReport {
        stream_id: "door".into(),
        frame: 12,
        time: MediaTime::from_millis(480),
        faces,
        events,
        unseen: false,
    }
}

fn written(report: &FrameReport, source: Option<&str>) -> String {
    String::from_utf8(document(report, UTC, source).unwrap()).unwrap()
}

fn find<'a>(document: &'a Document<'_>, namespace: &str, name: &str) -> Option<Node<'a, 'a>> {
    document.descendants().find(|node| node.has_tag_name((namespace, name)))
}

#[test]
fn a_report_is_this_document() {
    // Fractions f of the frame become 2f − 1 to the right and 1 − 2f upwards:
    // the first box is 0.1..0.3 × 0.1..0.3, the second 0.75..1 × 0..0.25 of what is in the frame.
    let expected = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream"#,
        r#" xmlns:tt="http://www.onvif.org/ver10/schema""#,
        r#" xmlns:fc="http://www.onvif.org/ver20/analytics/humanface""#,
        r#" xmlns:fer="https://github.com/gst-plugin-fer/gst-plugin-fer/onvif/v1">"#,
        r#"<tt:VideoAnalytics><tt:Frame UtcTime="2026-11-26T11:20:18.500001Z" Source="door""#,
        r#" fer:VideoSource="rtsp://door">"#,
        r#"<tt:Object ObjectId="3"><tt:Appearance>"#,
        r#"<tt:Shape><tt:BoundingBox left="-0.8" top="0.8" right="-0.4" bottom="0.4"/>"#,
        r#"<tt:CenterOfGravity x="-0.6" y="0.6"/></tt:Shape>"#,
        r#"<tt:Class><tt:Type Likelihood="0.875">HumanFace</tt:Type></tt:Class>"#,
        r#"<tt:Extension><fer:Emotion Likelihood="0.7">happiness</fer:Emotion></tt:Extension>"#,
        r#"<tt:HumanFace><fc:Expression>Smile</fc:Expression></tt:HumanFace>"#,
        r#"</tt:Appearance></tt:Object>"#,
        r#"<tt:Object ObjectId="7"><tt:Appearance>"#,
        r#"<tt:Shape><tt:BoundingBox left="0.5" top="1" right="1" bottom="0.5"/>"#,
        r#"<tt:CenterOfGravity x="0.75" y="0.75"/></tt:Shape>"#,
        r#"<tt:Class><tt:Type Likelihood="0.875">HumanFace</tt:Type></tt:Class>"#,
        r#"</tt:Appearance></tt:Object>"#,
        r#"<tt:ObjectTree><tt:Delete ObjectId="2"/><tt:Delete ObjectId="4"/></tt:ObjectTree>"#,
        r#"</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>"#,
        "\n",
    );
    let report = report(
        vec![
            face(3, Rect::new(0.1, 0.1, 0.2, 0.2), emotion(Some(Emotion::Happiness))),
            face(7, Rect::new(0.75, -0.25, 0.5, 0.5), None),
        ],
        vec![
            Event { track: 7, kind: EventKind::FaceAppeared },
            Event { track: 2, kind: EventKind::FaceLost },
            Event { track: 4, kind: EventKind::FaceLost },
        ],
    );
    assert_eq!(written(&report, Some("rtsp://door")), expected);
}

#[test]
fn a_frame_without_faces_is_an_empty_frame() {
    let nameless = FrameReport { stream_id: String::new(), ..report(Vec::new(), Vec::new()) };
    let text = written(&nameless, None);
    assert!(
        text.ends_with(concat!(
            r#"<tt:VideoAnalytics><tt:Frame UtcTime="2026-11-26T11:20:18.500001Z"/>"#,
            "</tt:VideoAnalytics></tt:MetadataStream>\n"
        )),
        "{text}"
    );
    assert!(Document::parse(&text).is_ok(), "{text}");
}

#[test]
fn every_label_has_its_word() {
    for (stable, word, label) in [
        (Some(Emotion::Anger), Some("Frown"), "anger"),
        (Some(Emotion::Disgust), Some("Other"), "disgust"),
        (Some(Emotion::Fear), Some("Other"), "fear"),
        (Some(Emotion::Happiness), Some("Smile"), "happiness"),
        (Some(Emotion::Sadness), Some("Other"), "sadness"),
        (Some(Emotion::Surprise), Some("RaisedEyebrows"), "surprise"),
        (Some(Emotion::Neutral), Some("Natural"), "neutral"),
        (None, None, "uncertain"),
    ] {
        let face = face(1, Rect::new(0.0, 0.0, 1.0, 1.0), emotion(stable));
        let text = written(&report(vec![face], Vec::new()), None);
        let document = Document::parse(&text).unwrap();
        let expression = find(&document, FACE, "Expression").and_then(|node| node.text());
        assert_eq!(expression, word, "{text}");
        assert_eq!(find(&document, STREAM, "HumanFace").is_some(), word.is_some(), "{text}");
        let extension = find(&document, NAMESPACE, "Emotion").unwrap();
        assert_eq!(extension.text(), Some(label));
        assert_eq!(extension.attribute("Likelihood").is_some(), stable.is_some(), "{text}");
    }
}

#[test]
fn corners_and_centre_of_the_frame_are_onvifs() {
    for (fraction, x, y) in
        [(0.0, "-1", "1"), (0.5, "0", "0"), (1.0, "1", "-1"), (0.333_333, "-0.333334", "0.333334")]
    {
        assert_eq!((across(fraction).as_str(), up(fraction).as_str()), (x, y));
    }
    // Nothing that is no number gets into the document.
    let wild = face(1, Rect::new(f32::NAN, f32::INFINITY, 1.0, -1.0), None);
    let wild = FaceReport { confidence: f32::NAN, ..wild };
    let text = written(&report(vec![wild], Vec::new()), None);
    let document = Document::parse(&text).unwrap();
    for attribute in find(&document, STREAM, "BoundingBox").unwrap().attributes() {
        assert!((-1.0..=1.0).contains(&attribute.value().parse::<f64>().unwrap()), "{text}");
    }
}

#[test]
fn names_are_what_they_were_once_they_are_read() {
    for (name, read) in [
        ("A & B <\"door\"> 'x' ]]>", "A & B <\"door\"> 'x' ]]>"),
        ("two\nlines\tand\rmore", "two\nlines\tand\rmore"),
        ("дверь 🚪", "дверь 🚪"),
        ("&amp;", "&amp;"),
        // No document may hold these, however they are written.
        ("bell\u{7}nul\0\u{fffe}\u{1b}", "bell\u{fffd}nul\u{fffd}\u{fffd}\u{fffd}"),
    ] {
        let report = FrameReport { stream_id: name.into(), ..report(Vec::new(), Vec::new()) };
        let text = written(&report, Some(name));
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let frame = find(&document, STREAM, "Frame").unwrap();
        assert_eq!(frame.attribute("Source"), Some(read));
        assert_eq!(frame.attribute((NAMESPACE, "VideoSource")), Some(read));
        assert_eq!(text.matches('\n').count(), 1, "a document is one line: {text}");
    }
}

#[test]
fn any_time_can_be_written() {
    let report = report(Vec::new(), Vec::new());
    for (utc, time) in
        [(0, "1970-01-01T00:00:00.000000Z"), (u64::MAX, "2554-07-21T23:34:33.709551Z")]
    {
        let text = String::from_utf8(document(&report, utc, None).unwrap()).unwrap();
        assert!(text.contains(&format!("UtcTime=\"{time}\"")), "{text}");
    }
}
