//! A recording as one HTML page that needs nothing else: no network, no script, no other file.

mod chart;
mod face;
mod page;
mod pictures;
mod stream;
mod time;

use std::io;
use std::path::Path;

pub use self::page::page;
pub use self::pictures::Pictures;

/// Writes a page, or any text, so that whoever looks sees the old file or the whole new one.
///
/// # Errors
///
/// The system's.
pub fn save(path: &Path, text: &str) -> io::Result<()> {
    crate::files::write_atomically(path, text.as_bytes())
}
