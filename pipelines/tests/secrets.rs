//! Nobody who looks at a terminal or a log learns a password, however wrongly it was written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

const SECRET: &str = "hunter2";

fn fer(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fer"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .output()
        .unwrap()
}

/// Runs something that fails; all it printed, in which there must be nothing of the secret.
fn told(folder: &Path, arguments: &[&str]) -> String {
    let output = fer(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(!output.status.success(), "{arguments:?}: {text}");
    assert!(!text.contains(SECRET), "{arguments:?}: {text}");
    text
}

#[test]
fn a_file_that_is_refused_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    for (source, part) in [
        ("{ rtsp: { url: 'me:hunter2@camera/1' } }", "`me:***@camera/1`"),
        ("{ rtsp: { url: 'rtsp:/me:hunter2@camera/1' } }", "`rtsp:/me:***@camera/1`"),
        ("{ rtsp: { url: 'http://me:p/hunter2@camera/1' } }", "`http://me:***@camera/1`"),
        ("{ rtsp: { url: 'http://camera/1?password=hunter2' } }", "`http://camera/1?***`"),
        ("{ file: { path: 'rtsp://me:hunter2@camera/1' } }", "`rtsp://me:***@camera/1`"),
        ("{ files: { paths: ['rtsp://me:hunter2@camera/1'] } }", "`rtsp://me:***@camera/1`"),
        ("'rtsp://me:hunter2@camera/1'", "`rtsp://me:***@camera/1`"),
        ("{ rtsp: { url: 'rtsp://camera/1', password: [hunter2] } }", "the password (not shown)"),
    ] {
        let yaml = format!("version: 1\nstreams: {{ a: {{ source: {source} }} }}\n");
        std::fs::write(folder.path().join("a.yaml"), yaml).unwrap();
        for command in ["check", "run", "graph"] {
            let text = told(folder.path(), &[command, "a.yaml"]);
            assert!(text.contains(part), "{source}: {text}");
        }
    }
}

#[test]
fn a_change_on_the_command_line_that_is_refused_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1\nstreams: { a: { source: { rtsp: { url: 'rtsp://camera/1' } } } }\n";
    std::fs::write(folder.path().join("a.yaml"), yaml).unwrap();
    for (set, part) in [
        ("streams.a.source.rtsp.url=me:hunter2@camera", "--set streams.a.source.rtsp.url: "),
        ("streams.a.source.rtsp.password=[hunter2", "--set streams.a.source.rtsp.password: "),
    ] {
        let text = told(folder.path(), &["run", "a.yaml", "--set", set]);
        assert!(text.contains(part), "{set}: {text}");
    }
}

#[test]
fn an_address_in_the_place_of_a_file_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let camera = "rtsp://me:hunter2@camera/1";
    let mirror = "http://me:hunter2@127.0.0.1:9/yunet.onnx";
    for arguments in [
        &["run", camera][..],
        &["check", camera],
        &["annotate", camera],
        &["batch", camera],
        &["report", camera],
        &["watch", "--file", camera],
        &["models", "get", "yunet", "--out", "yunet.onnx", "--from", mirror],
    ] {
        let text = told(folder.path(), arguments);
        assert!(text.contains("//me:***@"), "{arguments:?}: {text}");
    }
}

/// What goes wrong while a stream runs: a camera that is no device, one whose address is wrong.
#[test]
fn a_stream_that_fails_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a: { source: { webcam: { device: 'rtsp://me:hunter2@camera/1' } } }
  b: { source: { rtsp: { url: 'rtsp://me:hunter2@127.0.0.1:999999/1' } } }
  c: { source: { gst: 'rtspsrc location=rtsp:/me:hunter2@camera/1 ! decodebin' } }
";
    std::fs::write(folder.path().join("a.yaml"), yaml).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fer"))
        .args(["run", "a.yaml"])
        .current_dir(folder.path())
        .env_remove("G_DEBUG")
        .stderr(std::fs::File::create(folder.path().join("told")).unwrap())
        .spawn()
        .unwrap();
    let told = || std::fs::read_to_string(folder.path().join("told")).unwrap();
    let parts = ["a: warning: lost: ", "b: warning: lost: ", "c: error: "];
    let begun = std::time::Instant::now();
    while !parts.iter().all(|part| told().contains(part)) {
        assert!(begun.elapsed().as_secs() < 30, "{}", told());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told().contains("rtsp://me:***@camera/1"), "{}", told());
    assert!(!told().contains(SECRET), "{}", told());
}
