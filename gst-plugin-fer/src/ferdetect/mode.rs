//! Who waits for whom.

use gst::glib;

/// Whether the video waits for the analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "FerAnalysis")]
#[repr(i32)]
pub(super) enum FerAnalysis {
    /// As the source is.
    #[default]
    #[enum_value(name = "Background for live sources, inline for all others", nick = "auto")]
    Auto,
    /// It does.
    #[enum_value(name = "Every frame waits for its own result: exact, repeatable", nick = "inline")]
    Inline,
    /// It does not, but for frames that come half a second or more after the one before.
    #[enum_value(
        name = "The newest frame is analysed; results ride on later ones with their age",
        nick = "background"
    )]
    Background,
}
