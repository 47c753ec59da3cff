//! One life of a stream's pipeline: started, watched, ended.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use gst::prelude::*;
use gstfer::meta;

use super::finish::Ending;
use super::latency;
use super::outputs::Outputs;
use super::reach::Address;
use super::status::{Counts, Reading, Status};
use super::takedown::Takedown;
use super::watch::{self, Wish};
use super::watchdog::Watchdog;
use super::{Log, Order};
use crate::config::{Source, Stream};
use crate::graph::{Branch, GraphError, StreamGraph, bring_down, reason, recordings};
use crate::integrity::{self, Flaw};

/// How often orders and the watchdog are looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// An analysis that has not let go of a frame for so long hangs.
const HANGING: Duration = Duration::from_secs(10);

/// How a pipeline ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The source has no more frames.
    Ended,
    /// It has no more, and a part of it was missing or broken.
    Flawed(String),
    /// It was told to stop.
    Stopped,
    /// All outputs have failed or were closed.
    Unheard,
    /// The source is gone, or the analysis failed.
    Lost(String),
    /// The same, because of a login that was refused: who tries that often is locked out.
    Refused(String),
    /// It failed in a way that another try would only repeat.
    Failed(String),
}

/// Runs a stream's pipeline to its end.
pub(super) fn run(
    name: &str,
    stream: &Stream,
    outputs: &mut Outputs,
    status: &Status,
    (orders, wishes): (&Receiver<Order>, &Sender<Wish>),
    log: &Log,
) -> Outcome {
    let flaw = match flaw(&stream.source) {
        Ok(flaw) => flaw,
        Err(reason) => return Outcome::Lost(reason),
    };
    if let Some(flaw) = &flaw {
        log.error(&format!("{flaw}; what is there is processed"));
    }
    let graph = match StreamGraph::build(name, stream, outputs) {
        Ok(graph) => graph,
        // A camera that is unplugged comes back, an element that is not installed does not.
        Err(error @ (GraphError::Camera(_) | GraphError::File { .. })) => {
            return Outcome::Lost(error.to_string());
        }
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let mut session = Session {
        graph,
        outputs,
        status,
        wishes,
        log,
        has_outputs: !stream.outputs.is_empty(),
        endless: stream.source.is_endless(),
        recording: matches!(stream.source, Source::File(_)),
        http: matches!(stream.source, Source::Http(_)),
        address: Address::of(&stream.source),
        watchdog: Watchdog::of(&stream.source),
        warning: None,
        finished: false,
        thinned: false,
        flaw,
        counted: Counts::default(),
    };
    let outcome = session.play(orders);
    session.finish(&outcome);
    let flaw = session.flaw.take();
    let takedown = Takedown::begin();
    drop(session);
    drop(takedown);
    match (outcome, flaw) {
        (Outcome::Ended, Some(flaw)) => Outcome::Flawed(flaw),
        (outcome, _) => outcome,
    }
}

/// What is missing of a recording, if it can be played at all.
fn flaw(source: &Source) -> Result<Option<String>, String> {
    let Source::File(file) = source else { return Ok(None) };
    let told = |what: &dyn std::fmt::Display| format!("{}: {what}", file.path.display());
    match integrity::flaw(&file.path).map_err(|error| told(&error))? {
        Some(flaw @ Flaw::NoIndex) => Err(told(&flaw)),
        flaw => Ok(flaw.map(|flaw| flaw.to_string())),
    }
}

struct Session<'a> {
    graph: StreamGraph,
    outputs: &'a mut Outputs,
    status: &'a Status,
    wishes: &'a Sender<Wish>,
    log: &'a Log,
    /// Whether any were asked for.
    has_outputs: bool,
    /// Whether the source has no end of its own: one that ends is lost.
    endless: bool,
    /// Whether it is a file, which says how long it is.
    recording: bool,
    /// Whether it comes by HTTP.
    http: bool,
    /// Where it is reached on the network.
    address: Option<Address>,
    watchdog: Watchdog,
    /// What was last warned of.
    warning: Option<String>,
    /// Whether the end of the stream has reached all outputs.
    finished: bool,
    /// Whether an output was taken out.
    thinned: bool,
    /// What part of the source was missing or broken; of several, the first.
    flaw: Option<String>,
    /// What the analysis has counted so far.
    counted: Counts,
}

impl Session<'_> {
    fn play(&mut self, orders: &Receiver<Order>) -> Outcome {
        let Some(bus) = self.graph.pipeline.bus() else {
            return Outcome::Lost("the pipeline has no bus".to_owned());
        };
        for (index, error) in std::mem::take(&mut self.graph.failed) {
            self.log.error(&format!("output {index} does not start: {error}"));
            self.outputs.stop(index, error.to_string());
            self.status.output_stopped();
        }
        if self.misses_outputs() {
            return Outcome::Unheard;
        }
        self.count_frames();
        self.hear_keys();
        self.start();
        loop {
            let outputs = self.graph.branches.len();
            let message = bus.timed_pop(TICK);
            if let Some(outcome) = message.and_then(|message| self.message(&message)) {
                return outcome;
            }
            if self.misses_outputs() {
                return Outcome::Unheard;
            }
            // The output that kept all others from playing is gone.
            if self.graph.branches.len() < outputs && self.is_refused() {
                self.start();
            }
            // A pipeline does not ask anew whether all have ended when one that has not is taken out.
            if self.thinned && self.graph.has_ended() {
                return self.ended();
            }
            match orders.try_recv() {
                Ok(Order::Stop) => return Outcome::Stopped,
                Ok(Order::Save) => self.save(),
                Err(crossbeam_channel::TryRecvError::Disconnected) => return Outcome::Stopped,
                Err(crossbeam_channel::TryRecvError::Empty) => {}
            }
            self.measure();
            self.count();
            let held_up = self.graph.is_held_up();
            if let Some(reason) = self.watchdog.complaint(self.status.since_frame(), held_up) {
                return Outcome::Lost(reason);
            }
        }
    }

    /// Lets the pipeline play; the reason of a failure is on the bus.
    fn start(&self) {
        let _ = self.graph.pipeline.set_state(gst::State::Playing);
    }

    /// Whether some element has kept the pipeline from playing.
    fn is_refused(&self) -> bool {
        self.graph.pipeline.state(Some(gst::ClockTime::ZERO)).0.is_err()
    }

    /// Notes how long a recording is, as soon as its container has been read.
    fn measure(&self) {
        if self.recording
            && self.status.reading().length.is_none()
            && let Some(length) = self.graph.pipeline.query_duration()
        {
            self.status.length(length);
        }
    }

    /// Notes what the analysis has counted since the last time.
    fn count(&mut self) {
        let stats = self.graph.detector.property::<gst::Structure>("stats");
        let of = |name: &str| stats.get::<u64>(name).unwrap_or_default();
        let now = Counts { skipped: of("skipped"), classified: of("faces-classified") };
        self.status.counted(now.since(self.counted));
        self.counted = now;
    }

    /// Every frame that comes out of the analysis is counted and looked at.
    fn count_frames(&self) {
        let (status, live) = (self.status.clone(), self.graph.live);
        if let Some(pad) = self.graph.detector.static_pad("src") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
                status.frame(meta::read(buffer).as_ref(), buffer.pts());
                if let Some(latency) = latency::of(pad, buffer).filter(|_| live) {
                    status.late(latency);
                }
                gst::PadProbeReturn::Ok
            });
        }
        if live {
            let status = self.status.clone();
            self.graph.entry.connect("overrun", false, move |_| {
                status.counted(Counts { skipped: 1, classified: 0 });
                None
            });
        }
    }

    /// The end of the stream has reached all outputs.
    fn ended(&mut self) -> Outcome {
        self.finished = true;
        let reason = self.warning.take().unwrap_or_else(|| "it sends no more".to_owned());
        // What comes by HTTP without a length is a camera whose server has closed the connection.
        let is_lost = self.endless || (self.http && !self.has_length());
        if is_lost { Outcome::Lost(reason) } else { Outcome::Ended }
    }

    /// Whether the server has said how many bytes it sends, or sends a playlist, which says itself
    /// when it ends. A container's duration is no measure: Matroska's grows with every frame.
    fn has_length(&self) -> bool {
        let mut elements = self.graph.pipeline.iterate_recurse().into_iter().flatten();
        elements.any(|it| {
            let is_source =
                it.element_flags().contains(gst::ElementFlags::SOURCE) && !it.is::<gst::Bin>();
            let kind = it.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
            kind.contains("Adaptive")
                || (is_source && it.query_duration::<gst::format::Bytes>().is_some())
        })
    }

    /// What an error that no output has posted means.
    fn failed(&self, error: &gst::message::Error, reason: String) -> Outcome {
        let Reading { frames, .. } = self.status.reading();
        let cause = error.error();
        let is_analysis = error.src() == Some(self.graph.detector.upcast_ref::<gst::Object>());
        if is_analysis && frames == 0 && cause.matches(gst::ResourceError::Settings) {
            return Outcome::Failed(reason);
        }
        // A recording that a server sends would begin anew, and its lines be written twice.
        if self.http && self.status.since_frame().is_some() && self.is_recording() {
            return Outcome::Failed(reason);
        }
        if cause.matches(gst::ResourceError::NotAuthorized) {
            return Outcome::Refused(reason);
        }
        Outcome::Lost(self.explained(reason))
    }

    /// Whether what comes by HTTP is known to have an end: a playlist of what is live has no duration.
    fn is_recording(&self) -> bool {
        let is_playlist = |it: gst::Element| {
            it.metadata(gst::ELEMENT_METADATA_KLASS).is_some_and(|kind| kind.contains("Adaptive"))
        };
        let mut elements = self.graph.pipeline.iterate_recurse().into_iter().flatten();
        match elements.any(is_playlist) {
            true => self.graph.pipeline.query_duration::<gst::ClockTime>().is_some(),
            false => self.has_length(),
        }
    }

    /// A failure, and what is in the way to where the source should be, if that is why.
    fn explained(&self, reason: String) -> String {
        match self.address.as_ref().and_then(Address::obstacle) {
            Some(obstacle) => format!("{reason} ({obstacle})"),
            None => reason,
        }
    }

    /// What a message means for the pipeline as a whole, if anything.
    fn message(&mut self, message: &gst::Message) -> Option<Outcome> {
        match message.view() {
            gst::MessageView::Eos(_) => Some(self.ended()),
            gst::MessageView::Error(error) => {
                let reason = error_text(error);
                let branch = message.src().and_then(|source| {
                    self.graph.branches.iter().position(|branch| branch.holds(source))
                });
                if let Some(index) = branch {
                    if self.graph.branches[index].was_closed(error) {
                        self.close_window(index);
                    } else {
                        self.stop_output(index, reason);
                    }
                    return None;
                }
                // An output that has been taken out may have said more than one thing.
                let is_ours =
                    message.src().is_none_or(|source| source.has_as_ancestor(&self.graph.pipeline));
                is_ours.then(|| self.failed(error, reason))
            }
            gst::MessageView::Warning(warning) => {
                // A camera that is gone is a warning, and then the end of its stream.
                let text = warning.error().to_string();
                if !self.endless {
                    self.log.warn(&text);
                }
                // A stream of another kind that nobody asked for has nothing to do with a later end.
                if !warning.error().matches(gst::StreamError::CodecNotFound) {
                    self.warning = Some(text);
                }
                None
            }
            gst::MessageView::Element(message) => {
                let details = message.structure().filter(|it| it.name() == recordings::BROKEN);
                if let Some(reason) = details.and_then(|it| it.get::<&str>("reason").ok()) {
                    self.log.error(reason);
                    self.flaw.get_or_insert_with(|| reason.to_owned());
                }
                None
            }
            gst::MessageView::StateChanged(change) if self.is_pipeline(message) => {
                let is_next = change.pending() == gst::State::Playing;
                let is_near = change.current() == gst::State::Paused && is_next;
                self.watchdog.is_about_to_play(is_near);
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

    fn is_pipeline(&self, message: &gst::Message) -> bool {
        message
            .src()
            .is_some_and(|source| source == self.graph.pipeline.upcast_ref::<gst::Object>())
    }

    /// An output has failed: it stops, the rest goes on.
    fn stop_output(&mut self, at: usize, reason: String) {
        let branch = self.graph.branches.remove(at);
        let (index, kind) = (branch.index, branch.kind);
        self.detach(branch);
        let reason = self.outputs.stop(index, reason);
        self.log.error(&format!("output {index} ({kind}) stops: {reason}"));
        self.status.output_stopped();
        self.thinned = true;
    }

    /// Somebody has closed a window: that is no failure.
    fn close_window(&mut self, at: usize) {
        let branch = self.graph.branches.remove(at);
        self.log.say(&format!("output {} ({}) was closed", branch.index, branch.kind));
        self.outputs.close(branch.index);
        self.detach(branch);
        self.thinned = true;
    }

    fn detach(&self, branch: Branch) {
        let (index, kind) = (branch.index, branch.kind);
        let takedown = Takedown::begin();
        let is_down = branch.detach();
        drop(takedown);
        if !is_down {
            self.log.warn(&format!("output {index} ({kind}) does not end; its memory stays taken"));
        }
    }

    /// Whether nobody is left to hear of the stream.
    fn misses_outputs(&self) -> bool {
        self.has_outputs && self.graph.branches.is_empty()
    }

    /// Keys that are pressed in windows ask for something.
    fn hear_keys(&self) {
        for branch in &self.graph.branches {
            let wishes = self.wishes.clone();
            branch.hear_keys(move |key| {
                if let Some(wish) = Wish::of_key(key) {
                    let _ = wishes.try_send(wish);
                }
            });
        }
    }

    /// Keeps what the window shows.
    fn save(&self) {
        let shown = self.graph.branches.iter().find_map(Branch::shown);
        let saved = shown
            .ok_or_else(|| "nothing is shown that could be saved".to_owned())
            .and_then(|sample| watch::save(&sample));
        match saved {
            Ok(path) => self.log.say(&format!("saved {}", path.display())),
            Err(reason) => self.log.error(&reason),
        }
    }

    /// Lets all outputs come to their end; whether they did. One that fails at that stops alone.
    fn finish_outputs(&mut self) -> bool {
        let Some(ending) = Ending::begin(&self.graph) else { return true };
        let Some(bus) = self.graph.pipeline.bus() else { return false };
        while !ending.is_overdue() && !self.is_stuck() {
            if let Some(message) = Ending::next(&bus) {
                if matches!(message.view(), gst::MessageView::Eos(_)) {
                    return true;
                }
                // A source that fails now changes nothing any more.
                let _ = self.message(&message);
            }
            if self.thinned && self.graph.has_ended() {
                return true;
            }
        }
        if self.is_stuck() {
            self.log.error("the analysis hangs; the outputs are not finished");
        } else {
            self.log.warn(&ending.complaint());
        }
        false
    }

    /// Whether the analysis hangs, so that no output would come to its end.
    fn is_stuck(&self) -> bool {
        let has_stopped = |since| since > HANGING;
        self.graph.is_analyzing() && self.status.since_frame().is_none_or(has_stopped)
    }

    /// Finishes the files and brings the pipeline down.
    fn finish(&mut self, outcome: &Outcome) {
        self.count();
        // What has failed before its first frame has nothing to finish, and may never come to its end.
        let is_lost =
            matches!(outcome, Outcome::Lost(_) | Outcome::Refused(_) | Outcome::Failed(_));
        let is_bare = is_lost && self.status.since_frame().is_none();
        let whole = self.finished || is_bare || self.finish_outputs();
        let takedown = Takedown::begin();
        if !bring_down(self.graph.pipeline.upcast_ref()) {
            self.log.error("the pipeline does not end; its memory stays taken");
        }
        drop(takedown);
        for problem in self.outputs.finish(whole) {
            self.log.error(&problem);
        }
    }
}

/// What an element is called: by its kind where GStreamer has numbered it, which differs from run to run.
fn name_of(source: &gst::Object) -> String {
    let name = source.name().to_string();
    let kind = source.downcast_ref::<gst::Element>().and_then(ElementExt::factory);
    let plain = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    if kind.is_some_and(|kind| kind.name() == plain) { plain.to_owned() } else { name }
}

fn error_text(error: &gst::message::Error) -> String {
    let source = error.src().map(name_of).unwrap_or_default();
    format!("{source}: {}", reason(&error.error()))
}
