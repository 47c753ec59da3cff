//! What is wrong with a pipeline file on this machine: it is built, and its analysis started, as far as
//! that opens no camera and writes nothing.

use gst::prelude::*;

use super::output::{self, Nowhere};
use super::{detector, fragment};
use crate::config::{Output, PipelineFile, Source, Stream};

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
        let error = output::bin(name, index, output, stream, &Nowhere).err()?;
        Some(format!("{place}.outputs.{index}.{}: {error}", output.kind()))
    })
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
