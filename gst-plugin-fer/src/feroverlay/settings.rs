//! The properties.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;

use crate::draw::privacy::Hide;
use crate::draw::{FerLanguage, Style};

/// How faces are hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "FerPrivacy")]
#[repr(i32)]
pub(super) enum FerPrivacy {
    /// Not at all.
    #[default]
    #[enum_value(name = "Faces stay visible", nick = "none")]
    None,
    /// By a smooth surface.
    #[enum_value(name = "Faces become a smooth blur", nick = "blur")]
    Blur,
    /// By coloured squares.
    #[enum_value(name = "Faces become a few coloured squares", nick = "pixelate")]
    Pixelate,
}

impl FerPrivacy {
    pub(super) const fn hide(self) -> Option<Hide> {
        match self {
            Self::None => None,
            Self::Blur => Some(Hide::Blur),
            Self::Pixelate => Some(Hide::Pixelate),
        }
    }
}

/// The properties' values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    draw: bool,
    bars: bool,
    language: FerLanguage,
    scale: f32,
    privacy: FerPrivacy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            draw: true,
            bars: true,
            language: FerLanguage::default(),
            scale: 1.0,
            privacy: FerPrivacy::default(),
        }
    }
}

impl Settings {
    /// How to draw, if at all.
    pub(super) fn style(&self) -> Option<Style> {
        let Self { bars, language, scale, .. } = *self;
        self.draw.then_some(Style { language: language.into(), bars, scale })
    }

    pub(super) const fn hide(&self) -> Option<Hide> {
        self.privacy.hide()
    }

    /// Takes a new value; GObject has checked its type and range.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) -> Result<(), glib::Error> {
        match name {
            "draw" => self.draw = get(value, name)?,
            "bars" => self.bars = get(value, name)?,
            "scale" => self.scale = get(value, name)?,
            "labels-language" => self.language = get(value, name)?,
            "privacy" => self.privacy = get(value, name)?,
            _ => {
                let text = format!("feroverlay has no writable property \"{name}\"");
                return Err(glib::Error::new(gst::LibraryError::Settings, &text));
            }
        }
        Ok(())
    }

    /// The present value; `None` for a name that is not a property's.
    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "draw" => self.draw.to_value(),
            "bars" => self.bars.to_value(),
            "scale" => self.scale.to_value(),
            "labels-language" => self.language.to_value(),
            "privacy" => self.privacy.to_value(),
            _ => return None,
        })
    }
}

fn get<'v, T: glib::value::FromValue<'v>>(
    value: &'v glib::Value,
    name: &str,
) -> Result<T, glib::Error>
where
    <T::Checker as glib::value::ValueTypeChecker>::Error: std::fmt::Display,
{
    value
        .get()
        .map_err(|error| glib::Error::new(gst::LibraryError::Settings, &format!("{name}: {error}")))
}

/// The properties, as `gst-inspect-1.0` lists them.
pub(super) fn properties() -> &'static [glib::ParamSpec] {
    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
        let default = Settings::default();
        vec![
            glib::ParamSpecBoolean::builder("draw")
                .nick("Draw")
                .blurb("Draw a box and a label (track, stable emotion, probability) for each face")
                .default_value(default.draw)
                .mutable_playing()
                .build(),
            glib::ParamSpecBoolean::builder("bars")
                .nick("Bar chart")
                .blurb(
                    "With draw=true, draw a chart of the seven smoothed probabilities beside each \
                     face that is tall enough and has free room around it",
                )
                .default_value(default.bars)
                .mutable_playing()
                .build(),
            glib::ParamSpecEnum::builder_with_default("labels-language", default.language)
                .nick("Labels' language")
                .blurb("Language of the drawn labels; metadata is English always")
                .mutable_playing()
                .build(),
            glib::ParamSpecFloat::builder("scale")
                .nick("Scale")
                .blurb(
                    "Size of text, lines and charts; 1 suits looking at the whole frame, whatever \
                     its resolution",
                )
                .minimum(0.25)
                .maximum(4.0)
                .default_value(default.scale)
                .mutable_playing()
                .build(),
            glib::ParamSpecEnum::builder_with_default("privacy", default.privacy)
                .nick("Privacy")
                .blurb(
                    "Hide the faces that were found, with a margin of a quarter of their size: of \
                     each at most 6×6 values are left, whatever its resolution. A frame without a report of ferdetect, as where \
                     the analysis fails, is hidden as a whole. Done before drawing",
                )
                .mutable_playing()
                .build(),
        ]
    });
    &PROPERTIES
}
