//! Runs: they learn, they resume, and they refuse what would mix two runs up.

use std::path::Path;

use fer_train::checkpoint::Checkpoint;
use fer_train::recipe::{Precision, Recipe};
use fer_train::training::{BEST, LAST, LOG, Trainer, TrainingError};
use tch::Device;

use crate::support;

fn trainer(recipe: &Recipe, folder: &Path, resume: bool) -> Result<Trainer, TrainingError> {
    let (training, public) = (support::images(70, 1), support::images(28, 2));
    Trainer::new(recipe.clone(), &training, &public, folder, resume, Device::Cpu)
}

/// The last checkpoint's file, tensors and progress alike.
fn last(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join(LAST)).unwrap()
}

#[test]
fn a_resumed_run_ends_as_an_unbroken_one() {
    let _turn = support::turn();
    for precision in [Precision::F32, Precision::Bf16] {
        let folder = tempfile::tempdir().unwrap();
        let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
        let recipe = Recipe { precision, ..support::recipe(3) };
        trainer(&recipe, &whole, false).unwrap().run(|_| {}).unwrap();

        // The run is dropped in the callback after its first epoch, as if it were killed.
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trainer(&recipe, &broken, false).unwrap().run(|_| panic!("killed")).unwrap();
        }));
        assert!(stopped.is_err());
        let checkpoint = Checkpoint::read(&broken.join(LAST)).unwrap();
        assert_eq!(checkpoint.progress.epochs_done, 1);

        trainer(&recipe, &broken, true).unwrap().run(|_| {}).unwrap();
        let progress = |folder: &Path| Checkpoint::read(&folder.join(LAST)).unwrap().progress;
        assert_eq!(progress(&whole), progress(&broken));
        assert!(last(&whole) == last(&broken), "the tensors differ");
        let log = std::fs::read_to_string(broken.join(LOG)).unwrap();
        assert_eq!(log.lines().count(), 4, "{log}");
    }
}

#[test]
fn it_learns() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(20);
    recipe.augment.flip = false;
    let mut trainer = trainer(&recipe, folder.path(), false).unwrap();
    trainer.run(|_| {}).unwrap();
    let (best, _) = trainer.progress().best.unwrap();
    assert!(best > 0.5, "mean of accuracy and macro-F1 is {best}; chance is 0.14");
    let stored = Checkpoint::read(&folder.path().join(BEST)).unwrap().progress;
    assert_eq!(stored.best.unwrap().0, best);
}

#[test]
fn another_recipe_or_other_data_do_not_resume() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    trainer(&recipe, folder.path(), false).unwrap().run(|_| {}).unwrap();

    let error = trainer(&recipe, folder.path(), false).unwrap_err();
    assert!(matches!(error, TrainingError::Exists { .. }), "{error}");
    let mut other = recipe.clone();
    other.optimiser.learning_rate = 0.05;
    let error = trainer(&other, folder.path(), true).unwrap_err();
    assert!(error.to_string().contains("its recipe differs"), "{error}");
    let (training, public) = (support::images(70, 9), support::images(28, 2));
    let error = Trainer::new(recipe.clone(), &training, &public, folder.path(), true, Device::Cpu);
    assert!(error.unwrap_err().to_string().contains("its data differs"));
    // The number of threads belongs to the machine.
    let threads = Recipe { threads: 2, ..recipe };
    trainer(&threads, folder.path(), true).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    trainer(&recipe, folder.path(), false).unwrap().run(|_| {}).unwrap();
    let path = folder.path().join(LAST);
    let data = std::fs::read(&path).unwrap();
    std::fs::write(&path, &data[..data.len() / 2]).unwrap();
    let error = trainer(&recipe, folder.path(), true).unwrap_err().to_string();
    assert!(error.contains(LAST), "{error}");
}

#[test]
fn every_tensor_that_does_not_fit_is_listed() {
    use fer_train::model::Model;
    use fer_train::recipe::ModelRecipe;
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    trainer(&support::recipe(1), folder.path(), false).unwrap().run(|_| {}).unwrap();
    let other =
        ModelRecipe::Resnet { widths: vec![4, 8, 8], blocks: 1, stem_stride: 2, dropout: 0.0 };
    let model = Model::new(&other, Device::Cpu);
    let checkpoint = Checkpoint::read(&folder.path().join(LAST)).unwrap();
    let error = checkpoint.restore("model.", &model.tensors()).unwrap_err().to_string();
    assert!(error.contains("`model.stage2.block0.first.conv.weight` is missing"), "{error}");
    assert!(error.lines().count() > 10, "{error}");
}

#[test]
fn a_diverging_run_stops_with_its_epoch() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(4);
    recipe.optimiser.learning_rate = 100.0;
    recipe.optimiser.weight_decay = 1.0;
    let error = trainer(&recipe, folder.path(), false).unwrap().run(|_| {}).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("lower learning rate"), "{error}");
}

#[test]
fn too_few_images_are_refused() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(1);
    recipe.optimiser.batch = 71;
    let error = trainer(&recipe, folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("70 training images") && error.contains("71"), "{error}");
}
