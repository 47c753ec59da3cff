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

/// Runs a program with the plugin on its path, in a folder of its own; `None`, said aloud, where the
/// plugin isn't built.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> Option<(Output, tempfile::TempDir)> {
    tool_with(name, arguments, &[])
}

fn tool_with(
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Option<(Output, tempfile::TempDir)> {
    let folder = plugin_folder()?;
    // A registry of its own: the shared one is written by every test that runs beside this one.
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(name)
        .args(arguments)
        .current_dir(scratch.path())
        .env("GST_PLUGIN_PATH", folder)
        .env("GST_REGISTRY", scratch.path().join("registry.bin"))
        .env_remove("G_DEBUG")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Some((output, scratch))
}

#[test]
fn inspect_reads_like_documentation() {
    for (element, words) in [
        ("ferdetect", ["Filter/Analyzer/Video", "min-neighbors", "hold-time", "Default"]),
        ("feroverlay", ["Filter/", "privacy", "labels-language", "bars"]),
        ("ferjson", ["skip-empty", "start-utc", "JSON", "x-onvif-metadata"]),
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

/// GStreamer's `leaks` tracer tells at the end of each object that is still alive.
#[test]
fn no_object_is_left_alive() {
    let tracer =
        [("GST_TRACERS", "leaks"), ("GST_DEBUG", "GST_TRACER:7"), ("GST_DEBUG_NO_COLOR", "1")];
    for (line, succeeds) in [
        (format!("{} ! ferdetect ! feroverlay ! ferjson ! fakesink", portrait(12)), true),
        (format!("{} ! ferdetect analysis=background ! fakesink", portrait(12)), true),
        ("videotestsrc num-buffers=3 ! ferdetect model-file=/nowhere ! fakesink".to_owned(), false),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((output, _)) = tool_with("gst-launch-1.0", &words, &tracer) else { return };
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), succeeds, "{line}: {told}");
        assert!(told.contains("new format string: object-alive"), "the tracer is silent: {told}");
        let alive: Vec<&str> = told
            .lines()
            .filter(|line| line.contains("object-alive,") && !line.contains("new format string"))
            .collect();
        assert!(alive.is_empty(), "{line}: {alive:#?}");
    }
}
