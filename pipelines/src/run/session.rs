//! One life of a stream's pipeline: started, watched, ended.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use gst::prelude::*;
use gstfer::meta;

use super::outputs::Outputs;
use super::status::Status;
use super::{Log, Order};
use crate::config::Stream;
use crate::graph::{StreamGraph, recordings};

/// How often orders and the watchdog are looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// How long outputs may take to finish their files.
const FINISH: Duration = Duration::from_secs(10);

/// How a pipeline ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The source has no more frames.
    Ended,
    /// It was told to stop.
    Stopped,
    /// As one of these, but a part of the source was broken and left out.
    Flawed,
    /// The source is gone, or the analysis failed.
    Lost(String),
}

/// Runs a stream's pipeline to its end.
pub(super) fn run(
    name: &str,
    stream: &Stream,
    outputs: &mut Outputs,
    status: &Status,
    orders: &Receiver<Order>,
    log: &Log,
) -> Outcome {
    let graph = match StreamGraph::build(name, stream, outputs) {
        Ok(graph) => graph,
        Err(error) => return Outcome::Lost(error.to_string()),
    };
    let timeout = stream
        .source
        .reconnect()
        .map(|reconnect| Duration::from_millis(u64::from(reconnect.timeout)));
    let endless = stream.source.is_endless();
    let mut session = Session {
        graph,
        outputs,
        status,
        log,
        timeout,
        endless,
        warning: None,
        finished: false,
        flawed: false,
    };
    let outcome = session.play(orders);
    session.end();
    match outcome {
        Outcome::Ended | Outcome::Stopped if session.flawed => Outcome::Flawed,
        outcome => outcome,
    }
}

struct Session<'a> {
    graph: StreamGraph,
    outputs: &'a mut Outputs,
    status: &'a Status,
    log: &'a Log,
    timeout: Option<Duration>,
    /// Whether the source has no end of its own: one that ends is lost.
    endless: bool,
    /// What was last warned of.
    warning: Option<String>,
    /// Whether the end of the stream has reached all outputs.
    finished: bool,
    /// Whether a part of the source was broken and left out.
    flawed: bool,
}

impl Session<'_> {
    fn play(&mut self, orders: &Receiver<Order>) -> Outcome {
        let Some(bus) = self.graph.pipeline.bus() else {
            return Outcome::Lost("the pipeline has no bus".to_owned());
        };
        for (index, error) in std::mem::take(&mut self.graph.failed) {
            self.log.error(&format!("output {index} does not start: {error}"));
            self.outputs.stop(index, error.to_string());
        }
        self.count_frames();
        let started = Instant::now();
        // The reason of a failure is on the bus.
        let _ = self.graph.pipeline.set_state(gst::State::Playing);
        loop {
            let message = bus.timed_pop(TICK);
            if let Some(outcome) = message.and_then(|message| self.message(&message)) {
                return outcome;
            }
            match orders.try_recv() {
                Ok(Order::Stop) => return Outcome::Stopped,
                Err(crossbeam_channel::TryRecvError::Disconnected) => return Outcome::Stopped,
                Err(crossbeam_channel::TryRecvError::Empty) => {}
            }
            if let Some(timeout) = self.timeout {
                let waited = self.status.since_frame().unwrap_or_else(|| started.elapsed());
                if waited > timeout {
                    return Outcome::Lost(format!("no frame for {} ms", waited.as_millis()));
                }
            }
        }
    }

    /// Every frame that comes out of the analysis is counted and looked at.
    fn count_frames(&self) {
        let status = self.status.clone();
        if let Some(pad) = self.graph.detector.static_pad("src") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                let report = info.buffer().and_then(|buffer| meta::read(buffer));
                status.frame(report.as_ref());
                gst::PadProbeReturn::Ok
            });
        }
        if self.graph.live {
            let status = self.status.clone();
            self.graph.entry.connect("overrun", false, move |_| {
                status.skipped(1);
                None
            });
        }
    }

    /// What a message means for the pipeline as a whole, if anything.
    fn message(&mut self, message: &gst::Message) -> Option<Outcome> {
        match message.view() {
            gst::MessageView::Eos(_) => {
                self.finished = true;
                let reason = self.warning.take().unwrap_or_else(|| "it sends no more".to_owned());
                Some(if self.endless { Outcome::Lost(reason) } else { Outcome::Ended })
            }
            gst::MessageView::Error(error) => {
                let reason = error_text(error);
                let branch = message.src().and_then(|source| {
                    self.graph.branches.iter().position(|branch| branch.holds(source))
                });
                if let Some(index) = branch {
                    self.stop_output(index, reason);
                    return None;
                }
                // An output that has been taken out may have said more than one thing.
                let is_ours =
                    message.src().is_none_or(|source| source.has_as_ancestor(&self.graph.pipeline));
                is_ours.then_some(Outcome::Lost(reason))
            }
            gst::MessageView::Warning(warning) => {
                // A camera that is gone is a warning, and then the end of its stream.
                let text = warning.error().to_string();
                if !self.endless {
                    self.log.warn(&text);
                }
                self.warning = Some(text);
                None
            }
            gst::MessageView::Element(message) => {
                let details = message.structure().filter(|it| it.name() == recordings::BROKEN);
                if let Some(reason) = details.and_then(|it| it.get::<&str>("reason").ok()) {
                    self.log.error(&format!("{reason}; it is left"));
                    self.flawed = true;
                }
                None
            }
            gst::MessageView::Latency(_) => {
                // Refused only while the pipeline goes down.
                let _ = self.graph.pipeline.recalculate_latency();
                None
            }
            _ => None,
        }
    }

    /// An output has failed: it stops, the rest goes on.
    fn stop_output(&mut self, at: usize, reason: String) {
        let branch = self.graph.branches.remove(at);
        self.log.error(&format!("output {} ({}) stops: {reason}", branch.index, branch.kind));
        self.outputs.stop(branch.index, reason);
        branch.detach();
    }

    /// Brings the pipeline down; files are finished first.
    fn end(&mut self) {
        let whole = self.finished || self.finish();
        // What cannot be brought down is dropped.
        let _ = self.graph.pipeline.set_state(gst::State::Null);
        for problem in self.outputs.finish(whole) {
            self.log.error(&problem);
        }
    }

    /// Sends the end of the stream through all outputs and waits for it to arrive; whether it did.
    fn finish(&self) -> bool {
        let Some(pad) = self.graph.entry.static_pad("sink") else { return false };
        if pad.current_caps().is_none() {
            // Nothing ever came in: there is nothing to finish.
            return true;
        }
        pad.add_probe(
            gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM,
            |_, info| {
                let is_end = info.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
                if is_end { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
            },
        );
        // On a thread of its own: a source that is stuck in the pad holds whoever comes after it.
        let entry = pad.clone();
        let sender = std::thread::spawn(move || entry.send_event(gst::event::Eos::new()));
        let Some(bus) = self.graph.pipeline.bus() else { return false };
        let deadline = Instant::now() + FINISH;
        while Instant::now() < deadline {
            let types = [gst::MessageType::Eos];
            if bus.timed_pop_filtered(TICK, &types).is_some() {
                return true;
            }
        }
        let reason = if sender.is_finished() { "the outputs" } else { "the source" };
        self.log.warn(&format!("{reason} did not finish in {} s", FINISH.as_secs()));
        false
    }
}

fn error_text(error: &gst::message::Error) -> String {
    let source = error.src().map(|source| source.name().to_string()).unwrap_or_default();
    let error = error.error();
    if error.matches(gst::CoreError::MissingPlugin) {
        return format!("{source}: there is no video in it that is decoded here ({error})");
    }
    format!("{source}: {error}")
}
