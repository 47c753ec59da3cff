//! The programs that show how metadata is read, as their users run them.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::plugin::tool;
use crate::support::{record, root};

fn example(name: &str) -> PathBuf {
    root().join("gst-plugin-fer/examples").join(name)
}

/// What a program printed about a recording of the bundled portrait; `None` without the plugin.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("talk.mp4");
    record(&recording);
    let arguments: Vec<&str> = arguments.iter().copied().chain(recording.to_str()).collect();
    let (Output { status, stdout, stderr }, _) = tool(program, &arguments)?;
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{program}: {stdout}{}", String::from_utf8_lossy(&stderr));
    Some(stdout)
}

/// Whether a line ends as one about a face that smiles: `happiness (happiness 0.97)`.
fn tells_a_smile(line: &str) -> bool {
    let Some((before, after)) = line.split_once(", happiness (happiness ") else { return false };
    let probability = after.strip_suffix(')').and_then(|number| number.parse::<f64>().ok());
    before.contains("face 1 at ") && probability.is_some_and(|p| (0.35..=1.0).contains(&p))
}

#[test]
fn the_c_example_prints_faces() {
    let flags = Command::new("pkg-config")
        .args(["--cflags", "--libs", "gstreamer-1.0", "gstreamer-video-1.0"])
        .output();
    let Some(flags) = flags.ok().filter(|output| output.status.success()) else {
        eprintln!("skipped: pkg-config knows no gstreamer-video-1.0");
        return;
    };
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: there is no C compiler cc");
        return;
    }
    let flags = String::from_utf8(flags.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("read_metadata");
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(example("read_metadata.c"))
        .args(flags.split_whitespace())
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let Some(text) = printed(program.to_str().unwrap(), &[]) else { return };
    // Frames 0, 10, 20, 30 and 40.
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.lines().last().is_some_and(tells_a_smile), "{text}");
}

#[test]
fn the_python_example_prints_events_and_faces() {
    // The system's own Python may not be the first.
    let has_gi = |python: &&str| {
        let asked = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";
        Command::new(python)
            .args(["-c", asked])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(|name| has_gi(name)) else {
        eprintln!("skipped: no python3 with PyGObject and GStreamer's descriptions for it");
        return;
    };
    let Some(text) = printed(python, &[example("read_metadata.py").to_str().unwrap()]) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.contains(&"face-appeared: face 1"), "{text}");
    assert!(lines.contains(&"emotion-changed: face 1, uncertain -> happiness"), "{text}");
    // Two seconds, a face in each.
    let faces: Vec<&&str> = lines.iter().filter(|line| tells_a_smile(line)).collect();
    assert_eq!(faces.len(), 2, "{text}");
}
