//! The published file itself, where it is at hand.

use fer_train::dataset::statistics::Statistics;
use fer_train::dataset::{Dataset, ImageShape};

use crate::support;

#[test]
fn figures_are_those_that_are_published() {
    let Some(path) = support::shared("data/fer2013/fer2013.csv.zst") else { return };
    let dataset = Dataset::read(&path, ImageShape::grey(48)).unwrap();
    assert_eq!(dataset.name, "FER2013");
    let figures = Statistics::of(&dataset);
    assert_eq!(figures.splits.each_ref().map(|split| split.images), [28_709, 3_589, 3_589]);
    assert_eq!(figures.splits[0].class_counts, [3995, 436, 4097, 7215, 4830, 3171, 4965]);
    assert_eq!(figures.distinct, 34_034);
    let twins = figures.splits.each_ref().map(|split| split.twins_in_training);
    assert_eq!(twins, [None, Some(280), Some(288)]);
    assert_eq!(figures.conflicts.len(), 57);
    assert_eq!(figures.constant, 12);
    if support::shared("data/fer2013/ferplus_votes.csv").is_some() {
        assert!(figures.splits.iter().all(|split| split.agreement.is_some()));
    }
}
