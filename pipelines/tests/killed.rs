//! `fer run`, killed at random moments: what was written is whole, and what comes later too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const ROUNDS: usize = 8;

fn start(folder: &Path) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_fer"))
        .args(["run", "p.yaml"])
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn lines_are_whole_however_often_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let outputs: Vec<PathBuf> =
        (0..3).map(|stream| folder.path().join(format!("s{stream}.jsonl"))).collect();
    let mut yaml = "version: 1\nstreams:\n".to_owned();
    for stream in 0..outputs.len() {
        write!(
            yaml,
            "  s{stream}:\n    source: {{ test: {{ size: [64, 64], rate: 1000 }} }}\n    outputs:\n      \
             - json: {{ file: s{stream}.jsonl, existing: continue }}\n"
        )
        .unwrap();
    }
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..ROUNDS {
        let before: Vec<u64> = outputs.iter().map(|path| length(path)).collect();
        let mut child = start(folder.path());
        // Not before each has written something: then anything may be half done.
        let began = Instant::now();
        while outputs.iter().zip(&before).any(|(path, before)| length(path) <= *before) {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_micros(random.u64(..200_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The last word of each run is a line, but for one that was broken off at the very end.
    for path in &outputs {
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        if !text.ends_with('\n') {
            lines.pop();
        }
        assert!(lines.len() >= ROUNDS, "{}: {} lines", path.display(), lines.len());
        let mut runs = 0;
        let mut expected = None;
        for (number, line) in lines.iter().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}"));
            let frame = line["frame"].as_u64().unwrap();
            // Within a run each frame has its line, once.
            if frame == 0 {
                runs += 1;
            } else {
                assert_eq!(Some(frame), expected, "{place}");
            }
            expected = Some(frame + 1);
        }
        assert_eq!(runs, ROUNDS);
    }
}

/// How many frames of a video can be decoded.
fn frames(path: &Path) -> usize {
    let output = Command::new("gst-launch-1.0")
        .args(["-v", "filesrc", &format!("location={}", path.display())])
        .args(["!", "qtdemux", "!", "h264parse", "!", "avdec_h264", "!"])
        .args(["fakesink", "silent=false", "sync=false"])
        .env_remove("G_DEBUG")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).matches("last-message = chain").count()
}

/// The boxes of which an MP4 consists.
fn boxes(mut bytes: &[u8]) -> Vec<String> {
    let mut kinds = Vec::new();
    while let [a, b, c, d, rest @ ..] = bytes {
        kinds.push(String::from_utf8_lossy(&rest[..4]).into_owned());
        let length = match u32::from_be_bytes([*a, *b, *c, *d]) {
            1 => u64::from_be_bytes(rest[4..12].try_into().unwrap()),
            length => u64::from(length),
        };
        bytes = &bytes[usize::try_from(length).unwrap()..];
    }
    kinds
}

#[test]
fn an_mp4_of_a_camera_can_be_played_without_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let yaml = "version: 1
streams:
  a:
    source: { test: { size: [320, 240], pattern: ball } }
    analysis: { detector: none }
    outputs: [ { video: { file: a.mp4 } } ]
";
    std::fs::write(path("p.yaml"), yaml).unwrap();
    let mut child = start(folder.path());
    std::thread::sleep(Duration::from_secs(9));
    child.kill().unwrap();
    child.wait().unwrap();
    let left = frames(&path(".a.mp4.part"));
    assert!(left > 60, "{left} frames");
    // What ends as it should has one index.
    let child = start(folder.path());
    std::thread::sleep(Duration::from_secs(6));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(child.wait_with_output().unwrap().status.success());
    let made: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "mp4"))
        .collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(frames(&made[0]) > 60);
    let boxes = boxes(&std::fs::read(&made[0]).unwrap());
    assert!(boxes.iter().all(|kind| kind != "moof"), "{boxes:?}");
    assert_eq!(boxes.iter().filter(|kind| *kind == "moov").count(), 1, "{boxes:?}");
}
