//! The files of a data set's folder: their splits and classes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use crate::dataset::{DatasetError, Split, listed};

/// One image file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageFile {
    /// Its path in the data set's folder.
    pub(super) path: PathBuf,
    pub(super) split: Split,
    /// Name of the class folder.
    pub(super) class: String,
}

impl ImageFile {
    /// The path as text, the same on every system.
    pub(super) fn place(&self) -> String {
        let parts: Vec<_> = self.path.iter().map(OsStr::to_string_lossy).collect();
        parts.join("/")
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Sorted by path.
    pub(super) files: Vec<ImageFile>,
    /// Files and hidden folders that were left out.
    pub(super) skipped: usize,
    /// Whether there are split folders; if not, all files are of the training split.
    pub(super) split_folders: bool,
}

const LAYOUTS: &str = "image files in class folders, as `happy/*.png` or `train/happy/*.png`";

/// Lists a folder of either layout.
pub(super) fn list(root: &Path) -> Result<Listing, DatasetError> {
    let top = Entries::of(root, Path::new(""))?;
    let mut listing = Listing { skipped: top.outside(), ..Listing::default() };
    let splits: Vec<Option<Split>> = top.folders.iter().map(|folder| split_of(folder)).collect();
    let mut problems = Vec::new();
    listing.split_folders = splits.iter().any(Option::is_some);
    if listing.split_folders {
        problems.extend(misplaced(&top.folders, &splits));
        for (folder, split) in top.folders.iter().zip(&splits) {
            let Some(split) = *split else { continue };
            let classes = Entries::of(root, folder)?;
            listing.skipped += classes.outside();
            listing.add_classes(root, &classes.folders, split, &mut problems)?;
        }
    } else {
        listing.add_classes(root, &top.folders, Split::Training, &mut problems)?;
    }
    let path = root.to_owned();
    if !problems.is_empty() {
        return Err(DatasetError::Folder { path, problem: listed(&problems) });
    }
    if listing.files.is_empty() {
        return Err(DatasetError::NoImages { path, expected: LAYOUTS });
    }
    Ok(listing)
}

impl Listing {
    fn add_classes(
        &mut self,
        root: &Path,
        folders: &[PathBuf],
        split: Split,
        problems: &mut Vec<String>,
    ) -> Result<(), DatasetError> {
        for folder in folders {
            let entries = Entries::of(root, folder)?;
            self.skipped += entries.skipped;
            for inner in &entries.folders {
                problems.push(format!(
                    "`{}` is a folder in a class folder; expected image files only",
                    inner.display()
                ));
            }
            if entries.images.is_empty() && entries.folders.is_empty() {
                problems.push(format!(
                    "class folder `{}` has no image; add some or remove it",
                    folder.display()
                ));
            }
            let class = name(folder);
            let file = |path| ImageFile { path, split, class: class.clone() };
            self.files.extend(entries.images.into_iter().map(file));
        }
        Ok(())
    }
}

/// The split that a folder's name means.
fn split_of(folder: &Path) -> Option<Split> {
    match name(folder).to_lowercase().as_str() {
        "train" | "training" => Some(Split::Training),
        "val" | "valid" | "validation" | "public" | "publictest" => Some(Split::Validation),
        "test" | "private" | "privatetest" => Some(Split::Test),
        _ => None,
    }
}

/// Folders beside split folders that mean no split, or one that is there already.
fn misplaced(folders: &[PathBuf], splits: &[Option<Split>]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, folder) in folders.iter().enumerate() {
        let shown = folder.display();
        match splits[index] {
            None => problems.push(format!(
                "`{shown}` lies beside split folders; expected train, validation or test"
            )),
            Some(split) if splits[..index].contains(&Some(split)) => {
                problems.push(format!("`{shown}` is a second folder for its split"));
            }
            Some(_) => {}
        }
    }
    problems
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// One folder's entries, sorted by name.
#[derive(Debug, Default)]
struct Entries {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
    /// Hidden entries and files that are no images.
    skipped: usize,
}

impl Entries {
    /// Lists `folder`, which is relative to `root`; so are the paths.
    fn of(root: &Path, folder: &Path) -> Result<Self, DatasetError> {
        let whole = root.join(folder);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| DatasetError::Io { path, source }
        };
        let mut entries = Self::default();
        for entry in fs::read_dir(&whole).map_err(io(&whole))? {
            let path = folder.join(entry.map_err(io(&whole))?.file_name());
            let target = root.join(&path);
            if is_hidden(&path) {
                entries.skipped += 1;
            } else if fs::metadata(&target).map_err(io(&target))?.is_dir() {
                entries.folders.push(path);
            } else if is_image(&path) {
                entries.images.push(path);
            } else {
                entries.skipped += 1;
            }
        }
        entries.folders.sort();
        entries.images.sort();
        Ok(entries)
    }

    /// Files that are skipped in a folder that should hold only folders.
    fn outside(&self) -> usize {
        self.skipped + self.images.len()
    }
}

/// Dot files, and what macOS leaves in archives.
fn is_hidden(path: &Path) -> bool {
    let name = name(path);
    name.starts_with('.') || name == "__MACOSX"
}

/// Whether a file is meant as an image. Kinds that cannot be read count too: they are refused by
/// name rather than missed in silence.
fn is_image(path: &Path) -> bool {
    let Some(extension) = path.extension() else { return false };
    ImageFormat::from_extension(extension).is_some()
        || ["heic", "heif", "jp2", "jxl"].iter().any(|other| extension.eq_ignore_ascii_case(other))
}
