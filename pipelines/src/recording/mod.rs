//! What `ferjson` wrote, read again: JSON Lines of schema version 1, however many.
//!
//! [`Lines`] reads them one by one, [`Summary`] adds them up, [`Recording`] keeps as much of them as
//! a picture needs. A file is never held in memory, and nothing here knows GStreamer.

mod axis;
mod face;
mod reader;
mod stream;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;

pub use self::face::{Face, Held, Label, Probabilities};
pub use self::reader::{Lines, RecordingError};
pub use self::summary::Summary;
pub use self::timeline::{Change, Recording, Timeline};
