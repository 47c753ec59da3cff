//! Pictures of faces that a `faces` output has saved, small enough for the page.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use image::ImageError;
use image::codecs::jpeg::JpegEncoder;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use walkdir::WalkDir;

use crate::crop::Crop;
use crate::recording::{Change, Face, Timeline};

/// Longest side in pixels: twice what the page shows, for screens with many.
const SIDE: u32 = 112;
const QUALITY: u8 = 80;
/// How many are shown of one face.
const MOST: usize = 12;

/// How long before and after its frame was taken a picture may have been written.
const EARLIER: SignedDuration = SignedDuration::from_secs(1);
const LATER: SignedDuration = SignedDuration::from_secs(10);

/// The pictures in some folders, of each face of each stream, by the frame's media time in
/// milliseconds, and by when they were written: a camera that came back may have counted anew.
#[derive(Debug, Default)]
pub struct Pictures(HashMap<(String, u64), BTreeMap<(u64, Timestamp), Picture>>);

/// A picture that was found.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) crop: Crop,
    path: PathBuf,
}

impl Pictures {
    /// Adds all that a `faces` output has saved in a folder and those below; how many.
    ///
    /// # Errors
    ///
    /// The system's: a folder cannot be read.
    pub fn find(&mut self, folder: &Path) -> io::Result<usize> {
        let mut count = 0;
        for entry in WalkDir::new(folder) {
            let entry = entry?;
            let Some(crop) = entry.file_name().to_str().and_then(Crop::parse) else { continue };
            count += 1;
            let face = self.0.entry((crop.stream.clone(), crop.track)).or_default();
            let key = (crop.millis, crop.written);
            face.insert(key, Picture { crop, path: entry.into_path() });
        }
        Ok(count)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The picture of a change, if one was saved.
    pub(super) fn of_change(&self, timeline: &Timeline, change: &Change) -> Option<&Picture> {
        let face = self.0.get(&(timeline.name.clone(), change.face))?;
        let taken = change.taken.map(|taken| (taken, taken));
        let mut found = within(face, (change.millis?, change.millis?), taken);
        // Of those that cannot be told apart the last one stands.
        found.rfind(|picture| picture.crop.to == change.to)
    }

    /// The first pictures of a face.
    pub(super) fn of_face(&self, timeline: &Timeline, face: &Face) -> Vec<&Picture> {
        let all = self.0.get(&(timeline.name.clone(), face.id));
        let Some((all, millis)) = all.zip(face.millis) else { return Vec::new() };
        let found = within(all, millis, face.taken).map(|picture| (picture.crop.millis, picture));
        found.collect::<BTreeMap<_, _>>().into_values().take(MOST).collect()
    }
}

/// The pictures of frames between two media times; where it is known when those were taken, only such
/// that were written then.
fn within(
    pictures: &BTreeMap<(u64, Timestamp), Picture>,
    (first, last): (u64, u64),
    taken: Option<(Timestamp, Timestamp)>,
) -> impl DoubleEndedIterator<Item = &Picture> {
    let taken = taken.and_then(|(first, last)| {
        Some((first.checked_sub(EARLIER).ok()?, last.checked_add(LATER).ok()?))
    });
    let is_of_then = move |picture: &&Picture| {
        taken.is_none_or(|(first, last)| (first..=last).contains(&picture.crop.written))
    };
    let all = pictures.range((first, Timestamp::MIN)..=(last, Timestamp::MAX));
    all.map(|(_, picture)| picture).filter(is_of_then)
}

impl Picture {
    /// As a `data:` address.
    ///
    /// # Errors
    ///
    /// The file is no picture, or cannot be read.
    pub(super) fn thumbnail(&self) -> Result<String, ImageError> {
        let small = image::open(&self.path)?.thumbnail(SIDE, SIDE).into_rgb8();
        let mut bytes = Cursor::new(Vec::new());
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
        Ok(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes.into_inner())))
    }

    /// It, or why it cannot be shown.
    pub(super) fn shown(&self) -> Markup {
        html! {
            @match self.thumbnail() {
                Ok(picture) => img src=(picture) alt={ "face " (self.crop.track) };
                Err(reason) => span.faint { (reason) },
            }
        }
    }
}
