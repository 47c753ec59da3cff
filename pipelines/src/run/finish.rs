//! The end of a pipeline that is stopped: outputs finish their files first.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::Log;
use crate::graph::StreamGraph;

/// How long outputs may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the bus is looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// Sends the end of the stream through all outputs and waits for it to arrive; whether it did.
pub(super) fn finish(graph: &StreamGraph, log: &Log) -> bool {
    let inlets = graph.inlets();
    if inlets.iter().all(|pad| pad.current_caps().is_none()) {
        // Nothing ever came in: there is nothing to finish.
        return true;
    }
    let senders: Vec<_> = inlets.into_iter().map(end_of_stream).collect();
    let Some(bus) = graph.pipeline.bus() else { return false };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if bus.timed_pop_filtered(TICK, &[gst::MessageType::Eos]).is_some() {
            return true;
        }
    }
    let sent = senders.iter().all(JoinHandle::is_finished);
    let reason = if sent { "the outputs" } else { "the source" };
    log.warn(&format!("{reason} did not finish in {} s", PATIENCE.as_secs()));
    false
}

/// Lets nothing more into a pad, and ends what is behind it, on a thread of its own: a source that
/// is stuck in the pad holds whoever comes after it.
fn end_of_stream(pad: gst::Pad) -> JoinHandle<bool> {
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let is_end = info.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
        // Not `Drop`: the bindings free what is dropped, and GStreamer 1.22 complains of what it lacks.
        if is_end { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
    });
    std::thread::spawn(move || pad.send_event(gst::event::Eos::new()))
}
