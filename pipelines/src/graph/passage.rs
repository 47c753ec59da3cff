//! Where a stream's newest frame is: still on its way through the analysis, or past it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;

/// Whether a frame is in an element that gives it on from the thread that brings it.
#[derive(Debug, Default)]
pub(super) struct Passage(Arc<AtomicBool>);

impl Passage {
    /// Watches frames from an element's `sink` pad to its `src` pad.
    pub(super) fn through(element: &gst::Element) -> Self {
        let passage = Self::default();
        for (pad, is_within) in [("sink", true), ("src", false)] {
            let Some(pad) = element.static_pad(pad) else { continue };
            let within = passage.0.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                within.store(is_within, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
        }
        passage
    }

    /// Whether the newest frame is still within: whoever is slow is this element, not what comes before
    /// or after it.
    pub(super) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::bounded;
    use gst::prelude::*;

    use super::super::{Nowhere, StreamGraph};
    use crate::config::PipelineFile;

    const YAML: &str = "{ version: 1, streams: { a: { outputs: [], \
                        source: { gst: videotestsrc } } } }";

    /// Has the frames stop at a pad of the detector; whether others hold them up then.
    fn is_held_up_at(pad: &str) -> bool {
        let file = PipelineFile::parse(YAML, &[], &|_| None).unwrap();
        let graph = StreamGraph::build("a", &file.streams["a"], &Nowhere).unwrap();
        let (arrive, arrived) = bounded(1);
        let (release, released) = bounded::<()>(0);
        let probed = graph.detector.static_pad(pad).unwrap();
        probed.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let _ = arrive.try_send(());
            let _ = released.recv();
            gst::PadProbeReturn::Ok
        });
        graph.pipeline.set_state(gst::State::Playing).unwrap();
        arrived.recv_timeout(Duration::from_secs(20)).unwrap();
        let start = Instant::now();
        let is_full = || graph.entry.property::<u32>("current-level-buffers") > 10;
        let plays = || graph.pipeline.current_state() == gst::State::Playing;
        while !(is_full() && plays()) {
            assert!(start.elapsed() < Duration::from_secs(20), "the queue does not fill");
            std::thread::sleep(Duration::from_millis(5));
        }
        let held_up = graph.is_held_up();
        drop(release);
        graph.end();
        held_up
    }

    #[test]
    fn an_analysis_that_hangs_is_not_a_reader_that_has_paused() {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
        assert!(is_held_up_at("src"));
        assert!(!is_held_up_at("sink"));
    }
}
