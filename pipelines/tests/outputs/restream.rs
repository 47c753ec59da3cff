//! `rtsp`: the video served as a camera's, read back by real clients.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gst::prelude::*;

use super::{lines, run, start, stop, text, until};

/// A player: the widths of the frames that it has shown.
struct Viewer {
    pipeline: gst::Pipeline,
    widths: Arc<Mutex<Vec<i32>>>,
}

impl Viewer {
    /// Watches `rtsp://127.0.0.1:PORT/PATH`; `more` are properties of `rtspsrc`.
    fn watch(port: u16, path: &str, more: &str) -> Self {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(&format!(
            "rtspsrc location=rtsp://127.0.0.1:{port}/{path} latency=50 {more} ! decodebin ! \
             appsink name=out sync=false"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let widths = Arc::new(Mutex::new(Vec::new()));
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        let seen = Arc::clone(&widths);
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let width = sample.caps().and_then(|caps| caps.structure(0)?.get("width").ok());
            seen.lock().unwrap().push(width.unwrap_or(0));
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, widths }
    }

    fn count(&self, width: i32) -> usize {
        self.widths.lock().unwrap().iter().filter(|&&seen| seen == width).count()
    }

    /// What ended it: an error, or the end of the stream.
    fn ended(&self) -> Option<String> {
        let types = [gst::MessageType::Error, gst::MessageType::Eos];
        let message = self.pipeline.bus().unwrap().pop_filtered(&types)?;
        Some(match message.view() {
            gst::MessageView::Error(error) => format!("{} {:?}", error.error(), error.debug()),
            _ => "end".to_owned(),
        })
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A camera, made of the very thing that is tested.
fn camera(folder: &Path, port: u16, width: u32) -> std::process::Child {
    let folder = folder.join(format!("camera-{width}"));
    std::fs::create_dir(&folder).unwrap();
    start(
        &folder,
        &format!(
            "version: 1
streams:
  cam:
    source: {{ test: {{ size: [{width}, 120], rate: 15 }} }}
    analysis: {{ detector: none }}
    outputs: [ {{ rtsp: {{ port: {port}, overlay: none }} }} ]
"
        ),
    )
}

#[test]
fn viewers_come_early_and_late_and_outlast_the_camera() {
    let folder = tempfile::tempdir().unwrap();
    let (source, port) = (free_port(), free_port());
    let yaml = format!(
        "version: 1
streams:
  door:
    source:
      rtsp:
        url: rtsp://127.0.0.1:{source}/cam
        transport: tcp
        latency: 50
        reconnect: {{ timeout: 1500, after: 200, at-most: 500 }}
    analysis: {{ detector: none }}
    outputs:
      - rtsp: {{ port: {port}, encoder: software }}
      - json: {{ file: out.jsonl }}
"
    );
    let child = start(folder.path(), &yaml);
    until("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    // Before there is anything to see.
    let early = Viewer::watch(port, "door", "protocols=tcp");
    let mut first = camera(folder.path(), source, 160);
    until("frames", || early.count(160) > 10);
    let late = Viewer::watch(port, "door", "protocols=udp");
    until("frames of who joined late", || late.count(160) > 10);
    drop(late);
    let again = Viewer::watch(port, "door", "protocols=tcp");
    until("frames of who joined again", || again.count(160) > 10);
    // Another camera in its place.
    first.kill().unwrap();
    first.wait().unwrap();
    let second = camera(folder.path(), source, 320);
    until("frames of the other size", || early.count(320) > 10 && again.count(320) > 10);
    let errors = stop(child);
    assert!(!errors.contains("(rtsp)"), "{errors}");
    until("the end", || early.ended().is_some());
    assert!(lines(folder.path().join("out.jsonl")).len() > 40);
    stop(second);
}

#[test]
fn streams_share_a_port_and_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let yaml = format!(
        "version: 1
defaults:
  analysis: {{ detector: none }}
  outputs: [ {{ rtsp: {{ port: {port}, user: me, password-file: secret }} }} ]
streams:
  a: {{ source: {{ test: {{ size: [160, 120] }} }} }}
  b: {{ source: {{ test: {{ size: [320, 120] }} }} }}
"
    );
    let child = start(folder.path(), &yaml);
    until("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let right = "protocols=tcp user-id=me user-pw=hunter2";
    let (a, b) = (Viewer::watch(port, "a", right), Viewer::watch(port, "b", right));
    until("frames of both", || a.count(160) > 10 && b.count(320) > 10);
    for (path, login) in
        [("a", "user-id=me user-pw=wrong"), ("b", ""), ("c", "user-id=me user-pw=hunter2")]
    {
        let viewer = Viewer::watch(port, path, login);
        let mut reason = None;
        until("a refusal", || {
            reason = viewer.ended();
            reason.is_some()
        });
        let reason = reason.unwrap();
        let expected = if path == "c" { "404" } else { "nauthorized" };
        assert!(reason.contains(expected) || reason.contains("Not found"), "{path}: {reason}");
        assert!(viewer.widths.lock().unwrap().is_empty());
    }
    let errors = stop(child);
    assert!(!errors.contains("hunter2") && !errors.contains("error"), "{errors}");
}

#[test]
fn a_port_that_is_taken_stops_this_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let yaml = format!(
        "version: 1
streams:
  a:
    source: {{ test: {{ frames: 20 }} }}
    analysis: {{ detector: none }}
    outputs:
      - rtsp: {{ port: {port} }}
      - json: {{ file: out.jsonl }}
"
    );
    let output = run(folder.path(), &yaml);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let told = format!("output 0 (rtsp) does not start: nobody can watch at 127.0.0.1:{port}");
    assert!(errors.contains(&told), "{errors}");
    assert!((15..=20).contains(&lines(folder.path().join("out.jsonl")).len()));
}
