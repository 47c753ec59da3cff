//! The folder of a batch is for one batch at a time, and for one way of annotating.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{BatchError, Recording, Settings};

/// The file that says how the results in the folder were made.
const NAME: &str = "batch.json";

/// Its key that says whether there are annotated videos.
const VIDEOS: &str = "videos";

/// A folder that this process alone works in, as long as it is held.
#[derive(Debug)]
pub(super) struct Claim {
    #[expect(dead_code, reason = "held for its lock")]
    file: File,
    /// Whether what is there was made otherwise, and counts no more.
    pub(super) is_anew: bool,
}

impl Claim {
    /// Claims a folder, which is made if it is not there.
    ///
    /// Results that were made otherwise would not be of one kind with new ones: that is an error,
    /// unless those of `recordings` are to be made `again`.
    pub(super) fn stake(
        folder: &Path,
        settings: &Settings,
        recordings: &[Recording],
        again: bool,
    ) -> Result<Self, BatchError> {
        let path = folder.join(NAME);
        let problem = |reason: String| BatchError::Folder { path: path.clone(), reason };
        let io = |error: io::Error| problem(error.to_string());
        fs::create_dir_all(folder).map_err(io)?;
        let mut file =
            File::options().read(true).append(true).create(true).open(&path).map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => problem("another `fer batch` works in this folder".into()),
            TryLockError::Error(error) => io(error),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let made = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let mut wanted = json!({ "fer": env!("CARGO_PKG_VERSION"), "settings": settings });
        let mut before = made.clone();
        let is_new = text.trim().is_empty();
        let videos = before.as_object_mut().and_then(|made| made.remove(VIDEOS));
        let is_anew = !is_new && before != wanted;
        if !again && is_anew {
            return Err(problem(format!(
                "the results in this folder were made with {before}, not with {wanted}; expected \
                 another folder, or `--again` to make them anew"
            )));
        }
        if again {
            // Before the new settings are noted: what is there then was made with them.
            recordings.iter().try_for_each(forget).map_err(io)?;
        }
        if videos == Some(true.into()) || recordings.iter().any(|each| each.video.is_some()) {
            wanted[VIDEOS] = true.into();
        }
        if made != wanted {
            file.set_len(0).and_then(|()| writeln!(file, "{wanted:#}")).map_err(io)?;
        }
        Ok(Self { file, is_anew })
    }
}

/// Whether annotated videos of a batch lie in a folder.
pub(super) fn holds_videos(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join(NAME)).unwrap_or_default();
    serde_json::from_str::<Value>(&text).is_ok_and(|made| made[VIDEOS] == true)
}

/// Makes a recording one that is not done.
fn forget(recording: &Recording) -> io::Result<()> {
    match fs::remove_file(&recording.lines) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
