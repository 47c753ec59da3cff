//! Pictures of faces in a folder, and how many of them are kept.
//!
//! Only files whose name is that of a [`Crop`] of the same stream are ever deleted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};
use fer_core::emotion::{Emotion, label_name};
use jiff::Timestamp;

use crate::config::{Faces, Folders, Keep, PictureFormat};
use crate::crop::{self, Crop};
use crate::files::write_atomically;
use crate::graph::{Change, FaceTaker};

/// How often pictures that have grown too old are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// The pictures of one output. They outlive the pipelines of its stream.
#[derive(Debug)]
pub(super) struct Album {
    pages: Arc<Mutex<Pages>>,
    /// Ends the thread that looks for old pictures when the album goes.
    _sweeper: Option<Sender<()>>,
}

impl Album {
    /// Makes the folder, and deletes what is too much of earlier runs.
    pub(super) fn open(settings: &Faces, stream: &str) -> Result<Self, String> {
        let mut pages = Pages::open(settings, stream)?;
        pages.make_room(0, 0, Timestamp::now())?;
        let ages = settings.keep.age.is_some();
        let pages = Arc::new(Mutex::new(pages));
        let sweeper = if ages { Some(sweep(&pages).map_err(|e| e.to_string())?) } else { None };
        Ok(Self { pages, _sweeper: sweeper })
    }

    /// Takes the pictures of one pipeline. Its tracks' numbers say nothing about those of others.
    pub(super) fn taker(&self) -> FaceTaker {
        let (pages, session) = (Arc::clone(&self.pages), Timestamp::now());
        Arc::new(move |change, picture| {
            let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.save(session, change, picture, Timestamp::now())
        })
    }
}

/// Deletes what grows too old while nothing new comes, until the other end is dropped.
fn sweep(pages: &Arc<Mutex<Pages>>) -> io::Result<Sender<()>> {
    let (sender, ended) = crossbeam_channel::bounded(0);
    let pages = Arc::clone(pages);
    std::thread::Builder::new().name("faces".to_owned()).spawn(move || {
        while ended.recv_timeout(SWEEP) == Err(RecvTimeoutError::Timeout) {
            let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
            // What cannot be deleted stays listed: the next picture tells of it.
            let _ = pages.make_room(0, 0, Timestamp::now());
        }
    })?;
    Ok(sender)
}

/// What lies in the folder.
#[derive(Debug)]
struct Pages {
    stream: String,
    folder: PathBuf,
    folders: Folders,
    format: PictureFormat,
    keep: Keep,
    /// The sizes of all pictures, the oldest first.
    pictures: BTreeMap<(Timestamp, PathBuf), u64>,
    bytes: u64,
}

impl Pages {
    fn open(settings: &Faces, stream: &str) -> Result<Self, String> {
        let folder = PathBuf::from(settings.folder.replace("{stream}", stream));
        fs::create_dir_all(&folder).map_err(|error| told(&folder, &error))?;
        let mut pages = Self {
            stream: stream.to_owned(),
            folder: folder.clone(),
            folders: settings.folders,
            format: settings.format,
            keep: settings.keep,
            pictures: BTreeMap::new(),
            bytes: 0,
        };
        pages.list(&folder).map_err(|error| told(&folder, &error))?;
        Ok(pages)
    }

    /// Finds the pictures of earlier runs, whatever their folders were made by.
    fn list(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let Some(name) = name.to_str() else { continue };
            if kind.is_dir() && folder == self.folder && self.is_own_folder(name) {
                self.list(&entry.path())?;
            } else if let Some(time) = written(&self.stream, name).filter(|_| kind.is_file()) {
                self.add(time, entry.path(), entry.metadata()?.len());
            } else if let Some(whole) = name.strip_prefix('.').and_then(|n| n.strip_suffix(".part"))
                && written(&self.stream, whole).is_some()
            {
                // Left by a run that was killed.
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn is_own_folder(&self, name: &str) -> bool {
        let of_track = name.strip_prefix(&self.stream).and_then(|rest| rest.strip_prefix('_'));
        let of_track = of_track.and_then(|rest| rest.split_once("_face"));
        name == label_name(None)
            || Emotion::from_name(name).is_some()
            || of_track.is_some_and(|(stamp, track)| {
                crop::time(stamp).is_some() && crop::number(track).is_some()
            })
    }

    fn add(&mut self, time: Timestamp, path: PathBuf, bytes: u64) {
        // Without a limit none is ever looked for.
        if self.keep == Keep::default() {
            return;
        }
        self.bytes += bytes;
        self.pictures.insert((time, path), bytes);
    }

    fn save(
        &mut self,
        session: Timestamp,
        change: &Change,
        picture: &[u8],
        now: Timestamp,
    ) -> Result<(), String> {
        let bytes = picture.len() as u64;
        self.make_room(1, bytes, now)?;
        let path = self.path(session, change, now);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .and_then(|()| write_atomically(&path, picture))
            .map_err(|error| told(&path, &error))?;
        self.add(now, path, bytes);
        Ok(())
    }

    fn path(&self, session: Timestamp, change: &Change, now: Timestamp) -> PathBuf {
        let folder = match self.folders {
            Folders::Emotion => self.folder.join(label_name(change.to)),
            Folders::Track => {
                let session = crop::stamp(session);
                self.folder.join(format!("{}_{session}_face{}", self.stream, change.track))
            }
            Folders::None => self.folder.clone(),
        };
        folder.join(name(&self.stream, change, now, self.format))
    }

    /// Deletes the oldest pictures until some more, of so many bytes together, may come.
    fn make_room(&mut self, files: usize, bytes: u64, now: Timestamp) -> Result<(), String> {
        while let Some(((time, path), size)) = self.pictures.first_key_value() {
            if !self.is_over(files, bytes, now.as_second() - time.as_second()) {
                return Ok(());
            }
            match fs::remove_file(path) {
                // Somebody else has cleared it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(told(path, &error)),
                Ok(()) => {}
            }
            if let Some(folder) = path.parent().filter(|folder| *folder != self.folder) {
                // Refused as long as there is something in it.
                let _ = fs::remove_dir(folder);
            }
            self.bytes -= size;
            self.pictures.pop_first();
        }
        Ok(())
    }

    /// Whether what is there, with so much more, is beyond a limit; `age` is that of the oldest
    /// picture, in seconds.
    fn is_over(&self, files: usize, bytes: u64, age: i64) -> bool {
        let Keep { files: most, size, age: oldest } = self.keep;
        let files = self.pictures.len() + files;
        most.is_some_and(|most| files > most)
            || size.is_some_and(|size| files > 1 && self.bytes + bytes > size.0)
            || oldest
                .is_some_and(|oldest| u64::try_from(age).is_ok_and(|age| age >= oldest.0.as_secs()))
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn name(stream: &str, change: &Change, now: Timestamp, format: PictureFormat) -> String {
    let Change { track, from, to, time } = *change;
    let millis = time / 1_000_000;
    Crop { stream: stream.to_owned(), written: now, millis, track, from, to, format }.name()
}

/// When a picture of a stream was written; `None` for any other file.
fn written(stream: &str, name: &str) -> Option<Timestamp> {
    Crop::parse(name).filter(|crop| crop.stream == stream).map(|crop| crop.written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Amount, Span};

    const HAPPY: Change =
        Change { track: 7, from: None, to: Some(Emotion::Happiness), time: 12_345_678_901 };

    fn settings(folder: &Path, folders: Folders, keep: Keep) -> Faces {
        let folder = folder.join("{stream}").to_string_lossy().into_owned();
        Faces { folder, folders, format: PictureFormat::Png, margin: 0.2, keep }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).unwrap()
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                found.extend(files(&path).iter().map(|inner| format!("{name}/{inner}")));
            } else {
                found.push(name);
            }
        }
        found.sort();
        found
    }

    #[test]
    fn folders_are_made_by_emotion_by_track_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let named = name("a", &HAPPY, at(5), PictureFormat::Png);
        for (folders, expected) in [
            (Folders::Emotion, format!("happiness/{named}")),
            (Folders::Track, format!("a_20261118T110640.000Z_face7/{named}")),
            (Folders::None, named.clone()),
        ] {
            let settings = settings(root.path(), folders, Keep::default());
            let mut pages = Pages::open(&settings, "a").unwrap();
            pages.save(at(0), &HAPPY, b"picture", at(5)).unwrap();
            let path = root.path().join("a").join(&expected);
            assert_eq!(fs::read(&path).unwrap(), b"picture");
        }
        // The next run finds all three, if it has a limit to hold.
        for (files, found) in [(Some(9), 3), (None, 0)] {
            let keep = Keep { files, ..Keep::default() };
            let again = Pages::open(&settings(root.path(), Folders::None, keep), "a");
            assert_eq!(again.unwrap().pictures.len(), found);
        }
    }

    #[test]
    fn the_oldest_of_ones_own_are_deleted_first_also_those_of_earlier_runs() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        let open = |keep| Pages::open(&settings(root.path(), Folders::Emotion, keep), "a").unwrap();
        let mut pages = open(Keep::default());
        let names: Vec<String> = (0..6)
            .map(|second| {
                pages.save(at(0), &HAPPY, &[0; 100], at(second)).unwrap();
                format!("happiness/{}", name("a", &HAPPY, at(second), PictureFormat::Png))
            })
            .collect();
        let foreign =
            ["happiness/mine.png", "happiness/b_20261118T110640.000Z_0ms_face1_fear-anger.png"];
        foreign.iter().for_each(|name| fs::write(folder.join(name), b"keep me").unwrap());
        fs::write(folder.join(format!("happiness/.{}.part", &names[0][10..])), b"half").unwrap();
        let left = |from: usize| {
            let mut all = [&names[from..], &foreign.map(str::to_owned)[..]].concat();
            all.sort();
            all
        };

        let mut pages = open(Keep { files: Some(5), ..Keep::default() });
        pages.make_room(0, 0, at(6)).unwrap();
        assert_eq!(files(&folder), left(1));
        // 350 bytes hold three pictures.
        let mut pages = open(Keep { size: Some(Amount(350)), ..Keep::default() });
        pages.make_room(0, 0, at(6)).unwrap();
        assert_eq!(files(&folder), left(3));
        let age = Some(Span(Duration::from_secs(5)));
        let mut pages = open(Keep { age, ..Keep::default() });
        pages.make_room(0, 0, at(9)).unwrap();
        assert_eq!(files(&folder), left(5));
        // A folder that is in the way of another run is no picture; an empty one of ours goes.
        foreign.iter().for_each(|name| fs::remove_file(folder.join(name)).unwrap());
        pages.make_room(0, 0, at(20)).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_new_picture_never_leads_beyond_the_limits_and_is_kept_itself() {
        let root = tempfile::tempdir().unwrap();
        let keep = Keep { files: Some(3), size: Some(Amount(250)), age: None };
        let mut pages = Pages::open(&settings(root.path(), Folders::None, keep), "a").unwrap();
        for (second, bytes, expected) in
            [(0, 50, 1), (1, 50, 2), (2, 50, 3), (3, 50, 3), (4, 200, 2), (5, 900, 1)]
        {
            pages.save(at(0), &HAPPY, &vec![0; bytes], at(second)).unwrap();
            assert_eq!(files(&root.path().join("a")).len(), expected, "{second}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), b"a file").unwrap();
        let settings = settings(root.path(), Folders::None, Keep::default());
        let error = Album::open(&settings, "a").unwrap_err();
        assert!(error.contains("/a: "), "{error}");
    }
}
