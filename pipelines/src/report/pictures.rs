//! Pictures of faces that a `faces` output has saved, small enough for the page.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use image::ImageError;
use image::codecs::jpeg::JpegEncoder;
use maud::{Markup, html};
use walkdir::WalkDir;

use crate::crop::Crop;
use crate::recording::{Change, Face, Timeline};

/// Longest side in pixels: twice what the page shows, for screens with many.
const SIDE: u32 = 112;
const QUALITY: u8 = 80;
/// How many are shown of one face.
const MOST: usize = 12;

/// The pictures in some folders, of each face of each stream, by the frame's media time in
/// milliseconds.
#[derive(Debug, Default)]
pub struct Pictures(HashMap<(String, u64), BTreeMap<u64, Picture>>);

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
            // A camera that came back may have counted anew: then the last one stands.
            if face.get(&crop.millis).is_none_or(|other| other.crop.written < crop.written) {
                face.insert(crop.millis, Picture { crop, path: entry.into_path() });
            }
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
        face.get(&change.millis?).filter(|picture| picture.crop.to == change.to)
    }

    /// The first pictures of a face.
    pub(super) fn of_face(&self, timeline: &Timeline, face: &Face) -> Vec<&Picture> {
        let all = self.0.get(&(timeline.name.clone(), face.id));
        let Some((all, (first, last))) = all.zip(face.millis) else { return Vec::new() };
        all.range(first..=last).map(|(_, picture)| picture).take(MOST).collect()
    }
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
