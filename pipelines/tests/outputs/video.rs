//! `video` with `rotate`: files one after another, each a recording of its own.

use std::path::{Path, PathBuf};

use gst::prelude::*;

use super::{run, start, stop, text, until};

fn yaml(source: &str, video: &str) -> String {
    format!(
        "version: 1
streams:
  a:
    source:
      gst: {source} ! capsfilter caps=video/x-raw,width=160,height=120,framerate=25/1
    analysis: {{ detector: none }}
    outputs: [ {{ video: {{ {video}, overlay: none, encoder: software }} }} ]
"
    )
}

/// Files of a folder in the order in which they were begun, hidden ones as well.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_by_key(|path| (path.to_string_lossy().len(), path.clone()));
    paths
}

/// The times of a recording's first and last frame, and how many there are.
fn played(path: &Path) -> (gst::ClockTime, gst::ClockTime, usize) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch("filesrc name=in ! decodebin ! appsink name=out sync=false");
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("in").unwrap().set_property("location", path);
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let pull = || sink.try_pull_sample(gst::ClockTime::from_seconds(30));
    // As a player shows them.
    let time = |sample: gst::Sample| {
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap().clone();
        segment.to_running_time(sample.buffer().unwrap().pts().unwrap()).unwrap()
    };
    let times: Vec<_> = std::iter::from_fn(pull).map(time).collect();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{path:?} {error:?}");
    (times[0], times[times.len() - 1], times.len())
}

#[test]
fn a_video_goes_on_in_another_file_and_no_frame_is_lost() {
    for ending in ["mp4", "mkv", "webm"] {
        let folder = tempfile::tempdir().unwrap();
        let video = format!("file: 'out/{{stream}}.{ending}', rotate: {{ time: 2s }}");
        let output = run(folder.path(), &yaml("videotestsrc num-buffers=200", &video));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let files = files(&folder.path().join("out"));
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let names: Vec<String> = files.iter().map(name).collect();
        let expected = ["a", "a-2", "a-3", "a-4"].map(|name| format!("{name}.{ending}"));
        assert_eq!(names, expected);
        for file in &files {
            // Each begins at its beginning.
            let (first, last, frames) = played(file);
            assert!(first < gst::ClockTime::from_mseconds(50), "{file:?} {first}");
            assert!(last.mseconds().abs_diff(1960) < 50, "{last}");
            assert_eq!(frames, 50, "{file:?}");
        }
    }
}

#[test]
fn a_video_is_cut_by_its_size_too() {
    let folder = tempfile::tempdir().unwrap();
    let video = "file: out/a.mp4, rotate: { size: 300k, time: 1h }";
    // Snow takes room.
    let source = "videotestsrc pattern=snow num-buffers=600";
    let output = run(folder.path(), &yaml(source, video));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = files(&folder.path().join("out"));
    assert!(files.len() > 1, "{files:?}");
    assert_eq!(files.iter().map(|file| played(file).2).sum::<usize>(), 600);
}

#[test]
fn a_camera_that_is_stopped_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let video = "file: 'out/%Y/{stream}.mp4', rotate: { time: 1s }";
    let child = start(folder.path(), &yaml("videotestsrc is-live=true", video));
    let year = || files(&out).first().map(|year| files(year)).unwrap_or_default();
    until("a third file", || year().len() >= 3);
    // While it runs, files that are closed are whole, and the one that is not says so by its name.
    let running = year();
    let is_partial = |path: &&PathBuf| path.to_string_lossy().ends_with(".part");
    assert!(running.iter().filter(is_partial).count() <= 1, "{running:?}");
    let closed = running.iter().find(|path| path.ends_with("a.mp4")).unwrap();
    assert!(played(closed).2 >= 20);
    let said = stop(child);
    let whole = year();
    assert_eq!(whole.iter().filter(is_partial).count(), 0, "{whole:?} {said}");
    assert!(whole.iter().all(|path| played(path).2 > 0));
    // What is there is not written over by the next run, which goes on after it where it may.
    let again = "videotestsrc num-buffers=10";
    let output = run(folder.path(), &yaml(again, video));
    assert!(text(&output.stderr).contains("is there already"), "{}", text(&output.stderr));
    let output = run(folder.path(), &yaml(again, &format!("{video}, existing: continue")));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let longer = year();
    assert_eq!(longer.len(), whole.len() + 1, "{longer:?}");
    let newest = format!("a-{}.mp4", longer.len());
    let newest = longer.iter().find(|path| path.ends_with(&newest)).unwrap();
    assert_eq!(played(newest).2, 10);
}
