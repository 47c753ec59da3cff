//! `fer models`, and streams that use what it fetched.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

/// Runs `fer` for a user whose data lie in a folder.
fn fer(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(arguments).current_dir(data).env("XDG_DATA_HOME", data);
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

const PLACE: &str = "gst-plugin-fer/face_detection_yunet_2023mar.onnx";

#[test]
fn another_file_is_refused_and_nothing_is_left() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("other.onnx"), b"no network").unwrap();
    for out in [&[][..], &["--out", "here.onnx"]] {
        let output =
            fer(data.path(), &[&["models", "get", "yunet", "--from", "other.onnx"], out].concat());
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("8f2383e4") && told.contains("10 bytes"), "{told}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
    assert_eq!(fer(data.path(), &["models", "get", "mtcnn"]).status.code(), Some(2));
}

#[test]
fn the_list_tells_what_has_been_fetched() {
    let data = tempfile::tempdir().unwrap();
    let list = || told(&fer(data.path(), &["models", "list"]));
    assert!(list().contains("yunet     not fetched; `fer models get yunet`"), "{}", list());
    std::fs::create_dir(data.path().join("gst-plugin-fer")).unwrap();
    std::fs::write(data.path().join(PLACE), b"half").unwrap();
    assert!(list().contains("is damaged"), "{}", list());
}

#[test]
fn a_stream_looks_for_yunet_where_it_is_fetched_to() {
    let data = tempfile::tempdir().unwrap();
    let yaml = "{ version: 1, streams: { a: { source: { test: { frames: 2 } }, \
                analysis: { detector: yunet }, outputs: [ { json: { file: a.jsonl, existing: replace } } ] } } }";
    std::fs::write(data.path().join("a.yaml"), yaml).unwrap();
    let run = || {
        let output = fer(data.path(), &["run", "a.yaml"]);
        assert!(!output.status.success());
        told(&output)
    };
    let missing = run();
    assert!(missing.contains("detector-model is unset"), "{missing}");
    assert!(missing.contains("`fer models get yunet`"), "{missing}");
    std::fs::create_dir(data.path().join("gst-plugin-fer")).unwrap();
    std::fs::write(data.path().join(PLACE), b"no network").unwrap();
    let broken = run();
    assert!(broken.contains(PLACE), "{broken}");
}
