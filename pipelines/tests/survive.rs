//! What a run survives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn fer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(arguments).current_dir(folder);
    command.env_remove("G_DEBUG").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.env_remove("http_proxy");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn count(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn whoever_reads_the_log_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc num-buffers=40 }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: identity error-after=5 ! fakesink }
      - json: { file: a.jsonl }
";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let mut child = fer(folder.path(), &["run", "p.yaml"]).spawn().unwrap();
    drop(child.stderr.take());
    // 1 for the output that failed; a panic is 101.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(count(&folder.path().join("a.jsonl")), 40);
}

#[test]
fn a_result_that_cannot_be_written_is_told_and_a_reader_who_has_gone_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["schema"][..], &["man"], &["completions", "bash"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = fer(folder.path(), arguments).stdout(full).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(told.contains("No space left") && told.contains("standard output"), "{told}");
        let mut child = fer(folder.path(), arguments).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn an_output_that_cannot_open_keeps_no_other_from_playing() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc num-buffers=30 }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: filesink location=no/such/folder/a }
      - json: { file: a.jsonl }
";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let mut child = fer(folder.path(), &["run", "p.yaml"]).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("output 0 (gst) stops"), "{told}");
    assert_eq!(count(&folder.path().join("a.jsonl")), 30, "{told}");
}

/// A live stream of Matroska, a second of it to each who connects; how many did.
fn camera(folder: &Path) -> (String, Arc<AtomicU32>) {
    let film = folder.join("live.mkv");
    let made = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", "num-buffers=25", "!", "jpegenc", "!"])
        .args(["matroskamux", "streamable=true", "!", "filesink"])
        .arg(format!("location={}", film.display()))
        .status()
        .unwrap();
    assert!(made.success());
    let film = std::fs::read(film).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/live", listener.local_addr().unwrap());
    let served = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&served);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 4096];
            let _ = client.read(&mut request);
            // No length, and a clean end.
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: video/x-matroska\r\nConnection: close\r\n\r\n";
            // Who has read enough may go.
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&film));
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, served)
}

#[test]
fn a_camera_whose_server_closes_the_connection_is_reached_again() {
    let folder = tempfile::tempdir().unwrap();
    let (address, served) = camera(folder.path());
    let yaml = format!(
        "version: 1\nstreams:\n  a:\n    source: {{ http: {{ url: '{address}', reconnect: {{ after: \
         100 }} }} }}\n    analysis: {{ detector: none }}\n    outputs: [ {{ json: {{ file: a.jsonl }} }} ]\n"
    );
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let mut child = fer(folder.path(), &["run", "p.yaml"]).spawn().unwrap();
    let start = Instant::now();
    while served.load(Ordering::SeqCst) < 3 && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "it is not reached again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert!(output.status.success() && told.contains("a: warning: lost: "), "{told}");
    assert!(count(&folder.path().join("a.jsonl")) >= 50, "{told}");
}

/// A recording of ten seconds of which a server sends half, over and over.
fn failing_server(folder: &Path) -> String {
    let made = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", "num-buffers=250", "!", "jpegenc", "!", "matroskamux", "!"])
        .args(["filesink", "location=half.mkv"])
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(made.success());
    let film = std::fs::read(folder.join("half.mkv")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/half.mkv", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let (half, length) = (&film[..film.len() / 2], film.len());
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: video/x-matroska\r\nContent-Length: {length}\r\n\
                 Accept-Ranges: none\r\nConnection: close\r\n\r\n"
            );
            let mut sent = client.write_all(head.as_bytes());
            // Slowly enough that frames are seen before it ends.
            for part in half.chunks(half.len() / 50) {
                sent = sent.and_then(|()| client.write_all(part));
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    address
}

/// It would begin anew, for ever, and its lines be written again and again.
#[test]
fn a_recording_that_a_server_breaks_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let address = failing_server(folder.path());
    let yaml = format!(
        "version: 1\nstreams:\n  a:\n    source: {{ http: {{ url: '{address}', reconnect: {{ after: \
         100 }} }} }}\n    analysis: {{ detector: none }}\n    outputs: [ {{ json: {{ file: a.jsonl }} }} ]\n"
    );
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let (code, told) = ends(fer(folder.path(), &["run", "p.yaml"]));
    assert!(code == Some(1) && !told.contains("next try"), "{told}");
    let lines = count(&folder.path().join("a.jsonl"));
    assert!((10..=130).contains(&lines), "{lines} lines\n{told}");
}

/// How a command ends, within half a minute, and what it says.
fn ends(mut command: Command) -> (Option<i32>, String) {
    let (mut child, start) = (command.spawn().unwrap(), Instant::now());
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// A camera that is lost comes back; a model that is not there does not.
#[test]
fn what_no_other_try_could_mend_ends_a_camera_too() {
    let folder = tempfile::tempdir().unwrap();
    for (analysis, part) in [("model-file: no.yaml", "no.yaml"), ("cascade-file: no.xml", "no.xml")]
    {
        let yaml = format!(
            "version: 1\nstreams:\n  a:\n    source: {{ rtsp: {{ url: 'rtsp://127.0.0.1:9/x' }} }}\n    \
             analysis: {{ {analysis} }}\n    outputs: [ {{ json: {{ stdout: true }} }} ]\n"
        );
        std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
        let (code, told) = ends(fer(folder.path(), &["run", "p.yaml"]));
        assert!(code == Some(1) && told.contains(part) && !told.contains("lost"), "{told}");
        let (code, told) = ends(fer(folder.path(), &["check", "p.yaml"]));
        assert!(code == Some(1) && told.contains("streams.a.analysis: "), "{told}");
        assert!(told.contains(part), "{told}");
    }
}

/// A camera that sends JPEGs for as long as somebody watches: small ones, ten a second.
fn jpeg_camera(folder: &Path) -> String {
    let made = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", "num-buffers=1", "!", "jpegenc", "!"])
        .args(["filesink", "location=a.jpg"])
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(made.success());
    let jpeg = std::fs::read(folder.join("a.jpg")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/video.mjpg", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let kind = "multipart/x-mixed-replace;boundary=frame";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n");
            let mut sent = client.write_all(head.as_bytes());
            while sent.is_ok() {
                let length = jpeg.len();
                let part = format!(
                    "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
                );
                sent = client
                    .write_all(part.as_bytes())
                    .and_then(|()| client.write_all(&jpeg))
                    .and_then(|()| client.write_all(b"\r\n"));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    address
}

#[test]
fn a_camera_that_sends_jpegs_by_http_is_seen_at_once_and_its_frames_have_times() {
    let folder = tempfile::tempdir().unwrap();
    let address = jpeg_camera(folder.path());
    let yaml = format!(
        "version: 1\nstreams:\n  a:\n    source: {{ http: {{ url: '{address}' }} }}\n    analysis: {{ \
         detector: none }}\n    outputs: [ {{ json: {{ file: a.jsonl }} }} ]\n"
    );
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let child = fer(folder.path(), &["run", "p.yaml"]).spawn().unwrap();
    let (start, json) = (Instant::now(), folder.path().join("a.jsonl"));
    while count(&json) < 15 && start.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = std::fs::read_to_string(json).unwrap();
    let time =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["pts_ns"].as_u64();
    let times: Vec<_> = lines.lines().map(time).collect();
    assert!(times.len() >= 15, "{times:?}: {}", text(&output.stderr));
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
}

#[test]
fn a_stream_without_a_working_output_ends() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there.jsonl"), "{}\n").unwrap();
    for (outputs, told) in [
        ("[ { json: { file: there.jsonl } } ]", "is there already"),
        ("[ { gst: { pipeline: identity error-after=5 ! fakesink } } ]", "stops"),
        ("[ { json: { stdout: true } } ]", "standard output"),
    ] {
        // It has no end of its own.
        let yaml = format!(
            "version: 1\nstreams:\n  a:\n    source: {{ test: {{ pattern: ball }} }}\n    \
             analysis: {{ detector: none }}\n    outputs: {outputs}\n"
        );
        std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
        let mut child = fer(folder.path(), &["run", "p.yaml"]).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{outputs}: {errors}");
        assert!(errors.contains(told) && errors.contains("no output is left"), "{errors}");
    }
}

#[test]
fn work_that_nohup_began_goes_on_after_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", "num-buffers=600", "!", "jpegenc", "!", "matroskamux", "!"])
        .args(["filesink", "location=a.mkv"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    for (how, success) in [("trap '' HUP; exec", true), ("exec env --default-signal=HUP", false)] {
        let script = format!("{how} \"$0\" annotate --force --set detector=none a.mkv");
        let child = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_fer")])
            .current_dir(folder.path())
            .env_remove("G_DEBUG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = || {
            let mut names = std::fs::read_dir(folder.path()).unwrap();
            names.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".part"))
        };
        let start = Instant::now();
        while !begun() {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.success(), success, "{how}: {}", text(&output.stderr));
    }
}
