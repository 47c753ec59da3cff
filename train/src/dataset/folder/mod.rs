//! Folders of labelled image files: what [`Dataset::read`] says of them.

mod carve;
mod decode;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Dataset, DatasetError, ImageShape, Origin, Provenance, Split, listed, own_name};
use crate::classes::Classes;
use decode::decode_all;
use listing::{ImageFile, Listing};

/// Files that are decoded before their pixels are put in place: bounds what is held twice.
const BATCH: usize = 256;

/// Reads a folder.
pub(super) fn read(path: &Path, shape: ImageShape) -> Result<Dataset, DatasetError> {
    let Listing { mut files, skipped, split_folders } = listing::list(path)?;
    unite_cases(&mut files);
    let (classes, labels) = classes(path, &files)?;
    let carved = carve::carve(&mut files, split_folders);

    let mut dataset = Dataset::empty(&own_name(path, "folder"), Origin::Folder, classes, shape);
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

/// Folders whose names differ in case alone are one class: called as in the training split, and there
/// as the first is.
fn unite_cases(files: &mut [ImageFile]) {
    let mut names = BTreeMap::new();
    let is_training = |file: &&ImageFile| file.split == Split::Training;
    let others = files.iter().filter(|file| !is_training(file));
    for file in files.iter().filter(is_training).chain(others) {
        names.entry(file.class.to_lowercase()).or_insert_with(|| file.class.clone());
    }
    for file in files {
        if let Some(name) = names.get(&file.class.to_lowercase()) {
            file.class.clone_from(name);
        }
    }
}
