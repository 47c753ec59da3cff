//! A process that gets no more memory, or no more threads.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const FRAMES: usize = 20;
const ABORTED: i32 = 6;
const TRAPPED: i32 = 5;
/// x264 reads what it got no memory for, as it is flushed (gdb: `x264_encoder_encode`).
const CRASHED: i32 = 11;

fn recording(folder: &Path) {
    let line = format!(
        "videotestsrc num-buffers={FRAMES} ! video/x-raw,width=160,height=120 ! jpegenc \
         ! matroskamux ! filesink location=a.mkv"
    );
    let made = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(line.split_whitespace())
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(made.success());
}

/// Annotates `a.mkv` within `limits` of the shell; how it ended and what it said.
fn annotate(folder: &Path, limits: &str) -> (ExitStatus, String) {
    let told = std::fs::File::create(folder.join("told")).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_fer")])
        .args(["annotate", "--force", "a.mkv", "-o", "out.mp4"])
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .stdout(Stdio::null())
        .stderr(told)
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{limits}: it hangs: {}", std::fs::read_to_string(folder.join("told")).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (status, std::fs::read_to_string(folder.join("told")).unwrap())
}

#[test]
fn with_too_little_memory_it_ends_and_leaves_nothing_half_under_a_name() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let outputs = ["out.mp4", "out.jsonl"].map(|name| folder.path().join(name));
    let (mut worked, mut failed) = (0, 0);
    // From what is too little for its libraries to what is plenty.
    for megabytes in [60, 100, 140, 180, 210, 240, 270, 300, 400, 600, 8000] {
        let (status, told) = annotate(folder.path(), &format!("ulimit -v {}", megabytes * 1024));
        let case = format!("{megabytes} MB, {status}: {told}");
        if status.success() {
            worked += 1;
            let lines = std::fs::read_to_string(&outputs[1]).unwrap();
            assert_eq!(lines.lines().count(), FRAMES, "{case}");
            assert!(lines.ends_with('\n') && outputs[0].exists(), "{case}");
            outputs.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        } else {
            failed += 1;
            assert!(!told.is_empty() && !told.contains("no frame for"), "{case}");
            assert!(outputs.iter().all(|path| !path.exists()), "{case}");
            // Rust and GLib abort where they get no memory.
            let signal = status.signal();
            let known = [ABORTED, TRAPPED, CRASHED];
            assert!(signal.is_none_or(|signal| known.contains(&signal)), "{case}");
        }
    }
    assert!(worked > 0 && failed > 0, "{worked} worked, {failed} failed");
    // What a process left that was ended on the spot is no trouble to the next.
    assert!(annotate(folder.path(), "true").0.success());
    assert!(!folder.path().join(".out.jsonl.part").exists());
}

#[test]
fn where_gstreamer_gets_no_thread_it_says_so_and_ends() {
    let allowed = Command::new("sh").args(["-c", "ulimit -s 3000000"]).status().unwrap();
    if !allowed.success() {
        eprintln!("skipped: the limit on stacks cannot be raised here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    // A thread of GStreamer's has a stack as large as the limit on stacks, those of Rust have not.
    let (status, told) = annotate(folder.path(), "ulimit -s 3000000 && ulimit -v 2500000");
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("failed to create thread") && told.contains("ulimit"), "{told}");
    assert!(!folder.path().join("out.mp4").exists());
}
