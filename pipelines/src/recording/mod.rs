//! What `ferjson` wrote, read again: JSON Lines of schema version 1, however many.
//!
//! [`Lines`] reads them one by one, [`Summary`] adds them up. A file is never held in memory, and
//! nothing here knows GStreamer.

mod axis;
mod reader;
mod summary;
#[cfg(test)]
mod testing;

pub use self::axis::{Axis, Place};
pub use self::reader::{Lines, RecordingError};
pub use self::summary::Summary;
