//! Where the images of a data set were found, and what was found besides.

use super::Split;

/// What reading found besides the images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// See [`Self::place`].
    pub places: [Vec<String>; 3],
    /// Width and height of each image file in pixels, turned upright, in no particular order;
    /// empty for a CSV.
    pub sizes: Vec<(u32, u32)>,
    /// Files of a folder that were left out: hidden ones, those that are no images, and those that
    /// lie outside the class folders.
    pub skipped: usize,
    /// Splits that a folder did not have and that were carved off its training images, a tenth
    /// each: validation wherever it is missing, test only where there are no split folders.
    ///
    /// Images of a class are ordered by the SHA-256 of their path in the folder, read as a
    /// fraction of 1: those below 0.1 are for validation, the next below 0.2 for test. Of a class
    /// with at least three images each carved split gets at least one and at most a third; a
    /// smaller class stays in training. So adding a file moves no other file, but for classes that
    /// meet these bounds. Who is in a picture is not known: pictures of one person may fall on
    /// both sides.
    pub carved: Vec<Split>,
}

impl Provenance {
    /// Where image `index` of `split` was: `row 5`, the header being row 1, or a path in the
    /// folder. `None` for images that were not read.
    pub fn place(&self, split: Split, index: usize) -> Option<&str> {
        self.places[split as usize].get(index).map(String::as_str)
    }

    /// Notes the place of the next image of `split`.
    pub(super) fn add(&mut self, split: Split, place: String) {
        self.places[split as usize].push(place);
    }

    /// What someone should know who uses the data, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.carved.is_empty() {
            let names: Vec<&str> =
                self.carved.iter().map(|&split| super::Origin::Folder.split_name(split)).collect();
            remarks.push(format!(
                "no {} folder: taken from the training images, a tenth each, by a hash of their \
                 paths",
                names.join(" or ")
            ));
        }
        if self.skipped > 0 {
            remarks.push(format!(
                "files skipped: {} (hidden, no images, or outside the class folders)",
                self.skipped
            ));
        }
        remarks
    }
}
