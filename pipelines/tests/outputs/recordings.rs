//! `files`: recordings in a row, as one stream.

use std::path::Path;

use gst::prelude::*;
use serde_json::Value;

use super::{lines, run, text};

/// A recording of 30 frames.
fn record(path: &Path, width: u32) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=30 ! capsfilter \
         caps=video/x-raw,width={width},height=120,framerate=30/1 ! x264enc ! mp4mux ! filesink \
         location={}",
        path.display()
    ));
    let pipeline = pipeline.unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let types = [gst::MessageType::Error, gst::MessageType::Eos];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::NONE, &types).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_broken_recording_is_told_and_the_others_go_on_as_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    for (name, width) in [("clip10.mp4", 480), ("clip2.mp4", 320), ("clip1.mp4", 160)] {
        record(&folder.path().join(name), width);
    }
    std::fs::write(folder.path().join("clip3.mp4"), "nothing of the kind").unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { files: { paths: [ 'clip*.mp4' ] } }
    analysis: { detector: none }
    outputs: [ { json: { file: out.jsonl } }, { video: { file: out.mkv } } ]
";
    let output = run(folder.path(), yaml);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("a: error: clip3.mp4: ") && !errors.contains("clip2.mp4"), "{errors}");
    // The video goes on, with borders where the shape is another.
    assert!(!errors.contains("stops: ") && folder.path().join("out.mkv").is_file(), "{errors}");
    let lines = lines(folder.path().join("out.jsonl"));
    let of = |line: &Value, key: &str| line[key].as_u64().unwrap();
    let widths: Vec<_> = lines.iter().map(|l| l["resolution"]["width"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = [160, 320, 480].into_iter().flat_map(|width| [width; 30]).collect();
    assert_eq!(widths, expected);
    for pair in lines.windows(2) {
        let step = of(&pair[1], "pts_ns") - of(&pair[0], "pts_ns");
        assert!((33_000_000..34_000_000).contains(&step), "{step} at {}", pair[1]);
        assert_eq!(of(&pair[1], "frame"), of(&pair[0], "frame") + 1);
    }
}

#[test]
fn nobody_is_followed_from_one_recording_into_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        "version: 1
streams:
  a:
    source: { test: { pattern: face, frames: 25 } }
    analysis: { detector: none }
    outputs: [ { video: { file: face.mkv, overlay: none } } ]
",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = run(
        folder.path(),
        "version: 1
streams:
  a:
    source: { files: { paths: [ face.mkv, face.mkv ] } }
    analysis: { min-face: 0.2, inference-interval: 0 }
    outputs: [ { json: { file: out.jsonl } } ]
",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = lines(folder.path().join("out.jsonl"));
    // A busy machine drops some of a live source's frames.
    assert!((40..=50).contains(&lines.len()) && lines.len().is_multiple_of(2), "{}", lines.len());
    let ids = |lines: &[Value]| -> std::collections::BTreeSet<u64> {
        let objects = lines.iter().flat_map(|line| line["objects"].as_array().unwrap());
        objects.map(|face| face["id"].as_u64().unwrap()).collect()
    };
    let (first, second) = (ids(&lines[..lines.len() / 2]), ids(&lines[lines.len() / 2..]));
    assert!(!first.is_empty() && !second.is_empty() && first.is_disjoint(&second));
}
