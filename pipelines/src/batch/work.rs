//! One recording at work.

use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use super::progress::{Bar, Progress};
use super::{Recording, Settings, date};
use crate::config::{Encoder, Existing, File, Json, LITERALLY, Output, Source, Stream, Video};
use crate::run::worker::{Ending, Worker};
use crate::run::{Log, is_at};

impl Recording {
    /// How large it is, as far as that is known.
    pub(super) fn bytes(&self) -> u64 {
        fs::metadata(&self.input).map_or(0, |data| data.len())
    }

    pub(super) fn made(&self) -> impl Iterator<Item = &PathBuf> {
        self.video.iter().chain([&self.lines])
    }

    /// Whether what is made of it is there.
    pub(super) fn is_there(&self) -> bool {
        self.made().all(|path| path.exists())
    }

    /// Whether what is made of it is there, and is no older than the recording.
    pub(super) fn is_younger(&self) -> bool {
        let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
        let Ok(read) = changed(&self.input) else { return false };
        self.made().all(|path| changed(path).is_ok_and(|made| made >= read))
    }

    /// Where everything lies until it is whole.
    fn workshop(&self) -> PathBuf {
        let name = self.lines.file_name().unwrap_or_default().to_string_lossy();
        self.lines.with_file_name(format!(".{name}.part"))
    }

    /// What is made of it: the place until it is whole, and its own.
    fn products(&self) -> Vec<(PathBuf, &Path)> {
        let workshop = self.workshop();
        // The lines last: where they are, the recording is done.
        let video = self.video.as_deref().map(|video| {
            let ending = video.extension().unwrap_or_default().to_string_lossy();
            (workshop.join(format!("video.{ending}")), video)
        });
        video.into_iter().chain([(workshop.join("lines.jsonl"), self.lines.as_path())]).collect()
    }

    fn stream(&self, settings: &Settings) -> Result<Stream, String> {
        let output = |(place, _): &(PathBuf, &Path)| {
            let file = pattern(place)?;
            Ok(match file.ends_with(".jsonl") {
                true => Output::Json(Json {
                    file: Some(file),
                    stdout: false,
                    tcp_server: None,
                    udp: None,
                    rotate: None,
                    existing: Existing::Replace,
                    skip_empty: false,
                }),
                false => Output::Video(Video {
                    file,
                    overlay: settings.overlay,
                    // Hardware refuses some sizes and more than a few at once, and no two
                    // machines make the same of a recording.
                    encoder: Encoder::Software,
                    rotate: None,
                    existing: Existing::Replace,
                }),
            })
        };
        let outputs = self.products().iter().map(output).collect::<Result<_, String>>()?;
        let source = Source::File(File { path: self.input.clone(), realtime: false });
        Ok(Stream { source, analysis: settings.analysis.clone(), outputs })
    }
}

/// The pattern of file names that stands for this very file.
fn pattern(path: &Path) -> Result<String, String> {
    let text = path.to_str().ok_or_else(|| format!("{}: expected UTF-8", path.display()))?;
    Ok(text.replace('%', "%%").replace('{', &format!("{{{LITERALLY}")))
}

/// A recording at work.
pub(super) struct Work<'a> {
    recording: &'a Recording,
    worker: Worker,
    bar: Bar,
    /// Of the workshop, towards other processes.
    _lock: Option<fs::File>,
}

/// An empty folder to work in, and its lock; what a process left there that was killed is removed.
fn set_up(workshop: &Path) -> Result<Option<fs::File>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", workshop.display());
    let lock = loop {
        fs::create_dir_all(workshop).map_err(|error| told(&error))?;
        match fs::File::open(workshop).map(|folder| (folder.try_lock(), folder)) {
            Ok((Err(TryLockError::WouldBlock), _)) => {
                return Err(told(&"another process annotates this"));
            }
            // Who had it has removed it in between.
            Ok((Ok(()), folder)) if !is_at(&folder, workshop) => {}
            Ok((Ok(()), folder)) => break Some(folder),
            // Not every system has locks of folders.
            Ok((Err(TryLockError::Error(_)), _)) | Err(_) => break None,
        }
    };
    for left in fs::read_dir(workshop).map_err(|error| told(&error))? {
        let path = left.map_err(|error| told(&error))?.path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| told(&error))?;
    }
    Ok(lock)
}

impl<'a> Work<'a> {
    pub(super) fn start(
        recording: &'a Recording,
        settings: &Settings,
        progress: &Progress,
    ) -> Result<Self, String> {
        let lock = set_up(&recording.workshop())?;
        let stream = recording.stream(settings)?;
        let console = progress.clone();
        let log = Log::new(&recording.name, move |line| console.line(line));
        let id = recording.lines.file_stem().unwrap_or_default().to_string_lossy();
        let worker = Worker::start(&id, &stream, log).map_err(|error| error.to_string())?;
        let bar = progress.begin(&recording.name, recording.bytes());
        Ok(Self { recording, worker, bar, _lock: lock })
    }

    pub(super) const fn recording(&self) -> &'a Recording {
        self.recording
    }

    pub(super) fn is_done(&self) -> bool {
        self.worker.is_done()
    }

    /// Shows how far it is.
    pub(super) fn show(&self) {
        self.bar.show(&self.worker.status.reading());
    }

    /// Breaks it off.
    pub(super) fn stop(&self) {
        self.worker.stop();
    }

    /// Waits for the end, and gives what was made its name if it is whole; `note` hears of it before.
    pub(super) fn finish(
        self,
        note: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<Ending, String> {
        let Self { recording, worker, bar, _lock } = self;
        let status = worker.status.clone();
        let ending = worker.join().and_then(|ending| match (&ending, status.reading().frames) {
            (Ending::Stopped, _) => Ok(ending),
            (_, 0) => Err("no frame of it could be decoded".to_owned()),
            (Ending::Ended | Ending::Flawed(_), _) => recording.publish(note).map(|()| ending),
        });
        bar.end(&status.reading(), &ending);
        // What cannot be removed is removed when the recording is taken up again.
        let _ = fs::remove_dir_all(recording.workshop());
        ending
    }
}

impl Recording {
    fn publish(&self, note: impl FnOnce() -> std::io::Result<()>) -> Result<(), String> {
        // What was made before is of a recording that has changed since.
        let forgotten = match fs::remove_file(&self.lines) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => note(),
        };
        forgotten.map_err(|error| format!("{}: {error}", self.lines.display()))?;
        let read = fs::metadata(&self.input).and_then(|data| data.modified());
        for (from, to) in self.products() {
            if to.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mp4")) {
                date::clear(&from).map_err(|error| format!("{}: {error}", to.display()))?;
            }
            // On the disk before it has its name: a name that is there stands for all of it.
            let named = fs::File::open(&from)
                .and_then(|file| {
                    // A camera's clock may be ahead of ours; made of it is younger all the same.
                    if let Ok(read) = read
                        && file.metadata()?.modified()? < read
                    {
                        file.set_modified(read)?;
                    }
                    file.sync_all()
                })
                .and_then(|()| fs::rename(&from, to));
            named.map_err(|error| format!("{}: {error}", to.display()))?;
        }
        Ok(())
    }
}
