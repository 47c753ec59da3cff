//! Writing files that are never half there, and telling where paths lead.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

/// Links that are followed, one after the other: as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes a file so that it is either wholly there or not at all: under a temporary name in the
/// same folder, which is made where it is missing, then renamed.
///
/// A link stays one: what it leads to is written. So does what is no file, as a pipe or
/// `/dev/null`, into which the bytes go.
///
/// # Errors
///
/// What the system says; an older file stays as it was, and nothing of the new one.
pub fn write_atomically(path: &Path, data: &[u8]) -> std::io::Result<()> {
    if is_special(path) {
        return std::fs::write(path, data);
    }
    replace(&followed(path), data)
}

/// Whether a path leads to something that is not to be replaced: no file, or one that a process has
/// opened already, as `/dev/stdout`.
fn is_special(path: &Path) -> bool {
    let is_opened = || {
        let mut parts = path.components().map(Component::as_os_str);
        path.starts_with("/proc")
            || (path.starts_with("/dev")
                && parts.any(|part| ["stdout", "stderr", "fd"].iter().any(|it| part == *it)))
    };
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() || is_opened())
}

/// Where a path's links lead, whether or not there is a file.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// The one path of what `path` names: absolute, links followed as far as there is anything. Two
/// paths of the same thing have the same one.
pub fn resolved(path: &Path) -> PathBuf {
    let path = followed(path);
    let mut there = std::path::absolute(&path).unwrap_or(path);
    let mut missing: Vec<OsString> = Vec::new();
    while !there.exists() {
        match there.components().next_back() {
            Some(Component::Normal(name)) => missing.push(name.to_owned()),
            // Of a folder that is not there: back to where it would be.
            Some(Component::ParentDir) => missing.push("..".into()),
            _ => break,
        }
        there.pop();
    }
    let mut whole = there.canonicalize().unwrap_or(there);
    for name in missing.into_iter().rev() {
        if name == ".." {
            whole.pop();
        } else {
            whole.push(name);
        }
    }
    whole
}

fn replace(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    if let Some(folder) = path.parent() {
        // Where that fails, making the file tells better why.
        let _ = std::fs::create_dir_all(folder);
    }
    let file = File::create(&part)?;
    let written = fill(file, data).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // On a full disk half a file only takes room. The first error is the one to tell.
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn fill(mut file: File, data: &[u8]) -> std::io::Result<()> {
    file.write_all(data)?;
    file.sync_all()
}

/// Writes `value` as indented JSON, as [`write_atomically`] does.
///
/// # Errors
///
/// What the system says, or why `value` has no JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    write_atomically(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_made_and_nothing_half_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/figures.json");
        write_json(&path, &1).unwrap();
        // A folder in the file's place, which no file takes.
        std::fs::create_dir(path.with_file_name("taken")).unwrap();
        assert!(write_json(&path.with_file_name("taken"), &2).is_err());
        assert!(!path.with_file_name("taken.part").exists());
    }

    #[test]
    fn one_thing_has_one_resolved_path() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        std::fs::create_dir(home.join("run")).unwrap();
        std::fs::write(home.join("run/a"), "x").unwrap();
        assert_eq!(resolved(&home.join("run/../run/./a")), home.join("run/a"));
        // What is not there yet.
        assert_eq!(resolved(&home.join("./run/new/b")), home.join("run/new/b"));
        assert_eq!(resolved(&home.join("none/../run/b")), home.join("run/b"));
        assert!(resolved(Path::new("src")).is_absolute());
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_on_and_stay_links() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("disk")).unwrap();
        symlink("disk/figures.json", at("second")).unwrap();
        symlink(at("second"), at("first")).unwrap();
        for value in [1, 2] {
            // What it leads to is made, then replaced.
            write_json(&at("first"), &value).unwrap();
            let read = std::fs::read_to_string(at("disk/figures.json")).unwrap();
            assert_eq!(read, format!("{value}\n"));
        }
        assert!(at("first").is_symlink() && at("second").is_symlink());
        assert_eq!(resolved(&at("first")), resolved(&at("disk/figures.json")));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_into_and_stays() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).unwrap()
        });
        write_json(&pipe, &7).unwrap();
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(reader.join().unwrap(), "7\n");
    }

    #[test]
    fn an_older_file_stays_where_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        write_json(&path, &[1, 2]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\n  1,\n  2\n]\n");
        // A folder in the place of the temporary file.
        std::fs::create_dir(folder.path().join("figures.json.part")).unwrap();
        assert!(write_json(&path, &[3]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\n  1,\n  2\n]\n");
    }
}
