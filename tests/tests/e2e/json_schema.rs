//! What `ferjson` writes fits the JSON Schema that ships with it, and what doesn't fit is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use fer_core::emotion::{Emotion, Probabilities};
use fer_core::event::{Event, EventKind};
use fer_core::geometry::Rect;
use fer_core::record::{FrameContext, FrameRecord};
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst::prelude::*;
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(gstfer::ferjson::SCHEMA).unwrap()
}

/// The schema without leave to add keys: what the elements write must all be described.
fn strict_validator() -> Validator {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                map.values_mut().for_each(close);
                if map.get("type") == Some(&json!("object")) {
                    map.insert("additionalProperties".to_owned(), json!(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => (),
        }
    }
    let mut schema = schema();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

fn assert_fits(validator: &Validator, line: &str) {
    let value: Value = serde_json::from_str(line).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}\n{line}");
}

/// A frame with everything in it: a face with and one without an expression, each kind of event.
fn full_line() -> String {
    let emotion = FaceEmotion {
        stable: None,
        since: MediaTime::ZERO,
        smoothed: Probabilities::UNIFORM,
        raw: Probabilities::one_hot(Emotion::Fear),
        model: "net".into(),
        inferred: true,
        age: Duration::ZERO,
    };
    let face = FaceReport {
        track: 1,
        rect: Rect::new(0.9, -0.1, 0.2, 0.3),
        confidence: 0.5,
        detected: true,
        emotion: Some(emotion),
    };
    let changed = EventKind::EmotionChanged { from: Some(Emotion::Fear), to: None };
    let report = FrameReport {
        stream_id: "hall".to_owned(),
        frame: 9,
        time: MediaTime::from_millis(360),
        faces: vec![face.clone(), FaceReport { track: 2, emotion: None, ..face }],
        events: [EventKind::FaceAppeared, changed, EventKind::FaceLost]
            .map(|kind| Event { track: 1, kind })
            .to_vec(),
        unseen: false,
    };
    let context = FrameContext {
        width: 1920,
        height: 1080,
        source: Some("hall.mp4"),
        pts: Some(360_000_000),
        stream_time: Some(360_000_000),
        running_time: Some(360_000_000),
        utc: Some(1_795_692_018_250_000_000),
        reverse: false,
    };
    FrameRecord::new(Some(&report), &context).to_line().unwrap()
}

/// The lines of `ferjson` behind `ferdetect` for what `source`, in gst-launch's syntax, gives.
fn lines(source: &str) -> Vec<String> {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
    });
    let line = format!(
        "{source} ! ferdetect draw=false stream-id=test ! ferjson source=test \
         ! appsink name=sink sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut lines = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let map = sample.buffer().unwrap().map_readable().unwrap();
        lines.push(String::from_utf8(map.to_vec()).unwrap());
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    lines
}

/// A clip that lies beside the repository, if it is there.
fn shared_clip(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/media/videos").join(name);
    let there = path.is_file();
    if !there {
        eprintln!("skipped: no clip {}", path.display());
    }
    there.then_some(path)
}

#[test]
fn the_schema_is_one() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    if let Err(error) = jsonschema::meta::validate(&schema) {
        panic!("{}: {error}", error.instance_path());
    }
}

#[test]
fn a_frame_with_everything_in_it_fits() {
    assert_fits(&strict_validator(), &full_line());
}

#[test]
fn a_frame_without_analysis_fits() {
    let context = FrameContext { width: 1, height: 1, ..FrameContext::default() };
    let line = FrameRecord::new(None, &context).to_line().unwrap();
    assert_fits(&strict_validator(), &line);
}

#[test]
fn a_video_without_faces_fits() {
    let lines =
        lines("videotestsrc num-buffers=5 ! video/x-raw,width=320,height=240,framerate=25/1");
    assert_eq!(lines.len(), 5);
    let validator = strict_validator();
    for line in &lines {
        assert_fits(&validator, line);
    }
}

#[test]
fn a_video_with_a_face_fits_and_is_the_same_twice() {
    let Some(clip) = shared_clip("single_face.mp4") else { return };
    let source = format!("filesrc location=\"{}\" ! decodebin ! videoconvert", clip.display());
    let first = lines(&source);
    let validator = strict_validator();
    for line in &first {
        assert_fits(&validator, line);
    }
    assert!(first.iter().any(|line| line.contains("\"emotion\":")), "no face was classified");
    assert!(first == lines(&source), "two runs differ");
}

#[test]
fn keys_of_later_releases_are_accepted() {
    let mut line: Value = serde_json::from_str(&full_line()).unwrap();
    line["novel"] = json!(1);
    line["objects"][0]["emotion"]["novel"] = json!([2]);
    assert!(jsonschema::validator_for(&schema()).unwrap().is_valid(&line));
}

#[test]
fn a_missing_key_is_refused() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let line: Value = serde_json::from_str(&full_line()).unwrap();
    assert!(validator.is_valid(&line));
    // Where, and the keys that may be left out there.
    let places: [(&str, &[&str]); 9] = [
        ("", &["timestamp", "utc", "source"]),
        ("/resolution", &[]),
        ("/objects/0", &["emotion"]),
        ("/objects/0/detection", &[]),
        ("/objects/0/detection/bounding_box", &[]),
        ("/objects/0/emotion", &[]),
        ("/objects/0/emotion/probabilities", &[]),
        ("/objects/0/emotion/model", &[]),
        ("/events/1", &[]),
    ];
    for (place, optional) in places {
        let keys: Vec<String> =
            line.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let mut broken = line.clone();
            broken.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(&key);
            let accepted = validator.is_valid(&broken);
            assert_eq!(accepted, optional.contains(&key.as_str()), "{place}/{key}");
        }
    }
}

#[test]
fn a_wrong_value_is_refused() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let line: Value = serde_json::from_str(&full_line()).unwrap();
    for (place, value) in [
        ("/schema_version", json!(2)),
        ("/stream_id", json!(null)),
        ("/frame", json!(-1)),
        // A frame that carries no analysis has no objects.
        ("/frame", json!(null)),
        ("/timestamp", json!(null)),
        ("/pts_ns", json!(0.5)),
        ("/running_time_ns", json!("0")),
        ("/resolution/width", json!(0)),
        ("/source", json!("")),
        ("/objects", json!({})),
        ("/objects/0/x", json!(-1)),
        ("/objects/0/w", json!(1.5)),
        ("/objects/0/id", json!(0)),
        ("/objects/0/roi_type", json!("person")),
        ("/objects/0/detected", json!(1)),
        ("/objects/0/detection/bounding_box/x_max", json!(1.01)),
        ("/objects/0/detection/confidence", json!(100)),
        ("/objects/0/emotion", json!(null)),
        ("/objects/0/emotion/label", json!("uncertain")),
        ("/objects/0/emotion/stable", json!("joy")),
        ("/objects/0/emotion/since_ns", json!(-1)),
        ("/objects/0/emotion/probabilities/fear", json!(null)),
        ("/objects/0/emotion/raw/neutral", json!(-0.1)),
        ("/objects/0/emotion/model", json!("net")),
        ("/objects/0/emotion/age_ns", json!(null)),
        ("/events/0/type", json!("face_appeared")),
        ("/events/0/to", json!("fear")),
        ("/events/1/from", json!("glad")),
    ] {
        let mut broken = line.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match broken.pointer_mut(parent).unwrap() {
            Value::Object(map) => _ = map.insert(key.to_owned(), value.clone()),
            other => other[key.parse::<usize>().unwrap()] = value.clone(),
        }
        assert!(!validator.is_valid(&broken), "{place} = {value}");
    }
}
