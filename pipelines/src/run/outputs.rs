//! What the outputs of a stream hold on to, whatever becomes of its pipelines.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::album::Album;
use super::display::Display;
use super::lines::LineSink;
use super::place::{self, Claim};
use super::playlist::Playlist;
use super::restream::Mount;
use crate::config::{Existing, Output, Stream};
use crate::files::write_latest;
use crate::graph::{FaceTaker, FrameTaker, Media, Segments, Taker, Targets};

/// The outputs of one stream, in the order of the file.
#[derive(Debug)]
pub(super) struct Outputs {
    stream: String,
    held: Vec<Held>,
    /// What a pipeline could not finish; of several, the first.
    unfinished: Option<String>,
}

#[derive(Debug)]
enum Held {
    /// Lines on their way out.
    Lines(Arc<Mutex<LineSink>>),
    /// A picture that is written again and again.
    Picture(PathBuf),
    /// Pictures of faces.
    Album(Album),
    /// Its place on an RTSP server.
    Mount(Mount),
    /// The playlist of its segments.
    Playlist(Arc<Playlist>),
    /// Videos, a file for each pipeline.
    Video { pattern: String, existing: Existing, current: Mutex<Option<Film>> },
    /// A fragment, which nothing is known of.
    Fragment,
    /// The display of its window.
    Window(#[expect(dead_code, reason = "it is held open")] Display),
    /// A window that somebody has closed.
    Closed,
    /// It could not be opened, or it failed while it ran.
    Stopped(String),
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
    /// The pipeline has come to its end, `whole` or not; what went wrong.
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

impl Outputs {
    /// Opens everything; what cannot be opened has stopped before it began.
    pub(super) fn open(name: &str, stream: &Stream) -> Self {
        let open = |output: &Output| held(name, stream, output).unwrap_or_else(Held::Stopped);
        let held = stream.outputs.iter().map(open).collect();
        Self { stream: name.to_owned(), held, unfinished: None }
    }

    /// Why an output has stopped.
    pub(super) fn stopped(&self, index: usize) -> Option<&str> {
        match &self.held[index] {
            Held::Stopped(reason) => Some(reason),
            _ => None,
        }
    }

    /// What went wrong with any of them.
    pub(super) fn failure(&self) -> Option<&str> {
        let stopped = (0..self.held.len()).find_map(|index| self.stopped(index));
        stopped.or(self.unfinished.as_deref())
    }

    /// The file that an output was at work on: nobody else can say where it lies.
    pub(super) fn begun(&self, index: usize) -> Option<PathBuf> {
        let Held::Video { current, .. } = &self.held[index] else { return None };
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|film| place::partial(&film.path)).filter(|path| path.exists())
    }

    /// An output has failed; it is not taken up again.
    pub(super) fn stop(&mut self, index: usize, reason: String) {
        self.held[index] = Held::Stopped(reason);
    }

    /// Somebody has closed this window; it is not opened again.
    pub(super) fn close(&mut self, index: usize) {
        self.held[index] = Held::Closed;
    }

    /// A pipeline has come to its end, `whole` or not: its videos get their names.
    pub(super) fn finish(&mut self, whole: bool) -> Vec<String> {
        let problem = |(index, held): (usize, &Held)| match held {
            Held::Playlist(playlist) => playlist.finish(),
            Held::Video { current, .. } => {
                let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                current.as_mut().and_then(|film| film.finish(whole))
            }
            Held::Fragment if !whole => Some(format!("output {index} (gst) was not finished")),
            _ => None,
        };
        let problems: Vec<String> = self.held.iter().enumerate().filter_map(problem).collect();
        if self.unfinished.is_none() {
            self.unfinished = problems.first().cloned();
        }
        problems
    }
}

fn held(name: &str, stream: &Stream, output: &Output) -> Result<Held, String> {
    Ok(match output {
        Output::Json(json) => Held::Lines(Arc::new(Mutex::new(LineSink::open(json, name)?))),
        Output::Snapshot(snapshot) => {
            let path = PathBuf::from(snapshot.file.replace("{stream}", name));
            place::folder_of(&path)?;
            Held::Picture(path)
        }
        Output::Faces(faces) => Held::Album(Album::open(faces, name)?),
        Output::Video(video) => {
            let path = place::name(&video.file, name)?;
            place::folder_of(&path)?;
            place::may_write(&path, video.existing)?;
            let (pattern, existing) = (video.file.clone(), video.existing);
            Held::Video { pattern, existing, current: Mutex::new(None) }
        }
        Output::Rtsp(restream) => {
            let media = Media::new(restream, stream).map_err(|error| error.to_string())?;
            Held::Mount(Mount::open(restream, name, media)?)
        }
        Output::Hls(hls) => Held::Playlist(Arc::new(Playlist::open(hls, name)?)),
        Output::Window(_) => Held::Window(Display::open()?),
        Output::Gst(_) => Held::Fragment,
    })
}

impl Targets for Outputs {
    fn is_open(&self, index: usize) -> bool {
        !matches!(self.held[index], Held::Stopped(_) | Held::Closed)
    }

    fn taker(&self, index: usize) -> Taker {
        match &self.held[index] {
            Held::Lines(sink) => {
                let sink = Arc::clone(sink);
                Arc::new(move |line| {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).write(line)
                })
            }
            Held::Picture(path) => {
                let path = path.clone();
                Arc::new(move |picture| {
                    let written = write_latest(&path, picture);
                    written.map_err(|error| format!("{}: {error}", path.display()))
                })
            }
            _ => Arc::new(|_| Ok(())),
        }
    }

    fn faces(&self, index: usize) -> FaceTaker {
        match &self.held[index] {
            Held::Album(album) => album.taker(),
            _ => Arc::new(|_, _| Ok(())),
        }
    }

    fn frames(&self, index: usize) -> FrameTaker {
        match &self.held[index] {
            Held::Mount(mount) => mount.taker(),
            _ => Arc::new(|_| Ok(())),
        }
    }

    fn segments(&self, index: usize) -> Option<Arc<dyn Segments>> {
        match &self.held[index] {
            Held::Playlist(playlist) => Some(Arc::clone(playlist) as Arc<dyn Segments>),
            _ => None,
        }
    }

    fn video(&self, index: usize) -> PathBuf {
        let Held::Video { pattern, existing, current } = &self.held[index] else {
            return PathBuf::new();
        };
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        // The pattern was filled in before, when the stream began.
        let plain = place::name(pattern, &self.stream).unwrap_or_else(|_| PathBuf::from(pattern));
        // A process that was killed has left its video under the name of one that is not whole.
        let is_begun = |path: &Path| std::fs::metadata(path).is_ok_and(|data| data.len() > 0);
        let is_there = |path: &Path| path.exists() || is_begun(&place::partial(path));
        let is_taken = |path: &Path| {
            (*existing != Existing::Replace || place::is_left(path)) && is_there(path)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn videos(file: &Path) -> Outputs {
        let pattern = file.to_string_lossy().into_owned();
        let existing = Existing::Replace;
        let video = Held::Video { pattern, existing, current: Mutex::new(None) };
        Outputs { stream: "s".to_owned(), held: vec![video], unfinished: None }
    }

    /// A pipeline records so many bytes and ends.
    fn record(outputs: &mut Outputs, bytes: usize) {
        std::fs::write(outputs.video(0), vec![0; bytes]).unwrap();
        assert!(outputs.finish(true).is_empty());
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
        let mut outputs = videos(&day.join("a.mkv"));
        record(&mut outputs, 5);
        // One without a frame leaves nothing, and no gap.
        record(&mut outputs, 0);
        assert_eq!(there(), ["a.mkv"]);
        record(&mut outputs, 5);
        assert_eq!(there(), ["a-2.mkv", "a.mkv"]);
        // Somebody takes it away: its number is not given twice.
        std::fs::remove_file(day.join("a-2.mkv")).unwrap();
        record(&mut outputs, 5);
        assert_eq!(there(), ["a-3.mkv", "a.mkv"]);
        // A stream whose settings have changed replaces nothing of what this process made.
        let mut changed = videos(&day.join("a.mkv"));
        std::fs::write(day.join("a.mkv"), "first").unwrap();
        record(&mut changed, 5);
        assert_eq!(std::fs::read(day.join("a.mkv")).unwrap(), b"first");
    }
}
