//! `fer run` with real RTSP cameras: servers on loopback that are killed, restarted, and ask for
//! passwords.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod camera;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camera::Camera;
use gst::prelude::*;

fn video(width: u32) -> String {
    format!(
        "( videotestsrc is-live=true ! video/x-raw,width={width},height=160,framerate=15/1 ! x264enc \
         tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(folder: &Path, yaml: &str) -> Child {
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    Command::new(env!("CARGO_BIN_EXE_fer"))
        .args(["run", "p.yaml"])
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .env("CAMERA_PASSWORD", "hunter2")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn stop(child: Child) -> String {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(40), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn stream(name: &str, port: u16, more: &str) -> String {
    format!(
        "  {name}:
    source:
      rtsp:
        url: rtsp://127.0.0.1:{port}/cam
        transport: tcp
        latency: 50
        reconnect: {{ timeout: 1500, after: 200, at-most: 1000 }}
{more}    analysis: {{ detector: none }}
    outputs: [ {{ json: {{ file: {name}.jsonl }} }} ]
"
    )
}

#[test]
fn a_camera_that_comes_back_disturbs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (steady_port, shaky_port) = (free_port(), free_port());
    let _steady = Camera::start(steady_port, &video(160), None);
    let shaky = Camera::start(shaky_port, &video(160), None);
    let yaml = format!(
        "version: 1\nstreams:\n{}{}",
        stream("steady", steady_port, ""),
        stream("shaky", shaky_port, "")
    );
    let child = start(folder.path(), &yaml);
    let read = |name: &str| {
        std::fs::read_to_string(folder.path().join(format!("{name}.jsonl"))).unwrap_or_default()
    };
    let count = |name: &str| read(name).lines().count();
    until("frames of both", || count("steady") > 20 && count("shaky") > 20);
    drop(shaky);
    std::thread::sleep(Duration::from_secs(3));
    let (gone, before) = (count("shaky"), count("steady"));
    // Back with another resolution.
    let _shaky = Camera::start(shaky_port, &video(320), None);
    let back = Instant::now();
    until("frames of the camera that is back", || count("shaky") > gone + 5);
    assert!(back.elapsed() < Duration::from_secs(5), "back after {:?}", back.elapsed());
    assert!(count("steady") > before, "the other stream stopped");
    let errors = stop(child);
    assert!(errors.contains("shaky: warning: lost: "), "{errors}");
    assert!(!errors.contains("steady: warning: lost"), "{errors}");
    assert!(read("shaky").lines().last().unwrap().contains("\"width\":320"));
    // No frame of the other stream is missing or late: 15 a second, none apart by over 200 ms.
    let time = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["running_time_ns"].as_u64().unwrap()
    };
    let times: Vec<u64> = read("steady").lines().map(time).collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest <= 200_000_000, "a gap of {} ms", widest / 1_000_000);
}

#[test]
fn a_password_is_given_and_never_shown_and_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _camera = Camera::start(port, &video(160), Some(("me", "hunter2")));
    let right = "        user: me\n        password: ${CAMERA_PASSWORD}\n";
    let wrong = "        user: me\n        password: nonsense1\n";
    let yaml = format!(
        "version: 1\nstreams:\n{}{}",
        stream("right", port, right),
        stream("wrong", port, wrong)
    );
    let child = start(folder.path(), &yaml);
    let lines = folder.path().join("right.jsonl");
    until("frames", || std::fs::read_to_string(&lines).is_ok_and(|t| t.lines().count() > 10));
    let errors = stop(child);
    assert!(
        errors.contains("wrong: warning: lost: ") && errors.contains("nauthorized"),
        "{errors}"
    );
    assert!(errors.contains("next try in 60000 ms"), "{errors}");
    assert!(!errors.contains("right: warning: lost"), "{errors}");
    assert!(!errors.contains("hunter2") && !errors.contains("nonsense1"), "{errors}");
}

#[test]
fn a_camera_that_accepts_and_sends_nothing_counts_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let frozen = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = frozen.local_addr().unwrap().port();
    let refused = free_port();
    let yaml = format!(
        "version: 1\nstreams:\n{}{}",
        stream("frozen", port, ""),
        stream("refused", refused, "")
    );
    let child = start(folder.path(), &yaml);
    let mut connections = 0;
    frozen.set_nonblocking(true).unwrap();
    let mut kept = Vec::new();
    until("a second try", || {
        kept.extend(frozen.accept().map(|(stream, _)| stream).ok());
        connections = kept.len();
        connections >= 2
    });
    let errors = stop(child);
    assert!(errors.contains("frozen: warning: lost: no frame for"), "{errors}");
    let refuses = format!("(127.0.0.1:{refused}: Connection refused");
    assert!(errors.contains("refused: warning: lost: ") && errors.contains(&refuses), "{errors}");
}

/// Another resolution within one session: the lines tell of it, and videos keep their size.
#[test]
fn a_camera_that_changes_its_resolution_on_the_way_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let camera = Camera::start(
        port,
        "( videotestsrc is-live=true ! capsfilter name=size \
         caps=video/x-raw,width=160,height=120,framerate=15/1 ! x264enc tune=zerolatency \
         speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
        None,
    );
    let (sender, pipelines) = std::sync::mpsc::channel();
    camera.on_pipeline(move |pipeline| sender.send(pipeline).unwrap());
    let kinds = ["mp4", "mkv", "webm"];
    let videos =
        kinds.map(|kind| format!("      - video: {{ file: a.{kind}, encoder: software }}\n"));
    let yaml = format!(
        "version: 1\nstreams:\n{}    outputs:\n      - json: {{ file: a.jsonl }}\n{}",
        stream("a", port, "").split_once("    outputs:").unwrap().0,
        videos.concat(),
    );
    let child = start(folder.path(), &yaml);
    let lines = || std::fs::read_to_string(folder.path().join("a.jsonl")).unwrap_or_default();
    let count = |width: u32| lines().matches(&format!("\"width\":{width},")).count();
    until("frames", || count(160) > 20);
    let size = pipelines.recv().unwrap().by_name("size").unwrap();
    let caps = gst::Caps::builder("video/x-raw").field("width", 320).field("height", 240);
    size.set_property("caps", caps.field("framerate", gst::Fraction::new(15, 1)).build());
    until("wide frames", || count(320) > 30);
    let told = stop(child);
    assert!(!told.contains("lost") && !told.contains("error"), "{told}");
    for kind in kinds {
        let sizes = decoded(&folder.path().join(format!("a.{kind}")));
        assert_eq!(sizes, vec![(160, 120); lines().lines().count()], "{kind}");
    }
}

/// Width and height of each frame of a video.
fn decoded(path: &Path) -> Vec<(u32, u32)> {
    let pipeline = gst::parse::launch(&format!(
        "filesrc location={} ! decodebin ! appsink name=frames sync=false",
        path.display()
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let frames = pipeline.by_name("frames").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let size = |sample: gst::Sample| {
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        (info.width(), info.height())
    };
    let sizes = std::iter::from_fn(|| frames.pull_sample().ok()).map(size).collect();
    pipeline.set_state(gst::State::Null).unwrap();
    sizes
}
