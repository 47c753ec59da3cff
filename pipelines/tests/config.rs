//! What pipeline files may say, and what is said of those that are wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use pipelines::config::{
    Amount, Existing, Folders, Json, Keep, Output, Overlay, PictureFormat, PipelineFile, Problem,
    Rotate, Source, Span, Transport,
};
use serde_json::json;

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("10.0.0.7".to_owned()),
        "PIN" => Some("0042".to_owned()),
        "EMPTY" => Some(String::new()),
        "WIDTH" => Some("800".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<PipelineFile, Vec<Problem>> {
    parse_with(text, &[])
}

fn parse_with(text: &str, sets: &[&str]) -> Result<PipelineFile, Vec<Problem>> {
    gst::init().unwrap();
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    PipelineFile::parse(text, &sets, &environment)
}

/// One line a problem, as `fer check` prints it.
fn complaints(text: &str) -> String {
    let problems = parse(text).expect_err("nothing was wrong");
    let lines = problems.iter().map(|problem| problem.in_file("f.yaml".as_ref()));
    lines.collect::<Vec<_>>().join("\n")
}

const CAMERA: &str = "
version: 1
streams:
  door:
    source:
      rtsp:
        url: rtsp://${HOST}/${PATH_OF_IT:-main}
        user: viewer
        password: ${PIN}
        transport: tcp
    analysis:
      min-face: 0.05
      detector: haar
      min-neighbors: 7
    outputs:
      - json:
          file: out/{stream}-%Y.jsonl
          rotate: { size: 100M, time: 1h }
          existing: continue
      - window: { overlay: blur }
";

#[test]
fn a_file_says_what_it_says() {
    let file = parse(CAMERA).unwrap();
    let stream = &file.streams["door"];
    let Source::Rtsp(rtsp) = &stream.source else { panic!("{stream:?}") };
    assert_eq!(rtsp.url, "rtsp://10.0.0.7/main");
    // A variable is what the place expects: text that looks like a number stays text.
    assert_eq!(rtsp.password.as_ref().unwrap().reveal(), "0042");
    assert_eq!((rtsp.transport, rtsp.latency, rtsp.reconnect.timeout), (Transport::Tcp, 200, None));
    assert_eq!(stream.analysis["min-face"], json!(0.05));
    let Output::Json(Json { file, rotate, existing, skip_empty, .. }) = &stream.outputs[0] else {
        panic!("{stream:?}")
    };
    assert_eq!(file.as_deref(), Some("out/{stream}-%Y.jsonl"));
    let hour = Span(Duration::from_secs(3600));
    assert_eq!(*rotate, Some(Rotate { size: Some(Amount(100_000_000)), time: Some(hour) }));
    assert_eq!((*existing, *skip_empty), (Existing::Continue, false));
    assert!(
        matches!(&stream.outputs[1], Output::Window(window) if window.overlay == Overlay::Blur)
    );
    // Nothing that is printed shows the password.
    assert!(!format!("{file:?} {stream:?}").contains("0042"));
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let found = complaints(
        "version: 2
streams:
  door:
    source:
      rtps: { url: rtsp://camera/1 }
    analysis:
      min-fase: 0.1
      min-neighbors: 99
      smoothing: hhm
      margin: wide
  desk:
    source:
      webcam: { device: /dev/video0, size: [0, 480] }
    outputs:
      - window: { overlay: smear }
      - json: { skip-empty: true }
      - video: { file: out.avi }
",
    );
    let expected = [
        "f.yaml:1:10: version: 2; expected 1",
        "f.yaml:5:7: streams.door.source: `rtps` is none that is known; did you mean `rtsp`? \
         (known: webcam, rtsp, file, files, http, test, gst)",
        "f.yaml:7:7: streams.door.analysis.min-fase: unknown key; did you mean `min-face`?",
        "f.yaml:8:22: streams.door.analysis.min-neighbors: 99; expected 0 to 20",
        "f.yaml:9:18: streams.door.analysis.smoothing: `hhm`; did you mean `hmm`? (known: none, \
         ema, hmm)",
        "f.yaml:10:15: streams.door.analysis.margin: `wide`; expected a number",
        "f.yaml:13:45: streams.desk.source.webcam.size.0: 0; expected 1 to 16384",
        "f.yaml:15:28: streams.desk.outputs.0.window.overlay: `smear` (known: draw, blur, \
         pixelate, none)",
        "f.yaml:17:24: streams.desk.outputs.2.video.file: `out.avi` does not fit: The file; its \
         ending says the container: mp4, mkv or webm",
    ];
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{found}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nexpected {expected}");
    }
}

#[test]
fn what_no_schema_can_say_is_checked_too() {
    let found = complaints(
        "version: 1
streams:
  a:
    source: { rtsp: { url: rtsp://c/1, password: x, password-file: /no/such/file } }
    outputs:
      - json: { skip-empty: true }
      - json: { file: out.jsonl, stdout: true }
      - json: { udp: nowhere, rotate: { size: 1M } }
      - json: { tcp-server: ':5000' }
  b:
    source: { file: { path: /no/such/clip.mp4 } }
    outputs: [ { video: { file: same.mp4, rotate: { time: 1h } } } ]
  c:
    source: { test: {} }
    outputs: [ { video: { file: .//same.mp4 } } ]
  d:
    source: { files: { paths: [ Cargo.*, no-such-*.mp4 ] } }
  e:
    source: { file: { path: src } }
    outputs:
      - json: { file: ./src/../same.mp4 }
      - json: { file: '50%.jsonl' }
      - faces: { folder: Cargo.toml/ }
      - json: { udp: '127.0.0.1:0' }
      - json: { file: src/../Cargo.toml, existing: replace }
",
    );
    for part in [
        "f.yaml:4:21: streams.a.source.rtsp: `password` and `password-file`",
        "streams.a.source.rtsp.password-file: `/no/such/file`: No such file",
        "streams.a.outputs.0.json: no target; expected one of file, stdout, tcp-server, udp",
        "streams.a.outputs.1.json: several targets",
        "streams.a.outputs.2.json.rotate: there is no `file`",
        "streams.a.outputs.2.json.udp: `nowhere`; expected HOST:PORT",
        "streams.a.outputs.3.json.tcp-server: `:5000`; expected HOST:PORT",
        "streams.b.source.file.path: `/no/such/clip.mp4`",
        "streams.b.outputs.0.video.rotate: the video of a `file` has its sound",
        "streams.d.source.files.paths.1: `no-such-*.mp4`: there is no such file",
        "streams.c.outputs.0.video: `.//same.mp4` is written by b (video) too",
        "streams.e.source.file.path: `src` is no file; expected a recording",
        "streams.e.outputs.0.json: `./src/../same.mp4` is written by c (video) too",
        "streams.e.outputs.1.json.file: `50%.jsonl`: ",
        "streams.e.outputs.3.json.udp: `127.0.0.1:0`; expected HOST:PORT",
        "streams.e.outputs.4.json: `src/../Cargo.toml` is the recording that d reads",
    ] {
        assert!(found.contains(part), "{part}\nis not in\n{found}");
    }
}

#[test]
fn an_album_of_faces_says_where_and_how_much() {
    let album = |settings: &str| {
        format!(
            "version: 1\nstreams:\n  a:\n    source: {{ test: {{}} }}\n    outputs: [ {{ faces: {{ {settings} \
             }} }} ]\n"
        )
    };
    let file = parse(&album("folder: 'out/{stream}', keep: { files: 9, size: 2M, age: 30d }"));
    let Output::Faces(faces) = &file.unwrap().streams["a"].outputs[0] else { panic!() };
    let month = Some(Span(Duration::from_secs(30 * 86_400)));
    assert_eq!(faces.keep, Keep { files: Some(9), size: Some(Amount(2_000_000)), age: month });
    assert_eq!((faces.folders, faces.format), (Folders::Emotion, PictureFormat::Png));
    for (settings, part) in [
        ("folders: emotion", "faces: `folder` is missing"),
        ("folder: a, folders: trak", "`trak`; did you mean `track`?"),
        ("folder: a, margin: 3", "margin: 3; expected 0 to 2"),
        ("folder: a, keep: { files: 0 }", "keep.files: 0; expected 1 or more"),
        ("folder: a, keep: { age: 30 }", "keep.age: 30; expected text"),
        ("folder: a, keep: { days: 30 }", "keep.days: unknown key"),
        ("folder: a } }, { faces: { folder: a", "`a` is written by a (faces) too"),
    ] {
        let found = complaints(&album(settings));
        assert!(found.contains(part), "{settings}\n{found}");
    }
}

#[test]
fn what_is_served_is_open_or_has_one_login_a_port() {
    let served = |a: &str, b: &str| {
        format!(
            "version: 1\nstreams:\n  a: {{ source: {{ test: {{}} }}, outputs: [ {{ rtsp: {{ {a} }} }} ] \
             }}\n  b: {{ source: {{ file: {{ path: Cargo.toml }} }}, outputs: [ {{ rtsp: {{ {b} }} }} ] \
             }}\n"
        )
    };
    let login = "user: me, password: hunter2";
    let file = parse(&served(login, login).replace("Cargo.toml", "Cargo.toml, realtime: true"));
    let Output::Rtsp(restream) = &file.unwrap().streams["a"].outputs[0] else { panic!() };
    assert_eq!(restream.url(), "rtsp://127.0.0.1:8554/{stream}");
    for (a, b, part) in [
        ("", "", "b.outputs.0.rtsp: the source is read as fast as possible"),
        ("path: /x", "path: /x", "`rtsp://127.0.0.1:8554/x` is written by a (rtsp) too"),
        ("path: x", "", "path: `x` does not fit"),
        ("address: here", "", "address: `here`"),
        ("address: 999.1.1.1", "", "f.yaml:3:60: streams.a.outputs.0.rtsp.address: `999.1.1.1`"),
        ("port: 0", "", "port: 0; expected 1 to 65535"),
        ("user: me, password: ''", "port: 9", "password: it is empty"),
        ("user: me", "port: 9", "a.outputs.0.rtsp: expected `user` and a password, or neither"),
        (login, "", "b.outputs.0.rtsp: another login than streams.a.outputs.0.rtsp at port 8554"),
        (login, "user: me, password: other", "another login than streams.a.outputs.0.rtsp"),
    ] {
        let found = complaints(&served(a, b));
        assert!(found.contains(part), "{a} {b}\n{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn anchors_merge_keys_and_defaults_are_shared() {
    let file = parse(
        "version: 1
defaults:
  analysis: { min-face: 0.2, hold-time: 300 }
  outputs: [ { json: { file: 'out/{stream}.jsonl' } } ]
streams:
  a:
    source: &camera
      test: { size: [320, 240] }
    analysis: &slow { inference-interval: 500, min-face: 0.3 }
  b:
    source: *camera
    analysis: { <<: *slow, min-face: 0.4 }
",
    )
    .unwrap();
    let analysis = |name: &str| serde_json::to_value(&file.streams[name].analysis).unwrap();
    assert_eq!(file.streams["a"].source, file.streams["b"].source);
    assert_eq!(
        analysis("a"),
        json!({ "min-face": 0.3, "inference-interval": 500, "hold-time": 300 })
    );
    assert_eq!(
        analysis("b"),
        json!({ "min-face": 0.4, "inference-interval": 500, "hold-time": 300 })
    );
    assert_eq!(file.streams["b"].outputs.len(), 1);
}

#[test]
fn the_command_line_changes_values() {
    let sets =
        ["streams.door.source.rtsp.latency=50", "streams.door.outputs.0.json.skip-empty=true"];
    let file = parse_with(CAMERA, &sets).unwrap();
    let Source::Rtsp(rtsp) = &file.streams["door"].source else { panic!() };
    assert_eq!(rtsp.latency, 50);
    assert!(matches!(&file.streams["door"].outputs[0], Output::Json(json) if json.skip_empty));
    for (set, part) in [
        ("streams.door.source.rtsp.latency=soon", "--set streams.door.source.rtsp.latency: "),
        ("streams.door.outputs.7.json={}", "expected a position from 0 below 2"),
        ("version", "expected KEY.PATH=VALUE"),
    ] {
        let problems = parse_with(CAMERA, &[set]).unwrap_err();
        let text = problems[0].in_file("f.yaml".as_ref());
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn variables_must_be_there_and_secrets_are_never_shown() {
    let missing = CAMERA.replace("${HOST}", "${NO_SUCH}");
    assert!(complaints(&missing).contains("NO_SUCH is not set"), "{}", complaints(&missing));
    let wrong = CAMERA.replace("password: ${PIN}", "password: [hunter2]");
    let found = complaints(&wrong);
    assert!(found.contains("password") && !found.contains("hunter2"), "{found}");
    let wrong = CAMERA.replace("rtsp://${HOST}", "rtps://me:hunter2@host");
    let found = complaints(&wrong);
    assert!(found.contains("me:***@host") && !found.contains("hunter2"), "{found}");
}

/// A variable that is there and empty, as compose files pass what nobody has set, takes no login and
/// no limit away.
#[test]
fn an_empty_variable_is_no_wish_to_do_without() {
    let served = |login: &str| {
        format!(
            "version: 1\nstreams:\n  a:\n    source: {{ test: {{}} }}\n    outputs:\n      - rtsp:\n          \
             {login}\n"
        )
    };
    for (login, part) in [
        ("user: ${EMPTY}\n          password: ${EMPTY}", "password: it is empty"),
        ("user: u\n          password: ${EMPTY}", "password: it is empty"),
        ("user: ${EMPTY}", "expected `user` and a password"),
    ] {
        let found = complaints(&served(login));
        assert!(found.contains(part), "{login}\n{found}");
    }
    let keep =
        served("keep:\n            age: ${EMPTY}").replace("rtsp:", "faces:\n          folder: f");
    assert!(complaints(&keep).contains("keep.age"), "{}", complaints(&keep));
    // A default says outright that there is none.
    let file = parse(&served("user: ${EMPTY:-}\n          password: ${NO_SUCH:-}")).unwrap();
    let Output::Rtsp(restream) = &file.streams["a"].outputs[0] else { panic!() };
    assert_eq!((&restream.user, &restream.password), (&None, &None));
}

#[test]
fn what_is_no_pipeline_file_is_refused() {
    for (text, part) in [
        ("", "the file is empty"),
        ("version: 1\nstreams: {}\n", "streams: empty"),
        ("a: b\n---\nc: d\n", "2 YAML documents"),
        ("version: 1\nversion: 1\n", "duplicated key"),
        ("version: 1\n'version': 1\n", "f.yaml:2:1: `version` is there twice"),
        ("version: [1\n", "no YAML"),
        ("a: { b: ${X} }\n", "write `\"${NAME}\"` with quotes inside of `{ }`"),
        ("- 1\n", "expected a mapping"),
        ("version: 1\n", "`streams` is missing"),
        ("version: 1\nstreams: { '../x': { source: { test: {} } } }\n", "the name"),
        ("version: 1\nstreams: { a: { source: test } }\n", "expected a key with settings"),
        ("version: 1\nstreams: { a: { source: { test: {}, gst: x } } }\n", "2 keys"),
    ] {
        let found = complaints(text);
        assert!(found.contains(part), "{text}\n{found}\nlacks {part}");
    }
    let bomb = (1..9).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{items}]\n")
    });
    assert!(!complaints(&bomb).is_empty());

    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.yaml");
    std::fs::write(&large, vec![b'#'; 10_000_000]).unwrap();
    let error = PipelineFile::load(&large, &[], &environment).unwrap_err().to_string();
    assert!(error.contains("it has 10000000 bytes"), "{error}");
    let error = PipelineFile::load(&folder.path().join("no.yaml"), &[], &environment).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

/// Readers of what lies inside of each other go as deep on the stack.
#[test]
fn what_lies_too_deep_is_refused_and_nothing_overflows() {
    let deep = |inner: &str| format!("version: 1\nstreams:\n  {inner}\n");
    let aliased: String = (1..200).map(|at| format!("a{at}: &a{at} [ *a{} ]\n", at - 1)).collect();
    for text in [
        deep(&"- ".repeat(100_000)),
        deep(&format!("{}{}", "[".repeat(200), "]".repeat(200))),
        (0..2000).map(|at| format!("{}a:\n", " ".repeat(at))).collect(),
        format!("a0: &a0 [ x ]\n{aliased}"),
    ] {
        let found = complaints(&text);
        let first = found.lines().next().unwrap();
        assert!(first.contains("more than 64 mappings and lists inside of each other"), "{first}");
    }
    let set = format!("{}=1", vec!["x"; 100_000].join("."));
    let problems = parse_with(CAMERA, &[&set]).unwrap_err();
    assert!(problems[0].message.contains("more than 64"), "{problems:?}");
}
