//! What is in a data set, and what is wrong with it.
//!
//! Two images are identical where all their pixels are equal at the shape that the data set was
//! read at. A twin of a split is an image with an identical one in another split.

mod table;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Dataset, Images, Split, is_constant};

/// Figures of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// The data set's name.
    pub data: String,
    /// Width, height and channels that the images were read at.
    pub shape: [usize; 3],
    /// Names of the classes, in the order of [`SplitStatistics::class_counts`].
    pub classes: Vec<String>,
    /// Images in all splits.
    pub images: usize,
    /// Of these, images that differ from each other.
    pub distinct: usize,
    /// Groups of two or more identical images.
    pub duplicate_groups: usize,
    /// Those of the groups whose images do not all have the same label.
    pub conflicts: Vec<Vec<Member>>,
    /// Images in which all pixels are equal.
    pub constant: usize,
    /// Training, validation, test.
    pub splits: [SplitStatistics; 3],
    /// Sizes of the image files; `None` for a CSV.
    pub file_sizes: Option<FileSizes>,
    /// What someone should know who uses the data.
    pub remarks: Vec<String>,
}

/// One image of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its split.
    pub split: &'static str,
    /// Its index there, from 0.
    pub index: usize,
    /// Where it was read: a row or a path.
    pub place: Option<String>,
    /// Its class.
    pub class: String,
}

/// Figures of one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitStatistics {
    /// Its name in this data set.
    pub name: &'static str,
    /// Number of images.
    pub images: usize,
    /// Images of each class.
    pub class_counts: Vec<usize>,
    /// The largest class's images for each of the smallest's; `None` where a class has none.
    pub imbalance: Option<f64>,
    /// Images that have an identical one earlier in the split.
    pub repeated: usize,
    /// Images in which all pixels are equal.
    pub constant: usize,
    /// Images that have an identical one in the training split; `None` for that split itself.
    pub twins_in_training: Option<usize>,
    /// Images that have an identical one in validation or test, whichever is not this split.
    pub twins_in_evaluation: usize,
    /// What people's votes say of the labels; `None` where there are no votes.
    pub agreement: Option<Agreement>,
}

/// People's votes against the labels. A majority is more than half of the votes that name one of
/// the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Share of all images whose majority is for the label.
    pub agree: f64,
    /// Share of all images without a majority.
    pub without_majority: f64,
}

/// Sizes of image files, sides taken one by one: the smallest, the median (of an even number the
/// lower of the two in the middle) and the largest, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileSizes {
    /// Pixels across.
    pub width: [u32; 3],
    /// Pixels down.
    pub height: [u32; 3],
}

impl Statistics {
    /// The figures of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        let groups = Groups::of(dataset);
        let shape = dataset.training.shape();
        let repeated = || groups.0.iter().filter(|group| group.len() > 1);
        let splits = Split::ALL.map(|split| SplitStatistics::of(dataset, split));
        Self {
            data: dataset.name.clone(),
            shape: [shape.width, shape.height, shape.channels],
            classes: dataset.classes.names().to_vec(),
            images: splits.iter().map(|split| split.images).sum(),
            distinct: groups.0.len(),
            duplicate_groups: repeated().count(),
            conflicts: groups.conflicts(dataset),
            constant: splits.iter().map(|split| split.constant).sum(),
            splits,
            file_sizes: FileSizes::of(&dataset.provenance.sizes),
            remarks: dataset.provenance.remarks(),
        }
    }
}

/// The images of all splits, identical ones together, in the order of each group's first.
struct Groups(Vec<Vec<(Split, usize)>>);

impl Groups {
    fn of(dataset: &Dataset) -> Self {
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        let mut groups: Vec<Vec<(Split, usize)>> = Vec::new();
        for split in Split::ALL {
            for (index, (pixels, _)) in dataset.images(split).iter().enumerate() {
                let place = *places.entry(pixels).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Vec::new());
                }
                groups[place].push((split, index));
            }
        }
        Self(groups)
    }

    fn conflicts(&self, dataset: &Dataset) -> Vec<Vec<Member>> {
        let label = |&(split, index): &(Split, usize)| dataset.images(split).labels()[index];
        let member = |&(split, index): &(Split, usize)| Member {
            split: dataset.split_name(split),
            index,
            place: dataset.provenance.place(split, index).map(str::to_owned),
            class: dataset.classes.name(label(&(split, index))).to_owned(),
        };
        self.0
            .iter()
            .filter(|group| group.iter().any(|image| label(image) != label(&group[0])))
            .map(|group| group.iter().map(member).collect())
            .collect()
    }
}

impl SplitStatistics {
    fn of(dataset: &Dataset, split: Split) -> Self {
        let images = dataset.images(split);
        let class_counts = images.class_counts();
        let twins = |others: &[Split]| {
            let others: HashSet<&[u8]> = others
                .iter()
                .filter(|&&other| other != split)
                .flat_map(|&other| dataset.images(other).iter().map(|(pixels, _)| pixels))
                .collect();
            images.iter().filter(|(pixels, _)| others.contains(pixels)).count()
        };
        let distinct: HashSet<&[u8]> = images.iter().map(|(pixels, _)| pixels).collect();
        Self {
            name: dataset.split_name(split),
            images: images.len(),
            imbalance: imbalance(&class_counts),
            class_counts,
            repeated: images.len() - distinct.len(),
            constant: images.iter().filter(|(pixels, _)| is_constant(pixels)).count(),
            twins_in_training: (split != Split::Training).then(|| twins(&[Split::Training])),
            twins_in_evaluation: twins(&[Split::Validation, Split::Test]),
            agreement: Agreement::of(images),
        }
    }
}

fn imbalance(class_counts: &[usize]) -> Option<f64> {
    let smallest = class_counts.iter().copied().min().filter(|&count| count > 0)?;
    let largest = class_counts.iter().copied().max()?;
    Some(largest as f64 / smallest as f64)
}

impl Agreement {
    fn of(images: &Images) -> Option<Self> {
        let votes = images.votes()?;
        let (mut agree, mut none) = (0, 0);
        for (row, &label) in votes.chunks_exact(images.classes()).zip(images.labels()) {
            match row.iter().position(|&share| share > 0.5) {
                Some(majority) => agree += usize::from(majority == label),
                None => none += 1,
            }
        }
        let share = |count: usize| count as f64 / images.len() as f64;
        Some(Self { agree: share(agree), without_majority: share(none) })
    }
}

impl FileSizes {
    fn of(sizes: &[(u32, u32)]) -> Option<Self> {
        let three = |mut sides: Vec<u32>| {
            sides.sort_unstable();
            Some([*sides.first()?, sides[(sides.len() - 1) / 2], *sides.last()?])
        };
        Some(Self {
            width: three(sizes.iter().map(|size| size.0).collect())?,
            height: three(sizes.iter().map(|size| size.1).collect())?,
        })
    }
}

#[cfg(test)]
mod tests;
