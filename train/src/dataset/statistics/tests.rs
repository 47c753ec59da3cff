use super::*;
use crate::classes::Classes;
use crate::dataset::{ImageShape, Origin};

/// Images of two pixels.
fn dataset(splits: [&[([u8; 2], usize)]; 3]) -> Dataset {
    let shape = ImageShape { width: 2, height: 1, channels: 1 };
    let names = ["a", "b", "c"].map(str::to_owned);
    let mut dataset = Dataset::empty("tiny", Origin::Folder, Classes::from_names(&names).0, shape);
    for (split, images) in Split::ALL.into_iter().zip(splits) {
        for (pixels, label) in images {
            dataset.images_mut(split).push(pixels, *label);
        }
    }
    dataset
}

#[test]
fn duplicates_twins_and_conflicts_are_counted() {
    let figures = Statistics::of(&dataset([
        &[([1, 2], 0), ([1, 2], 0), ([3, 4], 1), ([5, 5], 2), ([6, 7], 0)],
        &[([1, 2], 0), ([3, 4], 2), ([8, 9], 1)],
        &[([1, 2], 0), ([8, 9], 1), ([5, 5], 2), ([9, 9], 2)],
    ]));
    // Distinct: 12, 34, 55, 67, 89, 99. Groups of several: 12 (4), 34 (2), 55 (2), 89 (2).
    assert_eq!((figures.images, figures.distinct, figures.duplicate_groups), (12, 6, 4));
    assert_eq!(figures.constant, 3);
    let repeated = figures.splits.each_ref().map(|split| split.repeated);
    assert_eq!(repeated, [1, 0, 0]);
    let twins = figures.splits.each_ref().map(|s| (s.twins_in_training, s.twins_in_evaluation));
    // Training: both 12, 34 and 55. Validation: 12 and 34; 12 and 89 in test. Test: 12 and 55;
    // 12 and 89 in validation.
    assert_eq!(twins, [(None, 4), (Some(2), 2), (Some(2), 2)]);
    // Only 34 has two labels.
    let [group] = &figures.conflicts[..] else { panic!("{:?}", figures.conflicts) };
    let members: Vec<_> = group.iter().map(|m| (m.split, m.index, m.class.as_str())).collect();
    assert_eq!(members, [("training", 2, "b"), ("validation", 1, "c")]);
}

#[test]
fn imbalance_is_largest_by_smallest() {
    let figures = Statistics::of(&dataset([
        &[([1, 2], 0), ([1, 3], 0), ([1, 4], 0), ([3, 4], 1), ([5, 5], 2), ([6, 7], 2)],
        &[([1, 2], 0), ([2, 3], 1)],
        &[],
    ]));
    assert_eq!(figures.splits[0].class_counts, [3, 1, 2]);
    assert_eq!(figures.splits.each_ref().map(|split| split.imbalance), [Some(3.0), None, None]);
}

#[test]
fn a_majority_is_more_than_half_of_the_votes() {
    let mut dataset = dataset([&[([1, 2], 0), ([1, 3], 0), ([1, 4], 0), ([1, 5], 0)], &[], &[]]);
    // For the label; for another class; half is not enough; nobody named a class.
    let votes = [[0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.5, 0.25, 0.25], [0.0; 3]];
    dataset.training.set_votes(votes.concat());
    let figures = Statistics::of(&dataset);
    let expected = Agreement { agree: 0.25, without_majority: 0.5 };
    assert_eq!(figures.splits[0].agreement, Some(expected));
    assert_eq!(figures.splits[1].agreement, None);
    let text = figures.to_string();
    assert!(text.contains("25.0 %"), "{text}");
    assert!(text.contains("class votes: those that name one of the 3 classes"), "{text}");
}

#[test]
fn sides_are_sorted_one_by_one() {
    let sizes = FileSizes::of(&[(10, 4), (30, 1), (20, 3), (40, 2)]).unwrap();
    assert_eq!((sizes.width, sizes.height), ([10, 20, 40], [1, 2, 4]));
    assert_eq!(FileSizes::of(&[]), None);
}
