//! Every way of balancing, on data in which one class is rare.

use fer_train::dataset::{ImageShape, Images};
use fer_train::recipe::{BalanceRecipe, Recipe};
use fer_train::training::{Data, Start, Trainer};

use crate::support;

/// Fifteen images of each class, but only five of disgust.
fn uneven() -> Data {
    let mut training = Images::new(ImageShape::grey(48), 7);
    for label in 0..7 {
        for index in 0..if label == 1 { 5 } else { 15 } {
            training.push(&support::image(label, (100 * label + index) as u32), label);
        }
    }
    Data { training, ..support::data() }
}

fn run(recipe: Recipe) -> Trainer {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(recipe, uneven(), folder.path(), &Start::default()).unwrap();
    trainer.run(&mut ()).unwrap();
    trainer
}

#[test]
fn every_method_trains() {
    let _turn = support::turn();
    for balance in [
        BalanceRecipe::None,
        BalanceRecipe::ClassWeights { power: 1.0 },
        BalanceRecipe::BalancedSampling { power: 1.0 },
        BalanceRecipe::Smote { k: 4 },
        BalanceRecipe::Focal { gamma: 2.0 },
        BalanceRecipe::LogitAdjustment { tau: 1.0 },
    ] {
        let trainer = run(Recipe { balance, ..support::recipe(2) });
        let progress = trainer.progress();
        assert_eq!(progress.epochs_done, 2, "{balance:?}");
        let losses: Vec<f64> = progress.history.iter().map(|record| record.loss).collect();
        assert!(
            losses.iter().all(|loss| loss.is_finite() && *loss > 0.0),
            "{balance:?} {losses:?}"
        );
        let smote = matches!(balance, BalanceRecipe::Smote { .. });
        assert_eq!(progress.data.synthetic, if smote { 10 } else { 0 });
        assert_eq!(progress.data.class_counts, [15, 5, 15, 15, 15, 15, 15]);
        // 95 images, or 105 with those that SMOTE made, in batches of 14.
        assert_eq!(trainer.steps_per_epoch(), if smote { 7 } else { 6 });
    }
}

#[test]
fn a_class_that_is_too_small_for_smote_is_named() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { balance: BalanceRecipe::Smote { k: 5 }, ..support::recipe(1) };
    let error = Trainer::new(recipe, uneven(), folder.path(), &Start::default()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("`disgust` has 5") && error.contains("lower k"), "{error}");
}

#[test]
fn every_regulariser_trains() {
    let _turn = support::turn();
    let mut recipe = support::recipe(2);
    recipe.loss.l1 = 1e-4;
    recipe.optimiser.clip_norm = 1.0;
    recipe.optimiser.sam_radius = 0.05;
    recipe.augment.mixup = 0.5;
    recipe.augment.cutmix = 0.5;
    recipe.augment.noise = 0.05;
    recipe.augment.box_jitter = 0.1;
    let trainer = run(recipe);
    // Every batch was mixed, so that there is no accuracy to count.
    assert!(trainer.progress().history.iter().all(|record| record.accuracy == 0.0));
}

#[test]
fn votes_that_are_missing_are_asked_for() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(1);
    recipe.data.ferplus = 0.5;
    let error = Trainer::new(recipe, uneven(), folder.path(), &Start::default()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("data.ferplus: 0.5") && error.contains("ferplus_votes.csv"), "{error}");
}
