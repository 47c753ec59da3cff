//! The display that windows are shown on.

use gst::prelude::*;

/// Variables that name a display, and the sinks that go there.
const KINDS: [(&str, &str); 2] = [("WAYLAND_DISPLAY", "waylandsink"), ("DISPLAY", "ximagesink")];

/// A display that is held open: an X server whose last client leaves may begin anew.
#[derive(Debug)]
pub(crate) struct Display {
    name: String,
    held: Option<gst::Element>,
}

impl Display {
    /// Without a display GStreamer tries whatever is left, and some of that crashes.
    pub(crate) fn open() -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Ok(Self { name: "the system's".to_owned(), held: None });
        }
        let mut named = Vec::new();
        for (name, sink) in KINDS {
            let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) else {
                continue;
            };
            let name = format!("{name}={value}");
            // A sink that is not installed says nothing against the display.
            let Ok(sink) = gst::ElementFactory::make(sink).build() else {
                return Ok(Self { name, held: None });
            };
            let display = Self { name: name.clone(), held: Some(sink.clone()) };
            if sink.set_state(gst::State::Ready).is_ok() {
                return Ok(display);
            }
            named.push(name);
        }
        Err(match named.as_slice() {
            [] => "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned(),
            named => format!("the display cannot be opened: {}", named.join(", ")),
        })
    }
}

impl Display {
    /// How the environment names it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(sink) = &self.held {
            // It has shown nothing: there is nothing that could fail.
            let _ = sink.set_state(gst::State::Null);
        }
    }
}
