//! The pipeline files that ship, each as it stands but for what needs a camera or a display.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Stands in for a camera.
const FACE: &str = "={ test: { pattern: face, frames: 40 } }";

/// Runs a file that ships in a folder, with some values changed; what it wrote to stdout.
fn run(folder: &Path, name: &str, sets: &[&str]) -> String {
    let output = command(folder, "run", &[shipped(name)], sets);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {told}");
    assert!(!told.contains("error:") && !told.contains("CRITICAL"), "{name}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(folder: &Path, verb: &str, files: &[PathBuf], sets: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fer"))
        .arg(verb)
        .args(files)
        .args(sets.iter().flat_map(|set| ["--set", set]))
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .env("INPUT", "recording.mp4")
        .env("MODEL", shipped("../models/fer.yaml"))
        .env("OUT", folder)
        .env("VIEWER_PASSWORD", "x")
        .output()
        .unwrap()
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A folder with `recording.mp4` in it: two seconds of a portrait that smiles, less what a busy machine
/// drops of a live source.
fn with_a_recording() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  made:
    source: { test: { pattern: face, frames: 50 } }
    analysis: { detector: none }
    outputs: [ { video: { file: recording.mp4, overlay: none, encoder: software } } ]
";
    let file = folder.path().join("made.yaml");
    std::fs::write(&file, yaml).unwrap();
    let output = command(folder.path(), "run", &[file], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of the one file in `out/` whose name begins and ends like this.
fn written(folder: &Path, start: &str) -> Vec<Value> {
    let entries = std::fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(start) && name.ends_with(".jsonl")
    };
    let found: Vec<PathBuf> = entries.filter(named).collect();
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    lines(&std::fs::read_to_string(&found[0]).unwrap())
}

/// Whether the portrait's smile is seen at last.
fn ends_happy(lines: &[Value]) -> bool {
    lines.last().unwrap()["objects"][0]["emotion"]["stable"] == "happiness"
}

#[test]
fn all_are_fine() {
    let folder = with_a_recording();
    let entries = std::fs::read_dir(shipped("")).unwrap().map(|entry| entry.unwrap().path());
    let yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml");
    let files: Vec<PathBuf> = entries.filter(yaml).collect();
    // One that is new needs a test here that runs it.
    assert_eq!(files.len(), 11, "{files:?}");
    let output = command(folder.path(), "check", &files, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_webcam_file_runs() {
    let folder = tempfile::tempdir().unwrap();
    let source = format!("streams.desk.source{FACE}");
    let window = "streams.desk.outputs.0={ snapshot: { file: desk.png } }";
    run(folder.path(), "webcam.yaml", &[&source, window]);
    assert!(ends_happy(&written(folder.path(), "desk-")));
    assert!(std::fs::read(folder.path().join("desk.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn the_files_about_recordings_run() {
    let folder = with_a_recording();
    for (yaml, name) in [
        ("file.yaml", "annotated"),
        ("batch.yaml", "archive"),
        ("privacy-blur.yaml", "anonymous"),
        ("custom-model.yaml", "mine"),
    ] {
        run(folder.path(), yaml, &[]);
        let lines = written(folder.path(), name);
        assert!((35..=50).contains(&lines.len()), "{yaml}: {}", lines.len());
        assert!(ends_happy(&lines), "{yaml}");
    }
    for video in ["annotated.mp4", "anonymous.mp4"] {
        let bytes = std::fs::read(folder.path().join("out").join(video)).unwrap();
        assert!(bytes.windows(4).any(|word| word == b"moov"), "{video}");
    }
}

#[test]
fn the_files_about_one_camera_run() {
    let folder = tempfile::tempdir().unwrap();
    let source = format!("streams.entrance.source{FACE}");
    let local = "streams.entrance.outputs.1.json.tcp-server=127.0.0.1:0";
    run(folder.path(), "rtsp.yaml", &[&source, local]);
    assert!(ends_happy(&written(folder.path(), "entrance-")));
    assert!(
        std::fs::read(folder.path().join("out/entrance.jpg")).unwrap().starts_with(b"\xff\xd8")
    );

    run(folder.path(), "faces.yaml", &[&source]);
    let album = folder.path().join("out/faces/entrance/happiness");
    // More than one where a busy machine drops frames, and the label changes once more.
    assert!((1..=3).contains(&std::fs::read_dir(album).unwrap().count()));

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = format!("streams.entrance.outputs.0.rtsp.port={free}");
    run(folder.path(), "restream.yaml", &[&source, &port]);
    let playlist = folder.path().join("out/hls/entrance/index.m3u8");
    let playlist = std::fs::read_to_string(playlist).unwrap();
    assert!(playlist.contains("segment-000000.ts") && playlist.contains("#EXT-X-ENDLIST"));
}

#[test]
fn the_file_about_many_cameras_runs() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["entrance", "yard", "gate"];
    let sources = names.map(|name| format!("streams.{name}.source{FACE}"));
    // In the background a busy machine may look at these few frames too late to see a face twice.
    let mut sets: Vec<&str> = sources.iter().map(String::as_str).collect();
    sets.push("defaults.analysis.analysis=inline");
    run(folder.path(), "many-cameras.yaml", &sets);
    for name in names {
        assert!(ends_happy(&written(folder.path(), name)), "{name}");
    }
}

#[test]
fn the_fragment_and_the_headless_file_run() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "gst-fragment.yaml", &[]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 50);
    let lines = lines(&run(folder.path(), "headless-json.yaml", &[]));
    // A live source leaves out what it has no time to make; of what it made nothing is missing.
    assert!((50..=100).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().enumerate().all(|(frame, line)| line["frame"] == frame), "{lines:?}");
    assert!(lines.iter().any(|line| line["objects"][0]["emotion"]["stable"] == "happiness"));
}
