//! What is wrong with a pipeline file on this machine: it is built, and its analysis started, as far as
//! that opens no camera and writes nothing.

use std::path::PathBuf;

use gst::prelude::*;

use super::output::{self, Nowhere};
use super::{detector, fragment};
use crate::config::{Faces, Hls, Json, Output, PipelineFile, Snapshot, Source, Stream, Video};

/// Everything of a file that cannot work here, a line each.
pub fn problems(file: &PipelineFile) -> Vec<String> {
    let shared = &file.defaults.outputs;
    let mut problems = Vec::new();
    if let Some((name, stream)) = file.streams.first_key_value() {
        problems.extend(of_outputs("defaults", name, stream, shared));
    }
    let mut started = Vec::new();
    for (name, stream) in &file.streams {
        let place = format!("streams.{name}");
        if let Source::Gst(text) = &stream.source
            && let Err(error) = fragment(text, "src")
        {
            problems.push(format!("{place}.source.gst: {error}"));
        }
        // Several streams are mostly analysed alike.
        if !started.contains(&&stream.analysis) {
            started.push(&stream.analysis);
            problems.extend(of_analysis(&place, name, stream));
        }
        if stream.outputs != *shared {
            problems.extend(of_outputs(&place, name, stream, &stream.outputs));
        }
    }
    problems
}

fn of_outputs<'a>(
    place: &'a str,
    name: &'a str,
    stream: &'a Stream,
    outputs: &'a [Output],
) -> impl Iterator<Item = String> + 'a {
    outputs.iter().enumerate().filter_map(move |(index, output)| {
        let built = output::bin(name, index, output, stream, &Nowhere);
        let wrong =
            built.err().map(|error| error.to_string()).or_else(|| of_place(output, name))?;
        Some(format!("{place}.outputs.{index}.{}: {wrong}", output.kind()))
    })
}

/// Whether a name is meant otherwise, or a file stands where a folder should, or the other way round.
fn of_place(output: &Output, stream: &str) -> Option<String> {
    let (pattern, is_folder) = match output {
        Output::Json(Json { file: Some(file), .. }) | Output::Video(Video { file, .. }) => {
            (file, false)
        }
        Output::Snapshot(Snapshot { file, .. }) => (file, false),
        Output::Faces(Faces { folder, .. }) | Output::Hls(Hls { folder, .. }) => (folder, true),
        _ => return None,
    };
    let path = PathBuf::from(pattern.replace("{stream}", stream));
    let is_dated = matches!(output, Output::Json(_) | Output::Video(_));
    if let Some(slip) = slip(&path.to_string_lossy(), is_dated) {
        return Some(format!("`{pattern}`: {slip}"));
    }
    if is_folder {
        let is_file = path.exists() && !path.is_dir();
        return is_file.then(|| format!("`{}` is a file; expected a folder", path.display()));
    }
    let is_folder = path.is_dir() || pattern.ends_with('/');
    is_folder.then(|| format!("`{}` is a folder; expected the name of a file", path.display()))
}

/// Models, cascades and libraries are opened when the analysis starts.
fn of_analysis(place: &str, name: &str, stream: &Stream) -> Option<String> {
    let told = |error: &dyn std::fmt::Display| Some(format!("{place}.analysis: {error}"));
    let detector = match detector(name, stream) {
        Ok(detector) => detector,
        Err(error) => return told(&error),
    };
    let pipeline = gst::Pipeline::new();
    pipeline.add(&detector).ok()?;
    let started = pipeline.set_state(gst::State::Paused);
    let message = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    // Nothing runs in it.
    let _ = pipeline.set_state(gst::State::Null);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => told(&error.error()),
        _ => started.err().and_then(|error| told(&error)),
    }
}

/// What a name, in which `{stream}` is filled in, has of other languages.
fn slip(name: &str, is_dated: bool) -> Option<&'static str> {
    let is_code = |pair: &[u8]| pair[0] == b'%' && pair[1].is_ascii_alphabetic();
    if name.contains('{') {
        return Some("unknown placeholder in braces; only {stream} is filled in");
    }
    if name.starts_with('~') || name.contains('$') {
        return Some(
            "`~` and `$` are not expanded here; expected ${HOME} for the home folder, or another variable",
        );
    }
    if !is_dated && name.as_bytes().windows(2).any(is_code) {
        return Some("dates are filled in only in names of `json` and `video` files");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_for_a_file_is_told() {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
        let yaml = "version: 1
streams:
  a:
    source: { gst: videotestsrc ! fakesink }
    analysis: { model-file: no.yaml }
    outputs:
      - gst: { pipeline: videotestsrc ! fakesink }
      - gst: { pipeline: nosuchelement }
      - json: { file: src }
      - hls: { folder: Cargo.toml }
      - faces: { folder: tests }
      - json: { file: 'out/{name}-%F.jsonl' }
      - faces: { folder: '~/faces' }
      - snapshot: { file: 'a-%H.jpg' }
      - gst: { pipeline: videoconvert ! x264enc }
      - video: { file: 'a/{stream}-%H.mp4' }
  b:
    source: { test: {} }
    analysis: { model-file: no.yaml }
";
        let found = problems(&PipelineFile::parse(yaml, &[], &|_| None).unwrap());
        let parts = [
            "streams.a.source.gst: the fragment cannot be built: no `src` pad is open",
            "streams.a.analysis: ",
            "streams.a.outputs.0.gst: the fragment cannot be built: no `sink` pad is open",
            "streams.a.outputs.1.gst: the fragment cannot be built: no element",
            "streams.a.outputs.2.json: `src` is a folder; expected the name of a file",
            "streams.a.outputs.3.hls: `Cargo.toml` is a file; expected a folder",
            "streams.a.outputs.5.json: `out/{name}-%F.jsonl`: unknown placeholder in braces",
            "streams.a.outputs.6.faces: `~/faces`: `~` and `$` are not expanded",
            "streams.a.outputs.7.snapshot: `a-%H.jpg`: dates are filled in only in",
            "streams.a.outputs.8.gst: the fragment cannot be built: nothing takes what comes",
        ];
        assert_eq!(found.len(), parts.len(), "{found:#?}");
        for (found, part) in found.iter().zip(parts) {
            assert!(found.starts_with(part), "{found}\nexpected {part}");
        }
    }
}
