//! Recordings that are broken, places that take nothing, and users who do not wait.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{end, fer, files, film, gif, lines, play, run, steady, text};

/// The first part of a file, instead of all.
fn cut_off(path: &std::path::Path, share: f64) {
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, &whole[..(whole.len() as f64 * share) as usize]).unwrap();
}

#[test]
fn what_is_left_of_a_cut_off_recording_is_annotated_and_the_rest_is_missed() {
    for (name, muxer) in [("cut.mkv", "matroskamux"), ("cut.mp4", "mp4mux faststart=true")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        film(&path, muxer, "audiotestsrc num-buffers=80 ! opusenc", 50, |_| 40);
        cut_off(&path, 0.6);
        let output = run(folder.path(), &["annotate", name]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert_eq!(told.matches("it is cut off: ").count(), 1, "{told}");
        let count = lines(&folder.path().join("cut.annotated.jsonl")).len();
        assert!((5..50).contains(&count), "{name}: {count} frames");
        assert!(folder.path().join("cut.annotated.mp4").exists());
    }
}

#[test]
fn what_is_left_of_a_cut_off_gif_is_annotated() {
    let folder = tempfile::tempdir().unwrap();
    gif(&folder.path().join("cut.gif"), 10, |_| 40);
    cut_off(&folder.path().join("cut.gif"), 0.6);
    let output = run(folder.path(), &["batch", ".", "-o", "out", "--video"]);
    let (told, listed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(listed.contains("cut.gif: it is cut off: "), "{listed}");
    let count = lines(&folder.path().join("out/cut.jsonl")).len();
    assert!((4..7).contains(&count), "{count} frames");
    assert!(folder.path().join("out/cut.mp4").exists());
}

#[test]
fn a_batch_tells_what_is_missing_each_time() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    steady(&folder.path().join("in/whole.mp4"), 20);
    let cut = folder.path().join("in/cut.mkv");
    film(&cut, "matroskamux", "", 50, |_| 40);
    cut_off(&cut, 0.5);
    steady(&folder.path().join("in/no-index.mp4"), 20);
    cut_off(&folder.path().join("in/no-index.mp4"), 0.8);
    let mut tables = Vec::new();
    for again in [false, true] {
        let output = run(folder.path(), &["batch", "in", "-o", "out"]);
        let (told, listed) = (text(&output.stderr), text(&output.stdout));
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert_eq!(told.contains("are done already"), again, "{told}");
        assert!(listed.contains("2 done, 1 failed"), "{listed}");
        assert!(listed.contains("cut.mkv: it is cut off: "), "{listed}");
        assert!(listed.contains("no-index.mp4: ") && listed.contains("`moov`"), "{listed}");
        tables.push(std::fs::read_to_string(folder.path().join("out/batch.csv")).unwrap());
    }
    assert_eq!(tables[0], tables[1]);
    let row = tables[0].lines().find(|row| row.starts_with("in/cut.mkv")).unwrap();
    let [_, problem, seconds, frames, ..] = row.split(',').collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert!(problem.starts_with("it is cut off: "), "{row}");
    assert!(seconds.parse::<f64>().unwrap() > 0.3 && frames.parse::<u32>().unwrap() > 5, "{row}");
}

#[test]
fn a_recording_without_its_index_fails_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mp4");
    steady(&path, 50);
    cut_off(&path, 0.8);
    let output = run(folder.path(), &["annotate", "cut.mp4"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cut.mp4: its index (`moov`) is missing"), "{told}");
    // Once: the command has nothing to add.
    assert_eq!(told.matches("is missing").count(), 1, "{told}");
    assert_eq!(files(folder.path()).len(), 1, "nothing is left");
}

#[test]
fn an_interrupted_annotation_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("long.mkv");
    end(&play(&format!(
        "videotestsrc num-buffers=3000 ! x264enc speed-preset=ultrafast ! matroskamux ! \
         filesink location={}",
        input.display()
    )));
    let child = fer(folder.path(), &["annotate", "long.mkv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let part = folder.path().join(".long.annotated.jsonl.part/lines.jsonl");
    let start = Instant::now();
    while !std::fs::metadata(&part).is_ok_and(|data| data.len() > 1000) {
        assert!(start.elapsed() < Duration::from_secs(30), "it did not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Meanwhile the same again takes nothing away from it.
    let second = run(folder.path(), &["annotate", "long.mkv"]);
    let told = text(&second.stderr);
    assert!(
        second.status.code() == Some(1) && told.contains("another process annotates"),
        "{told}"
    );
    assert!(part.exists());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let interrupted = Instant::now();
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(interrupted.elapsed() < Duration::from_secs(5), "after {:?}", interrupted.elapsed());
    assert!(told.contains("nothing is kept") && !told.contains("CRITICAL"), "{told}");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [input]);
}

#[test]
fn a_place_that_takes_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    steady(&folder.path().join("a.mp4"), 5);
    std::fs::write(folder.path().join("taken"), "a file").unwrap();
    for place in ["taken/out.mp4", "/proc/out.mp4"] {
        let output = run(folder.path(), &["annotate", "a.mp4", "-o", place]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        let (parent, _) = place.rsplit_once('/').unwrap();
        assert!(told.contains(parent), "{told}");
    }
    // A folder that is not there is made.
    assert!(run(folder.path(), &["annotate", "a.mp4", "-o", "new/out.mp4"]).status.success());
    assert_eq!(files(&folder.path().join("new")).len(), 2);
}

/// A limit on the size of files stands for the disk: what is written beyond it fails alike.
#[test]
fn a_disk_that_is_full_is_told_and_nothing_half_is_left() {
    let folder = tempfile::tempdir().unwrap();
    steady(&folder.path().join("a.mp4"), 100);
    for (output, blocks) in [("out.mp4", 40), ("out.jsonl", 4)] {
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let made = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_fer"), "annotate", "a.mp4", "-o", output])
            .current_dir(folder.path())
            .env_remove("G_DEBUG")
            .output()
            .unwrap();
        let told = text(&made.stderr);
        assert_eq!(made.status.code(), Some(1), "{told}");
        assert!(told.contains("File too large") || told.contains("No space"), "{told}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "{output}: {told}");
    }
}

/// The videos wait for their first frame, which never comes.
#[test]
fn a_recording_of_sound_alone_fails_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("sound.mkv");
    let sound = format!(
        "audiotestsrc num-buffers=50 ! opusenc ! matroskamux ! filesink location={}",
        input.display()
    );
    end(&play(&sound));
    let start = Instant::now();
    let output = run(folder.path(), &["annotate", "sound.mkv"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("uridecodebin: there is no video in it"), "{told}");
    assert_eq!(told.matches("there is no video in it").count(), 1, "{told}");
    assert!(start.elapsed() < Duration::from_secs(30), "after {:?}", start.elapsed());
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.mp4")).status().unwrap().success());
    for (input, reason) in [("pipe.mp4", "not a pipe"), (".", "fer batch")] {
        let output = run(folder.path(), &["annotate", input, "-o", "a.jsonl"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(reason), "{told}");
    }
}
