//! Scoring: temperature, views, twins, votes, and what cannot be scored.

use std::path::{Path, PathBuf};
use std::process::Command;

use fer_core::geometry::Rect;
use fer_core::manifest::sha256_hex;
use fer_core::preprocess::Crop;
use fer_train::classes::Classes;
use fer_train::dataset::{Dataset, Images, Split};
use fer_train::evaluate::{
    Calibration, EvaluateError, Evaluation, Framing, JitterOptions, Options, ScoreError, Scored,
    Tta, averaged_model, checkpoint_logits, ensemble, evaluate, json_path, whole,
};
use fer_train::export::{Description, Exported, export, onnx_file, write};
use fer_train::metrics::Distributions;
use fer_train::recipe::BalanceRecipe;

use crate::networks::description;
use crate::{support, tiny};

/// A tiny net that has learnt next to nothing, in a folder of its own.
struct Net {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn net() -> Net {
    let folder = tempfile::tempdir().unwrap();
    let path = support::trained(folder.path());
    Net { folder, path }
}

impl Net {
    fn scored(&self) -> Scored {
        Scored::open(&self.path).unwrap()
    }

    fn exported(&self) -> Exported {
        let (model, progress) = averaged_model(&self.path).unwrap();
        let description = Description {
            name: "tiny".into(),
            licence: "none".into(),
            source: "a test".into(),
            crop: Crop { margin: 0.0, square: true },
        };
        let validation = support::dataset().validation;
        export(&model, &progress, &validation, Path::new("tiny.onnx"), &description).unwrap()
    }

    /// The net as an ONNX file with its manifest.
    fn onnx(&self) -> PathBuf {
        write(&self.exported(), &self.folder.path().join("tiny.onnx")).unwrap().unwrap()
    }
}

fn options(split: Split, tta: Tta) -> Options {
    Options { tta, ..Options::from(split) }
}

fn mirrored(images: &Images) -> Images {
    let mut mirrored = Images::new(images.shape(), images.classes());
    for (pixels, label) in images.iter() {
        let mut pixels = pixels.to_vec();
        pixels.chunks_exact_mut(images.shape().width).for_each(<[u8]>::reverse);
        mirrored.push(&pixels, label);
    }
    mirrored
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

#[test]
fn a_checkpoint_gets_the_temperature_of_the_validation_split() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let test = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    let validation = evaluate(&mut net.scored(), &dataset, Split::Validation).unwrap();
    let Calibration::Fitted { temperature, split } = &test.models[0].calibration else {
        panic!("{:?}", test.models);
    };
    assert_eq!(split, "PublicTest");
    assert_eq!(test.models[0].calibration, validation.models[0].calibration);

    // Nothing has a lower likelihood loss on the split than the fitted temperature.
    let logits = net.scored().outputs(&dataset.validation, &mut whole).unwrap();
    let nll = |temperature: f64| {
        let rows = Distributions::of_logits(&logits, 7, temperature);
        let labels = dataset.validation.labels();
        fer_train::metrics::Metrics::new(&rows, labels, &dataset.classes).nll
    };
    close(validation.whole.nll, nll(*temperature), 1e-12);
    close(validation.uncalibrated.unwrap().whole.nll, nll(1.0), 1e-12);
    for other in [temperature * 0.98, temperature * 1.02, 1.0] {
        assert!(other > 5.0 || nll(*temperature) <= nll(other) + 1e-9);
    }
    let text = test.to_string();
    assert!(
        text.contains(&format!("temperature {temperature:.3}, fitted on PublicTest")),
        "{text}"
    );
    assert!(text.contains("before it, at temperature 1: NLL"), "{text}");
}

#[test]
fn an_onnx_file_has_its_manifests_temperature_and_its_checkpoints_figures() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let checkpoint = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    let onnx = evaluate(&mut Scored::open(&net.onnx()).unwrap(), &dataset, Split::Test).unwrap();
    assert!(matches!(onnx.models[0].calibration, Calibration::Manifest { .. }));
    assert_eq!(onnx.uncalibrated, None);
    let temperature = |evaluation: &Evaluation| evaluation.models[0].calibration.temperature();
    close(temperature(&onnx), temperature(&checkpoint), 1e-6);
    close(onnx.whole.nll, checkpoint.whole.nll, 1e-4);
    assert_eq!(onnx.whole.confusion, checkpoint.whole.confusion);
    assert!(onnx.to_string().contains("the manifest's"), "{onnx}");
}

#[test]
fn without_validation_images_a_checkpoint_stays_uncalibrated_and_says_so() {
    let (_turn, net) = (support::turn(), net());
    let dataset = Dataset { validation: support::images(0, 0), ..support::dataset() };
    let evaluation = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    assert_eq!(evaluation.models[0].calibration, Calibration::None);
    assert_eq!(evaluation.uncalibrated, None);
    assert!(evaluation.to_string().contains("uncalibrated: no validation images"), "{evaluation}");
}

#[test]
fn figures_without_twins_are_those_of_the_other_images_alone() {
    let (_turn, net, mut dataset) = (support::turn(), net(), support::dataset());
    for index in (0..28).step_by(3) {
        let twin = dataset.test.image(index).to_vec();
        dataset.training.push(&twin, 0);
    }
    let alone = Dataset { test: dataset.without_training_twins(Split::Test), ..dataset.clone() };
    let all = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    let alone = evaluate(&mut net.scored(), &alone, Split::Test).unwrap();
    let others = all.without_twins.as_ref().unwrap();
    assert_eq!((all.whole.images, others.images), (28, 18));
    assert_eq!(*others, alone.whole);
    assert_eq!(all.coverage.without_twins.as_ref(), Some(&alone.coverage.whole));
    assert!(all.to_string().contains("18 images, without the 10 that are"), "{all}");
}

#[test]
fn where_all_images_have_a_twin_there_are_no_figures_without() {
    let (_turn, net, mut dataset) = (support::turn(), net(), support::dataset());
    dataset.training.extend(&dataset.test);
    let found = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    assert_eq!((&found.without_twins, &found.coverage.without_twins), (&None, &None));
    let text = found.to_string();
    assert!(text.contains("every image is pixel-identical to a training image"), "{text}");
    assert!(!text.contains("without twins"), "{text}");
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["without_twins"].is_null(), "{json}");
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), found);
    // An older figure is none of these images.
    let mut manifest = net.exported().manifest;
    let mut before = found.clone();
    before.without_twins = Some(found.whole.clone());
    before.put_into(&mut manifest).unwrap();
    assert_eq!(manifest.metrics.len(), 2);
    found.put_into(&mut manifest).unwrap();
    assert_eq!(manifest.metrics.len(), 1);
}

#[test]
fn a_mirrored_view_is_the_mirrored_image_exactly() {
    let (_turn, net, images) = (support::turn(), net(), support::images(14, 5));
    let mut scored = net.scored();
    let mut mirror = |_: usize, area: &Rect| Framing { region: *area, mirrored: true };
    let seen = scored.outputs(&images, &mut mirror).unwrap();
    assert_eq!(seen, scored.outputs(&mirrored(&images), &mut whole).unwrap());
    assert_ne!(seen, scored.outputs(&images, &mut whole).unwrap());
}

#[test]
fn augmented_views_are_averaged_and_stated() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let with = |dataset: &Dataset, tta: Tta| {
        evaluate(&mut net.scored(), dataset, options(Split::Test, tta)).unwrap()
    };
    let plain = with(&dataset, Tta::None);
    assert!(plain.to_string().contains("test-time augmentation: none"), "{plain}");
    assert_eq!(plain.file_name(), "PrivateTest");
    let turned = Dataset { test: mirrored(&dataset.test), ..dataset.clone() };
    for tta in [Tta::Flip, Tta::TenCrop] {
        let (found, of_turned) = (with(&dataset, tta), with(&turned, tta));
        // Each set of views is its own mirror image.
        close(found.whole.nll, of_turned.whole.nll, 1e-6);
        assert!((found.whole.nll - plain.whole.nll).abs() > 1e-9, "the views change nothing");
        let stated = format!("test-time augmentation: {}", tta.name());
        assert!(found.to_string().contains(&stated), "{found}");
        assert_eq!(found.file_name(), format!("PrivateTest.{}", tta.name()));
        // The temperature is the model's, whatever the views.
        assert_eq!(found.models[0].calibration, plain.models[0].calibration);
    }
}

#[test]
fn flip_is_the_mean_of_two_views() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let found = evaluate(&mut net.scored(), &dataset, options(Split::Validation, Tta::Flip));
    let found = found.unwrap();
    let mut scored = net.scored();
    let temperature = found.models[0].calibration.temperature();
    let views = [dataset.validation.clone(), mirrored(&dataset.validation)].map(|images| {
        let logits = scored.outputs(&images, &mut whole).unwrap();
        Distributions::of_logits(&logits, 7, temperature)
    });
    let mut nll = 0.0;
    for (index, (a, b)) in views[0].rows().zip(views[1].rows()).enumerate() {
        let label = dataset.validation.labels()[index];
        nll -= f64::midpoint(a[label], b[label]).ln() / 28.0;
    }
    close(found.whole.nll, nll, 1e-12);
}

#[test]
fn jitter_is_repeatable_and_has_a_spread() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let with = |seed: u64, repetitions: usize| {
        let jitter = Some(JitterOptions { seed, repetitions });
        let options = Options { jitter, ..Options::from(Split::Test) };
        evaluate(&mut net.scored(), &dataset, options)
    };
    let first = with(1, 3).unwrap();
    assert_eq!(first, with(1, 3).unwrap());
    let jitter = first.jitter.as_ref().unwrap();
    assert_ne!(jitter.levels, with(2, 3).unwrap().jitter.unwrap().levels);
    let strengths: Vec<f32> = jitter.levels.iter().map(|level| level.jitter).collect();
    assert_eq!(strengths, [0.05, 0.1, 0.15]);
    assert!(jitter.levels.iter().any(|level| level.accuracy.sd > Some(0.0)), "{jitter:?}");
    assert!(jitter.levels.iter().all(|level| (0.0..=1.0).contains(&level.macro_f1.mean)));
    assert!(first.to_string().contains("3 repetitions, seed 1"), "{first}");
    assert!(matches!(with(1, 1), Err(EvaluateError::Repetitions(1))));
}

#[test]
fn votes_are_a_second_reference() {
    let (_turn, net, mut dataset) = (support::turn(), net(), support::dataset());
    assert_eq!(evaluate(&mut net.scored(), &dataset, Split::Test).unwrap().ferplus, None);
    // All agree with the label, but on the last image nobody has an opinion.
    let mut votes = vec![0.0; 28 * 7];
    for (index, &label) in dataset.test.labels()[..27].iter().enumerate() {
        votes[index * 7 + label] = 1.0;
    }
    dataset.test.set_votes(votes);
    let twin = dataset.test.image(0).to_vec();
    dataset.training.push(&twin, 0);
    let found = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    let ferplus = found.ferplus.unwrap();
    assert_eq!((ferplus.whole.images, ferplus.without_twins.unwrap().images), (27, 26));
    let voted =
        Dataset { test: dataset.test.filtered(|x| x != dataset.test.image(27)), ..dataset.clone() };
    let voted = evaluate(&mut net.scored(), &voted, Split::Test).unwrap();
    close(ferplus.whole.accuracy.unwrap(), voted.whole.accuracy, 1e-12);
    close(ferplus.whole.macro_f1.unwrap(), voted.whole.macro_f1(), 1e-12);
    close(ferplus.whole.cross_entropy.unwrap(), voted.whole.nll, 1e-12);
    assert!(found.to_string().contains("against FER+ votes"), "{found}");
}

#[test]
fn logit_adjustment_divides_by_what_was_learnt() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let options = |tau: f64| Options { logit_adjustment: Some(tau), ..Options::from(Split::Test) };
    let of = |counts: &[usize], balance: BalanceRecipe| {
        let mut scored = net.scored();
        if let Scored::Checkpoint { progress, .. } = &mut scored {
            progress.data.class_counts = counts.to_vec();
            progress.recipe.balance = balance;
        }
        scored
    };
    let with = |counts: &[usize], dataset: &Dataset, tau: f64| {
        evaluate(&mut of(counts, BalanceRecipe::None), dataset, options(tau))
    };
    let plain = evaluate(&mut net.scored(), &dataset, Split::Test).unwrap();
    // Ten images a class: nothing to adjust, whatever classes the data have.
    let lacking = Dataset { training: support::images(5, 1), ..dataset.clone() };
    for data in [&dataset, &lacking] {
        close(with(&[10; 7], data, 2.0).unwrap().whole.nll, plain.whole.nll, 1e-12);
    }
    let called = |evaluation: &Evaluation| -> usize {
        evaluation.whole.confusion.iter().map(|row| row[1]).sum()
    };
    let rare = [40, 10, 40, 40, 40, 40, 40];
    let strong = with(&rare, &dataset, 20.0).unwrap();
    assert_eq!(called(&strong), 28, "disgust is four times as rare: 4²⁰ outweighs all else");
    assert!(strong.to_string().contains("log p − 20 · log training frequency"), "{strong}");
    assert_eq!(strong.file_name(), "PrivateTest.adjusted-20");
    let mut manifest = net.exported().manifest;
    assert!(matches!(strong.put_into(&mut manifest), Err(EvaluateError::NotPlain)));
    // Balanced to the full they are learnt as if all were as frequent.
    let full = BalanceRecipe::ClassWeights { power: 1.0 };
    let even = evaluate(&mut of(&rare, full), &dataset, options(20.0)).unwrap();
    close(even.whole.nll, plain.whole.nll, 1e-9);
    for tau in [f64::NAN, f64::INFINITY, -1.0] {
        let error = with(&rare, &dataset, tau);
        assert!(matches!(error, Err(EvaluateError::Adjustment(_))));
    }

    // An ONNX file by its manifest's prior; without one nobody knows.
    let onnx = |prior: Option<Vec<f32>>| {
        let mut exported = net.exported();
        exported.manifest.output.prior = prior;
        let path = write(&exported, &net.folder.path().join("tiny.onnx")).unwrap().unwrap();
        evaluate(&mut Scored::open(&path).unwrap(), &dataset, options(20.0))
    };
    let prior = rare.map(|count| count as f32 / 250.0).to_vec();
    let found = onnx(Some(prior)).unwrap();
    assert_eq!(called(&found), 28);
    close(found.whole.nll, strong.whole.nll, 1e-3);
    let error = onnx(None).unwrap_err().to_string();
    assert!(error.contains("tiny.yaml` learnt") && error.contains("no `output.prior`"), "{error}");
    // What is given to the members of an ensemble is the mean of theirs.
    let mut members = [[70, 10, 70, 70, 70, 70, 70], [10, 370, 10, 10, 10, 10, 10]]
        .map(|counts| of(&counts, BalanceRecipe::None));
    // (10 / 430 + 370 / 430) / 2 = 0.4419 for disgust, (70 + 10) / 860 = 0.0930 for each other.
    let both = ensemble(&mut members, &[1.0, 1.0], &dataset, options(20.0)).unwrap();
    let mean = with(&[930, 4419, 930, 930, 930, 930, 930], &dataset, 20.0).unwrap();
    assert_eq!(both.whole.confusion, mean.whole.confusion);
    assert_eq!(called(&both), 0);
}

#[test]
fn an_exported_network_is_scored_on_classes_that_are_no_emotions_too() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let names = ["happy", "sad", "angry", "fear", "contempt", "surprise", "neutral"];
    let (classes, _) = Classes::from_names(&names.map(str::to_owned));
    let (model, shape) = (tiny::model(&recipe), recipe.input.image_shape());
    let progress = tiny::progress(&recipe, classes.clone());
    let dataset = Dataset { classes: classes.clone(), ..tiny::dataset(shape, 14, 70) };
    let images = &dataset.validation;
    let onnx = folder.path().join("tiny.onnx");
    let exported =
        export(&model, &progress, images, Path::new("tiny.onnx"), &description()).unwrap();
    let mut scored = Scored::open(&write(&exported, &onnx).unwrap().unwrap()).unwrap();
    let found = evaluate(&mut scored, &dataset, Split::Validation).unwrap();
    let temperature = f64::from(exported.manifest.output.temperature);
    let logits = checkpoint_logits(&model, &progress, images, &mut whole).unwrap();
    let rows = Distributions::of_logits(&logits, 7, temperature);
    let expected = fer_train::metrics::Metrics::new(&rows, images.labels(), &classes);
    close(found.whole.nll, expected.nll, 1e-5);
    assert_eq!(found.whole.classes[1].class, "contempt");
    assert_eq!(scored.frequencies(&classes).unwrap().len(), 7);
    // Of other data it tells only the emotions apart.
    let names = ["happy", "sad"].map(str::to_owned);
    let error = scored.check(&Classes::from_names(&names).0).unwrap_err().to_string();
    assert!(error.contains("ignore"), "{error}");
}

#[test]
fn nan_is_an_error_and_not_the_first_class() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let (model, mut progress) = averaged_model(&net.path).unwrap();
    tch::no_grad(|| {
        let _ = model.store.variables()["head.bias"].get(2).fill_(f64::NAN);
    });
    // As an ONNX file, which `export` would refuse.
    progress.recipe.name = "broken".into();
    let bytes = onnx_file(&model, &progress, "broken");
    let mut exported = net.exported();
    exported.manifest.sha256 = sha256_hex(&bytes);
    let onnx = write(&Exported { onnx: bytes, ..exported }, &net.folder.path().join("tiny.onnx"));
    let checkpoint = Scored::Checkpoint {
        path: "broken.safetensors".into(),
        model: Box::new(model),
        progress: Box::new(progress),
        sha256: String::new(),
        calibration: Calibration::None,
    };
    for (mut scored, name) in [
        (checkpoint, "broken.safetensors"),
        (Scored::open(&onnx.unwrap().unwrap()).unwrap(), "tiny.yaml"),
    ] {
        let error = evaluate(&mut scored, &dataset, Split::Test).unwrap_err();
        assert!(
            matches!(error, EvaluateError::Score(ScoreError::Output { image: 0, .. })),
            "{error}"
        );
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("fear") && text.contains("NaN"), "{text}");
    }
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let empty = Dataset { test: support::images(0, 0), ..dataset.clone() };
    let error = evaluate(&mut net.scored(), &empty, Split::Test).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data set has no PrivateTest images to score; expected at least one"
    );

    let names = ["happy", "sad"].map(str::to_owned);
    let other = Dataset { classes: Classes::from_names(&names).0, ..dataset };
    for mut scored in [net.scored(), Scored::open(&net.onnx()).unwrap()] {
        let error = evaluate(&mut scored, &other, Split::Test).unwrap_err().to_string();
        assert!(error.contains("anger, disgust, fear, happiness"), "{error}");
        assert!(error.ends_with("expected the data set's, happiness, sadness"), "{error}");
    }
}

/// `dataset` as FER2013's CSV.
pub(crate) fn write_csv(dataset: &Dataset, path: &Path) {
    let mut text = "emotion,pixels,Usage\n".to_owned();
    for split in [Split::Training, Split::Validation, Split::Test] {
        for (pixels, label) in dataset.images(split).iter() {
            let pixels: Vec<String> = pixels.iter().map(u8::to_string).collect();
            text += &format!("{label},{},{}\n", pixels.join(" "), dataset.split_name(split));
        }
    }
    std::fs::write(path, text).unwrap();
}

/// What `fer-train` prints, having succeeded.
pub(crate) fn fer_train(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fer-train")).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn degraded_images_are_scored_repeatably() {
    let (_turn, net, dataset) = (support::turn(), net(), support::dataset());
    let with = |degraded: bool| {
        let options = Options { degraded, ..Options::from(Split::Test) };
        evaluate(&mut net.scored(), &dataset, options).unwrap().degraded
    };
    let first = with(true);
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|degraded| (0.0..=1.0).contains(&degraded.accuracy)));
    assert_eq!(with(true), first);
    assert!(with(false).is_empty());
}

#[test]
fn the_command_prints_what_its_json_holds() {
    let (_turn, net) = (support::turn(), net());
    let (csv, plots) = (net.folder.path().join("data.csv"), net.folder.path().join("plots"));
    write_csv(&support::dataset(), &csv);
    let (model, data) = (net.path.to_str().unwrap(), csv.to_str().unwrap());
    let printed = fer_train(&[
        "evaluate",
        "--model",
        model,
        "--data",
        data,
        "--split",
        "test",
        "--tta",
        "flip",
        "--jitter",
        "--jitter-repetitions",
        "2",
        "--degraded",
        "--logit-adjustment",
        "0.5",
        "--plots",
        plots.to_str().unwrap(),
    ]);
    let json = json_path(&net.path, "PrivateTest.flip.adjusted-0.5");
    let evaluation: Evaluation =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(printed, evaluation.to_string());
    assert!(printed.lines().all(|line| line.chars().count() <= 100), "{printed}");
    for name in ["confusion", "reliability", "coverage"] {
        let file = |kind| plots.join(format!("{name}.PrivateTest.flip.adjusted-0.5.{kind}"));
        assert!(std::fs::read_to_string(file("svg")).unwrap().contains("<svg"));
        assert!(std::fs::read(file("png")).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn the_command_says_where_the_data_are_not_those_learnt_from() {
    let (_turn, net) = (support::turn(), net());
    let own = net.folder.path().join("own.csv");
    let other = net.folder.path().join("other.csv");
    write_csv(&support::dataset(), &own);
    write_csv(&Dataset { training: support::images(7, 1), ..support::dataset() }, &other);
    let printed = |data: &Path| {
        fer_train(&[
            "evaluate",
            "--model",
            net.path.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ])
    };
    assert!(!printed(&own).contains("other data"));
    let figures = json_path(&net.path, "PublicTest");
    let before = std::fs::read(&figures).unwrap();
    let told = printed(&other);
    assert!(told.contains("best.safetensors learnt from other data"), "{told}");
    assert_eq!(std::fs::read(&figures).unwrap(), before);
    assert!(json_path(&net.path, "PublicTest.other-data").is_file());
}

#[test]
fn figures_that_cannot_be_written_are_printed() {
    let (_turn, net) = (support::turn(), net());
    let csv = net.folder.path().join("data.csv");
    write_csv(&support::dataset(), &csv);
    // In the place of a folder there is a file.
    let json = net.path.join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(["evaluate", "--model"])
        .args([&net.path, Path::new("--data"), &csv, Path::new("--json"), &json])
        .output()
        .unwrap();
    let (printed, told) =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).into();
    assert!(printed.contains("macro-F1"), "{printed}");
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("figures.json`: Not a directory"), "{told}");
}

#[test]
fn exporting_and_pruning_by_other_data_is_told() {
    let (_turn, net) = (support::turn(), net());
    let at = |name: &str| net.folder.path().join(name);
    write_csv(&support::dataset(), &at("own.csv"));
    let other = Dataset { training: support::images(7, 1), ..support::dataset() };
    write_csv(&other, &at("other.csv"));
    let told = |data: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .current_dir(net.folder.path())
            .args(["export", "best.safetensors", "--licence", "none", "--out", "a.onnx"])
            .args(["--data", data])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        told
    };
    assert!(!told("own.csv").contains("other data"));
    let warned = told("other.csv");
    let warning = "warning: `best.safetensors` learnt from and selected on other data than these of \
                   `other.csv`";
    assert!(warned.contains(warning), "{warned}");
}
