//! `video`: rotated, played back.

use std::path::{Path, PathBuf};

use gst::prelude::*;

use super::{lose_the_folder, run, start, stop, text, until};

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The files in a folder that are whole, the first one first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = names(folder);
    files.retain(|path| path.extension().is_some_and(|ending| ending != "part"));
    let number = |path: &Path| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        stem.rsplit_once('-').map_or(1, |(_, number)| number.parse::<u32>().unwrap())
    };
    files.sort_by_key(|path| number(path));
    files
}

/// When a player shows each frame of a file, in milliseconds.
fn played(file: &Path) -> Vec<u64> {
    gst::init().unwrap();
    let line =
        format!("filesrc location={} ! decodebin ! appsink name=out sync=false", file.display());
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let patience = gst::ClockTime::from_seconds(30);
    let shown = std::iter::from_fn(|| sink.try_pull_sample(patience)).map(|sample| {
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
        segment.to_stream_time(sample.buffer().unwrap().pts().unwrap()).unwrap().mseconds()
    });
    let shown = shown.collect();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    shown
}

/// As fast as the machine allows, with an output beside that is waited for as well.
fn yaml(outputs: &str) -> String {
    format!(
        "version: 1
streams:
  a:
    source:
      gst: videotestsrc num-buffers=100 ! capsfilter caps=video/x-raw,width=160,height=120,framerate=25/1
    analysis: {{ detector: none }}
    outputs:
      - json: {{ file: lines.jsonl, existing: replace }}
{outputs}"
    )
}

#[test]
fn each_file_has_its_time_and_plays_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut outputs = String::new();
    for ending in ["mp4", "mkv", "webm"] {
        outputs += &format!(
            "      - video: {{ file: {ending}/a.{ending}, encoder: software, rotate: {{ time: 1s }} }}\n"
        );
    }
    let output = run(folder.path(), &yaml(&outputs));
    assert!(output.status.success(), "{}", text(&output.stderr));
    for ending in ["mp4", "mkv", "webm"] {
        let files = files(&folder.path().join(ending));
        let names: Vec<_> =
            files.iter().map(|it| it.file_name().unwrap().to_str().unwrap()).collect();
        let expected = ["a", "a-2", "a-3", "a-4"].map(|stem| format!("{stem}.{ending}"));
        assert_eq!(names, expected);
        assert_eq!(self::names(&folder.path().join(ending)).len(), 4, "something is left");
        for file in &files {
            let shown = played(file);
            let expected: Vec<u64> = (0..25).map(|frame| frame * 40).collect();
            assert_eq!(shown, expected, "{}", file.display());
        }
    }
}

/// Where the encoder keeps more frames back than a file has.
#[test]
fn each_file_has_its_time_where_frames_are_far_apart() {
    let folder = tempfile::tempdir().unwrap();
    let video = "      - video: { file: out/a.mkv, encoder: software, rotate: { time: 10s } }\n";
    let slow = yaml(video).replace("framerate=25/1", "framerate=1/1");
    let output = run(folder.path(), &slow);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = files(&folder.path().join("out"));
    let shown: Vec<_> = files.iter().map(|file| played(file).len()).collect();
    assert_eq!(shown, [10; 10]);
}

#[test]
fn each_file_has_its_size_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let video = "      - video: { file: out/a.mkv, encoder: software, rotate: { size: 30k } }\n";
    let long = yaml(video).replace("num-buffers=100", "num-buffers=300");
    let output = run(folder.path(), &long);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = files(&folder.path().join("out"));
    assert!(files.len() > 2, "{files:?}");
    let (_, whole) = files.split_last().unwrap();
    assert!(whole.iter().all(|file| std::fs::metadata(file).unwrap().len() >= 30_000), "{files:?}");
    let shown: Vec<_> = files.iter().map(|file| played(file)).collect();
    assert!(shown.iter().all(|shown| shown[0] == 0), "{shown:?}");
    assert_eq!(shown.iter().map(Vec::len).sum::<usize>(), 300);
    // Begun anew, it goes on with the next number.
    assert!(run(folder.path(), &long).status.success());
    assert_eq!(self::files(&folder.path().join("out")).len(), 2 * files.len());
}

#[test]
fn a_camera_that_is_stopped_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let live = yaml("      - video: { file: out/a.mp4, rotate: { time: 1s } }\n")
        .replace("num-buffers=100", "is-live=true");
    let child = start(folder.path(), &live);
    let out = folder.path().join("out");
    until("a third file", || files(&out).len() > 2);
    let errors = stop(child);
    let files = files(&out);
    assert!(files.len() > 2 && !errors.contains("output"), "{errors}");
    assert_eq!(names(&out).len(), files.len(), "something is left");
    for file in &files {
        assert_eq!(played(file)[0], 0, "{}", file.display());
    }
}

#[test]
fn where_the_folder_is_lost_it_stops_alone() {
    let folder = tempfile::tempdir().unwrap();
    let live = yaml("      - video: { file: out/a.mkv, rotate: { time: 1s } }\n")
        .replace("num-buffers=100", "is-live=true");
    let child = start(folder.path(), &live);
    let out = folder.path().join("out");
    until("a file", || out.join("a.mkv").exists());
    let errors = lose_the_folder(child, folder.path());
    assert!(errors.contains("output 1 (video) stops: ") && errors.contains("out/"), "{errors}");
    assert_eq!(played(&folder.path().join("elsewhere/a.mkv")).len(), 25);
}

#[test]
fn a_source_that_changes_on_the_way_goes_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let clips: String = [
        "width=160,height=120,framerate=25/1,colorimetry=bt601",
        "width=160,height=120,framerate=30/1,colorimetry=bt601",
        "width=160,height=120,framerate=30/1,colorimetry=bt709",
        "width=320,height=180,framerate=10/1,colorimetry=bt709",
        "width=160,height=120,framerate=25/1,colorimetry=bt601",
    ]
    .iter()
    .map(|caps| format!(" videotestsrc num-buffers=10 ! capsfilter caps=video/x-raw,{caps} ! c."))
    .collect();
    let mut yaml = format!(
        "version: 1
streams:
  a:
    source: {{ gst: 'concat name=c{clips}' }}
    analysis: {{ detector: none }}
    outputs:
"
    );
    let outputs =
        [("a.mp4", ""), ("a.mkv", ""), ("a.webm", ""), ("rotated.mkv", ", rotate: { time: 1h }")];
    for (file, more) in outputs {
        yaml += &format!("      - video: {{ file: {file}, encoder: software{more} }}\n");
    }
    let output = run(folder.path(), &yaml);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (file, _) in outputs {
        let shown = played(&folder.path().join(file));
        // One after the other, as they came.
        assert!(shown.is_sorted_by(|before, after| before < after), "{file}: {shown:?}");
        assert_eq!(shown.len(), 50, "{file}");
    }
}
