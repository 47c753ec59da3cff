//! The end of a pipeline that is stopped: outputs finish their files first.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::graph::StreamGraph;

/// How long a source may keep the end from coming in.
const SOURCE: Duration = Duration::from_secs(10);
/// How long outputs may take: an encoder that is slower than its camera has many frames to go. systemd
/// waits for 90 seconds; a second signal ends at once.
const OUTPUTS: Duration = Duration::from_secs(60);
/// How often the bus is looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// The end of the stream on its way through all outputs.
pub(super) struct Ending {
    senders: Vec<JoinHandle<bool>>,
    begun: Instant,
}

impl Ending {
    /// Sends it; `None` where nothing ever came in, and nothing is to be finished.
    pub(super) fn begin(graph: &StreamGraph) -> Option<Self> {
        let inlets = graph.inlets();
        if inlets.iter().all(|pad| pad.current_caps().is_none()) {
            return None;
        }
        let senders = inlets.into_iter().map(end_of_stream).collect();
        Some(Self { senders, begun: Instant::now() })
    }

    /// What the pipeline says of it next, if it does so soon: that the end is there, or that something
    /// fails.
    pub(super) fn next(bus: &gst::Bus) -> Option<gst::Message> {
        bus.timed_pop_filtered(TICK, &[gst::MessageType::Eos, gst::MessageType::Error])
    }

    /// Whether it takes too long.
    pub(super) fn is_overdue(&self) -> bool {
        self.begun.elapsed() > self.patience()
    }

    /// What took too long.
    pub(super) fn complaint(&self) -> String {
        let reason = if self.is_sent() { "the outputs" } else { "the source" };
        format!("{reason} did not finish in {} s", self.patience().as_secs())
    }

    fn patience(&self) -> Duration {
        if self.is_sent() { OUTPUTS } else { SOURCE }
    }

    /// Whether it has come in.
    fn is_sent(&self) -> bool {
        self.senders.iter().all(JoinHandle::is_finished)
    }
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
