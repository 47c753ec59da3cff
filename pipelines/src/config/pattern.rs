//! Names of files with `{stream}` and strftime's codes in them.

use std::path::PathBuf;

use jiff::ZonedDateTime;

/// After a brace, lets it be one: no file has it in its name.
pub(crate) const LITERALLY: &str = "\0";

/// A pattern filled in, with the local time of `now`.
///
/// # Errors
///
/// A code that strftime does not know.
pub(crate) fn name_at(pattern: &str, stream: &str, now: &ZonedDateTime) -> Result<PathBuf, String> {
    let filled = jiff::fmt::strtime::format(pattern, now)
        .map_err(|error| format!("`{pattern}`: {error}; write `%%` for the character"))?;
    let filled = filled.replace("{stream}", stream);
    Ok(PathBuf::from(filled.replace(LITERALLY, "")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_filled_in() {
        let now: ZonedDateTime = "2026-03-29T12:00[UTC]".parse().unwrap();
        let name = |pattern: &str, stream: &str| name_at(pattern, stream, &now);
        assert_eq!(name("out/{stream}.jsonl", "door").unwrap(), Path::new("out/door.jsonl"));
        // A stream's name holds no codes.
        assert_eq!(name("%Y/{stream}", "a%d").unwrap(), Path::new("2026/a%d"));
        assert_eq!(name("50%%", "a").unwrap(), Path::new("50%"));
        assert_eq!(name("{\0stream}/{stream}", "a").unwrap(), Path::new("{stream}/a"));
        for pattern in ["%", "50%.jsonl", "a-%E"] {
            let error = name(pattern, "a").unwrap_err();
            assert!(error.contains(pattern) && error.contains("`%%`"), "{error}");
        }
    }
}
