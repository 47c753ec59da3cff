//! The labels' language as a GObject property.

use fer_core::emotion::Language;
use gst::glib;

/// The language in which labels are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, glib::Enum)]
#[enum_type(name = "FerLanguage")]
#[repr(i32)]
pub(crate) enum FerLanguage {
    /// English.
    #[default]
    #[enum_value(name = "English labels: happiness, neutral, ...", nick = "en")]
    En,
    /// Russian.
    #[enum_value(name = "Russian labels: радость, нейтрально, ...", nick = "ru")]
    Ru,
}

impl From<FerLanguage> for Language {
    fn from(language: FerLanguage) -> Self {
        match language {
            FerLanguage::En => Self::En,
            FerLanguage::Ru => Self::Ru,
        }
    }
}
