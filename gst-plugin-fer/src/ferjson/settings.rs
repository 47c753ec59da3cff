//! The properties and their values.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;

/// The values of the properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// `source` of every line; never empty.
    pub(super) source: Option<String>,
    /// Leave out frames that have neither objects nor events.
    pub(super) skip_empty: bool,
}

impl Settings {
    /// The property definitions.
    pub(super) fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecString::builder("source")
                    .nick("Source")
                    .blurb(
                        "Where the video comes from, e.g. its URI: copied into the key \"source\" \
                         of every line, which is left out while this is unset or empty",
                    )
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("skip-empty")
                    .nick("Skip empty frames")
                    .blurb(
                        "Write no line for a frame without faces and events; a gap event goes \
                         downstream in its place",
                    )
                    .default_value(Settings::default().skip_empty)
                    .mutable_playing()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    /// Sets the property `name`; false if there is none of that name and type.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "source" => value.get::<Option<String>>().map(|source| {
                self.source = source.filter(|source| !source.is_empty());
            }),
            "skip-empty" => value.get().map(|skip_empty| self.skip_empty = skip_empty),
            _ => return false,
        }
        .is_ok()
    }

    /// The property `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "source" => Some(self.source.to_value()),
            "skip-empty" => Some(self.skip_empty.to_value()),
            _ => None,
        }
    }
}
