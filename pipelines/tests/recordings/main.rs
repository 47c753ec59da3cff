//! `fer annotate` and `fer batch` as their users run them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod odd;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{end, fer, files, film, play, run, steady, text, track};

#[test]
fn a_recording_is_annotated_with_its_sound_and_its_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("50% of {stream}.mp4");
    // Frames of 20 and 60 ms in turn, and a second more of sound than of picture.
    let sound =
        "audiotestsrc num-buffers=130 samplesperbuffer=960 ! audio/x-raw,rate=48000 ! opusenc";
    film(&input, "mp4mux", sound, 40, |index| if index % 2 == 0 { 20 } else { 60 });
    let output = run(folder.path(), &["annotate", "50% of {stream}.mp4"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("40 frames, 1 face,"), "{}", text(&output.stdout));
    let annotated = folder.path().join("50% of {stream}.annotated.mp4");
    let lines = std::fs::read_to_string(annotated.with_extension("jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 40);
    assert!(lines.contains("\"stable\":\"happiness\""));
    let times = |path: &Path| {
        let mut times: Vec<_> = track(path, "video").into_iter().map(|(time, _)| time).collect();
        times.sort();
        times
    };
    assert_eq!(times(&annotated), times(&input));
    let sound = track(&input, "audio/x-opus");
    assert!(sound.len() > 100);
    assert_eq!(track(&annotated, "audio/x-opus"), sound, "the very packets");
    // Nothing is replaced unasked, the recording itself never.
    let again = run(folder.path(), &["annotate", "50% of {stream}.mp4"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("is there already"), "{}", text(&again.stderr));
    let same = run(
        folder.path(),
        &["annotate", "--force", "-o", "50% of {stream}.mp4", "50% of {stream}.mp4"],
    );
    assert!(text(&same.stderr).contains("the recording itself"), "{}", text(&same.stderr));
    assert!(run(folder.path(), &["annotate", "--force", "50% of {stream}.mp4"]).status.success());
}

#[test]
fn sound_that_does_not_fit_is_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("a.mkv");
    film(&input, "matroskamux", "audiotestsrc num-buffers=40", 25, |_| 40);
    assert_eq!(track(&input, "video").len(), 25);
    for (name, kind) in [("a.mp4", "video"), ("b.webm", "video/x-vp8")] {
        let output = run(folder.path(), &["annotate", "a.mkv", "-o", name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let made = folder.path().join(name);
        assert!(!track(&made, "audio/x-opus").is_empty(), "{name}");
        assert_eq!(track(&made, kind).len(), 25, "{name}: the rate of the recording is not stated");
    }
}

#[test]
fn a_batch_goes_on_where_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips/deep");
    std::fs::create_dir_all(&clips).unwrap();
    for index in 0..3 {
        steady(&clips.join(format!("{index}.mp4")), 10 + 10 * index);
    }
    let arguments = |out: &'static str| ["batch", "clips", "--video", "--jobs", "2", "-o", out];
    let whole = run(folder.path(), &arguments("whole"));
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let expected = files(&folder.path().join("whole"));
    let names: Vec<String> = expected.keys().map(|path| path.display().to_string()).collect();
    assert!(names.contains(&"deep/2.jsonl".to_owned()) && names.contains(&"deep/2.mp4".to_owned()));
    // Killed when the first is done, and in the middle of the next ones.
    let mut child = fer(folder.path(), &arguments("out"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.path().join("out/deep/0.jsonl").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no recording was finished");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let first =
        std::fs::metadata(folder.path().join("out/deep/0.jsonl")).unwrap().modified().unwrap();
    assert!(files(&folder.path().join("out")) != expected, "it was finished already");
    let rest = run(folder.path(), &arguments("out"));
    assert!(rest.status.success(), "{}", text(&rest.stderr));
    assert!(text(&rest.stderr).contains("are done already"), "{}", text(&rest.stderr));
    let found = files(&folder.path().join("out"));
    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (path, bytes) in found {
        assert!(bytes == expected[&path], "{} differs", path.display());
    }
    let after =
        std::fs::metadata(folder.path().join("out/deep/0.jsonl")).unwrap().modified().unwrap();
    assert_eq!(first, after, "the finished one was not made again");
}

/// As cameras have it whose clock is ahead.
#[test]
fn a_recording_of_tomorrow_is_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    steady(&path, 5);
    let tomorrow = std::time::SystemTime::now() + Duration::from_secs(86_400);
    std::fs::File::open(&path).unwrap().set_modified(tomorrow).unwrap();
    for again in [false, true] {
        let output = run(folder.path(), &["batch", "a.mp4", "-o", "out"]);
        let (told, listed) = (text(&output.stderr), text(&output.stdout));
        assert!(output.status.success() && listed.contains("1 done"), "{told}{listed}");
        assert_eq!(told.contains("are done already"), again, "{told}");
    }
}

#[test]
fn what_is_broken_is_listed_and_the_rest_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    steady(&path("good.mp4"), 25);
    std::fs::write(path("broken.mp4"), "no film at all").unwrap();
    let sound = path("sound.mkv");
    end(&play(&format!(
        "audiotestsrc num-buffers=9 ! opusenc ! matroskamux ! filesink location={}",
        sound.display()
    )));
    let output = run(folder.path(), &["batch", "*.mp4", "sound.mkv"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(told.contains("1 done, 2 failed"), "{told}");
    let table = std::fs::read_to_string(path("out/batch/batch.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    let row = |name: &str| rows.iter().find(|row| row["recording"] == name).unwrap();
    assert!(!row("broken.mp4")["problem"].is_empty(), "{table}");
    assert!(row("sound.mkv")["problem"].contains("no video"), "{table}");
    let good = row("good.mp4");
    assert_eq!((good["frames"].as_str(), good["faces"].as_str()), ("25", "1"));
    assert_eq!(good["seconds"], "0.960", "25 frames, 24 steps of 40 ms");
    assert_eq!(good["happiness_seconds"], "0.960", "it smiles all the time");
    let left = files(&path("out/batch")).into_keys().map(|path| path.display().to_string());
    assert_eq!(
        left.collect::<Vec<_>>(),
        ["batch.csv", "batch.json", "good.jsonl", "recordings.jsonl"]
    );
    // All results of a folder, as a shell names them.
    let all = ["report", "out/batch/good.jsonl", "out/batch/recordings.jsonl", "-o", "all.html"];
    let output = run(folder.path(), &all);
    assert!(output.status.success() && path("all.html").exists(), "{}", text(&output.stderr));
    let output = run(folder.path(), &["batch", "*.mp4", "--overlay", "blur"]);
    let told = text(&output.stderr);
    assert!(told.contains("none is made; expected --video"), "{told}");
}

#[test]
fn no_recording_is_replaced_by_its_video() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("clips")).unwrap();
    let path = folder.path().join("clips/a.mp4");
    steady(&path, 5);
    let before = std::fs::read(&path).unwrap();
    let next_run = "clips: the next run would take its videos for recordings";
    for (input, reason) in
        [("clips/a.mp4", "a.mp4: a recording would be replaced"), ("clips", next_run)]
    {
        let output = run(folder.path(), &["batch", input, "--video", "-o", "clips"]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(reason), "{errors}");
        assert!(std::fs::read(&path).unwrap() == before);
    }
    // Without videos the same folder will do.
    assert!(run(folder.path(), &["batch", "clips", "-o", "clips"]).status.success());
}

#[test]
fn what_is_in_the_way_in_a_folder_and_what_was_made_before_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("clips/more")).unwrap();
    steady(&path("clips/a.mp4"), 3);
    steady(&path("clips/more/b.mp4"), 3);
    std::os::unix::fs::symlink("nowhere", path("clips/dead.mp4")).unwrap();
    // Lines of a batch beside its recordings make these no results.
    assert!(run(folder.path(), &["batch", "clips/more", "-o", "clips/more"]).status.success());
    let batch = |out: &str| {
        let output = run(folder.path(), &["batch", "clips", "--video", "-o", out]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let made = files(&path(out)).into_keys().map(|path| path.display().to_string());
        (made.collect::<Vec<_>>(), text(&output.stderr))
    };
    let expected = [
        "a.jsonl",
        "a.mp4",
        "batch.csv",
        "batch.json",
        "more/b.jsonl",
        "more/b.mp4",
        "recordings.jsonl",
    ]
    .map(str::to_owned);
    let (made, told) = batch("clips/night");
    assert_eq!(made, expected);
    assert!(told.contains("dead.mp4") && told.contains("left out"), "{told}");
    assert!(run(folder.path(), &["annotate", "clips/a.mp4"]).status.success());
    assert_eq!(batch("clips/day").0, expected);
    // The same settings, without videos: they are still there.
    assert!(run(folder.path(), &["batch", "clips", "-o", "clips/night"]).status.success());
    assert_eq!(batch("clips/third").0, expected);
}

#[test]
fn endings_may_be_large() {
    let folder = tempfile::tempdir().unwrap();
    steady(&folder.path().join("A.MP4"), 5);
    for (name, kind) in [("b.MKV", "video"), ("c.WEBM", "video/x-vp8")] {
        let output = run(folder.path(), &["annotate", "A.MP4", "-o", name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let made = folder.path().join(name);
        assert_eq!(track(&made, kind).len(), 5, "{name}");
        assert_eq!(std::fs::read(&made).unwrap()[..4], [0x1a, 0x45, 0xdf, 0xa3], "{name}: EBML");
    }
}

#[test]
fn recordings_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (place, frames) in [("a", 3), ("b", 4)] {
        std::fs::create_dir(folder.path().join(place)).unwrap();
        steady(&folder.path().join(place).join("x.mp4"), frames);
    }
    std::fs::write(folder.path().join("b/x.mkv"), "no film at all").unwrap();
    let output = run(folder.path(), &["batch", "a/x.mp4", "b"]);
    assert_eq!(output.status.code(), Some(1));
    let table = std::fs::read_to_string(folder.path().join("out/batch/batch.csv")).unwrap();
    let frames = |name: &str| {
        let row = table.lines().find(|line| line.starts_with(name)).unwrap();
        row.split(',').nth(3).unwrap().to_owned()
    };
    assert_eq!(frames("a/x.mp4,"), "3", "{table}");
    assert_eq!(frames("b/x.mp4,"), "4", "{table}");
    assert_eq!(frames("b/x.mkv,"), "", "{table}");
}

/// Two folders into one: what has one name is told apart, and the table is over all.
#[test]
fn no_recording_gets_the_results_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (place, name, frames) in [("a", "x.mp4", 3), ("a", "y.mp4", 5), ("b", "x.mp4", 4)] {
        std::fs::create_dir_all(path(place)).unwrap();
        steady(&path(place).join(name), frames);
    }
    let batch = |more: &[&str]| run(folder.path(), &[&["batch"], more].concat());
    let rows = || {
        let table = std::fs::read_to_string(path("out/batch/batch.csv")).unwrap();
        let row = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[0].to_owned(), fields[3].to_owned())
        };
        table.lines().skip(1).map(row).collect::<Vec<_>>()
    };
    let row = |name: &str, frames: &str| (name.to_owned(), frames.to_owned());
    assert!(batch(&["a"]).status.success());
    let other = batch(&["b"]);
    assert_eq!(other.status.code(), Some(1));
    let told = text(&other.stdout);
    assert!(told.contains("x.jsonl is of ") && told.contains("a/x.mp4; expected"), "{told}");
    assert_eq!(rows(), [row("a/x.mp4", "3"), row("a/y.mp4", "5"), row("b/x.mp4", "")]);
    assert_eq!(batch(&["b", "--video"]).status.code(), Some(1), "its lines are another's still");
    // Another file of the same name and age.
    let age = std::fs::metadata(path("a/y.mp4")).unwrap().modified().unwrap();
    steady(&path("a/y.mp4"), 6);
    std::fs::File::open(path("a/y.mp4")).unwrap().set_modified(age).unwrap();
    assert!(batch(&["a/y.mp4"]).status.success());
    assert_eq!(rows()[1], row("a/y.mp4", "6"));
    // The same recordings elsewhere are known again.
    std::fs::rename(path("a"), path("c")).unwrap();
    let moved = batch(&["c"]);
    assert!(text(&moved.stderr).contains("2 of 2 are done already"), "{}", text(&moved.stderr));
    assert_eq!(rows(), [row("c/x.mp4", "3"), row("c/y.mp4", "6")]);
    assert!(batch(&["b", "--again"]).status.success());
    assert_eq!(rows(), [row("b/x.mp4", "4"), row("c/y.mp4", "6")]);
    // Its video, too.
    for place in ["c", "b"] {
        let again = batch(&[place, "--video", "--again"]);
        assert!(again.status.success(), "{}", text(&again.stderr));
    }
    assert_eq!(rows(), [row("b/x.mp4", "4"), row("c/y.mp4", "6")]);
}

#[test]
fn results_of_different_settings_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    steady(&folder.path().join("a.mp4"), 5);
    let batch = |more: &[&str]| run(folder.path(), &[&["batch", "a.mp4"], more].concat());
    assert!(batch(&[]).status.success());
    let other = batch(&["--set", "min-face=0.3"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("--again"), "{}", text(&other.stderr));
    assert!(batch(&["--set", "min-face=0.3", "--again"]).status.success());
    assert!(batch(&["--set", "min-face=0.3"]).status.success());
    // Of two recordings one was made anew: the other is of the settings before.
    steady(&folder.path().join("b.mp4"), 5);
    let both = |more: &[&str]| {
        run(folder.path(), &[&["batch", "a.mp4", "b.mp4", "-o", "both"], more].concat())
    };
    assert!(both(&[]).status.success());
    let one = ["batch", "a.mp4", "-o", "both", "--set", "min-face=0.3", "--again"];
    assert!(run(folder.path(), &one).status.success());
    let rest = both(&["--set", "min-face=0.3"]);
    assert!(text(&rest.stderr).contains("1 of 2 are done already"), "{}", text(&rest.stderr));
    // A recording that has changed since is done again.
    steady(&folder.path().join("a.mp4"), 7);
    assert!(batch(&["--set", "min-face=0.3"]).status.success());
    let lines = std::fs::read_to_string(folder.path().join("out/batch/a.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 7);
}

#[test]
fn wrong_inputs_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(folder.path().join("a.mp4"), "").unwrap();
    for (arguments, parts) in [
        (&["batch", "*.avi"][..], ["*.avi", "matches no file"]),
        (&["batch", "missing.mp4"], ["missing.mp4", "No such file"]),
        (&["batch", "empty"], ["empty", "no video in it"]),
        (&["batch", "a.mp4", "--set", "min-fase=1"], ["min-fase", "did you mean `min-face`?"]),
        (&["annotate", "missing.mp4"], ["missing.mp4", "No such file"]),
        (&["annotate", "a.mp4", "-o", "a.gif"], ["a.gif", ".webm or .jsonl"]),
        (&["annotate", "a.mp4"], ["a.mp4: error: ", "contains no data"]),
    ] {
        let output = run(folder.path(), arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(parts.iter().all(|part| errors.contains(part)), "{arguments:?}: {errors}");
    }
}
