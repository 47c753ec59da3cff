//! Files that are never half there.

use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place and renames it: whoever reads it finds the old or the new one.
///
/// # Errors
///
/// The system's.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.part"));
    let written = std::fs::File::create(&partial)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // The write's own error is the one to tell.
        let _ = std::fs::remove_file(&partial);
    }
    written
}
