//! Drawing on raw video, in whatever 8-bit format it comes, and hiding faces in it.
//!
//! * [`Canvas`] is a mapped frame as a list of colour components; no code outside it knows a
//!   pixel format by name.
//! * [`Painter`] draws a report: boxes, labels and bar charts. Text and shapes are rendered once
//!   by pango and cairo into small [`patch::Patch`]es, kept, and blended onto the components.
//! * [`privacy`] makes the faces' regions unrecognisable.
//!
//! Blending is our own, so that only the pixels under a shape are read and written, and in the
//! frame's own matrix and range; GStreamer's overlay composition was not measured against it.

mod area;
mod aspect;
mod blend;
mod canvas;
mod colour;
mod error;
mod label;
mod language;
mod layout;
mod painter;
mod panel;
mod patch;
pub(crate) mod privacy;
mod style;
mod text;

#[cfg(test)]
mod testing;

pub(crate) use canvas::Canvas;
pub(crate) use error::DrawError;
pub(crate) use language::FerLanguage;
pub(crate) use painter::Painter;
pub(crate) use style::Style;
