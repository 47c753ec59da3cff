//! `fer run`, `fer check` and `fer schema` as their users run them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn fer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(arguments).current_dir(folder);
    command.env_remove("G_DEBUG").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn run(folder: &Path, yaml: &str) -> Output {
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    fer(folder, &["run", "p.yaml"]).output().unwrap()
}

fn start(folder: &Path, yaml: &str, more: &[&str]) -> Child {
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    let arguments = [&["run", "p.yaml"], more].concat();
    fer(folder, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Waits until `done`, for at most half a minute.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lines(path: PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn outputs_are_made_and_one_that_fails_stops_alone() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        "version: 1
streams:
  face:
    source: { test: { pattern: face, frames: 40 } }
    analysis: { min-face: 0.2, analysis: inline }
    outputs:
      - window: {}
      - json: { file: 'out/{stream}.jsonl' }
      - gst: { pipeline: no-such-element }
      - video: { file: out/face.mp4, encoder: software }
      - snapshot: { file: 'out/{stream}.jpg' }
  bars:
    source: { gst: videotestsrc num-buffers=30 }
    outputs: [ { video: { file: out/bars.webm, overlay: blur } } ]
",
    );
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("face: error: output 0 (window)"), "{errors}");
    assert!(errors.contains("face: error: output 2") && errors.contains("no-such-element"));
    let out = folder.path().join("out");
    let faces = lines(out.join("face.jsonl"));
    // A live source's frames are dropped that an analysis inline has no time for.
    assert!((10..=40).contains(&faces.len()), "{}", faces.len());
    assert!(faces.iter().all(|line| line["stream_id"] == "face"));
    let smiling = |line: &&Value| line["objects"][0]["emotion"]["stable"] == "happiness";
    assert!(faces.iter().filter(smiling).count() * 4 > faces.len() * 3);
    for (name, start) in
        [("face.mp4", &b"\0\0"[..]), ("bars.webm", b"\x1a\x45\xdf\xa3"), ("face.jpg", b"\xff\xd8")]
    {
        assert!(std::fs::read(out.join(name)).unwrap().starts_with(start), "{name}");
    }
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

/// An encoder that keeps its first frames, and a sink that would wait for the first one.
#[test]
fn outputs_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        "version: 1
streams:
  slow:
    source: { gst: videotestsrc num-buffers=300 }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: videoconvert ! x264enc rc-lookahead=60 ! filesink location=out.h264 }
      - json: { file: out.jsonl }
",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(lines(folder.path().join("out.jsonl")).len(), 300);
}

#[test]
fn an_output_that_fails_on_the_way_stops_alone() {
    let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc num-buffers=100 }
    analysis: { detector: none }
    outputs:
      - json: { file: /dev/full, existing: continue }
      - gst: { pipeline: identity error-after=5 ! fakesink }
      - json: { file: out.jsonl }
";
    // Which thread hears of the failure first is left to chance.
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), yaml);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("output 0 (json) stops: ") && errors.contains("No space left"));
        assert!(errors.contains("output 1 (gst) stops: "), "{errors}");
        assert_eq!(lines(folder.path().join("out.jsonl")).len(), 100, "{errors}");
    }
}

/// A source that is at work on a frame whenever the interrupt comes.
#[test]
fn an_interrupt_makes_no_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = |source: &str| {
        format!(
            "version: 1\nstreams:\n  a:\n    source:\n      gst: {source}\n    analysis: \
             {{ detector: none }}\n    outputs: [ {{ json: {{ file: out.jsonl, existing: replace }} }} ]\n"
        )
    };
    let small = "capsfilter caps=video/x-raw,width=64,height=64";
    for source in ["videotestsrc", "videotestsrc is-live=true"] {
        let child = start(folder.path(), &yaml(&format!("{source} ! {small}")), &[]);
        let json = folder.path().join("out.jsonl");
        until("a line", || std::fs::metadata(&json).is_ok_and(|data| data.len() > 5000));
        signal(&child, "INT");
        let output = child.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        let complaints = ["CRITICAL", "WARNING", "did not finish"];
        assert!(!complaints.iter().any(|complaint| told.contains(complaint)), "{source}: {told}");
        std::fs::remove_file(json).unwrap();
    }
}

/// An output that takes seconds to finish, and somebody who does not wait for it.
#[test]
fn a_second_interrupt_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc is-live=true }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: identity sleep-time=8000000 ! fakesink }
      - json: { file: out.jsonl }
";
    let child = start(folder.path(), yaml, &[]);
    let json = folder.path().join("out.jsonl");
    until("a line", || std::fs::metadata(&json).is_ok_and(|data| data.len() > 0));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(500));
    let second = Instant::now();
    signal(&child, "INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_file_that_is_no_video_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1\nstreams: { a: { source: { file: { path: p.yaml } } } }\n";
    let output = run(folder.path(), yaml);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("a: error: "), "{}", text(&output.stderr));
}

const ENDLESS: &str = "version: 1
streams:
  face:
    source: { test: { pattern: face } }
    analysis: { min-face: 0.2 }
    outputs:
      - json: { file: out.jsonl }
      - video: { file: out.mp4 }
";

/// An output whose file takes nothing when it is closed.
#[test]
fn an_output_that_fails_at_the_end_stops_alone() {
    let yaml = "version: 1
streams:
  a:
    source: { test: { pattern: face, size: [160, 120] } }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: jpegenc ! identity sleep-time=20000 ! filesink location=/dev/full buffer-size=100000000 }
      - video: { file: out.mkv }
      - json: { file: out.jsonl }
";
    let folder = tempfile::tempdir().unwrap();
    let child = start(folder.path(), yaml, &[]);
    let json = folder.path().join("out.jsonl");
    until("a line", || std::fs::metadata(&json).is_ok_and(|data| data.len() > 5000));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("output 0 (gst) stops: ") && !told.contains("not finish"), "{told}");
    assert!(folder.path().join("out.mkv").is_file(), "{told}");
}

/// The others have come to their end long before it fails.
#[test]
fn an_output_that_fails_last_is_not_waited_for() {
    let yaml = "version: 1
streams:
  a:
    source: { gst: 'videotestsrc num-buffers=20 ! capsfilter caps=video/x-raw,width=64,height=64' }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: jpegenc ! identity sleep-time=50000 ! filesink location=/dev/full buffer-size=100000000 }
      - json: { file: out.jsonl }
";
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let output = run(folder.path(), yaml);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("output 0 (gst) stops: ") && !told.contains("not finish"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(30), "it waited: {told}");
    assert_eq!(lines(folder.path().join("out.jsonl")).len(), 20);
}

/// As a process that was killed leaves it: the only copy of what it has recorded.
#[test]
fn a_video_that_is_not_whole_is_left_alone() {
    let yaml = "version: 1
streams:
  a:
    source: { gst: 'videotestsrc num-buffers=20 ! capsfilter caps=video/x-raw,width=64,height=64' }
    analysis: { detector: none }
    outputs: [ { video: { file: out.mkv } } ]
";
    let folder = tempfile::tempdir().unwrap();
    let half = folder.path().join(".out.mkv.part");
    std::fs::write(&half, "hours of it").unwrap();
    let output = run(folder.path(), yaml);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(half).unwrap(), b"hours of it");
    assert!(folder.path().join("out-2.mkv").is_file());
}

#[test]
fn an_interrupt_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let child = start(folder.path(), ENDLESS, &[]);
    let json = folder.path().join("out.jsonl");
    until("a line", || std::fs::metadata(&json).is_ok_and(|data| data.len() > 20_000));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!lines(json).is_empty());
    let video = std::fs::read(folder.path().join("out.mp4")).unwrap();
    assert!(video.windows(4).any(|word| word == b"moov"), "the video was not finished");
    // The same again would write over it.
    let output = run(folder.path(), ENDLESS.replace("pattern: face", "frames: 5").as_str());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is there already"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(folder.path().join("out.mp4")).unwrap(), video);
}

#[test]
fn a_changed_file_restarts_only_what_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let stream = |name: &str, size: u32| {
        format!(
            "  {name}:\n    source: {{ test: {{ size: [{size}, 120] }} }}\n    outputs: [ {{ json: {{ \
             file: {name}.jsonl }} }}, {{ video: {{ file: {name}.mkv }} }} ]\n"
        )
    };
    let yaml = |b: u32| format!("version: 1\nstreams:\n{}{}", stream("a", 160), stream("b", b));
    let child = start(folder.path(), &yaml(160), &[]);
    let path = |name: &str| folder.path().join(format!("{name}.jsonl"));
    let count = |name: &str| std::fs::read_to_string(path(name)).map_or(0, |t| t.lines().count());
    until("lines of both", || count("a") > 5 && count("b") > 5);
    std::fs::write(folder.path().join("p.yaml"), yaml(320)).unwrap();
    signal(&child, "HUP");
    let width = |line: &Value| line["resolution"]["width"].as_u64();
    let wide = || std::fs::read_to_string(path("b")).unwrap().contains("\"width\":320");
    until("the change of b", wide);
    std::fs::write(folder.path().join("p.yaml"), "version: 7").unwrap();
    signal(&child, "HUP");
    let before = count("a");
    until("more of a", || count("a") > before + 10);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("p.yaml was read again") && errors.contains("nothing is changed"));
    let frames: Vec<u64> = lines(path("a")).iter().map(|l| l["frame"].as_u64().unwrap()).collect();
    assert!(frames.windows(2).all(|pair| pair[0] < pair[1]), "a was restarted");
    // What this very process has written is no reason to refuse, and nothing of it is lost.
    let lines = lines(path("b"));
    assert_eq!(lines.first().and_then(width), Some(160));
    assert_eq!(lines.last().and_then(width), Some(320));
    assert!(folder.path().join("b.mkv").exists() && folder.path().join("b-2.mkv").exists());
}

/// What it lacked may be there now.
#[test]
fn a_stream_that_has_failed_is_started_again_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a: { source: { test: {} }, outputs: [ { json: { file: a.jsonl } } ] }
  b:
    source: { test: {} }
    analysis: { detector: none, model-file: fer-tiny.yaml }
    outputs: [ { json: { file: b.jsonl } } ]
";
    let child = start(folder.path(), yaml, &[]);
    let count = |name: &str| {
        std::fs::read_to_string(folder.path().join(name)).map_or(0, |text| text.lines().count())
    };
    until("lines of a, and b's failure meanwhile", || count("a.jsonl") > 60);
    assert_eq!(count("b.jsonl"), 0);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    for name in ["fer-tiny.onnx", "fer-tiny.yaml"] {
        std::fs::copy(models.join(name), folder.path().join(name)).unwrap();
    }
    signal(&child, "HUP");
    until("lines of b", || count("b.jsonl") > 5);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    // It has failed once.
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn metrics_and_lines_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let free = || {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("127.0.0.1:{port}")
    };
    let (metrics, server) = (free(), free());
    let yaml = format!(
        "version: 1\nstreams:\n  face:\n    source: {{ test: {{ pattern: face }} }}\n    analysis: {{ \
         min-face: 0.2 }}\n    outputs: [ {{ json: {{ tcp-server: '{server}' }} }} ]\n"
    );
    let child = start(folder.path(), &yaml, &["--metrics", &metrics]);
    let get = |path: &str| {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(&metrics) {
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_string(&mut answer).unwrap();
        }
        answer
    };
    until("health", || get("/healthz").starts_with("HTTP/1.0 200"));
    until("a smile", || {
        get("/metrics")
            .contains("fer_emotion_changes_total{stream=\"face\",emotion=\"happiness\"} 1")
    });
    let answer = get("/metrics");
    for name in ["fer_frames_total", "fer_restarts_total", "fer_faces", "fer_up"] {
        assert!(answer.contains(&format!("{name}{{stream=\"face\"}}")), "{answer}");
    }
    let value = |name: &str| -> f64 {
        let line = answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().parse().unwrap_or_else(|_| panic!("{name}: {answer}"))
    };
    assert_eq!(value("fer_faces_by_emotion{stream=\"face\",emotion=\"happiness\"}"), 1.0);
    assert!(value("fer_classifications_total{stream=\"face\"}") > 0.0);
    // Every frame has a latency, and none of a test source takes ten seconds.
    let frames = value("fer_latency_seconds_count{stream=\"face\"}");
    assert!(frames > 0.0 && frames <= value("fer_frames_total{stream=\"face\"}"), "{answer}");
    let sum = value("fer_latency_seconds_sum{stream=\"face\"}");
    assert!(sum > 0.0 && sum / frames < 10.0, "{answer}");
    assert_eq!(value("fer_latency_seconds_bucket{stream=\"face\",le=\"+Inf\"}"), frames);
    assert!(get("/nothing").starts_with("HTTP/1.0 404"));
    let mut client = TcpStream::connect(&server).unwrap();
    let mut bytes = [0; 2000];
    client.read_exact(&mut bytes).unwrap();
    let line = text(&bytes);
    let whole: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!(whole["stream_id"], "face");
    signal(&child, "INT");
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn elements_that_are_not_there_are_told_before_they_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc ! nosuch }
    outputs: [ { json: { stdout: true } }, { gst: { pipeline: fakesink foo=1 } } ]
";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let output = fer(folder.path(), &["check", "p.yaml"]).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("p.yaml: streams.a.source.gst: ") && told.contains("nosuch"), "{told}");
    assert!(told.contains("p.yaml: streams.a.outputs.1.gst: ") && told.contains("foo"), "{told}");
}

#[test]
fn broken_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.yaml"), "version: 1\nstream: {}\n").unwrap();
    let output = fer(folder.path(), &["check", "bad.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("bad.yaml:2:1: stream: unknown key; did you mean `streams`?"), "{told}");
    let output = fer(folder.path(), &["run", "bad.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_schema_describes_itself() {
    let output = fer(Path::new("."), &["schema"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let min_face = &schema["properties"]["streams"]["additionalProperties"]["properties"]["analysis"]
        ["properties"]["min-face"];
    assert_eq!((&min_face["minimum"], &min_face["maximum"]), (&0.01.into(), &1.0.into()));
    assert!(min_face["description"].as_str().unwrap().contains("smallest face"));
}
