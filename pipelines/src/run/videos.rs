//! The files of a `video` output: their names, and which of them are whole.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::place::{self, Claim};
use crate::config::{Existing, Video};
use crate::graph::VideoFiles;

/// A file for each pipeline, or several where they are rotated. It outlives the pipelines of its stream.
#[derive(Debug)]
pub(super) struct Videos {
    stream: String,
    pattern: String,
    existing: Existing,
    current: Mutex<Option<Film>>,
}

/// A video that is being written.
#[derive(Debug)]
struct Film {
    /// Its name without a number.
    plain: PathBuf,
    /// Its number among the files of that name.
    count: u32,
    path: PathBuf,
    /// Whether it was finished; it may have been moved away since.
    is_whole: bool,
}

impl Videos {
    /// Makes the folder; what is there already is refused where it may not be replaced.
    pub(super) fn open(settings: &Video, stream: &str) -> Result<Self, String> {
        let path = place::name(&settings.file, stream)?;
        place::folder_of(&path)?;
        place::may_write(&path, settings.existing)?;
        Ok(Self {
            stream: stream.to_owned(),
            pattern: settings.file.clone(),
            existing: settings.existing,
            current: Mutex::new(None),
        })
    }

    fn current(&self) -> MutexGuard<'_, Option<Film>> {
        // Nothing here is left half-changed by a panic.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the one lies that is being written.
    pub(super) fn begun(&self) -> Option<PathBuf> {
        self.current().as_ref().map(|film| place::partial(&film.path)).filter(|path| path.exists())
    }

    /// The pipeline has come to its end, `whole` or not; what went wrong.
    pub(super) fn finish(&self, whole: bool) -> Option<String> {
        self.current().as_mut().and_then(|film| film.finish(whole))
    }
}

impl Film {
    fn finish(&mut self, whole: bool) -> Option<String> {
        let partial = place::partial(&self.path);
        let empty = std::fs::metadata(&partial).map_or(true, |data| data.len() == 0);
        if empty {
            // Nothing was recorded: nothing is left.
            let _ = std::fs::remove_file(&partial);
            None
        } else if whole {
            let renamed = std::fs::rename(&partial, &self.path);
            // Written, and left.
            drop(Claim::stake(&self.path));
            self.is_whole = true;
            renamed.err().map(|error| format!("{}: {error}", self.path.display()))
        } else {
            Some(format!("{} was not finished", partial.display()))
        }
    }
}

impl VideoFiles for Videos {
    fn next(&self) -> PathBuf {
        let mut current = self.current();
        // The pattern was filled in before, when the stream began.
        let plain = place::name(&self.pattern, &self.stream)
            .unwrap_or_else(|_| PathBuf::from(&self.pattern));
        // A process that was killed has left its video under the name of one that is not whole.
        let is_begun = |path: &Path| std::fs::metadata(path).is_ok_and(|data| data.len() > 0);
        let is_there = |path: &Path| path.exists() || is_begun(&place::partial(path));
        let is_taken = |path: &Path| {
            (self.existing != Existing::Replace || place::is_left(path)) && is_there(path)
        };
        let mut count = match current.as_ref().filter(|film| film.plain == plain) {
            // One without a frame has left nothing.
            Some(film) => film.count + u32::from(film.is_whole || is_there(&film.path)),
            None => 1,
        };
        while is_taken(&place::numbered(&plain, count)) {
            count += 1;
        }
        let path = place::numbered(&plain, count);
        let partial = place::partial(&path);
        // The day may have changed. Without the folder the file cannot be opened, which is told then.
        let _ = place::folder_of(&path);
        *current = Some(Film { plain, count, path, is_whole: false });
        partial
    }

    fn whole(&self) -> Result<(), String> {
        self.finish(true).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn videos(file: &Path) -> Videos {
        Videos {
            stream: "s".to_owned(),
            pattern: file.to_string_lossy().into_owned(),
            existing: Existing::Replace,
            current: Mutex::new(None),
        }
    }

    /// A pipeline records so many bytes and ends.
    fn record(videos: &Videos, bytes: usize) {
        std::fs::write(videos.next(), vec![0; bytes]).unwrap();
        assert_eq!(videos.finish(true), None);
    }

    #[test]
    fn a_video_is_numbered_after_the_last_one_of_this_process() {
        let folder = tempfile::tempdir().unwrap();
        // The day has just begun: its folder is not there.
        let day = folder.path().join("2026-11-26");
        let there = || {
            let names = std::fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        let ours = videos(&day.join("a.mkv"));
        record(&ours, 5);
        // One without a frame leaves nothing, and no gap.
        record(&ours, 0);
        assert_eq!(there(), ["a.mkv"]);
        record(&ours, 5);
        assert_eq!(there(), ["a-2.mkv", "a.mkv"]);
        // Somebody takes it away: its number is not given twice.
        std::fs::remove_file(day.join("a-2.mkv")).unwrap();
        record(&ours, 5);
        assert_eq!(there(), ["a-3.mkv", "a.mkv"]);
        // A stream whose settings have changed replaces nothing of what this process made.
        let changed = videos(&day.join("a.mkv"));
        std::fs::write(day.join("a.mkv"), "first").unwrap();
        record(&changed, 5);
        assert_eq!(std::fs::read(day.join("a.mkv")).unwrap(), b"first");
    }
}
