//! Labelled images in three splits, whatever they were read from.

mod fer2013;
mod ferplus;
mod folder;
mod images;
mod provenance;
pub mod statistics;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub use images::{ImageShape, Images, resample};
pub use provenance::Provenance;

use crate::classes::Classes;

/// The published data set's name.
pub const FER2013: &str = "FER2013";
/// Its images for training, validation and test.
pub const FER2013_IMAGES: [usize; 3] = [28_709, 3_589, 3_589];

/// What can be wrong with a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file or folder could not be opened or read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// What was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The first line is not the file's header.
    #[error("`{path}` starts with `{found}`; expected the header `{expected}`")]
    Header {
        /// The file.
        path: PathBuf,
        /// The line that was found.
        found: String,
        /// The line that was expected.
        expected: &'static str,
    },
    /// A row of a CSV file is not what it should be.
    #[error("`{path}`, row {row}: {problem}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Row of the file, the header being row 1.
        row: usize,
        /// The field, its value and what was expected.
        problem: String,
    },
    /// A folder is no data set.
    #[error("`{path}`: {problem}")]
    Folder {
        /// The folder or a file in it.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// Image files could not be decoded; up to ten are named.
    #[error(
        "{count} image files of `{path}` cannot be read (PNG, JPEG, BMP and WebP can): {listed}\n\
         repair, convert or remove them"
    )]
    Unreadable {
        /// The data set's folder.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// Paths and reasons.
        listed: String,
    },
    /// A file or folder has no image.
    #[error("`{path}` has no images; expected {expected}")]
    NoImages {
        /// The file or folder.
        path: PathBuf,
        /// Where they should be.
        expected: &'static str,
    },
    /// There is no row of a split that is needed.
    #[error("the data set has no {split} images; expected at least one")]
    EmptySplit {
        /// Name of the split.
        split: &'static str,
    },
    /// No image is left to learn from.
    #[error(
        "nothing to learn from: all {images} {split} images are left out, as {} are pixel-identical to \
         {} images, {} of one value; expected others",
        removed.twins, others.join(" or "), removed.constant
    )]
    NothingLeft {
        /// Name of the split.
        split: &'static str,
        /// Names of the other splits.
        others: [&'static str; 2],
        /// Images it has.
        images: usize,
        /// Why they do not count.
        removed: Removed,
    },
    /// A class cannot be learnt: there is no image of it.
    #[error(
        "no {split} image is left of {}; expected at least one of each class: add some, or take \
         the class out of the other splits too",
        .classes.join(", ")
    )]
    EmptyClasses {
        /// Name of the split.
        split: &'static str,
        /// The classes' names.
        classes: Vec<String>,
    },
    /// An image has no pixels.
    #[error(transparent)]
    Frame(#[from] fer_core::frame::FrameError),
}

/// What a part of a data set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Images to learn from.
    Training,
    /// Everything that is selected or fitted is selected on it. FER2013's PublicTest.
    Validation,
    /// Scored once, for the model that was selected. FER2013's PrivateTest.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Training, Self::Validation, Self::Test];
}

/// Where the images came from; decides the splits' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The CSV of FER2013: Training, PublicTest, PrivateTest.
    Fer2013,
    /// Folders of image files: training, validation, test.
    Folder,
}

impl Origin {
    /// The name that `split` has there, as in reports and file names.
    pub fn split_name(self, split: Split) -> &'static str {
        match (self, split) {
            (Self::Fer2013, Split::Training) => "Training",
            (Self::Fer2013, Split::Validation) => "PublicTest",
            (Self::Fer2013, Split::Test) => "PrivateTest",
            (Self::Folder, Split::Training) => "training",
            (Self::Folder, Split::Validation) => "validation",
            (Self::Folder, Split::Test) => "test",
        }
    }
}

/// A data set, split.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// For reports and manifests: [`FER2013`] of a CSV with its numbers of images, else the file's or
    /// folder's own name.
    pub name: String,
    /// Where it came from.
    pub origin: Origin,
    /// The classes, in the order of label indices.
    pub classes: Classes,
    /// To learn from.
    pub training: Images,
    /// To select on.
    pub validation: Images,
    /// To score once.
    pub test: Images,
    /// What reading found besides the images.
    pub provenance: Provenance,
}

/// What [`Dataset::clean_training`] took out of the training split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Removed {
    /// Training images that are pixel-identical to one of the other splits.
    pub twins: usize,
    /// Training images in which all pixels are equal.
    pub constant: usize,
}

impl Dataset {
    /// A data set without images.
    pub fn empty(name: &str, origin: Origin, classes: Classes, shape: ImageShape) -> Self {
        let images = Images::new(shape, classes.len());
        Self {
            name: name.to_owned(),
            origin,
            classes,
            training: images.clone(),
            validation: images.clone(),
            test: images,
            provenance: Provenance::default(),
        }
    }

    /// Reads a data set: FER2013's CSV (plain, gzip or zstd, told apart by its first bytes), or a
    /// folder of labelled image files.
    ///
    /// A CSV's images are 48×48 luma whatever `shape` is. FER+ votes beside the CSV
    /// (`ferplus_votes.csv` or `fer2013new.csv`) are read too.
    ///
    /// A folder holds class folders (`happy/*.png`), or split folders with class folders below
    /// (`train/happy/*.png`); splits are `train` or `training`; `val`, `valid`, `validation`,
    /// `public` or `publictest`; `test`, `private` or `privatetest`. The case of letters does not
    /// count, of classes neither. Its PNG, JPEG, BMP and WebP images of any size are turned upright
    /// by their Exif data, put before mid-grey where they are transparent and stretched to `shape`. Splits that are missing are carved off the training
    /// images as [`Provenance::carved`] tells; a test split never stands in for validation.
    ///
    /// # Errors
    ///
    /// Every [`DatasetError`]: the first row that is wrong is named, and up to ten files.
    pub fn read(path: &Path, shape: ImageShape) -> Result<Self, DatasetError> {
        let io = |source| DatasetError::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.is_dir() {
            return folder::read(path, shape);
        }
        let (mut dataset, order) = fer2013::read(path)?;
        if let Some(votes) = ferplus::beside(path) {
            ferplus::attach(&mut dataset, &order, &votes)?;
        }
        Ok(dataset)
    }

    /// The images of one split.
    pub fn images(&self, split: Split) -> &Images {
        match split {
            Split::Training => &self.training,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    fn images_mut(&mut self, split: Split) -> &mut Images {
        match split {
            Split::Training => &mut self.training,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }

    /// The name of `split` in this data set.
    pub fn split_name(&self, split: Split) -> &'static str {
        self.origin.split_name(split)
    }

    /// The training split without what makes a score dishonest or teaches nothing.
    ///
    /// `twins` drops images that are pixel-identical to one of the other splits; `constant` drops
    /// images of one value.
    ///
    /// # Errors
    ///
    /// [`DatasetError::EmptySplit`] where there is no image, [`DatasetError::NothingLeft`] where none
    /// is left.
    pub fn clean_training(
        &self,
        twins: bool,
        constant: bool,
    ) -> Result<(Images, Removed), DatasetError> {
        let tests: HashSet<&[u8]> =
            self.validation.iter().chain(self.test.iter()).map(|(pixels, _)| pixels).collect();
        let mut removed = Removed::default();
        let kept = self.training.filtered(|pixels| {
            let twin = twins && tests.contains(pixels);
            let flat = constant && is_constant(pixels);
            removed.twins += usize::from(twin);
            removed.constant += usize::from(flat && !twin);
            !twin && !flat
        });
        let [split, others @ ..] = Split::ALL.map(|split| self.split_name(split));
        match (self.training.len(), kept.is_empty()) {
            (0, _) => Err(DatasetError::EmptySplit { split }),
            (images, true) => Err(DatasetError::NothingLeft { split, others, images, removed }),
            _ => Ok((kept, removed)),
        }
    }

    /// The images of a split that have no pixel-identical one in the training split.
    pub fn without_training_twins(&self, split: Split) -> Images {
        let training = self.training_pixels();
        self.images(split).filtered(|pixels| !training.contains(pixels))
    }

    /// The positions of those images in the split.
    pub fn indices_without_training_twins(&self, split: Split) -> Vec<usize> {
        let training = self.training_pixels();
        let images = self.images(split).iter().enumerate();
        images.filter(|(_, (pixels, _))| !training.contains(pixels)).map(|(at, _)| at).collect()
    }

    fn training_pixels(&self) -> HashSet<&[u8]> {
        self.training.iter().map(|(pixels, _)| pixels).collect()
    }
}

/// The own name of a file or folder, also where `path` is `.`. One that is named as the published data
/// set is told from it: what it holds is anybody's guess.
fn own_name(path: &Path, kind: &str) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned();
    if name.eq_ignore_ascii_case(FER2013) { format!("{name} ({kind})") } else { name }
}

/// Whether all pixels are equal.
pub fn is_constant(pixels: &[u8]) -> bool {
    pixels.windows(2).all(|pair| pair[0] == pair[1])
}

/// The start of a field that could not be used, fit for a terminal.
fn text_of(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut text: String = start.chars().map(printable).collect();
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}

/// Up to ten of `problems`, a line each, and how many more there are.
fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text: String =
        problems.iter().take(SHOWN).map(|problem| format!("\n  {problem}")).collect();
    if problems.len() > SHOWN {
        text += &format!("\n  and {} more", problems.len() - SHOWN);
    }
    text
}
