//! Writing files that are never half there.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

/// Writes a file so that it is either wholly there or not at all: under a temporary name in the
/// same folder, then renamed.
///
/// # Errors
///
/// What the system says; an older file stays as it was.
pub fn write_atomically(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut file = std::fs::File::create(&part)?;
    file.write_all(data)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
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
