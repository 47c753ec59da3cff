//! What a window hears and shows.

use gst::prelude::*;
use gst_video::NavigationEvent;

use super::Branch;

impl Branch {
    /// Hands the name of every key that is pressed in this window to `pressed`; of other outputs,
    /// none ever is.
    pub fn hear_keys(&self, pressed: impl Fn(&str) + Send + Sync + 'static) {
        let Some(pad) = self.bin().static_pad("sink") else { return };
        // A sink sends keys and mouse up the stream; they end here, where all sinks do the same,
        // whatever the source would make of them.
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
            if event.type_() != gst::EventType::Navigation {
                return gst::PadProbeReturn::Ok;
            }
            if let Ok(NavigationEvent::KeyPress { key, .. }) = NavigationEvent::parse(event) {
                pressed(&key);
            }
            gst::PadProbeReturn::Handled
        });
    }

    /// The frame that this window shows; `None` before the first, and of other outputs.
    pub fn shown(&self) -> Option<gst::Sample> {
        let sink = self.window_sink()?;
        sink.property("last-sample")
    }

    /// Whether an error of this output says that somebody has closed its window.
    pub fn was_closed(&self, error: &gst::message::Error) -> bool {
        error.error().matches(gst::ResourceError::NotFound) && self.shown().is_some()
    }

    /// The sink that GStreamer has chosen.
    fn window_sink(&self) -> Option<gst::Element> {
        let elements = self.bin().iterate_recurse().into_iter().flatten();
        (self.kind == "window").then_some(elements)?.find(|it| it.has_property("last-sample"))
    }
}
