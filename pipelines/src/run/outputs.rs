//! What the outputs of a stream hold on to, whatever becomes of its pipelines.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::album::Album;
use super::display::Display;
use super::lines::LineSink;
use super::place;
use super::playlist::Playlist;
use super::restream::Mount;
use super::videos::Videos;
use crate::config::{Output, Stream};
use crate::files::write_latest;
use crate::graph::{FaceTaker, FrameTaker, Media, Segments, Taker, Targets, VideoFiles};

/// The outputs of one stream, in the order of the file.
#[derive(Debug)]
pub(super) struct Outputs {
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
    /// The files of its video.
    Videos(Arc<Videos>),
    /// A fragment, which nothing is known of.
    Fragment,
    /// The display of its window.
    Window(#[expect(dead_code, reason = "it is held open")] Display),
    /// A window that somebody has closed.
    Closed,
    /// It could not be opened, or it failed while it ran.
    Stopped(String),
}

impl Outputs {
    /// Opens everything; what cannot be opened has stopped before it began.
    pub(super) fn open(name: &str, stream: &Stream) -> Self {
        let open = |output: &Output| held(name, stream, output).unwrap_or_else(Held::Stopped);
        let held = stream.outputs.iter().map(open).collect();
        Self { held, unfinished: None }
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

    /// An output has failed; it is not taken up again. The reason, and what it leaves that is not whole:
    /// nobody else can say where that lies.
    pub(super) fn stop(&mut self, index: usize, reason: String) -> String {
        let left = match &self.held[index] {
            Held::Videos(videos) => videos.finish(false),
            _ => None,
        };
        let reason = left.map_or_else(|| reason.clone(), |left| format!("{reason}; {left}"));
        self.held[index] = Held::Stopped(reason.clone());
        reason
    }

    /// Somebody has closed this window; it is not opened again.
    pub(super) fn close(&mut self, index: usize) {
        self.held[index] = Held::Closed;
    }

    /// A pipeline has come to its end, `whole` or not: its videos get their names.
    pub(super) fn finish(&mut self, whole: bool) -> Vec<String> {
        let problem = |(index, held): (usize, &Held)| match held {
            Held::Playlist(playlist) => playlist.finish(),
            Held::Videos(videos) => videos.finish(whole),
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
    let recordings = place::recordings(&stream.source);
    Ok(match output {
        Output::Json(json) => {
            if let Some(pattern) = &json.file {
                place::spares(&place::name(pattern, name)?, &recordings)?;
            }
            Held::Lines(Arc::new(Mutex::new(LineSink::open(json, name)?)))
        }
        Output::Snapshot(snapshot) => {
            let path = PathBuf::from(snapshot.file.replace("{stream}", name));
            place::spares(&path, &recordings)?;
            place::folder_of(&path)?;
            Held::Picture(path)
        }
        Output::Faces(faces) => Held::Album(Album::open(faces, name)?),
        Output::Video(video) => Held::Videos(Arc::new(Videos::open(video, name, recordings)?)),
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

    fn videos(&self, index: usize) -> Option<Arc<dyn VideoFiles>> {
        match &self.held[index] {
            Held::Videos(videos) => Some(Arc::clone(videos) as Arc<dyn VideoFiles>),
            _ => None,
        }
    }
}
