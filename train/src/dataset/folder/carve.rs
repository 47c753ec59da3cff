//! Splits that a folder lacks, taken from its training images: see
//! [`Provenance::carved`](crate::dataset::Provenance::carved).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::listing::ImageFile;
use crate::dataset::Split;

/// Where the hashes of validation images end, and those of test images.
const VALIDATION_END: f64 = 0.1;
const TEST_END: f64 = 0.2;
/// Smaller classes stay whole.
const SMALLEST_CLASS: usize = 3;

/// Moves training files to the splits that are missing, which are returned.
pub(super) fn carve(files: &mut [ImageFile], split_folders: bool) -> Vec<Split> {
    let has = |wanted| files.iter().any(|file| file.split == wanted);
    if !has(Split::Training) || has(Split::Validation) {
        return Vec::new();
    }
    let test = !split_folders;
    let mut classes: BTreeMap<String, Vec<(f64, &mut ImageFile)>> = BTreeMap::new();
    for file in files.iter_mut().filter(|file| file.split == Split::Training) {
        let hash = fraction(&file.place());
        classes.entry(file.class.clone()).or_default().push((hash, file));
    }
    for mut files in classes.into_values().filter(|files| files.len() >= SMALLEST_CLASS) {
        files.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let hashes: Vec<f64> = files.iter().map(|(hash, _)| *hash).collect();
        let (validation, both) = ends(&hashes, test);
        for (index, (_, file)) in files.into_iter().take(both).enumerate() {
            file.split = if index < validation { Split::Validation } else { Split::Test };
        }
    }
    if test { vec![Split::Validation, Split::Test] } else { vec![Split::Validation] }
}

/// How many of a class's files, whose sorted hashes are given, are for validation, and how many
/// for validation and test together.
fn ends(hashes: &[f64], test: bool) -> (usize, usize) {
    let most = hashes.len() / SMALLEST_CLASS;
    let below = |end: f64| hashes.partition_point(|&hash| hash < end);
    let validation = below(VALIDATION_END).clamp(1, most);
    let tests = below(TEST_END).saturating_sub(validation).clamp(1, most);
    (validation, if test { validation + tests } else { validation })
}

/// The first 8 bytes of the SHA-256 of `text`, as a fraction of 1.
fn fraction(text: &str) -> f64 {
    let digest = Sha256::digest(text);
    let first = digest.iter().take(8).fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    first as f64 / 2_f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(class: &str, count: usize) -> Vec<ImageFile> {
        let file = |index: usize| ImageFile {
            path: format!("{class}/{index}.png").into(),
            split: Split::Training,
            class: class.to_owned(),
        };
        (0..count).map(file).collect()
    }

    fn count(files: &[ImageFile], class: &str) -> [usize; 3] {
        Split::ALL.map(|split| {
            files.iter().filter(|file| file.class == class && file.split == split).count()
        })
    }

    #[test]
    fn a_hash_is_a_fraction_of_one() {
        // sha256("abc") = ba7816bf 8f01cfea …; 0xba7816bf / 2³² = 0.728395…
        assert!((fraction("abc") - 0.728_395).abs() < 1e-6, "{}", fraction("abc"));
    }

    #[test]
    fn bounds_hold_for_small_classes() {
        // None is below 0.1: one each all the same.
        assert_eq!(ends(&[0.5, 0.6, 0.7], true), (1, 2));
        assert_eq!(ends(&[0.5, 0.6, 0.7], false), (1, 1));
        // All are below 0.1: a third each at most.
        assert_eq!(ends(&[0.01, 0.02, 0.03, 0.04, 0.05, 0.06], true), (2, 4));
        assert_eq!(ends(&[0.05, 0.08, 0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], true), (2, 3));
    }

    #[test]
    fn a_tenth_of_each_class_goes_to_each_split() {
        let mut all = [files("happy", 1000), files("sad", 100), files("shy", 2)].concat();
        assert_eq!(carve(&mut all, false), [Split::Validation, Split::Test]);
        // Binomial: 100 ± 3·9.5 of 1000, 10 ± 3·3 of 100.
        let [_, validation, test] = count(&all, "happy");
        assert!((71..=129).contains(&validation) && (71..=129).contains(&test), "{validation}");
        let [_, validation, test] = count(&all, "sad");
        assert!((1..=19).contains(&validation) && (1..=19).contains(&test), "{validation} {test}");
        assert_eq!(count(&all, "shy"), [2, 0, 0]);
    }

    #[test]
    fn more_files_move_no_other() {
        let (mut few, mut many) = (files("happy", 500), files("happy", 600));
        carve(&mut few, false);
        carve(&mut many, false);
        assert_eq!(few[..], many[..500]);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let mut all = files("happy", 30);
        for file in &mut all[20..] {
            file.split = Split::Test;
        }
        // A test folder stays what it is; validation comes from training.
        let before = all.clone();
        assert_eq!(carve(&mut all, true), [Split::Validation]);
        assert_eq!(all[20..], before[20..]);
        assert!(count(&all, "happy")[1] > 0);
        // Training and validation without test: nothing to do.
        all.truncate(20);
        let before = all.clone();
        assert_eq!(carve(&mut all, true), []);
        assert_eq!(all, before);
    }
}
