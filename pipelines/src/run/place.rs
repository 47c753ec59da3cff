//! The files that outputs write to: names filled in, nothing overwritten unasked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::ZonedDateTime;

pub(super) use crate::config::name_at;
use crate::config::{Existing, Source};

/// `{stream}` and strftime's codes filled in, with the local time of now.
pub(super) fn name(pattern: &str, stream: &str) -> Result<PathBuf, String> {
    name_at(pattern, stream, &ZonedDateTime::now())
}

/// Whether a pattern gives each day one name: it holds no time of day.
pub(super) fn names_days(pattern: &str, now: &ZonedDateTime) -> bool {
    let at = |time: Result<ZonedDateTime, jiff::Error>| name_at(pattern, "", &time.ok()?).ok();
    let first = at(now.start_of_day());
    first.is_some() && first == at(now.end_of_day())
}

/// Makes the folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> Result<(), String> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display())),
        None => Ok(()),
    }
}

/// What this process has written, and how many of its outputs are at it: a stream whose settings have
/// changed goes on with what it has left.
static OURS: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

/// One name for one file, however it is spelled.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    let real = folder.ok().zip(path.file_name()).map(|(folder, name)| folder.join(name));
    real.or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

fn ours() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that an output of this process is at, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    /// Whether no output was ever at it.
    is_first: bool,
}

impl Claim {
    pub(super) fn stake(path: &Path) -> Self {
        Self::add(&mut ours(), real(path))
    }

    /// The same, where no other output is at it now.
    pub(super) fn alone(path: &Path) -> Option<Self> {
        let path = real(path);
        let mut ours = ours();
        let is_free = ours.get(&path).is_none_or(|&outputs| outputs == 0);
        is_free.then(|| Self::add(&mut ours, path))
    }

    fn add(ours: &mut BTreeMap<PathBuf, usize>, path: PathBuf) -> Self {
        let is_first = !ours.contains_key(&path);
        *ours.entry(path.clone()).or_default() += 1;
        Self { path, is_first }
    }

    /// Nothing was written there: what may lie there is not of this process.
    pub(super) fn withdraw(self) {
        if self.is_first {
            ours().remove(&self.path);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(outputs) = ours().get_mut(&self.path) {
            *outputs -= 1;
        }
    }
}

/// Whether this process has written a file, and is done with it.
pub(super) fn is_left(path: &Path) -> bool {
    ours().get(&real(path)) == Some(&0)
}

/// Whether a file may be written as `existing` says. One with nothing in it, as a run leaves that came
/// to no first line, may be: there is nothing to lose.
pub(super) fn may_write(path: &Path, existing: Existing) -> Result<(), String> {
    let is_free = || !path.exists() || is_left(path) || is_empty(path);
    if existing == Existing::Refuse && !is_free() {
        return Err(is_there(path));
    }
    Ok(())
}

/// Whether there is an empty file that no output of this process is at.
fn is_empty(path: &Path) -> bool {
    !ours().contains_key(&real(path)) && is_blank(path)
}

/// Whether there is a file with nothing in it.
pub(super) fn is_blank(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.len() == 0)
}

/// Whether an open file has this name still.
pub(crate) fn is_at(file: &std::fs::File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |data: std::fs::Metadata| (data.dev(), data.ino());
        let ids = (file.metadata().map(id).ok(), std::fs::metadata(path).map(id).ok());
        ids.0.is_some() && ids.0 == ids.1
    }
    #[cfg(not(unix))]
    {
        file.metadata().is_ok() && path.exists()
    }
}

/// The recordings that a source reads, under the one name that each has.
pub(super) fn recordings(source: &Source) -> Vec<PathBuf> {
    let read = match source {
        Source::File(file) => vec![file.path.clone()],
        Source::Files(files) => files.recordings(),
        _ => Vec::new(),
    };
    read.iter().filter_map(|path| path.canonicalize().ok()).collect()
}

/// Whether a file is one of these [`recordings`].
pub(super) fn is_read(path: &Path, recordings: &[PathBuf]) -> bool {
    path.canonicalize().is_ok_and(|path| recordings.contains(&path))
}

/// No output writes what its stream reads.
pub(super) fn spares(path: &Path, recordings: &[PathBuf]) -> Result<(), String> {
    if is_read(path, recordings) {
        return Err(format!(
            "{}: the recording itself would be replaced; expected another file",
            path.display()
        ));
    }
    Ok(())
}

/// That a file is there which may not be replaced.
pub(super) fn is_there(path: &Path) -> String {
    format!("{} is there already; move it away, or say `existing: replace`", path.display())
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
    fn a_recording_is_spared_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.mp4"), "film").unwrap();
        std::fs::create_dir(at("deep")).unwrap();
        let file = crate::config::File { path: at("a.mp4"), realtime: false };
        let source = Source::File(file);
        let error = spares(&at("deep/../a.mp4"), &recordings(&source)).unwrap_err();
        assert!(error.contains("the recording itself"), "{error}");
        assert_eq!(spares(&at("b.mp4"), &recordings(&source)), Ok(()));
        let paths = vec![at("*.mp4").to_string_lossy().into_owned()];
        let files = Source::Files(crate::config::Files { paths, realtime: false });
        assert!(spares(&at("a.mp4"), &recordings(&files)).is_err());
    }

    #[test]
    fn what_is_there_stays_unless_there_is_nothing_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "").unwrap();
        assert_eq!(may_write(&path, Existing::Refuse), Ok(()));
        let claim = Claim::stake(&path);
        assert!(may_write(&path, Existing::Refuse).is_err(), "an output is at it");
        drop(claim);
        let other = folder.path().join("b.jsonl");
        std::fs::write(&other, "{}\n").unwrap();
        assert!(may_write(&other, Existing::Refuse).is_err());
        assert_eq!(may_write(&other, Existing::Replace), Ok(()));
        assert!(may_write(folder.path(), Existing::Refuse).is_err(), "a folder");
    }

    #[test]
    fn names() {
        let dated = name("%Y/{stream}", "a").unwrap();
        assert!(dated.ends_with("a") && dated.to_string_lossy().starts_with("20"), "{dated:?}");
        assert_eq!(numbered(Path::new("out/a.mp4"), 1), Path::new("out/a.mp4"));
        assert_eq!(numbered(Path::new("out/a.mp4"), 3), Path::new("out/a-3.mp4"));
        assert_eq!(partial(Path::new("out/a.mp4")), Path::new("out/.a.mp4.part"));
    }
}
