//! Files that are never half there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Writes a picture that the next one replaces: as [`write_atomically`], but what is a pipe gets it only
/// while somebody reads there. Who waited for a reader would hold up all that comes after.
///
/// # Errors
///
/// The system's.
pub(crate) fn write_latest(path: &Path, bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    if std::fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo()) {
        let written = open_if_read(path).and_then(|mut pipe| pipe.write_all(bytes));
        return match written {
            Err(error) if is_unread(&error) => Ok(()),
            written => written,
        };
    }
    write_atomically(path, bytes)
}

/// Opens a pipe without waiting for somebody who reads it; only then may writing wait.
#[cfg(unix)]
fn open_if_read(path: &Path) -> io::Result<std::fs::File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = rustix::fs::open(path, flags, Mode::empty())?;
    rustix::fs::fcntl_setfl(&pipe, OFlags::empty())?;
    Ok(pipe.into())
}

/// Nobody reads there, or no longer.
#[cfg(unix)]
fn is_unread(error: &io::Error) -> bool {
    let unread = [rustix::io::Errno::NXIO, rustix::io::Errno::PIPE];
    rustix::io::Errno::from_io_error(error).is_some_and(|errno| unread.contains(&errno))
}

/// Writes a file beside its place and renames it: whoever reads it finds the old or the new one.
///
/// A symbolic link stays, and what it leads to is replaced. What is no file, as a device or a pipe,
/// is written to.
///
/// # Errors
///
/// The system's.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, |_| Ok(()))
}

/// The same, and it is on the disk before it has its name: a power cut leaves the old or the new one.
///
/// # Errors
///
/// The system's.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, File::sync_all)
}

fn replace(
    path: &Path,
    bytes: &[u8],
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
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
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| settle(&file)))
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

    #[test]
    fn a_pipe_gets_pictures_while_somebody_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        write_latest(&pipe, b"nobody is there").unwrap();
        let place = pipe.clone();
        let reader = std::thread::spawn(move || std::fs::read(place));
        // More than a pipe holds. Until the other thread is there, nobody reads.
        let picture = vec![7; 200_000];
        while !reader.is_finished() {
            write_latest(&pipe, &picture).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let read = reader.join().unwrap().unwrap();
        assert!(!read.is_empty() && read.len() % picture.len() == 0, "{}", read.len());
        assert!(read.iter().all(|byte| *byte == 7));
    }
}
