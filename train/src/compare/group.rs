//! Runs that differ only in their seed, as one.

use std::path::PathBuf;

use serde::Serialize;

use crate::metrics::Metrics;
use crate::recipe::Recipe;
use crate::run::Run;
use crate::statistic::Statistic;

/// Figures on one split, over seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The split.
    pub split: String,
    /// How many of the runs were scored on it.
    pub runs: usize,
    /// Fraction that is right.
    pub accuracy: Statistic,
    /// Mean of the classes' F1.
    pub macro_f1: Statistic,
    /// Mean negative log-likelihood in nats.
    pub nll: Statistic,
    /// Expected calibration error.
    pub ece: Statistic,
    /// F1 of each class.
    pub class_f1: Vec<Statistic>,
}

impl Scores {
    /// Of metrics of several seeds on the same split; `None` of none.
    fn of(split: &str, metrics: &[&Metrics]) -> Option<Self> {
        let over = |figure: &dyn Fn(&Metrics) -> f64| {
            Statistic::of(&metrics.iter().map(|metrics| figure(metrics)).collect::<Vec<_>>())
        };
        let classes = 0..metrics.first()?.classes.len();
        Some(Self {
            split: split.to_owned(),
            runs: metrics.len(),
            accuracy: over(&|metrics| metrics.accuracy)?,
            macro_f1: over(&Metrics::macro_f1)?,
            nll: over(&|metrics| metrics.nll)?,
            ece: over(&|metrics| metrics.ece)?,
            class_f1: classes
                .map(|class| over(&|metrics| metrics.classes[class].f1))
                .collect::<Option<_>>()?,
        })
    }
}

/// Runs whose recipes differ only in their seed, on the same data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The recipe's name, with the folder's where another group has the same.
    pub name: String,
    /// The runs' folders.
    pub folders: Vec<PathBuf>,
    /// The seed of each.
    pub seeds: Vec<i64>,
    /// Epochs that the recipe asks for.
    pub epochs: usize,
    /// Epochs that are done, of each.
    pub epochs_done: Vec<usize>,
    /// The best epoch of each.
    pub best_epochs: Vec<Option<usize>>,
    /// Values that the network learns.
    pub parameters: usize,
    /// Images a second while training, validation left out.
    pub images_per_second: Option<Statistic>,
    /// The best checkpoints on the validation split, with a fitted temperature where the run has
    /// been evaluated on it.
    pub validation: Option<Scores>,
    /// Plain evaluations on the test split, where they are in the runs' folders.
    pub test: Option<Scores>,
}

impl Group {
    /// The scores that there are.
    pub fn scores(&self) -> impl Iterator<Item = &Scores> {
        self.validation.iter().chain(&self.test)
    }

    fn of(runs: &[&Run]) -> Self {
        let first = runs[0];
        let validation: Vec<&Metrics> = runs.iter().filter_map(|run| run.validated()).collect();
        let tests: Vec<_> = runs.iter().filter_map(|run| run.test()).collect();
        let test_name = tests.first().map_or("", |evaluation| evaluation.split.as_str());
        let tests: Vec<&Metrics> = tests.iter().map(|evaluation| &evaluation.whole).collect();
        let speeds: Vec<f64> = runs.iter().filter_map(|run| speed(run)).collect();
        Self {
            name: first.name().to_owned(),
            folders: runs.iter().map(|run| run.folder.clone()).collect(),
            seeds: runs.iter().map(|run| run.progress.recipe.seed).collect(),
            epochs: first.progress.recipe.optimiser.epochs,
            epochs_done: runs.iter().map(|run| run.progress.epochs_done).collect(),
            best_epochs: runs.iter().map(|run| run.progress.best.map(|best| best.1)).collect(),
            parameters: first.parameters,
            images_per_second: Statistic::of(&speeds),
            validation: Scores::of(&first.progress.data.validation, &validation),
            test: Scores::of(test_name, &tests),
        }
    }
}

/// Mean of the epochs' images a second.
fn speed(run: &Run) -> Option<f64> {
    let speeds: Vec<f64> =
        run.progress.history.iter().map(|epoch| epoch.images_per_second).collect();
    Statistic::of(&speeds).map(|speed| speed.mean)
}

/// The groups of some runs, in the order of their first members. A seed that is in a group already
/// begins another one: the same run twice is no second sample.
pub(super) fn groups(runs: &[Run]) -> Vec<Group> {
    let mut together: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        let place = together.iter_mut().find(|members| {
            let first = &members[0].progress;
            let seed = run.progress.recipe.seed;
            first.data.sha256 == run.progress.data.sha256
                && first.teachers == run.progress.teachers
                && first.initial_weights == run.progress.initial_weights
                && differ_only_in_seed(&first.recipe, &run.progress.recipe)
                && members.iter().all(|member| member.progress.recipe.seed != seed)
        });
        match place {
            Some(members) => members.push(run),
            None => together.push(vec![run]),
        }
    }
    let mut groups: Vec<Group> = together.iter().map(|members| Group::of(members)).collect();
    tell_apart(&mut groups);
    groups
}

/// Whether two recipes are equal but for their seeds, and for what belongs to the machine.
fn differ_only_in_seed(a: &Recipe, b: &Recipe) -> bool {
    let Recipe { seed, threads, device, .. } = b.clone();
    Recipe { seed, threads, device, ..a.clone() } == *b
}

/// Adds the folder's name where groups have the same.
fn tell_apart(groups: &mut [Group]) {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for group in groups {
        if names.iter().filter(|&name| *name == group.name).count() > 1 {
            let folder = group.folders[0].file_name().unwrap_or_default().to_string_lossy();
            group.name = format!("{} ({folder})", group.name);
        }
    }
}
