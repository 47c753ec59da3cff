//! A file for readers that open one themselves.

use std::cell::OnceCell;
use std::path::Path;

use tempfile::TempDir;

/// Gives `work` a file named `input` with these bytes, each thread its own.
pub fn with_file<T>(bytes: &[u8], work: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            TempDir::new().unwrap_or_else(|error| panic!("no folder for files: {error}"))
        });
        let path = folder.path().join("input");
        if let Err(error) = std::fs::write(&path, bytes) {
            panic!("{}: {error}", path.display());
        }
        let result = work(&path);
        // Written over, it would be flushed each time: ext4 waits for the disk then.
        let _ = std::fs::remove_file(&path);
        result
    })
}
