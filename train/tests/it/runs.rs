//! Runs read back from their folders: heads of checkpoints, reports, comparisons.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fer_train::checkpoint::Header;
use fer_train::classes::Classes;
use fer_train::compare::{CompareError, Comparison};
use fer_train::dataset::{Dataset, ImageShape, Images, Origin, Split};
use fer_train::evaluate::{Scored, averaged_model, evaluate, json_path};
use fer_train::files::write_json;
use fer_train::recipe::{DistillRecipe, Recipe};
use fer_train::report;
use fer_train::run::{self, Run, RunInfo, Standing};
use fer_train::training::{Data, Start, Trainer};
use tempfile::TempDir;

const SIDE: usize = 8;

/// Noise of which nothing can be learnt, so that there are mistakes.
fn images(classes: usize, count: usize, seed: u32) -> Images {
    let mut images = Images::new(ImageShape::grey(SIDE), classes);
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for index in 0..count {
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let pixels: Vec<u8> = (0..SIDE * SIDE).map(|_| noise()).collect();
        images.push(&pixels, index % classes);
    }
    images
}

fn dataset(names: &[&str]) -> Dataset {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let (classes, _) = Classes::from_names(&names);
    let count = classes.len();
    let mut dataset = Dataset::empty("noise", Origin::Folder, classes, ImageShape::grey(SIDE));
    dataset.training = images(count, 24, 1);
    dataset.validation = images(count, 18, 2);
    dataset.test = images(count, 12, 3);
    // One image of the validation split is in the training split too.
    let twin = dataset.training.image(0).to_vec();
    dataset.validation.push(&twin, 0);
    dataset
}

fn recipe(seed: i64, learning_rate: f64) -> Recipe {
    let text = format!(
        "name: tiny <net>\nseed: {seed}\ninput: {{ size: {SIDE} }}\n\
         data: {{ drop_twins: false }}\n\
         model: {{ resnet: {{ widths: [4], blocks: 1, stem_stride: 2, dropout: 0.0 }} }}\n\
         optimiser: {{ epochs: 2, batch: 8, kind: {{ sgd: {{ momentum: 0.9 }} }}, \
         learning_rate: {learning_rate} }}\n"
    );
    serde_yaml::from_str(&text).unwrap()
}

/// Trains in the folder `name` and returns its path.
fn train(home: &TempDir, name: &str, dataset: &Dataset, recipe: Recipe) -> PathBuf {
    let folder = home.path().join(name);
    let data = Data::of(dataset.clone(), &recipe.data).unwrap();
    let mut trainer = Trainer::new(recipe, data, &folder, &Start::default()).unwrap();
    trainer.run(&mut ()).unwrap();
    folder
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_head_of_a_checkpoint_tells_what_the_whole_does() {
    let home = home();
    let folder = train(&home, "run", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let best = folder.join(run::BEST);
    let (model, progress) = averaged_model(&best).unwrap();
    let head = Header::read(&best).unwrap();
    assert_eq!((head.progress, head.parameters), (progress, model.parameters()));
    assert_eq!(Header::read(&folder.join(run::LAST)).unwrap().parameters, model.parameters());
}

#[test]
fn what_a_run_was_done_with_outlives_resumptions() {
    let home = home();
    let folder = train(&home, "run", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let info = RunInfo::read(&folder).unwrap().unwrap();
    assert!(info.started.as_ref().is_some_and(|time| time.ends_with('Z')), "{:?}", info.started);
    let opened = Run::open(&folder).unwrap();
    assert!(info.training_seconds > 0.0);
    assert!((info.training_seconds - opened.training_seconds()).abs() < 1e-9);
    assert_eq!(opened.info.as_ref(), Some(&info));

    let earlier = RunInfo { peak_memory: Some(u64::MAX), ..info.clone() };
    let path = folder.join(run::INFO);
    std::fs::write(&path, serde_json::to_string(&earlier).unwrap()).unwrap();
    run::note(&folder, &opened.progress).unwrap();
    let later = RunInfo::read(&folder).unwrap().unwrap();
    assert_eq!((later.started, later.peak_memory), (info.started, Some(u64::MAX)));

    // Nobody knows when a run began that is under way and has no note.
    std::fs::remove_file(&path).unwrap();
    run::note(&folder, &opened.progress).unwrap();
    assert_eq!(RunInfo::read(&folder).unwrap().unwrap().started, None);
}

#[test]
fn a_report_has_every_section_and_needs_nothing_else() {
    let home = home();
    let dataset = dataset(&["cat", "dog <b>small</b>", "bird"]);
    let folder = train(&home, "run", &dataset, recipe(1, 0.01));
    let path = report::create(&folder, Some(&dataset)).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    for part in [
        "<h1>tiny &lt;net&gt;</h1>",
        "accuracy on validation",
        "Learning curves",
        "Learning rate",
        "On validation (noise)",
        "without twins in Training",
        "Confusion matrix, 19 images",
        "Confusion matrix, 18 images",
        "Reliability: ECE",
        "weighted",
        "Worst mistakes on validation",
        "data:image/png;base64,",
        "Training images of each class",
        "learning_rate: 0.01",
        "training time",
        "fer-train",
    ] {
        assert!(html.contains(part), "no `{part}` in the report");
    }
    assert!(html.contains("dog &lt;b&gt;small&lt;/b&gt;") && !html.contains("<b>small"));
    // Addresses are those of namespaces alone.
    let addresses = html.matches("://").count();
    assert_eq!(addresses, html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    assert!(!html.contains("<script") && !html.contains("<link"));

    let run = Run::open(&folder).unwrap();
    assert_eq!(run.evaluations.len(), 1);
    let scored = &run.evaluations[0].evaluation.whole;
    assert_eq!(run.validation.as_ref().map(|metrics| &metrics.confusion), Some(&scored.confusion));
}

#[test]
fn a_report_without_data_says_how_to_get_the_mistakes() {
    let home = home();
    let folder = train(&home, "run", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let html = std::fs::read_to_string(report::create(&folder, None).unwrap()).unwrap();
    assert!(html.contains("On validation, the validation split"));
    assert!(html.contains("fer-train report RUN --data DATA"));
    assert!(!html.contains("data:image") && !html.contains("not on one scale"));
    // One that followed teachers has a loss of its own kind.
    let mut run = Run::open(&folder).unwrap();
    let distill = DistillRecipe { temperature: 2.0, weight: 0.75, sample: None };
    run.progress.recipe.distill = Some(distill);
    let html = std::fs::read_to_string(report::write(&run, &[]).unwrap()).unwrap();
    assert!(html.contains("0.250 of the labels' and 3.000 (w·T²) of the divergence"), "{html}");
}

/// Evaluates the best checkpoint in `folder` on the test split, as `evaluate` does; the file.
fn evaluated(folder: &Path, dataset: &Dataset) -> PathBuf {
    let best = folder.join(run::BEST);
    let evaluation = evaluate(&mut Scored::open(&best).unwrap(), dataset, Split::Test).unwrap();
    let path = json_path(&best, &evaluation.file_name());
    write_json(&path, &evaluation).unwrap();
    path
}

/// Whose the figures called `name` in a run's folder are.
fn standing(folder: &Path, name: &str) -> Standing {
    let run = Run::open(folder).unwrap();
    let found = run.evaluations.iter().find(|found| found.name == name).unwrap();
    assert_eq!(found.standing.remark().is_none(), found.standing == Standing::Own);
    found.standing
}

#[test]
fn a_copied_run_keeps_its_figures() {
    let home = home();
    let dataset = dataset(&["cat", "dog"]);
    let folder = train(&home, "run", &dataset, recipe(1, 0.01));
    report::create(&folder, Some(&dataset)).unwrap();
    evaluated(&folder, &dataset);
    let copy = home.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    // As where the checkpoint is copied last.
    let later = SystemTime::now() + Duration::from_secs(60);
    File::options().append(true).open(copy.join(run::BEST)).unwrap().set_modified(later).unwrap();
    let runs = [&folder, &copy].map(|folder| Run::open(folder).unwrap());
    assert!(runs[1].test().is_some() && runs[1].validated() == runs[0].validated());
    assert_eq!(Comparison::of(&runs, Vec::new()).unwrap().notes, [""; 0]);
}

#[test]
fn figures_of_another_checkpoint_are_marked_and_left_out() {
    let home = home();
    let dataset = dataset(&["cat", "dog"]);
    let folder = train(&home, "run", &dataset, recipe(1, 0.01));
    let path = evaluated(&folder, &dataset);
    assert!(Run::open(&folder).unwrap().test().is_some());
    let text = std::fs::read_to_string(&path).unwrap();
    let mut evaluation: serde_json::Value = serde_json::from_str(&text).unwrap();
    evaluation["models"][0].as_object_mut().unwrap().remove("sha256");
    std::fs::write(&path, evaluation.to_string()).unwrap();
    assert_eq!(standing(&folder, "test"), Standing::Unknown);
    std::fs::write(&path, text).unwrap();

    let other = train(&home, "other", &dataset, recipe(2, 0.01));
    std::fs::copy(other.join(run::BEST), folder.join(run::BEST)).unwrap();
    assert_eq!(standing(&folder, "test"), Standing::OtherCheckpoint);
    let run = Run::open(&folder).unwrap();
    assert!(run.test().is_none());
    let html = std::fs::read_to_string(report::write(&run, &[]).unwrap()).unwrap();
    assert!(html.contains("of another checkpoint than its best one; evaluate it again"));
    let comparison = Comparison::of(&[run], Vec::new()).unwrap();
    assert!(comparison.notes[0].contains("another checkpoint"), "{:?}", comparison.notes);
    assert!(comparison.runs[0].test.is_none());
}

#[test]
fn figures_on_other_data_are_told_and_left_out() {
    let home = home();
    let own = dataset(&["cat", "dog"]);
    let folder = train(&home, "run", &own, recipe(1, 0.01));
    let path = evaluated(&folder, &own);
    let before = std::fs::read(&path).unwrap();

    // Of the same name.
    let mut others = own.clone();
    others.training = images(2, 30, 9);
    let beside = evaluated(&folder, &others);
    assert!(beside.ends_with("evaluation.test.other-data.json"), "{}", beside.display());
    assert_eq!(std::fs::read(&path).unwrap(), before, "the run's own figures are another file");
    assert_eq!(standing(&folder, "test.other-data"), Standing::OtherData);
    std::fs::copy(beside, &path).unwrap();
    assert_eq!(standing(&folder, "test"), Standing::OtherData);
    assert!(Run::open(&folder).unwrap().test().is_none());
    let error = report::create(&folder, Some(&others)).unwrap_err().to_string();
    assert!(error.contains("other images than these of `noise`; expected its own data"), "{error}");

    // The same to learn from, another test split.
    let mut other_test = own.clone();
    other_test.test = images(2, 12, 4);
    evaluated(&folder, &other_test);
    assert_eq!(standing(&folder, "test"), Standing::Own);
    let second = train(&home, "second", &own, recipe(2, 0.01));
    evaluated(&second, &own);
    let runs = [folder, second].map(|folder| Run::open(&folder).unwrap());
    let notes = Comparison::of(&runs, Vec::new()).unwrap().notes.join("\n");
    assert!(notes.contains("other test images than the first"), "{notes}");
}

#[test]
fn a_broken_folder_names_the_file() {
    let home = home();
    let message = |folder: &Path| Run::open(folder).unwrap_err().to_string();
    let nothing = home.path().join("nothing");
    assert!(message(&nothing).contains("nothing` is no run"), "{}", message(&nothing));

    let folder = train(&home, "run", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let last = folder.join(run::LAST);
    let whole = std::fs::read(&last).unwrap();
    for length in [0, 4, 100, whole.len() - 1] {
        std::fs::write(&last, &whole[..length]).unwrap();
        assert!(message(&folder).contains(run::LAST), "{length}: {}", message(&folder));
    }
}

#[test]
fn what_is_damaged_beside_a_run_is_left_out_and_told() {
    let home = home();
    let dataset = dataset(&["cat", "dog"]);
    let folder = train(&home, "run", &dataset, recipe(1, 0.01));
    evaluated(&folder, &dataset);
    std::fs::write(folder.join("evaluation.validation.json"), "{").unwrap();
    std::fs::write(folder.join(run::INFO), "[]").unwrap();
    let run = Run::open(&folder).unwrap();
    assert!(run.test().is_some() && run.info.is_none());
    let [evaluation, info] = &run.damaged[..] else { panic!("{:?}", run.damaged) };
    assert!(evaluation.contains("evaluation.validation.json` is not an evaluation"));
    assert!(info.contains(run::INFO), "{info}");
    let html = std::fs::read_to_string(report::write(&run, &[]).unwrap()).unwrap();
    assert!(html.contains("Left out: ") && html.contains("is not an evaluation"));

    // A folder without a run is left out, too; but one run there must be.
    let compare = |runs: &[&Path]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .arg("compare")
            .args(runs)
            .output()
            .unwrap();
        let [told, said] = [output.stdout, output.stderr].map(|t| String::from_utf8(t).unwrap());
        (output.status.success(), told, said)
    };
    let none = home.path().join("none");
    let (ended_well, told, _) = compare(&[&none, &folder]);
    assert!(ended_well && told.contains("none` is no run") && told.contains(run::INFO), "{told}");
    let (ended_well, _, said) = compare(&[&none]);
    assert!(!ended_well && said.contains("no run to compare") && said.contains("none`"), "{said}");

    // A run goes on and notes anew what it is done with.
    let mut longer = recipe(1, 0.01);
    longer.optimiser.epochs = 3;
    let data = Data::of(dataset, &longer.data).unwrap();
    let start = Start { resume: true, ..Start::default() };
    Trainer::new(longer, data, &folder, &start).unwrap().run(&mut ()).unwrap();
    assert!(RunInfo::read(&folder).unwrap().is_some());
}

#[test]
fn labels_softened_by_votes_are_told_from_other_images() {
    let home = home();
    let mut own = dataset(&["cat", "dog"]);
    let votes =
        own.training.labels().iter().flat_map(|&l| if l == 0 { [1.0, 0.0] } else { [0.2, 0.8] });
    own.training.set_votes(votes.collect());
    let mut softened = recipe(2, 0.01);
    softened.data.ferplus = 0.5;
    let runs = [
        train(&home, "plain", &own, recipe(1, 0.01)),
        train(&home, "softened", &own, softened),
        train(&home, "others", &Dataset { training: images(2, 30, 9), ..own }, recipe(1, 0.01)),
    ]
    .map(|folder| Run::open(&folder).unwrap());
    let notes = Comparison::of(&runs, Vec::new()).unwrap().notes;
    let of = |start: &str| notes.iter().find(|note| note.starts_with(start)).unwrap();
    let votes = of("Trained on labels softened by votes");
    assert!(votes.contains("softened`") && !votes.contains("others`"), "{votes}");
    let others = of("Trained or selected on other images");
    assert!(others.contains("others`") && !others.contains("softened`"), "{others}");
}

#[test]
fn runs_that_differ_only_in_their_seed_are_one_line() {
    let home = home();
    let dataset = dataset(&["cat", "dog"]);
    let recipes = [("a1", recipe(1, 0.01)), ("a2", recipe(2, 0.01)), ("b", recipe(1, 0.02))];
    let runs: Vec<Run> = recipes
        .into_iter()
        .map(|(name, recipe)| Run::open(&train(&home, name, &dataset, recipe)).unwrap())
        .collect();
    let comparison = Comparison::of(&runs, Vec::new()).unwrap();
    let [a, b] = comparison.runs.as_slice() else { panic!("{:?}", comparison.runs) };
    assert_eq!((a.seeds.as_slice(), b.seeds.as_slice()), (&[1, 2][..], &[1][..]));
    assert_eq!((a.name.as_str(), b.name.as_str()), ("tiny <net> (a1)", "tiny <net> (b)"));

    // Of two values the mean is half their sum, the sample deviation their distance over √2.
    let nll = [0, 1].map(|index: usize| runs[index].validation.as_ref().unwrap().nll);
    let found = a.validation.as_ref().unwrap().nll;
    assert!((found.mean - (nll[0] + nll[1]) / 2.0).abs() < 1e-12);
    assert!((found.sd.unwrap() - (nll[0] - nll[1]).abs() / 2_f64.sqrt()).abs() < 1e-12);
    assert_eq!(b.validation.as_ref().unwrap().nll.sd, None);

    let markdown = comparison.markdown();
    assert_eq!(markdown.lines().filter(|line| line.contains("tiny <net>")).count(), 2);
    let html = comparison.html().unwrap();
    assert!(html.contains("tiny &lt;net&gt; (a1)") && !html.contains("<net>"));
    // Those that began with other weights are no sample of one thing.
    let mut others = vec![runs[0].clone(), runs[1].clone()];
    others[1].progress.initial_weights = Some("0".repeat(64));
    assert_eq!(Comparison::of(&others, Vec::new()).unwrap().runs.len(), 2);
    // The same run twice is no second sample.
    let twice = Comparison::of(&[runs[0].clone(), runs[0].clone()], Vec::new()).unwrap();
    assert_eq!(twice.runs.len(), 2);
}

#[test]
fn one_run_can_be_compared_and_none_cannot() {
    let home = home();
    let folder = train(&home, "run", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let comparison = Comparison::of(&[Run::open(&folder).unwrap()], Vec::new()).unwrap();
    assert_eq!(comparison.runs[0].name, "tiny <net>");
    let markdown = comparison.markdown();
    assert_eq!(markdown.lines().count(), 5, "{markdown}");
    assert!(markdown.contains("NLL and ECE there are uncalibrated: `"), "{markdown}");
    assert!(markdown.contains("F1 cat") && markdown.contains("| validation "), "{markdown}");
    assert!(matches!(Comparison::of(&[], Vec::new()), Err(CompareError::None)));
}

#[test]
fn runs_of_different_classes_are_not_compared() {
    let home = home();
    let a = train(&home, "a", &dataset(&["cat", "dog"]), recipe(1, 0.01));
    let b = train(&home, "b", &dataset(&["cat", "cow"]), recipe(1, 0.01));
    let runs = [a, b].map(|folder| Run::open(&folder).unwrap());
    let error = Comparison::of(&runs, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("a`: cat, dog") && error.contains("b`: cat, cow"), "{error}");
}

#[test]
fn validation_figures_are_the_evaluations_once_there_is_one() {
    let home = home();
    let dataset = dataset(&["cat", "dog"]);
    let folder = train(&home, "run", &dataset, recipe(1, 0.01));
    let before = Run::open(&folder).unwrap();
    assert_eq!(before.validated(), before.validation.as_ref());
    report::create(&folder, Some(&dataset)).unwrap();
    let run = Run::open(&folder).unwrap();
    let evaluated = &run.evaluation("validation").unwrap().whole;
    assert_eq!(run.validated(), Some(evaluated));
    // A fitted temperature changes the likelihood and no answer.
    let own = run.validation.as_ref().unwrap();
    assert!(evaluated.nll < own.nll && evaluated.accuracy == own.accuracy);
    let nll = evaluated.nll;
    let scores = Comparison::of(&[run], Vec::new()).unwrap().runs.remove(0).validation.unwrap();
    assert_eq!(scores.nll.mean, nll);
}
