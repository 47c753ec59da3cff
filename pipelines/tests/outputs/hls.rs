//! `hls`: a playlist and its segments, played back.

use std::path::Path;

use gst::prelude::*;

use super::{lose_the_folder, run, start, stop, text, until};

const YAML: &str = "version: 1
streams:
  a:
    source:
      gst: videotestsrc num-buffers=200 ! capsfilter caps=video/x-raw,width=160,height=120,framerate=25/1
    analysis: { detector: none }
    outputs: [ { hls: { folder: 'out/{stream}', segment: 2, encoder: software } } ]
";

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The lengths that a playlist states, in seconds.
fn lengths(playlist: &str) -> Vec<f64> {
    let length = |line: &str| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok();
    playlist.lines().filter_map(length).collect()
}

/// How many frames an HLS player shows.
fn played(playlist: &Path) -> usize {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!(
        "filesrc location={} ! hlsdemux ! decodebin ! appsink name=out sync=false",
        playlist.display()
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let patience = gst::ClockTime::from_seconds(30);
    let frames = std::iter::from_fn(|| sink.try_pull_sample(patience)).count();
    let types = [gst::MessageType::Error];
    let error = pipeline.bus().unwrap().pop_filtered(&types);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    frames
}

/// An encoder keeps some twenty frames back: of a camera with few, many seconds.
#[test]
fn segments_of_few_frames_are_as_long_as_asked() {
    for (rate, frames, segment, expected) in [(5, 30, 1, vec![1.0; 6]), (1, 9, 3, vec![3.0; 3])] {
        let folder = tempfile::tempdir().unwrap();
        let yaml = YAML
            .replace("num-buffers=200", &format!("num-buffers={frames}"))
            .replace("framerate=25/1", &format!("framerate={rate}/1"))
            .replace("segment: 2", &format!("segment: {segment}"));
        let output = run(folder.path(), &yaml);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let list = folder.path().join("out/a/index.m3u8");
        assert_eq!(lengths(&std::fs::read_to_string(&list).unwrap()), expected);
        assert_eq!(played(&list), frames);
    }
}

#[test]
fn what_is_written_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), YAML);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let out = folder.path().join("out/a");
    let playlist = std::fs::read_to_string(out.join("index.m3u8")).unwrap();
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n"), "{playlist}");
    let lengths = lengths(&playlist);
    let whole: f64 = lengths.iter().sum();
    assert!((whole - 8.0).abs() < 0.05 && lengths.len() == 4, "{playlist}");
    assert_eq!(names(&out).len(), 5, "{:?}", names(&out));
    let uri = out.join("index.m3u8");
    assert_eq!(played(&uri), 200);
    // The same again would write over it.
    let output = run(folder.path(), YAML);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is there already"), "{}", text(&output.stderr));
}

#[test]
fn a_live_playlist_keeps_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { test: { size: [160, 120] } }
    analysis: { detector: none }
    outputs: [ { hls: { folder: out, segment: 1, keep: 3 } } ]
";
    let child = start(folder.path(), yaml);
    let out = folder.path().join("out");
    let read = || std::fs::read_to_string(out.join("index.m3u8")).unwrap_or_default();
    until("the first segments to go", || read().contains("MEDIA-SEQUENCE:5"));
    let live = read();
    assert!(!live.contains("ENDLIST") && lengths(&live).len() == 3, "{live}");
    let errors = stop(child);
    let ended = read();
    assert!(ended.ends_with("#EXT-X-ENDLIST\n") && !ended.contains("DISCONTINUITY\n"), "{errors}");
    let named: Vec<&str> = ended.lines().filter(|line| line.ends_with(".ts")).collect();
    let there = names(&out);
    assert!(named.iter().all(|name| there.iter().any(|file| file == name)), "{there:?}\n{ended}");
    assert!(there.len() <= 3 + 4 + 1, "{there:?}");
}

/// A folder that goes away while segments are written into it.
#[test]
fn where_the_folder_is_lost_it_stops_alone() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "version: 1
streams:
  a:
    source: { test: { size: [160, 120] } }
    analysis: { detector: none }
    outputs: [ { hls: { folder: out, segment: 1 } }, { json: { file: lines.jsonl } } ]
";
    let child = start(folder.path(), yaml);
    let out = folder.path().join("out");
    until("a playlist", || out.join("index.m3u8").exists());
    let errors = lose_the_folder(child, folder.path());
    assert!(errors.contains("output 0 (hls) stops: ") && errors.contains("out/"), "{errors}");
}

#[test]
fn where_the_playlist_is_lost_the_segments_stay() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = YAML.replace("num-buffers=200", "is-live=true").replace("segment: 2", "segment: 1");
    let child = start(folder.path(), &yaml);
    let out = folder.path().join("out/a");
    let list = out.join("index.m3u8");
    until("a playlist", || list.exists());
    // Somebody makes a folder of that name.
    std::fs::remove_file(&list).unwrap();
    std::fs::create_dir(&list).unwrap();
    let said = text(&child.wait_with_output().unwrap().stderr);
    assert!(said.contains("index.m3u8"), "{said}");
    let segments: Vec<_> = names(&out).into_iter().filter(|name| name.ends_with(".ts")).collect();
    assert!(segments.len() > 1, "{segments:?}");
    for name in segments {
        assert!(std::fs::metadata(out.join(&name)).unwrap().len() > 0, "{name} is empty; {said}");
    }
}
