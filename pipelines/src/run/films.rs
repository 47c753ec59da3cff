//! Videos of an output, a file for each pipeline or more: each has its name once it is whole.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::place::{self, Claim};
use crate::config::{Existing, Video};
use crate::graph;

/// The videos of one output.
#[derive(Debug)]
pub(super) struct Films {
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

impl Film {
    /// It has come to its end, `whole` or not; what went wrong.
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

impl Films {
    /// Of the output of that stream, whose file may be written.
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
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file that is being written.
    pub(super) fn begun(&self) -> Option<PathBuf> {
        self.current().as_ref().map(|film| place::partial(&film.path)).filter(|path| path.exists())
    }

    /// The pipeline has come to its end, `whole` or not; what went wrong.
    pub(super) fn finish(&self, whole: bool) -> Option<String> {
        self.current().as_mut().and_then(|film| film.finish(whole))
    }
}

impl graph::Films for Films {
    fn begin(&self) -> PathBuf {
        let mut current = self.current();
        // The pattern was filled in before, when the stream began.
        let pattern = &self.pattern;
        let plain = place::name(pattern, &self.stream).unwrap_or_else(|_| PathBuf::from(pattern));
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

    fn next(&self) -> Result<PathBuf, String> {
        match self.finish(true) {
            Some(problem) => Err(problem),
            None => Ok(self.begin()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Films as _;

    fn films(file: &Path) -> Films {
        let settings = format!("{{ file: {file:?}, existing: replace }}");
        Films::open(&serde_yaml::from_str(&settings).unwrap(), "s").unwrap()
    }

    /// A pipeline records so many bytes and ends.
    fn record(films: &Films, bytes: usize) {
        std::fs::write(films.begin(), vec![0; bytes]).unwrap();
        assert_eq!(films.finish(true), None);
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
        let films = films(&day.join("a.mkv"));
        record(&films, 5);
        // One without a frame leaves nothing, and no gap.
        record(&films, 0);
        assert_eq!(there(), ["a.mkv"]);
        record(&films, 5);
        assert_eq!(there(), ["a-2.mkv", "a.mkv"]);
        // Somebody takes it away: its number is not given twice.
        std::fs::remove_file(day.join("a-2.mkv")).unwrap();
        record(&films, 5);
        assert_eq!(there(), ["a-3.mkv", "a.mkv"]);
        // A stream whose settings have changed replaces nothing of what this process made.
        let changed = self::films(&day.join("a.mkv"));
        std::fs::write(day.join("a.mkv"), "first").unwrap();
        record(&changed, 5);
        assert_eq!(std::fs::read(day.join("a.mkv")).unwrap(), b"first");
    }

    #[test]
    fn a_video_that_is_cut_goes_on_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let films = films(&folder.path().join("a.mp4"));
        std::fs::write(films.begin(), "one").unwrap();
        std::fs::write(films.next().unwrap(), "two").unwrap();
        assert_eq!(std::fs::read(folder.path().join("a.mp4")).unwrap(), b"one");
        assert!(films.begun().unwrap().ends_with(".a-2.mp4.part"));
        assert_eq!(films.finish(true), None);
        assert_eq!(std::fs::read(folder.path().join("a-2.mp4")).unwrap(), b"two");
        // What another pipeline could not finish is left as it is.
        std::fs::write(films.begin(), "broken").unwrap();
        assert!(films.finish(false).unwrap().contains(".a-3.mp4.part was not finished"));
        assert!(films.begin().ends_with(".a-4.mp4.part"));
    }
}
