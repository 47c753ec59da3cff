//! What users, networks and other elements do to `ferdetect`, `feroverlay` and `ferjson` sooner or
//! later. Each test is a promise of docs/RELIABILITY.md.
//!
//! `FER_SOAK` multiplies how often each is done.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;
mod memory;
mod states;
mod stress;

use gst::prelude::*;

/// What a pipeline may take for a change of state, on a machine that others use too.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
    });
}

/// `times`, or more of it where time is no matter.
fn often(times: usize) -> usize {
    let factor = std::env::var("FER_SOAK").ok().and_then(|factor| factor.parse().ok());
    times * factor.unwrap_or(1)
}

fn pipeline(line: &str) -> gst::Pipeline {
    init();
    gst::parse::launch(line).unwrap().downcast().unwrap()
}

/// Fails with what the pipeline says went wrong, if anything did.
fn assert_healthy(pipeline: &gst::Pipeline) {
    let bus = pipeline.bus().unwrap();
    if let Some(message) = bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]) {
        panic!("{:?}", message.view());
    }
}

/// Plays to the end and returns how many buffers came to the element called `sink`.
fn play_to_the_end(pipeline: &gst::Pipeline) -> u64 {
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(PATIENCE, &wanted).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{:?}", message.view());
    let came = rendered(pipeline);
    pipeline.set_state(gst::State::Null).unwrap();
    came
}

/// How many buffers came to the element called `sink`.
fn rendered(pipeline: &gst::Pipeline) -> u64 {
    let sink = pipeline.by_name("sink").unwrap();
    sink.property::<gst::Structure>("stats").get::<u64>("rendered").unwrap()
}
