//! The shared library as GStreamer's own tools find it.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{portrait, root};

/// The folder that holds the plugin, if it has been built.
fn plugin_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("FER_TEST_PLUGIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("target/debug"),
    };
    let there = folder.join("libgstfer.so").exists();
    if !there {
        eprintln!("skipped: no libgstfer.so in {}; ./fer test builds it", folder.display());
    }
    there.then_some(folder)
}

fn tool(name: &str, arguments: &[&str]) -> Option<(Output, tempfile::TempDir)> {
    let folder = plugin_folder()?;
    // A registry of its own: the shared one is written by every test that runs beside this one.
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(name)
        .args(arguments)
        .current_dir(scratch.path())
        .env("GST_PLUGIN_PATH", folder)
        .env("GST_REGISTRY", scratch.path().join("registry.bin"))
        .env_remove("G_DEBUG")
        .output()
        .unwrap();
    Some((output, scratch))
}

#[test]
fn inspect_reads_like_documentation() {
    for (element, words) in [
        ("ferdetect", ["Filter/Analyzer/Video", "min-neighbors", "hold-time", "Default"]),
        ("feroverlay", ["Filter/", "privacy", "labels-language", "bars"]),
        ("ferjson", ["skip-empty", "source", "JSON", "sink"]),
    ] {
        let Some((output, _)) = tool("gst-inspect-1.0", &[element]) else { return };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{element}: {text}");
        for word in words {
            assert!(text.contains(word), "{element}: {word} is not in: {text}");
        }
    }
}

#[test]
fn launch_writes_one_line_a_frame() {
    let line = format!("{} ! ferdetect ! ferjson ! filesink location=out.jsonl", portrait(12));
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((output, scratch)) = tool("gst-launch-1.0", &words) else { return };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let text = std::fs::read_to_string(scratch.path().join("out.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 12);
    assert!(text.contains("\"face-appeared\""));
}

#[test]
fn launch_fails_loudly_on_a_missing_cascade() {
    let line = format!("{} ! ferdetect cascade-file=/nowhere.xml ! fakesink", portrait(12));
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((output, _)) = tool("gst-launch-1.0", &words) else { return };
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere.xml"));
}
