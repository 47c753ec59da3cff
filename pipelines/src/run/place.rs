//! The files that outputs write to: names filled in, nothing overwritten unasked.

use std::path::{Path, PathBuf};

use crate::config::Existing;

/// `{stream}` and strftime's codes filled in, with the local time of now.
pub(super) fn name(pattern: &str, stream: &str) -> Result<PathBuf, String> {
    let now = jiff::ZonedDateTime::now();
    let filled = jiff::fmt::strtime::format(pattern, &now)
        .map_err(|error| format!("`{pattern}`: {error}"))?;
    Ok(PathBuf::from(filled.replace("{stream}", stream)))
}

/// Makes the folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> Result<(), String> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display())),
        None => Ok(()),
    }
}

/// Whether a file may be written as `existing` says.
pub(super) fn may_write(path: &Path, existing: Existing) -> Result<(), String> {
    if existing == Existing::Refuse && path.exists() {
        return Err(format!(
            "{} is there already; move it away, or say `existing: replace`",
            path.display()
        ));
    }
    Ok(())
}

/// The name with `-2`, `-3`, … before its ending, of the `count`-th file of a run.
pub(super) fn numbered(path: &Path, count: u32) -> PathBuf {
    if count <= 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!("{stem}-{count}{}", ending.unwrap_or_default()))
}

/// Where a file lies until it is whole.
pub(super) fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name("out/{stream}.jsonl", "door").unwrap(), Path::new("out/door.jsonl"));
        let dated = name("%Y/{stream}", "a%d").unwrap();
        assert!(dated.ends_with("a%d") && dated.to_string_lossy().starts_with("20"), "{dated:?}");
        assert!(name("%", "a").is_err());
        assert_eq!(numbered(Path::new("out/a.mp4"), 1), Path::new("out/a.mp4"));
        assert_eq!(numbered(Path::new("out/a.mp4"), 3), Path::new("out/a-3.mp4"));
        assert_eq!(partial(Path::new("out/a.mp4")), Path::new("out/.a.mp4.part"));
    }
}
