//! From a stream's settings to a GStreamer pipeline.
//!
//! ```text
//! source ─► queue ─► upright ─► ferdetect ─► tee ─┬─► output 0: queue ─► … ─► sink
//!                                                 └─► output 1: …
//! ```
//!
//! A recording's sound goes past all of that into the videos.
//!
//! Every output is a bin of its own, so that one that fails can be taken out while the rest goes
//! on.

mod animation;
mod branch;
mod check;
mod dot;
mod encode;
mod error;
mod faces;
mod hls;
mod output;
mod passage;
mod picture;
pub mod portrait;
pub mod recordings;
mod restream;
mod rotation;
mod sound;
mod source;
mod timeline;
mod webcam;
mod window;

use gst::prelude::*;

pub use self::branch::Branch;
pub use self::check::problems;
pub use self::dot::dot;
use self::encode::Container;
pub(crate) use self::encode::HARDWARE;
pub use self::error::{GraphError, package, reason};
pub use self::faces::Change;
pub use self::hls::Segments;
pub use self::output::{FaceTaker, FrameTaker, Nowhere, Taker, Targets};
use self::passage::Passage;
pub use self::picture::png;
pub use self::restream::Media;
pub use self::rotation::VideoFiles;
use self::sound::Sound;
pub(crate) use self::source::password;
pub(crate) use self::webcam::is_in_main_memory;
use crate::config::{Output, Overlay, Stream};

/// Adds a recording to a pipeline and links its video to `entry` when it turns up.
///
/// # Errors
///
/// It cannot be read, or an element is missing.
pub fn recording(
    pipeline: &gst::Pipeline,
    path: &std::path::Path,
    entry: &gst::Element,
) -> Result<(), GraphError> {
    source::recording(pipeline, path, entry, None)
}

/// A stream's pipeline, not started yet.
#[derive(Debug)]
pub struct StreamGraph {
    /// The pipeline as a whole.
    pub pipeline: gst::Pipeline,
    /// The queue between the source and everything else: what is pushed into it reaches every
    /// output.
    pub entry: gst::Element,
    sound: Sound,
    analysis: Passage,
    /// The `ferdetect`.
    pub detector: gst::Element,
    /// Whether frames come at their own pace: those that there is no time for are skipped.
    pub live: bool,
    /// The outputs, in the order of the file.
    pub branches: Vec<Branch>,
    /// The outputs that cannot be built, by position, and why.
    pub failed: Vec<(usize, GraphError)>,
}

impl StreamGraph {
    /// Builds the pipeline of the stream called `name`; `targets` takes what outputs hand to this
    /// program.
    ///
    /// # Errors
    ///
    /// [`GraphError`]: an element that all outputs need is missing, or the source cannot be made.
    pub fn build(name: &str, stream: &Stream, targets: &dyn Targets) -> Result<Self, GraphError> {
        let pipeline = gst::Pipeline::with_name(name);
        let live = stream.source.is_live();
        let entry = element("queue")?;
        if live {
            // What cannot be analysed in time is skipped; latency must not grow.
            entry.set_property_from_str("leaky", "downstream");
            entry.set_property("max-size-buffers", 3_u32);
            entry.set_property("max-size-bytes", 0_u32);
            entry.set_property("max-size-time", 0_u64);
        }
        let detector = detector(name, stream)?;
        let tee = element("tee")?;
        let end = end()?;
        let mut chain = vec![entry.clone()];
        if stream.source.is_paced() {
            chain.push(element("clocksync")?);
        }
        chain.extend(upright()?);
        chain.extend([detector.clone(), tee.clone()]);
        pipeline.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        pipeline.add(&end)?;
        tee.link(&end)?;
        let (mut branches, mut failed) = (Vec::new(), Vec::new());
        for (index, output) in stream.outputs.iter().enumerate() {
            if !targets.is_open(index) {
                continue;
            }
            let branch = output::bin(name, index, output, stream, targets)
                .and_then(|bin| Branch::attach(&pipeline, &tee, bin, index, output.kind()));
            match branch {
                Ok(branch) => branches.push(branch),
                Err(error) => failed.push((index, error)),
            }
        }
        let sound = sound(&branches, &stream.outputs);
        source::attach(&pipeline, &stream.source, &entry, &sound)?;
        let analysis = Passage::through(&detector);
        Ok(Self { pipeline, entry, sound, analysis, detector, live, branches, failed })
    }

    /// Whether the end of the stream has reached all sinks.
    pub fn has_ended(&self) -> bool {
        let elements = self.pipeline.iterate_recurse().into_iter().flatten();
        let mut sinks = elements.filter(|element| {
            element.element_flags().contains(gst::ElementFlags::SINK) && !element.is::<gst::Bin>()
        });
        // Remembered once it has gone through.
        let has_ended = |pad: &gst::Pad| pad.sticky_event::<gst::event::Eos>(0).is_some();
        sinks.all(|sink| sink.sink_pads().iter().all(has_ended))
    }

    /// Whether it plays, and an output takes its time: a source that waits for the analysis has given
    /// more frames, or all that it has, and none is in the analysis. Of any other source some frames
    /// always wait.
    pub fn is_held_up(&self) -> bool {
        let inlet = self.entry.static_pad("sink");
        let has_given_all =
            || inlet.is_some_and(|pad| pad.sticky_event::<gst::event::Eos>(0).is_some());
        !self.live
            && !self.analysis.is_taken()
            && self.pipeline.current_state() == gst::State::Playing
            && (self.entry.property::<u32>("current-level-buffers") > 0 || has_given_all())
    }

    /// Whether a frame is in the analysis: nothing passes it, nor does the end of the stream.
    pub fn is_analyzing(&self) -> bool {
        self.analysis.is_taken()
    }

    /// The pads through which everything enters: what is sent into them reaches every output.
    pub fn inlets(&self) -> Vec<gst::Pad> {
        self.entry.static_pad("sink").into_iter().chain(self.sound.inlets()).collect()
    }
}

/// The way of sound to those of the outputs that are videos.
fn sound(branches: &[Branch], outputs: &[Output]) -> Sound {
    let videos = branches.iter().filter_map(|branch| match &outputs[branch.index] {
        Output::Video(video) => Some((branch.bin().clone(), Container::of(&video.file))),
        _ => None,
    });
    let (bins, containers): (Vec<_>, Vec<_>) = videos.unzip();
    Sound::new(&bins, &containers)
}

impl StreamGraph {
    /// Lets go of what building it may have opened, as a camera.
    pub fn end(self) {
        // One that was never started has nothing to lose.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Turns video the way up that its recorder said it is.
fn upright() -> Result<Vec<gst::Element>, GraphError> {
    let flip = element("videoflip")?;
    flip.set_property_from_str("video-direction", "auto");
    Ok(vec![element("videoconvert")?, flip, element("videoconvert")?])
}

/// `ferdetect` with the stream's settings.
fn detector(name: &str, stream: &Stream) -> Result<gst::Element, GraphError> {
    let detector = element("ferdetect")?;
    detector.set_property("draw", false);
    detector.set_property("stream-id", name);
    for (key, value) in needs(stream) {
        detector.set_property_from_str(key, value);
    }
    for (key, value) in &stream.analysis {
        // The schema is made from these properties: the names are there and the values fit.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        detector.set_property_from_str(key, &text);
    }
    Ok(detector)
}

/// Settings that a stream's outputs need, unless it says otherwise: a face that is to be hidden may
/// not be shown until the analysis has caught up, nor while nobody looks; and a picture of a face is cut out of the very
/// frame.
fn needs(stream: &Stream) -> Vec<(&'static str, &'static str)> {
    let hides = |output: &Output| {
        output.overlay().is_some_and(|it| matches!(it, Overlay::Blur | Overlay::Pixelate))
    };
    let is_cut = |output: &Output| matches!(output, Output::Faces(_));
    let mut needs = Vec::new();
    if stream.outputs.iter().any(|output| hides(output) || is_cut(output)) {
        needs.push(("analysis", "inline"));
    }
    if stream.outputs.iter().any(hides) {
        needs.extend([("inference-interval", "0"), ("scan-interval", "0")]);
    }
    needs
}

/// Where the video ends whatever becomes of the outputs: analysis goes on without any, and the end
/// of the stream is seen. It never waits, so that nobody waits for it.
fn end() -> Result<gst::Element, GraphError> {
    let queue = element("queue")?;
    queue.set_property_from_str("leaky", "downstream");
    queue.set_property("max-size-buffers", 1_u32);
    let sink = element("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    Ok(branch::row("end", &[queue, sink])?.upcast())
}

/// Brings an element down for good; whether it went.
///
/// One that does not is kept: GStreamer crashes where an element is dropped that is not down.
pub(crate) fn bring_down(element: &gst::Element) -> bool {
    // A pipeline that is about to play would bring its children up again.
    element.set_locked_state(true);
    let is_down =
        element.set_state(gst::State::Null).is_ok() && element.current_state() == gst::State::Null;
    if !is_down {
        std::mem::forget(element.clone());
    }
    is_down
}

/// A new element of a kind.
fn element(factory: &str) -> Result<gst::Element, GraphError> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| GraphError::Missing { factory: factory.to_owned() })
}

/// Elements in gst-launch-1.0's syntax as a bin, with `pad` (`src` or `sink`) open for what it is linked to.
///
/// GStreamer itself would open every pad that is not linked yet, also those of elements that are linked once
/// `decodebin` has found something.
fn fragment(text: &str, pad: &str) -> Result<gst::Bin, GraphError> {
    let wrong = |reason: String| GraphError::Fragment { reason };
    let bin =
        gst::parse::bin_from_description(text, false).map_err(|error| wrong(error.to_string()))?;
    let Some(open) = open_pad(&bin, pad) else {
        return Err(wrong(format!(
            "no `{pad}` pad is open in it that could be linked; `decodebin` and the like have none \
             before they play: put `videoconvert` behind them"
        )));
    };
    if pad == "sink" && open_pad(&bin, "src").is_some() {
        return Err(wrong(
            "nothing takes what comes out of it; expected a sink at its end".to_owned(),
        ));
    }
    let ghost = gst::GhostPad::builder_with_target(&open)
        .map_err(|error| wrong(error.to_string()))?
        .name(pad)
        .build();
    bin.add_pad(&ghost).map_err(|error| wrong(error.to_string()))?;
    Ok(bin)
}

/// The pad of the last element that gives something, or of the first that takes something, which nothing is
/// linked to.
fn open_pad(bin: &gst::Bin, pad: &str) -> Option<gst::Pad> {
    // The newest first.
    let mut elements = bin.children();
    let direction = if pad == "sink" {
        elements.reverse();
        gst::PadDirection::Sink
    } else {
        gst::PadDirection::Src
    };
    let mut pads = elements.iter().flat_map(gst::Element::pads);
    pads.find(|pad| pad.direction() == direction && !pad.is_linked())
}

/// Links the video that a decoder finds to `next`, and its sound, where some is exposed, to where
/// `sound` leads. No video, or one that does not fit, is an error on the bus. Further video streams
/// of the same recording are left alone.
fn link_decoded(decoder: &gst::Element, next: &gst::Element, sound: Option<&Sound>) {
    let sink = next.static_pad("sink");
    let (found, sound) = (sink.clone(), sound.cloned());
    decoder.connect_pad_added(move |decoder, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map(|first| first.name().to_string()).unwrap_or_default();
        let linked = match &sound {
            Some(sound) if kind.starts_with("audio/") => sound.carry(pad, &caps),
            _ => match found.as_ref().filter(|sink| !sink.is_linked()) {
                Some(sink) => pad.link(sink).map(|_| ()).map_err(|error| {
                    gst::glib::bool_error!("what is in there is not video: {error}").into()
                }),
                None => Ok(()),
            },
        };
        if let Err(error) = linked {
            gst::element_error!(decoder, gst::CoreError::Negotiation, ("{error} ({caps})"));
        }
    });
    decoder.connect_no_more_pads(move |decoder| {
        if sink.as_ref().is_some_and(|sink| !sink.is_linked()) {
            gst::element_error!(decoder, gst::StreamError::WrongType, ("there is no video in it"));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PipelineFile;

    #[test]
    fn a_fragment_is_open_at_its_end_alone() {
        gst::init().unwrap();
        let error =
            |text: &str, pad: &str| fragment(text, pad).err().map(|error| error.to_string());
        let told = error("filesrc location=a.mp4 ! decodebin", "src").unwrap();
        assert!(told.contains("put `videoconvert` behind them"), "{told}");
        for (text, pad) in [
            ("filesrc location=a.mp4 ! decodebin ! videoconvert", "src"),
            ("videotestsrc ! videoconvert", "src"),
            ("videoconvert ! fakesink", "sink"),
        ] {
            let bin = fragment(text, pad).unwrap();
            let pads: Vec<_> = bin.pads().iter().map(|pad| pad.name().to_string()).collect();
            assert_eq!(pads, [pad], "{text}");
        }
        assert!(error("videoconvert", "sink").unwrap().contains("expected a sink at its end"));
    }

    #[test]
    fn faces_that_are_hidden_or_cut_out_are_waited_for() {
        gst::init().unwrap();
        let inline = ("analysis", "inline");
        let hidden = vec![inline, ("inference-interval", "0"), ("scan-interval", "0")];
        for (outputs, expected) in [
            ("[ { json: { stdout: true } }, { window: {} } ]", vec![]),
            ("[ { window: { overlay: blur } } ]", hidden.clone()),
            ("[ { window: {} }, { hls: { folder: a, overlay: pixelate } } ]", hidden),
            ("[ { faces: { folder: a } } ]", vec![inline]),
        ] {
            let yaml = format!(
                "{{ version: 1, streams: {{ a: {{ source: {{ test: {{}} }}, outputs: {outputs} }} }} }}"
            );
            let file = PipelineFile::parse(&yaml, &[], &|_| None).unwrap();
            assert_eq!(needs(&file.streams["a"]), expected, "{outputs}");
        }
    }
}
