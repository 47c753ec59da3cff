//! Writing files that are never half there.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

/// Writes a file so that it is either wholly there or not at all: under a temporary name in the
/// same folder, which is made where it is missing, then renamed.
///
/// # Errors
///
/// What the system says; an older file stays as it was, and nothing of the new one.
pub fn write_atomically(path: &Path, data: &[u8]) -> std::io::Result<()> {
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
