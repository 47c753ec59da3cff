//! A small file system that fills up: a tmpfs in a mount namespace of its own, which needs no
//! rights but those to make one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `fer` with `arguments`, in a folder where `disk` has so many kilobytes; what is on it then is
/// in `after`. `meanwhile` is a line of shell that runs beside it.
fn on_a_disk(folder: &Path, kilobytes: u32, meanwhile: &str, arguments: &[&str]) -> Output {
    let script = format!(
        "mount -t tmpfs -o size={kilobytes}k none disk || exit 77; {meanwhile} \
         \"$0\" \"$@\"; code=$?; cp -a disk after; exit $code"
    );
    std::fs::create_dir_all(folder.join("disk")).unwrap();
    Command::new("unshare")
        .args(namespace())
        .args(["sh", "-c", &script, env!("CARGO_BIN_EXE_fer")])
        .args(arguments)
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .output()
        .unwrap()
}

/// Root needs no namespace of users, which there is none of in a chroot.
fn namespace() -> &'static [&'static str] {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" { &["--mount"] } else { &["--mount", "--map-root-user"] }
}

/// Whether this machine lets its users mount a file system of their own.
fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(namespace())
        .args(["sh", "-c", "mount -t tmpfs none /tmp"])
        .output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: no file system can be mounted in a namespace: {tried:?}");
    }
    can
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of a file, all of which must be whole.
fn whole_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{}: half a line", path.display());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path()).collect()
}

#[test]
fn outputs_on_a_full_disk_stop_with_whole_files_and_the_others_go_on() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { test: { pattern: face, frames: 150, size: [320, 240] } }
    analysis: { min-face: 0.2, min-confidence: 0, hold-time: 0, smoothing: none }
    outputs:
      - json: { file: disk/out.jsonl }
      - faces: { folder: disk/faces }
      - video: { file: disk/out.mp4, encoder: software }
      - snapshot: { file: disk/now.jpg }
      - json: { file: kept.jsonl }
";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let output = on_a_disk(folder.path(), 100, "", &["run", "p.yaml"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let stopped = |index: usize, kind: &str| {
        let line = told.lines().find(|line| line.contains(&format!("output {index} ({kind}) ")));
        assert!(line.is_some_and(|line| line.contains("No space left")), "{kind}: {told}");
        line.unwrap()
    };
    stopped(0, "json");
    assert!(stopped(2, "video").contains("disk/.out.mp4.part was not finished"), "{told}");
    // The source is live: a busy machine may lose some frames of the 150.
    let kept = whole_lines(&folder.path().join("kept.jsonl")).len();
    let after = folder.path().join("after");
    let lines = whole_lines(&after.join("out.jsonl")).len();
    assert!(lines > 0 && kept > lines + 20, "{lines} and {kept} lines: {told}");
    for path in files(&after) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.extension().unwrap().to_str().unwrap() {
            "png" | "jpg" => drop(image::open(&path).unwrap_or_else(|e| panic!("{name}: {e}"))),
            "jsonl" => {}
            _ => assert_eq!(name, ".out.mp4.part"),
        }
    }
}

#[test]
fn lines_go_on_in_whole_when_there_is_room_again() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source:
      gst: videotestsrc num-buffers=400 ! capsfilter caps=video/x-raw,width=64,height=64
    analysis: { detector: none }
    outputs: [ { json: { file: disk/out.jsonl, existing: continue } } ]
";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    // The first run finds the disk nearly full, the second with room.
    let first = "head -c 380000 /dev/zero > disk/other; \"$0\" \"$@\"; cp disk/out.jsonl before.jsonl; \
                 rm disk/other;";
    let output = on_a_disk(folder.path(), 400, first, &["run", "p.yaml"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("No space left") && told.contains("no output is left"), "{told}");
    let before = whole_lines(&folder.path().join("before.jsonl"));
    let after = whole_lines(&folder.path().join("after/out.jsonl"));
    assert!((1..400).contains(&before.len()), "{} lines", before.len());
    assert_eq!(after.len(), before.len() + 400);
    assert_eq!(after[..before.len()], before);
}

#[test]
fn a_batch_on_a_full_disk_keeps_what_is_whole_and_does_the_rest_when_there_is_room() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for (name, frames) in [("a", 10), ("b", 400), ("c", 10)] {
        let made = Command::new("gst-launch-1.0")
            .args(["-q", "videotestsrc", &format!("num-buffers={frames}")])
            .args(["pattern=snow", "!", "video/x-raw,width=64,height=64", "!", "jpegenc", "!"])
            .args(["matroskamux", "!", "filesink", &format!("location=in/{name}.mkv")])
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(made.success());
    }
    let batch = ["batch", "in", "--video", "--jobs", "1", "-o", "disk/out"];
    let output = on_a_disk(folder.path(), 150, "", &batch);
    let (told, listed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(listed.contains("2 done, 1 failed") && listed.contains("b.mkv: "), "{listed}{told}");
    assert!(listed.contains("No space left"), "{listed}");
    let out = folder.path().join("after/out");
    let mut names: Vec<String> = files(&out)
        .into_iter()
        .map(|path| path.strip_prefix(&out).unwrap().display().to_string())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["a.jsonl", "a.mp4", "batch.csv", "batch.json", "c.jsonl", "c.mp4", "recordings.jsonl"],
        "{told}"
    );
    assert_eq!(whole_lines(&out.join("c.jsonl")).len(), 10);
    // Elsewhere it goes on.
    let again = Command::new(env!("CARGO_BIN_EXE_fer"))
        .args(["batch", "in", "--video", "-o", "after/out"])
        .current_dir(folder.path())
        .env_remove("G_DEBUG")
        .output()
        .unwrap();
    let told = text(&again.stderr);
    assert!(again.status.success() && told.contains("2 of 3 are done already"), "{told}");
    assert_eq!(whole_lines(&out.join("b.jsonl")).len(), 400);
}
