//! The published file itself, where it is at hand.

use fer_train::dataset::{Dataset, Split};

use crate::support;

#[test]
fn counts_are_those_that_are_published() {
    let Some(path) = support::shared("data/fer2013/fer2013.csv.zst") else { return };
    let dataset = Dataset::read(&path).unwrap();
    assert_eq!(dataset.training.len(), 28_709);
    assert_eq!(dataset.public_test.len(), 3_589);
    assert_eq!(dataset.private_test.len(), 3_589);
    assert_eq!(dataset.training.class_counts(), [3995, 436, 4097, 7215, 4830, 3171, 4965]);
    assert_eq!(dataset.without_training_twins(Split::PrivateTest).len(), 3_589 - 288);
    assert_eq!(dataset.without_training_twins(Split::PublicTest).len(), 3_589 - 280);
}
