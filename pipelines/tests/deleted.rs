//! Files that go away while they are in use: an update of the system takes the old ones away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PIPELINE: &str = "version: 1
streams:
  a:
    source: { test: { pattern: face } }
    analysis:
      { analysis: inline, min-face: 0.2, model-file: fer.yaml, cascade-file: face.xml, reclassify-interval: 0 }
    outputs: [ { json: { file: out.jsonl, existing: continue } } ]
";

fn fer(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(["run", "p.yaml"]).current_dir(folder).env_remove("G_DEBUG");
    command.env("ORT_DYLIB_PATH", folder.join("runtime.so"));
    command
}

/// Frames whose face has a label of their own.
fn classified(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("out.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"inferred\":true")).count()
}

fn until_more_are_classified(folder: &Path) {
    let (before, start) = (classified(folder), Instant::now());
    while classified(folder) < before + 10 {
        assert!(start.elapsed() < Duration::from_secs(60), "no more faces are classified");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_deleted_while_it_runs_is_missed_at_the_next_start() {
    let Some(runtime) = std::env::var_os("ORT_DYLIB_PATH") else {
        eprintln!("skipped: ORT_DYLIB_PATH does not say where ONNX Runtime is");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let cascades =
        ["/usr/share/opencv4", "/usr/local/share/opencv4", "/opt/homebrew/share/opencv4"]
            .map(|data| Path::new(data).join("haarcascades/haarcascade_frontalface_default.xml"));
    let Some(cascade) = cascades.into_iter().find(|path| path.is_file()) else {
        eprintln!("skipped: OpenCV's cascades lie elsewhere");
        return;
    };
    let sources = [
        (Path::new(&runtime).to_owned(), "runtime.so"),
        (models.join("fer.onnx"), "fer.onnx"),
        (models.join("fer.yaml"), "fer.yaml"),
        (cascade, "face.xml"),
    ];
    for (from, to) in &sources {
        std::fs::copy(from, at(to)).unwrap();
    }
    std::fs::write(at("p.yaml"), PIPELINE).unwrap();
    let child = fer(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until_more_are_classified(folder.path());
    for (_, name) in &sources {
        std::fs::remove_file(at(name)).unwrap();
    }
    until_more_are_classified(folder.path());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !told.contains("error"), "{told}");
    // What is missing is told, one after another, as they are put back.
    for (from, to) in [&sources[3], &sources[0], &sources[2], &sources[1]] {
        let output = fer(folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(to), "{to} is not in: {told}");
        std::fs::copy(from, at(to)).unwrap();
    }
    let child = fer(folder.path()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    until_more_are_classified(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
}
