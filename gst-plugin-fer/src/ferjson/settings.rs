//! The properties and their values.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;

use super::format::FerJsonFormat;
use super::imp::CAT;
use super::utc;
use crate::strings;

/// The values of the properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// What is written.
    pub(super) format: FerJsonFormat,
    /// When the medium begins, as the user wrote it; never empty.
    start_utc: Option<String>,
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
                glib::ParamSpecEnum::builder_with_default("format", Settings::default().format)
                    .nick("Format")
                    .blurb(
                        "What is written for a frame: a line of JSON, or an XML document of \
                         ONVIF's metadata stream",
                    )
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("start-utc")
                    .nick("Start in UTC")
                    .blurb(
                        "When the recording begins, as in 2026-11-26T11:20:18Z: \"utc\" (ONVIF: \
                         UtcTime) is this and the position in the recording, so that two runs write \
                         the same. Unset, it is the wall clock's time for live sources, and for \
                         others with ONVIF only. A timestamp/x-unix or timestamp/x-ntp reference of a \
                         frame counts before both",
                    )
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("source")
                    .nick("Source")
                    .blurb(
                        "Where the video comes from, e.g. its URI: copied into the key \"source\" \
                         of every line (ONVIF: the attribute VideoSource), which is left out while \
                         this is unset or empty",
                    )
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("skip-empty")
                    .nick("Skip empty frames")
                    .blurb(
                        "Write nothing for a frame without faces and events; a gap event goes \
                         downstream in its place. With format=onvif the first frame without faces \
                         after one with faces is written, as ONVIF asks for",
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
        let text = || strings::text(value, name, *CAT);
        match name {
            "format" => value.get().map(|format| self.format = format),
            "start-utc" => {
                self.start_utc = Some(text()).filter(|start| !start.is_empty());
                Ok(())
            }
            "source" => {
                self.source = Some(text()).filter(|source| !source.is_empty());
                Ok(())
            }
            "skip-empty" => value.get().map(|skip_empty| self.skip_empty = skip_empty),
            _ => return false,
        }
        .is_ok()
    }

    /// The property `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "format" => Some(self.format.to_value()),
            "start-utc" => Some(self.start_utc.to_value()),
            "source" => Some(self.source.to_value()),
            "skip-empty" => Some(self.skip_empty.to_value()),
            _ => None,
        }
    }

    /// When the medium begins, in nanoseconds since 1970.
    ///
    /// # Errors
    /// What the user wrote is no such time.
    pub(super) fn start_utc(&self) -> Result<Option<u64>, String> {
        let Some(start) = &self.start_utc else { return Ok(None) };
        utc::parse(start).map(Some).ok_or_else(|| {
            format!(
                "start-utc=\"{start}\" is no time of the years 1970 to 2554 in UTC as in \
                 2026-11-26T11:20:18Z"
            )
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// As C programs may set it.
    #[test]
    fn text_that_is_no_utf_8_is_taken_for_what_can_be_read_of_it() {
        let mut settings = Settings::default();
        for name in ["source", "start-utc"] {
            assert!(settings.set(name, &strings::testing::latin1()));
            let after = settings.get(name).unwrap().get::<String>().unwrap();
            assert_eq!(after, "/tmp/caf\u{fffd}", "{name}");
        }
        assert!(settings.start_utc().is_err());
    }
}
