//! Folders of labelled image files: what [`Dataset::read`] says of them.

mod carve;
mod decode;
mod listing;

use std::collections::BTreeSet;
use std::path::Path;

use super::{Dataset, DatasetError, ImageShape, Origin, Provenance, listed};
use crate::classes::Classes;
use decode::decode_all;
use listing::{ImageFile, Listing};

/// Files that are decoded before their pixels are put in place: bounds what is held twice.
const BATCH: usize = 256;

/// Reads a folder.
pub(super) fn read(path: &Path, shape: ImageShape) -> Result<Dataset, DatasetError> {
    let Listing { mut files, skipped, split_folders } = listing::list(path)?;
    let (classes, labels) = classes(path, &files)?;
    let carved = carve::carve(&mut files, split_folders);

    let mut dataset = Dataset::empty(&name_of(path), Origin::Folder, classes, shape);
    dataset.provenance = Provenance { skipped, carved, ..Provenance::default() };
    let mut problems = Vec::new();
    for batch in files.chunks(BATCH) {
        for (file, decoded) in batch.iter().zip(decode_all(path, batch, shape)) {
            match decoded {
                Ok(image) => {
                    dataset.images_mut(file.split).push(&image.bytes, labels(&file.class));
                    dataset.provenance.add(file.split, file.place());
                    dataset.provenance.sizes.push(image.size);
                }
                Err(problem) => problems.push(format!("{}: {problem}", file.place())),
            }
        }
    }
    if !problems.is_empty() {
        let (path, listed) = (path.to_owned(), listed(&problems));
        return Err(DatasetError::Unreadable { path, count: problems.len(), listed });
    }
    Ok(dataset)
}

/// The classes of all splits together, and the index of each class folder's name.
fn classes(
    path: &Path,
    files: &[ImageFile],
) -> Result<(Classes, impl Fn(&str) -> usize + use<>), DatasetError> {
    let names: BTreeSet<&str> = files.iter().map(|file| file.class.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if let [only] = &names[..] {
        let problem = format!("only one class, `{only}`; expected at least two class folders");
        return Err(DatasetError::Folder { path: path.to_owned(), problem });
    }
    let (classes, indices) = Classes::from_names(&names);
    let label = move |name: &str| {
        names.binary_search_by(|other| other.as_str().cmp(name)).map_or(0, |at| indices[at])
    };
    Ok((classes, label))
}

/// The folder's own name, also where `path` is `.`.
fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}
