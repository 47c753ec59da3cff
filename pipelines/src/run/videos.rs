//! The files of a `video` output: their names, and which of them are whole.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::ZonedDateTime;

use super::place::{self, Claim, is_at};
use crate::config::{Existing, Video};
use crate::graph::VideoFiles;

/// A file for each pipeline, or several where they are rotated. It outlives the pipelines of its stream.
#[derive(Debug)]
pub(super) struct Videos {
    stream: String,
    pattern: String,
    existing: Existing,
    /// What its stream reads.
    recordings: Vec<PathBuf>,
    current: Mutex<Option<Film>>,
    /// That one of several was taken away while it was written; the others are not worse for it.
    gone: Mutex<Option<String>>,
}

/// A video that is being written.
#[derive(Debug)]
struct Film {
    /// Its name without a number.
    plain: PathBuf,
    /// Its number among the files of that name.
    count: u32,
    path: PathBuf,
    /// Whether what lies there may be replaced.
    replaces: bool,
    /// While it is written: no other output may.
    claim: Option<Claim>,
    /// The same towards other processes: its lock.
    #[expect(dead_code, reason = "held for its lock")]
    lock: Option<File>,
    /// Whether it was finished; it may have been moved away since.
    is_whole: bool,
}

impl Videos {
    /// Makes the folder; what is there already is refused where it may not be replaced.
    pub(super) fn open(
        settings: &Video,
        stream: &str,
        recordings: Vec<PathBuf>,
    ) -> Result<Self, String> {
        let path = place::name(&settings.file, stream)?;
        place::spares(&path, &recordings)?;
        place::folder_of(&path)?;
        // One that is rotated goes on with the next free number.
        if settings.rotate.is_none() {
            place::may_write(&path, settings.existing)?;
        }
        Ok(Self {
            stream: stream.to_owned(),
            pattern: settings.file.clone(),
            existing: settings.existing,
            recordings,
            current: Mutex::new(None),
            gone: Mutex::new(None),
        })
    }

    fn current(&self) -> MutexGuard<'_, Option<Film>> {
        // Nothing here is left half-changed by a panic.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, Option<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pipeline has come to its end, `whole` or not; what went wrong.
    pub(super) fn finish(&self, whole: bool) -> Option<String> {
        let failed = self.current().as_mut().and_then(|film| film.finish(whole));
        self.gone().take().or(failed.map(Unfinished::into_reason))
    }
}

/// Why a video has not got its name.
enum Unfinished {
    Failed(String),
    Gone(String),
}

impl Unfinished {
    fn into_reason(self) -> String {
        let (Self::Failed(reason) | Self::Gone(reason)) = self;
        reason
    }
}

impl Film {
    fn finish(&mut self, whole: bool) -> Option<Unfinished> {
        let claim = self.claim.take()?;
        let partial = place::partial(&self.path);
        match fs::metadata(&partial) {
            Ok(data) if data.len() > 0 && whole => {
                let _claim = self.make_way(claim);
                let renamed = fs::rename(&partial, &self.path);
                self.is_whole = renamed.is_ok();
                let reason = |error| format!("{}: {error}", self.path.display());
                renamed.err().map(|error| Unfinished::Failed(reason(error)))
            }
            Ok(data) if data.len() > 0 => {
                Some(Unfinished::Failed(format!("{} was not finished", partial.display())))
            }
            Err(error) if whole && error.kind() == ErrorKind::NotFound => {
                Some(Unfinished::Gone(format!(
                    "{} is gone: it was removed or renamed while it was written",
                    partial.display()
                )))
            }
            _ => {
                // Nothing was recorded: nothing is left.
                let _ = fs::remove_file(&partial);
                claim.withdraw();
                None
            }
        }
    }
}

impl Film {
    /// Takes the next free number where somebody has put another file there meanwhile.
    fn make_way(&mut self, claim: Claim) -> Claim {
        if self.replaces || !self.path.exists() || place::is_blank(&self.path) {
            return claim;
        }
        loop {
            self.count += 1;
            self.path = place::numbered(&self.plain, self.count);
            let claim = if self.path.exists() { None } else { Claim::alone(&self.path) };
            if let Some(claim) = claim {
                return claim;
            }
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // One whose pipeline could not even be built.
        let _ = self.finish(false);
    }
}

/// The lock of a file that is to be written, which is made for it; `None` where another process is at
/// it. What cannot be made or locked is left to who writes it, and says why.
fn lock(partial: &Path) -> Option<Option<File>> {
    let open = || File::options().append(true).create(true).open(partial);
    let Ok(file) = open() else { return Some(None) };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return None,
        Err(TryLockError::Error(_)) => return Some(None),
        // Who had it has given it its name, or removed it, in between.
        Ok(()) if !is_at(&file, partial) => return None,
        Ok(()) => {}
    }
    // Shares of Windows let nobody write through another handle than the lock's.
    let is_writable = open().and_then(|mut other| {
        other.write_all(&[0])?;
        other.set_len(0)
    });
    Some(is_writable.is_ok().then_some(file))
}

impl VideoFiles for Videos {
    fn next(&self, ago: Duration) -> PathBuf {
        let mut current = self.current();
        let begun = ZonedDateTime::now();
        let begun = begun.checked_sub(ago).unwrap_or(begun);
        // The pattern was filled in before, when the stream began.
        let plain = place::name_at(&self.pattern, &self.stream, &begun)
            .unwrap_or_else(|_| PathBuf::from(&self.pattern));
        // The day may have changed. Without the folder the file cannot be opened, which is told then.
        let _ = place::folder_of(&plain);
        // A process that was killed has left its video under the name of one that is not whole.
        let is_begun =
            |path: &Path| fs::metadata(place::partial(path)).is_ok_and(|data| data.len() > 0);
        let is_there = |path: &Path| (path.exists() && !place::is_blank(path)) || is_begun(path);
        let may_replace = |path: &Path| self.existing == Existing::Replace && !place::is_left(path);
        let is_taken = |path: &Path| {
            place::is_read(path, &self.recordings) || (is_there(path) && !may_replace(path))
        };
        let mut count = match current.take().filter(|film| film.plain == plain) {
            // One without a frame has left nothing.
            Some(film) => film.count + u32::from(film.is_whole || is_begun(&film.path)),
            None => 1,
        };
        let (path, claim, lock) = loop {
            let path = place::numbered(&plain, count);
            let claim = if is_taken(&path) { None } else { Claim::alone(&path) };
            if let Some(claim) = claim {
                match lock(&place::partial(&path)) {
                    // It may have been finished just now.
                    Some(lock) if !is_taken(&path) => break (path, claim, lock),
                    _ => claim.withdraw(),
                }
            }
            count += 1;
        };
        let partial = place::partial(&path);
        let (claim, replaces) = (Some(claim), self.existing == Existing::Replace);
        *current = Some(Film { plain, count, path, replaces, claim, lock, is_whole: false });
        partial
    }

    fn whole(&self) -> Result<(), String> {
        match self.current().as_mut().and_then(|film| film.finish(true)) {
            Some(Unfinished::Failed(reason)) => Err(reason),
            Some(Unfinished::Gone(reason)) => {
                self.gone().get_or_insert(reason);
                Ok(())
            }
            None => Ok(()),
        }
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
            recordings: Vec::new(),
            current: Mutex::new(None),
            gone: Mutex::new(None),
        }
    }

    /// A pipeline records so many bytes and ends.
    fn record(videos: &Videos, bytes: usize) {
        std::fs::write(videos.next(Duration::ZERO), vec![0; bytes]).unwrap();
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
        // It is taken away, name and all, while it is written.
        std::fs::remove_file(ours.next(Duration::ZERO)).unwrap();
        let gone = ours.finish(true).unwrap();
        assert!(gone.contains(".a-4.mkv.part is gone"), "{gone}");
        // Of several in a row that is told in the end.
        std::fs::remove_file(ours.next(Duration::ZERO)).unwrap();
        assert_eq!(ours.whole(), Ok(()));
        std::fs::write(ours.next(Duration::ZERO), "next").unwrap();
        assert!(ours.finish(true).is_some_and(|told| told.contains("is gone")));
        assert!(day.join("a-4.mkv").exists());
        std::fs::remove_file(day.join("a-4.mkv")).unwrap();
        // A stream whose settings have changed replaces nothing of what this process made.
        let changed = videos(&day.join("a.mkv"));
        std::fs::write(day.join("a.mkv"), "first").unwrap();
        record(&changed, 5);
        assert_eq!(std::fs::read(day.join("a.mkv")).unwrap(), b"first");
    }

    #[test]
    fn what_may_be_replaced_is_so_at_the_second_try_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.mkv");
        std::fs::write(&path, "yesterday's").unwrap();
        let ours = videos(&path);
        // The camera is not there yet; then not even a pipeline can be made.
        record(&ours, 0);
        ours.next(Duration::ZERO);
        record(&ours, 5);
        assert_eq!(std::fs::read(&path).unwrap(), vec![0; 5]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.mkv");
        std::fs::write(&path, "").unwrap();
        record(&Videos { existing: Existing::Refuse, ..videos(&path) }, 5);
        assert_eq!(std::fs::read(&path).unwrap(), vec![0; 5]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_appears_while_a_video_is_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let ours = Videos { existing: Existing::Refuse, ..videos(&at("c.mkv")) };
        std::fs::write(ours.next(Duration::ZERO), "ours").unwrap();
        std::fs::write(at("c.mkv"), "theirs").unwrap();
        assert_eq!(ours.finish(true), None);
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!((read("c.mkv"), read("c-2.mkv")), ("theirs".into(), "ours".into()));
        record(&ours, 5);
        assert!(at("c-3.mkv").exists());
    }

    #[test]
    fn no_recording_is_replaced_by_a_later_number() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("d-2.mkv");
        std::fs::write(&theirs, "recording").unwrap();
        let recordings = vec![theirs.canonicalize().unwrap()];
        let ours = Videos { recordings, ..videos(&folder.path().join("d.mkv")) };
        record(&ours, 5);
        record(&ours, 5);
        assert_eq!(std::fs::read(&theirs).unwrap(), b"recording");
        assert!(folder.path().join("d-3.mkv").exists());
    }

    #[test]
    fn another_process_is_at_its_file_before_there_is_a_byte() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = File::create(folder.path().join(".c.mkv.part")).unwrap();
        theirs.lock().unwrap();
        let ours = videos(&folder.path().join("c.mkv"));
        record(&ours, 5);
        assert!(folder.path().join("c-2.mkv").exists());
        drop(theirs);
        // It was killed: nothing of it is left.
        record(&videos(&folder.path().join("c.mkv")), 6);
        assert_eq!(std::fs::read(folder.path().join("c.mkv")).unwrap().len(), 6);
    }

    #[cfg(unix)]
    #[test]
    fn no_two_outputs_write_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let (door, other) = (videos(&folder.path().join("a.mkv")), videos(&link.join("a-2.mkv")));
        let theirs = other.next(Duration::ZERO);
        // Not a byte is on the disk yet.
        record(&door, 5);
        record(&door, 5);
        std::fs::write(&theirs, "theirs").unwrap();
        assert_eq!(other.finish(true), None);
        assert_eq!(std::fs::read(folder.path().join("a-2.mkv")).unwrap(), b"theirs");
        assert!(folder.path().join("a-3.mkv").exists());
    }

    #[test]
    fn a_name_says_when_the_first_frame_came() {
        let folder = tempfile::tempdir().unwrap();
        let ours = videos(&folder.path().join("%Y.mkv"));
        let century = Duration::from_secs(100 * 366 * 86_400);
        let name = ours.next(century).file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(".19"), "{name}");
    }
}
