//! Pictures of faces that a `faces` output has saved, small enough for the page.

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use fer_core::emotion::Emotion;
use image::ImageError;
use image::codecs::jpeg::JpegEncoder;
use jiff::Timestamp;
use walkdir::WalkDir;

use crate::crop::Crop;
use crate::recording::{Change, Timeline};

/// Longest side in pixels: twice what the page shows, for screens with many.
const SIDE: u32 = 112;
const QUALITY: u8 = 80;

/// What tells the change that a picture was taken of.
type Key = (String, u64, u64, Option<Emotion>, Option<Emotion>);

/// The pictures in some folders: when each was written, and where it is.
#[derive(Debug, Default)]
pub struct Pictures(HashMap<Key, (Timestamp, PathBuf)>);

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
            let key = (crop.stream, crop.millis, crop.track, crop.from, crop.to);
            // A camera that came back may have counted anew: then the last one stands.
            if self.0.get(&key).is_none_or(|(other, _)| *other < crop.written) {
                self.0.insert(key, (crop.written, entry.into_path()));
            }
        }
        Ok(count)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The picture of a change as a `data:` address, or why it cannot be read; `None` where none was
    /// saved.
    pub(super) fn of(
        &self,
        timeline: &Timeline,
        change: &Change,
    ) -> Option<Result<String, ImageError>> {
        let key = (timeline.name.clone(), change.millis?, change.face, change.from, change.to);
        self.0.get(&key).map(|(_, path)| thumbnail(path))
    }
}

fn thumbnail(path: &Path) -> Result<String, ImageError> {
    let small = image::open(path)?.thumbnail(SIDE, SIDE).into_rgb8();
    let mut bytes = Cursor::new(Vec::new());
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes.into_inner())))
}
