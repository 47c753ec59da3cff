//! Files that are never half there.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place and renames it: whoever reads it finds the old or the new one.
///
/// A symbolic link stays, and what it leads to is replaced. What is no file, as a device or a pipe,
/// is written to.
///
/// # Errors
///
/// The system's.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of a file that is not there yet there is no other name, but where a link leads to.
    let real = path.canonicalize().or_else(|_| {
        let target = std::fs::read_link(path)?;
        io::Result::Ok(path.parent().unwrap_or(Path::new("")).join(target))
    });
    let path = real.as_deref().unwrap_or(path);
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_stay_links_and_pipes_stay_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("page"), "old").unwrap();
        std::os::unix::fs::symlink("page", at("link")).unwrap();
        write_atomically(&at("link"), b"new").unwrap();
        assert!(at("link").symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(at("page")).unwrap(), "new");

        std::os::unix::fs::symlink("later", at("ahead")).unwrap();
        write_atomically(&at("ahead"), b"there").unwrap();
        assert!(at("ahead").symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(at("later")).unwrap(), "there");

        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || std::fs::read_to_string(pipe));
        write_atomically(&at("pipe"), b"through").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), "through");
        assert!(!at("pipe").symlink_metadata().unwrap().is_file());
    }
}
