//! `fer bench`, `devices`, `doctor`, `graph`, `completions` and `man` as their users run them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn fer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(arguments).current_dir(folder);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn here(arguments: &[&str]) -> Output {
    fer(Path::new("."), arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn cameras_are_listed_or_said_to_be_none() {
    let json: Value = serde_json::from_slice(&here(&["devices", "--json"]).stdout).unwrap();
    let output = here(&["devices"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    match json.as_array().unwrap().as_slice() {
        [] => assert!(told.starts_with("no cameras"), "{told}"),
        cameras => {
            assert!(cameras.iter().all(|camera| told.contains(camera["name"].as_str().unwrap())));
        }
    }
}

fn state<'a>(checks: &'a Value, name: &str) -> (&'a str, &'a str) {
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    (check["state"].as_str().unwrap(), check["found"].as_str().unwrap())
}

#[test]
fn a_machine_that_runs_the_tests_is_well_but_for_a_display() {
    let output = here(&["doctor", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["GStreamer", "elements of every stream", "ONNX Runtime", "model", "face cascade"] {
        assert_eq!(state(&checks, name).0, "ok", "{checks}");
    }
    assert!(state(&checks, "model").1.contains("7 classes"), "{checks}");
    assert_eq!(state(&checks, "display").0, "warning");
    let told = text(&here(&["doctor"]).stdout);
    assert!(
        told.contains("warning  display: there is no display") && told.contains("\n         → "),
        "{told}"
    );
}

#[test]
fn what_is_missing_is_told_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let examine = |variables: &[(&str, &Path)]| -> Value {
        let mut command = fer(folder.path(), &["doctor", "--json"]);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let nowhere = folder.path().join("nowhere");
    let checks = examine(&[("ORT_DYLIB_PATH", &nowhere), ("FER_CASCADE", &nowhere)]);
    let (state_of, found) = state(&checks, "ONNX Runtime");
    assert!(state_of == "failed" && found.contains("ORT_DYLIB_PATH"), "{found}");
    assert_eq!(state(&checks, "model").0, "failed");
    let (state_of, found) = state(&checks, "face cascade");
    assert!(state_of == "failed" && found.contains("nowhere"), "{found}");

    let (plugins, registry) = (folder.path().join("plugins"), folder.path().join("registry"));
    let checks = examine(&[
        ("GST_PLUGIN_SYSTEM_PATH_1_0", &plugins),
        ("GST_PLUGIN_PATH_1_0", &plugins),
        ("GST_PLUGIN_PATH", &plugins),
        ("GST_REGISTRY_1_0", &registry),
    ]);
    let (state_of, found) = state(&checks, "elements of every stream");
    assert!(state_of == "failed" && found.contains("videoconvert"), "{found}");
    assert!(checks.to_string().contains("apt-get install gstreamer1.0-plugins-base"), "{checks}");
    assert_eq!(state(&checks, "RTSP cameras").0, "warning");
}

const CAMERA: &str = "version: 1
streams:
  door:
    source: { rtsp: { url: 'rtsp://guard:hunter2@camera/live?key=sesame', user: guard, password: hunter3 } }
    analysis: { min-face: 0.2 }
    outputs:
      - json: { file: door.jsonl }
      - video: { file: door.mp4, encoder: software }
  yard:
    source: { test: {} }
    outputs: [ { gst: { pipeline: no-such-element secret=hunter4 } } ]
";

fn draw(folder: &Path, arguments: &[&str]) -> Command {
    std::fs::write(folder.join("p.yaml"), CAMERA).unwrap();
    fer(folder, &[&["graph", "p.yaml"], arguments].concat())
}

#[test]
fn a_pipeline_is_drawn_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let output = draw(folder.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let dot = text(&output.stdout);
    for secret in ["hunter", "sesame"] {
        assert!(!dot.contains(secret), "{dot}");
    }
    for part in [
        "label=\"door\"",
        "label=\"yard\"",
        "uridecodebin\\nrtsp://guard:***@camera/live?***\"",
        "ferdetect\\nmin-face: 0.2\"",
        "label=\"output 0: json\"",
        "label=\"output 1: video\"",
        "x264enc",
        "[style=dashed]",
        "output 0:\\ncannot be made here",
    ] {
        assert!(dot.contains(part), "{part} is not in: {dot}");
    }
    // Every link joins elements that are drawn.
    let links: Vec<&str> = dot.lines().filter(|line| line.contains(" -> ")).collect();
    for link in &links {
        for end in link.trim().trim_end_matches([';']).split(" -> ") {
            let id = end.trim_end_matches(" [style=dashed]");
            assert!(dot.contains(&format!("{id} [label=")), "{id} of {link}");
        }
    }
    let into = |kind: &str| links.iter().any(|l| l.split(" -> ").nth(1).unwrap().contains(kind));
    for kind in ["/GstQueue:", "/FerDetect:", "/GstTee:", "/FerJson:", "/GstFileSink:"] {
        assert!(into(kind), "nothing runs into {kind}: {links:#?}");
    }

    for _ in 0..2 {
        let output = draw(folder.path(), &["--stream", "yard", "-o", "yard.dot"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let dot = std::fs::read_to_string(folder.path().join("yard.dot")).unwrap();
    assert!(dot.contains("label=\"yard\"") && !dot.contains("label=\"door\""));
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["--stream", "yarn"][..], "there is no stream `yarn`; there are: door, yard"),
        (&["-o", "p.png"], "must end in .dot or .svg"),
        (&["-o", "p.svg"], "apt-get install graphviz"),
        (&["-o", "notes.dot"], "notes.dot: it is there already, and no picture"),
    ] {
        std::fs::write(folder.path().join("notes.dot"), "precious").unwrap();
        let output = draw(folder.path(), arguments).env("PATH", folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
    assert!(!folder.path().join("p.svg").exists());
    assert_eq!(std::fs::read(folder.path().join("notes.dot")).unwrap(), b"precious");
}

#[test]
fn every_command_has_its_page_and_is_completed() {
    let help = text(&here(&["--help"]).stdout);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 9, "{help}");
    let folder = tempfile::tempdir().unwrap();
    assert!(fer(folder.path(), &["man", "pages"]).status().unwrap().success());
    for command in &commands {
        let page = folder.path().join(format!("pages/fer-{command}.1"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(command), "{page}");
    }
    assert!(text(&here(&["man"]).stdout).contains(".TH fer 1"));
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&here(&["completions", shell]).stdout);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    assert_eq!(here(&["completions", "cmd.exe"]).status.code(), Some(2));
}

const BRIEFLY: [&str; 9] =
    ["bench", "--size", "160x120", "--frames", "10", "--seconds", "1", "--streams", "1"];

#[test]
fn a_bench_of_one_stream_has_one_row_of_it() {
    let output = here(&BRIEFLY);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("| `ferdetect`, inline |") && told.contains("`avdec_h264`"), "{told}");
    assert_eq!(told.matches("| one stream | 25 | 25 |").count(), 1, "{told}");
}

#[test]
fn a_bench_that_cannot_start_says_why() {
    let mut bench = fer(Path::new("."), &BRIEFLY);
    let output = bench.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("/nowhere/libonnxruntime.so"), "{told}");
}

#[test]
fn a_bench_of_what_is_no_video_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no video").unwrap();
    let output = fer(folder.path(), &["bench", "notes.txt"]).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("fer: ") && !told.contains("ferdetect, inline"), "{told}");
}
