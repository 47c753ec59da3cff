//! Drawing on raw video, in whatever 8-bit format it comes, and hiding faces in it.
//!
//! * [`Canvas`] is a mapped frame as a list of colour components; no code outside it knows a
//!   pixel format by name.
//! * [`Painter`] draws a report: boxes, labels and bar charts. Text and shapes are rendered once
//!   by pango and cairo into small [`patch::Patch`]es, kept, and blended onto the components.
//! * [`privacy`] makes the faces' regions unrecognisable.
//!
//! GStreamer's own overlay composition is deliberately not used: it unpacks and repacks whole
//! rows of the frame for every rectangle, and its conversion knows one YUV matrix only.

mod area;
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
