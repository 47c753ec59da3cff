//! Recordings that are named one by one or by patterns.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

/// Recordings, one after another, as one stream. One that cannot be read is told and skipped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Files {
    /// Names, or patterns with `*`, `?`, `[a-z]` and `**` (folders at any depth), in the order in
    /// which they are played; what a pattern matches is sorted as people count, 2 before 10.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub paths: Vec<String>,
    /// Whether they are played at their own speed, as for a window, or as fast as possible.
    #[serde(default)]
    pub realtime: bool,
}

impl Files {
    /// The recordings that are there now, in the order in which they are played.
    pub fn recordings(&self) -> Vec<PathBuf> {
        self.paths.iter().flat_map(|path| matching(path).unwrap_or_default()).collect()
    }
}

/// The files that a name or pattern stands for; at least one.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn matching(pattern: &str) -> Result<Vec<PathBuf>, String> {
    // A name may look like a pattern.
    if Path::new(pattern).is_file() {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let found = glob::glob(pattern).map_err(|error| format!("`{pattern}`: {error}"))?;
    // What cannot be read, as a folder of somebody else's or a link that leads nowhere, is told when
    // its turn comes.
    let mut files: Vec<PathBuf> = found
        .map(|found| found.map_err(|error| error.path().to_owned()))
        .filter(|found| found.as_ref().map_or(true, |path| path.is_file() || !path.exists()))
        .map(|found| found.unwrap_or_else(|path| path))
        .collect();
    files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    if files.is_empty() {
        return Err(format!("`{pattern}`: there is no such file"));
    }
    Ok(files)
}

/// Compares as people count: runs of digits by their value.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (n, rest) = number(left);
            let (m, other) = number(right);
            let order = n.len().cmp(&m.len()).then_with(|| n.cmp(m));
            if order.is_ne() {
                return order;
            }
            (left, right) = (rest, other);
        } else if x == y {
            (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
        } else {
            return x.cmp(&y);
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits that a text begins with, without zeros in front, and what comes after them.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_by_value() {
        let sorted = [
            "a",
            "a1",
            "a01",
            "a2",
            "a2b",
            "a10",
            "a10b1",
            "a10b20",
            "b",
            "ä1",
            "ä99999999999999999999999",
        ];
        for (index, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                // Equal in value, a1 and a01 are told apart by their characters.
                if (*a, *b) != ("a1", "a01") && (*a, *b) != ("a01", "a1") {
                    assert_eq!(natural(a, b), index.cmp(&other), "{a} {b}");
                }
            }
        }
        assert_ne!(natural("a1", "a01"), Ordering::Equal);
    }

    #[test]
    fn names_and_patterns_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["c10.mp4", "c9.mp4", "b[1].mp4", "x.txt"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let files = Files { paths: vec![path("c*.mp4"), path("b[1].mp4")], realtime: false };
        let names = files.recordings();
        let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["c9.mp4", "c10.mp4", "b[1].mp4"]);
        assert!(matching(&path("*.mkv")).unwrap_err().contains("there is no such file"));
        assert!(matching(&path("***")).unwrap_err().contains("***"));
    }
}
