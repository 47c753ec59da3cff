//! Runs: they learn, they resume, and they refuse what would mix two runs up.

use std::path::Path;
use std::time::Duration;

use fer_train::checkpoint::Checkpoint;
use fer_train::evaluate::averaged_model;
use fer_train::recipe::{
    EarlyStopping, ModelRecipe, OptimiserKind, Precision, Quantity, Recipe, ScheduleRecipe,
};
use fer_train::run::{BEST, LAST, LOG, RECIPE};
use fer_train::training::{
    Data, EpochRecord, Observer, Pace, Start, StepReport, Trainer, TrainingError,
};

use crate::support;

const UNHURRIED: Pace = Pace { fit_into: None, save_every: Duration::ZERO };
const FRESH: Start = Start { resume: false, weights: None, teachers: Vec::new(), pace: UNHURRIED };
const RESUMED: Start = Start { resume: true, weights: None, teachers: Vec::new(), pace: UNHURRIED };

fn trainer(recipe: &Recipe, folder: &Path, start: &Start) -> Result<Trainer, TrainingError> {
    Trainer::new(recipe.clone(), support::data(), folder, start)
}

/// Panics in the middle of the second epoch, as if the run were killed.
struct Killer;

impl Observer for Killer {
    fn step(&mut self, report: &StepReport) {
        assert!(report.epoch < 2, "killed");
    }
    fn epoch(&mut self, _: &EpochRecord, _: usize) {}
}

fn adam() -> OptimiserKind {
    OptimiserKind::Adam { betas: [0.9, 0.999], epsilon: 1e-8 }
}

#[test]
fn a_resumed_run_ends_as_an_unbroken_one() {
    let _turn = support::turn();
    let sgd = support::recipe(3).optimiser.kind;
    for (precision, kind, sam_radius) in [
        (Precision::F32, sgd, 0.0),
        (Precision::Bf16, sgd, 0.0),
        (Precision::F32, adam(), 0.0),
        (Precision::F32, sgd, 0.05),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
        let mut recipe = Recipe { precision, ..support::recipe(3) };
        recipe.optimiser.kind = kind;
        recipe.optimiser.sam_radius = sam_radius;
        recipe.schedule =
            ScheduleRecipe::Plateau { monitor: Quantity::Loss, factor: 0.5, patience: 1 };
        trainer(&recipe, &whole, &FRESH).unwrap().run(&mut ()).unwrap();

        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trainer(&recipe, &broken, &FRESH).unwrap().run(&mut Killer).unwrap();
        }));
        assert!(stopped.is_err());
        let checkpoint = Checkpoint::read(&broken.join(LAST)).unwrap();
        assert_eq!(checkpoint.progress.epochs_done, 1);

        trainer(&recipe, &broken, &RESUMED).unwrap().run(&mut ()).unwrap();
        let read = |folder: &Path| {
            let checkpoint = Checkpoint::read(&folder.join(LAST)).unwrap();
            let mut progress = checkpoint.progress.clone();
            // Times are the machine's.
            for record in &mut progress.history {
                (record.seconds, record.images_per_second) = (0.0, 0.0);
            }
            (progress, checkpoint.into_values())
        };
        assert!(read(&whole) == read(&broken), "the runs differ");
        let log = std::fs::read_to_string(broken.join(LOG)).unwrap();
        assert_eq!(log.lines().count(), 4, "{log}");
        assert_eq!(Recipe::read(&broken.join(RECIPE)).unwrap(), recipe);
    }
}

#[test]
fn a_run_is_as_long_as_fits() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(1000);
    recipe.schedule = ScheduleRecipe::Cosine { warmup_epochs: 6.0, final_fraction: 0.1 };
    // No time at all is enough for the warm-up; checkpoints wait for the end.
    let pace = Pace { fit_into: Some(Duration::ZERO), save_every: Duration::from_secs(1000) };
    let start = Start { pace, ..FRESH };
    let mut run = trainer(&recipe, folder.path(), &start).unwrap();
    struct Watch<'a>(&'a Path);
    impl Observer for Watch<'_> {
        fn step(&mut self, _: &StepReport) {}
        fn epoch(&mut self, record: &EpochRecord, epochs: usize) {
            assert_eq!(epochs, 6);
            assert_eq!(self.0.join(LAST).exists(), record.epoch == 6);
        }
    }
    run.run(&mut Watch(folder.path())).unwrap();
    assert_eq!(run.progress().epochs_done, 6);
    let (_, best) = run.progress().best.unwrap();
    assert_eq!(Checkpoint::read(&folder.path().join(BEST)).unwrap().progress.epochs_done, best);
    // Its folder has the recipe by which it could go on.
    let written = Recipe::read(&folder.path().join(RECIPE)).unwrap();
    assert_eq!(written.optimiser.epochs, 6);
    drop(run);
    trainer(&written, folder.path(), &RESUMED).unwrap();
}

#[test]
fn the_rate_follows_what_fits_from_the_second_epoch_on() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    // Fewer than it takes to know how long they are.
    let mut recipe = support::recipe(2);
    recipe.schedule = ScheduleRecipe::Cosine { warmup_epochs: 0.0, final_fraction: 0.0 };
    let pace = Pace { fit_into: Some(Duration::ZERO), save_every: Duration::ZERO };
    let mut run = trainer(&recipe, folder.path(), &Start { pace, ..FRESH }).unwrap();
    run.run(&mut ()).unwrap();
    // A cosine over four epochs.
    let expected = [1.0, 0.853_553, 0.5, 0.146_447];
    let history = &run.progress().history;
    assert_eq!(history.len(), 4);
    for (record, factor) in history.iter().zip(expected) {
        let rate = record.learning_rate;
        assert!((rate - recipe.optimiser.learning_rate * factor).abs() < 1e-6, "{history:?}");
    }
}

#[test]
fn it_learns() {
    let _turn = support::turn();
    for kind in [support::recipe(1).optimiser.kind, adam()] {
        let folder = tempfile::tempdir().unwrap();
        let mut recipe = support::recipe(20);
        recipe.augment.flip = false;
        recipe.optimiser.kind = kind;
        if kind == adam() {
            recipe.optimiser.learning_rate = 0.02;
        }
        let mut trainer = trainer(&recipe, folder.path(), &FRESH).unwrap();
        trainer.run(&mut ()).unwrap();
        let (best, _) = trainer.progress().best.unwrap();
        assert!(best > 0.5, "mean of accuracy and macro-F1 is {best}; chance is 0.14");
        let stored = Checkpoint::read(&folder.path().join(BEST)).unwrap().progress;
        assert_eq!(stored.best.unwrap().0, best);
    }
}

#[test]
fn a_run_ends_early_when_nothing_improves() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(50);
    // With a rate of next to nothing the accuracy stays what it is.
    recipe.optimiser.learning_rate = 1e-9;
    recipe.schedule = ScheduleRecipe::Constant;
    recipe.early_stopping = Some(EarlyStopping { monitor: Quantity::Accuracy, patience: 2 });
    let mut first = trainer(&recipe, folder.path(), &FRESH).unwrap();
    first.run(&mut ()).unwrap();
    let progress = first.progress().clone();
    assert!(progress.stopped && progress.epochs_done < 20, "{}", progress.epochs_done);
    drop(first);
    // Resumed it knows that it is over.
    let mut again = trainer(&recipe, folder.path(), &RESUMED).unwrap();
    again.run(&mut ()).unwrap();
    assert_eq!(again.progress().epochs_done, progress.epochs_done);
}

#[test]
fn a_plateau_lowers_the_rate() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(6);
    recipe.optimiser.learning_rate = 1e-9;
    recipe.schedule =
        ScheduleRecipe::Plateau { monitor: Quantity::Accuracy, factor: 0.1, patience: 2 };
    let mut trainer = trainer(&recipe, folder.path(), &FRESH).unwrap();
    trainer.run(&mut ()).unwrap();
    let rates: Vec<f64> =
        trainer.progress().history.iter().map(|record| record.learning_rate).collect();
    assert_eq!(rates[0], 1e-9);
    assert!(rates[5] < 0.2e-9, "{rates:?}");
}

#[test]
fn a_run_without_a_fixed_course_may_be_made_longer() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(1);
    recipe.schedule = ScheduleRecipe::Constant;
    trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut ()).unwrap();
    recipe.optimiser.epochs = 2;
    let mut longer = trainer(&recipe, folder.path(), &RESUMED).unwrap();
    longer.run(&mut ()).unwrap();
    assert_eq!(longer.progress().epochs_done, 2);
    drop(longer);
    // But not shorter than it is.
    recipe.optimiser.epochs = 1;
    let error = trainer(&recipe, folder.path(), &RESUMED).unwrap_err().to_string();
    assert!(error.ends_with("optimiser.epochs: 1; expected at least the 2 done"), "{error}");
    assert_eq!(Recipe::read(&folder.path().join(RECIPE)).unwrap().optimiser.epochs, 2);
}

#[test]
fn another_recipe_or_other_data_do_not_resume() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut ()).unwrap();

    let error = trainer(&recipe, folder.path(), &FRESH).unwrap_err();
    assert!(matches!(error, TrainingError::Exists { .. }), "{error}");
    let mut other = recipe.clone();
    other.optimiser.learning_rate = 0.05;
    // The cosine's course depends on the number of epochs.
    other.optimiser.epochs = 2;
    let error = trainer(&other, folder.path(), &RESUMED).unwrap_err().to_string();
    assert!(error.contains("its recipe differs"), "{error}");
    assert!(
        error.ends_with(
            "\n  optimiser.epochs: 2; expected 1\n  optimiser.learning_rate: 0.05; expected 0.1"
        ),
        "{error}"
    );
    let data = Data { training: support::images(70, 900), ..support::data() };
    let error = Trainer::new(recipe.clone(), data, folder.path(), &RESUMED);
    assert!(error.unwrap_err().to_string().contains("its data differs"));
    // Votes that nobody asks for are none of the data.
    let mut voted = support::data();
    voted.training.set_votes(vec![1.0 / 7.0; 70 * 7]);
    Trainer::new(recipe.clone(), voted, folder.path(), &RESUMED).unwrap();
    // The number of threads belongs to the machine.
    let threads = Recipe { threads: 2, ..recipe };
    trainer(&threads, folder.path(), &RESUMED).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut ()).unwrap();
    let path = folder.path().join(LAST);
    let data = std::fs::read(&path).unwrap();
    std::fs::write(&path, &data[..data.len() / 2]).unwrap();
    let error = trainer(&recipe, folder.path(), &RESUMED).unwrap_err().to_string();
    assert!(error.contains(LAST), "{error}");
}

#[test]
fn every_tensor_that_does_not_fit_is_listed() {
    use fer_train::network::Model;
    use fer_train::recipe::ModelRecipe;
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut ()).unwrap();
    let other =
        ModelRecipe::Resnet { widths: vec![4, 8, 8], blocks: 1, stem_stride: 2, dropout: 0.0 };
    let model = Model::new(&other, &recipe.input, 7, tch::Device::Cpu);
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
    let error = trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut ()).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("lower learning rate"), "{error}");
    assert_eq!(error.to_string().contains(LAST), folder.path().join(LAST).exists(), "{error}");
}

#[test]
fn a_run_that_diverges_behind_a_finite_loss_saves_nothing_of_it() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(2);
    recipe.model =
        ModelRecipe::Vgg { widths: vec![4, 8], convolutions: 2, dense: vec![8], dropout: 0.0 };
    recipe.optimiser.learning_rate = 30.0;
    recipe.optimiser.weight_decay = 0.0;
    recipe.optimiser.ema_decay = 0.0;
    recipe.schedule = ScheduleRecipe::Constant;
    struct Watch;
    impl Observer for Watch {
        fn step(&mut self, report: &StepReport) {
            assert!(report.loss.is_finite(), "the loss is to show nothing");
        }
        fn epoch(&mut self, _: &EpochRecord, _: usize) {}
    }
    let error = trainer(&recipe, folder.path(), &FRESH).unwrap().run(&mut Watch).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("no checkpoint was saved before"), "{error}");
    assert!([LAST, BEST].iter().all(|name| !folder.path().join(name).exists()));
}

#[test]
fn too_few_images_are_refused() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = support::recipe(1);
    recipe.optimiser.batch = 71;
    let error = trainer(&recipe, folder.path(), &FRESH).unwrap_err().to_string();
    assert!(error.contains("70 training images") && error.contains("71"), "{error}");
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { device: "cuda:9".to_owned(), ..support::recipe(1) };
    let error = trainer(&recipe, folder.path(), &FRESH).unwrap_err().to_string();
    assert!(error.contains("device: `cuda:9`"), "{error}");
}

/// Ends the run in its second epoch.
struct Ender {
    epochs: usize,
}

impl Observer for Ender {
    fn step(&mut self, report: &StepReport) {
        self.epochs = report.epoch;
    }
    fn epoch(&mut self, _: &EpochRecord, _: usize) {}
    fn ends(&self) -> bool {
        self.epochs == 2
    }
}

#[test]
fn a_run_that_is_asked_to_end_is_saved_first() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let (whole, ended) = (folder.path().join("whole"), folder.path().join("ended"));
    let recipe = support::recipe(3);
    trainer(&recipe, &whole, &FRESH).unwrap().run(&mut ()).unwrap();
    // Though the next checkpoint is not due for long.
    let pace = Pace { fit_into: None, save_every: Duration::from_secs(1000) };
    let mut run = trainer(&recipe, &ended, &Start { pace, ..FRESH }).unwrap();
    run.run(&mut Ender { epochs: 0 }).unwrap();
    assert!(!run.has_ended() && run.progress().epochs_done == 2);
    drop(run);
    let best = Checkpoint::read(&ended.join(BEST)).unwrap().progress;
    assert_eq!(best.epochs_done, best.best.unwrap().1);
    trainer(&recipe, &ended, &RESUMED).unwrap().run(&mut ()).unwrap();
    let values = |folder: &Path| Checkpoint::read(&folder.join(LAST)).unwrap().into_values();
    assert!(values(&whole) == values(&ended), "the runs differ");
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = support::recipe(1);
    let mut first = trainer(&recipe, folder.path(), &FRESH).unwrap();
    for start in [FRESH, RESUMED] {
        let error = trainer(&recipe, folder.path(), &start).unwrap_err().to_string();
        assert!(error.contains("is in use: process ") && error.contains("wait"), "{error}");
    }
    first.run(&mut ()).unwrap();
    assert_eq!(first.progress().epochs_done, 1);
}

#[test]
fn a_run_goes_on_with_the_weights_that_it_began_with_alone() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut recipe = support::recipe(1);
    recipe.schedule = ScheduleRecipe::Constant;
    for (name, seed) in [("first", 1), ("second", 2)] {
        let recipe = Recipe { seed, ..recipe.clone() };
        trainer(&recipe, &at(name), &FRESH).unwrap().run(&mut ()).unwrap();
    }
    let with = |name: &str, resume: bool| {
        let weights = Some(at(name).join(BEST));
        trainer(&recipe, &at("run"), &Start { resume, weights, ..FRESH })
    };
    with("first", false).unwrap().run(&mut ()).unwrap();
    drop(with("first", true).unwrap());
    drop(trainer(&recipe, &at("run"), &RESUMED).unwrap());
    let error = with("second", true).unwrap_err().to_string();
    assert!(error.contains("its file of first weights (--weights) differs"), "{error}");
    assert!(with("none", true).unwrap_err().to_string().contains("cannot read the weights"));
    // A run that began at random had none.
    let weights = Some(at("first").join(BEST));
    let error = trainer(&recipe, &at("second"), &Start { weights, ..RESUMED });
    assert!(error.unwrap_err().to_string().contains("differs"));
}

#[test]
fn a_checkpoint_that_is_cut_short_or_not_finite_is_told() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let best = support::trained(folder.path());
    let whole = std::fs::read(&best).unwrap();
    for length in [0, 5, 500, whole.len() - 1] {
        std::fs::write(&best, &whole[..length]).unwrap();
        let error = averaged_model(&best).unwrap_err().to_string();
        assert!(error.contains("is cut short or damaged"), "{length}: {error}");
        assert!(error.contains("copy or download it anew"), "{length}: {error}");
    }
    // The last value of the last tensor.
    let mut broken = whole;
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&best, &broken).unwrap();
    let error = averaged_model(&best).unwrap_err().to_string();
    assert!(error.contains("has values that are no finite numbers"), "{error}");
}
