//! Cameras, and whether this user may open them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Check;
use crate::devices;

pub(super) fn cameras() -> Vec<Check> {
    cameras_in(Path::new("/dev"))
}

fn cameras_in(folder: &Path) -> Vec<Check> {
    let known = devices::cameras().unwrap_or_default();
    let files = device_files(folder);
    if files.is_empty() && known.is_empty() {
        return vec![Check::ok(
            "cameras",
            "none at this machine; files and network cameras need none",
        )];
    }
    let name = |path: &Path| {
        let is = |camera: &&devices::Camera| camera.device.as_deref().map(Path::new) == Some(path);
        known.iter().find(is).map(|camera| camera.name.clone())
    };
    files.iter().filter_map(|path| file(path, name(path))).collect()
}

fn device_files(folder: &Path) -> Vec<PathBuf> {
    let is_camera = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix("video").is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).filter(is_camera).collect())
        .unwrap_or_default();
    files.sort();
    files
}

/// A device file; none of those that can be opened and are no cameras, as each camera has one for
/// its metadata too.
fn file(path: &Path, name: Option<String>) -> Option<Check> {
    let title = format!("camera {}", path.display());
    match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => name.map(|name| Check::ok(&title, name)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(Check::warning(
            &title,
            "this user may not open it",
            "join the group `video`, then log in again: sudo usermod -aG video $USER",
        )),
        Err(error) => Some(Check::warning(
            &title,
            error.to_string(),
            "close what else uses it, or plug it in again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn device_files_that_cannot_be_opened_are_told() {
        gst::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for name in ["video0", "video10", "video-notes", "null"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        // A folder cannot be opened for writing, by nobody.
        std::fs::create_dir(folder.path().join("video2")).unwrap();
        let files = device_files(folder.path());
        assert_eq!(files.len(), 3, "{files:?}");
        let checks = cameras_in(folder.path());
        assert_eq!(checks.len(), 1, "{checks:?}");
        assert!(checks[0].name.ends_with("video2") && checks[0].state == State::Warning);
        assert!(checks[0].mend.is_some());
    }
}
