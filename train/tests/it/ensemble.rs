//! Ensembles: the mean of their members' probabilities, scored as one model.

use std::path::{Path, PathBuf};

use fer_train::classes::Classes;
use fer_train::dataset::Split;
use fer_train::evaluate::{
    Calibration, EvaluateError, Evaluation, Scored, averaged_model, ensemble, evaluate, whole,
};
use fer_train::metrics::{Distributions, Metrics};

use crate::evaluate::{fer_train, write_csv};
use crate::support;

/// The checkpoint at `path` under another name, its last layer multiplied by `factor`.
fn member(path: &Path, name: &str, factor: f64) -> Scored {
    let (model, progress) = averaged_model(path).unwrap();
    tch::no_grad(|| {
        let _ = model.store.variables()["head.weight"].shallow_clone().g_mul_scalar_(factor);
    });
    Scored::Checkpoint {
        path: PathBuf::from(name),
        model: Box::new(model),
        progress: Box::new(progress),
        sha256: String::new(),
        calibration: Calibration::None,
    }
}

#[test]
fn an_ensemble_is_the_weighted_mean_of_its_calibrated_members() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let (path, dataset) = (support::trained(folder.path()), support::dataset());
    let mut members =
        [member(&path, "runs/a.safetensors", 3.0), member(&path, "runs/b.safetensors", -1.0)];
    let found = ensemble(&mut members, &[3.0, 1.0], &dataset, Split::Test).unwrap();

    // The members keep the temperature that was fitted.
    let answers: Vec<Distributions> = members
        .iter_mut()
        .map(|member| member.probabilities(&dataset.test, &dataset.classes, &mut whole).unwrap())
        .collect();
    let mut rows = Distributions::new(7);
    for (a, b) in answers[0].rows().zip(answers[1].rows()) {
        rows.push(a.iter().zip(b).map(|(a, b)| 0.75 * a + 0.25 * b));
    }
    let expected = Metrics::new(&rows, dataset.test.labels(), &dataset.classes);
    assert!((found.whole.nll - expected.nll).abs() < 1e-12);
    assert_eq!(found.whole.confusion, expected.confusion);

    let files: Vec<_> = found.models.iter().map(|m| (m.file.as_str(), m.weight)).collect();
    assert_eq!(files, [("a.safetensors", 0.75), ("b.safetensors", 0.25)]);
    for (member, line) in members.iter_mut().zip(&found.models) {
        let alone = evaluate(member, &dataset, Split::Test).unwrap();
        assert_eq!(line.accuracy, alone.whole.accuracy);
        assert_eq!(line.macro_f1, alone.whole.macro_f1());
        assert_eq!(line.calibration, alone.models[0].calibration);
    }
    assert_eq!(found.uncalibrated, None);
    let text = found.to_string();
    assert!(text.starts_with("ensemble of 2 on generated PrivateTest: accuracy"), "{text}");
    assert!(text.contains("a.safetensors") && text.contains("mean of softmax"), "{text}");
}

#[test]
fn copies_of_one_model_are_that_model() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let (path, dataset) = (support::trained(folder.path()), support::dataset());
    let alone = evaluate(&mut member(&path, "a", 1.0), &dataset, Split::Test).unwrap();
    let mut copies = [member(&path, "a", 1.0), member(&path, "b", 1.0)];
    let found = ensemble(&mut copies, &[1.0, 1.0], &dataset, Split::Test).unwrap();
    assert_eq!(found.whole.confusion, alone.whole.confusion);
    assert!((found.whole.nll - alone.whole.nll).abs() < 1e-12);
}

#[test]
fn members_that_differ_too_few_and_odd_weights_are_errors() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let (path, dataset) = (support::trained(folder.path()), support::dataset());
    let mut members = [member(&path, "a", 1.0), member(&path, "b", 1.0)];
    let with = |members: &mut [Scored], weights: &[f64]| {
        ensemble(members, weights, &dataset, Split::Test).unwrap_err()
    };
    assert!(matches!(with(&mut members[..1], &[1.0]), EvaluateError::TooFew(1)));
    for weights in [&[1.0][..], &[1.0, 0.0], &[1.0, f64::NAN], &[1.0, 1.0, 1.0]] {
        let error = with(&mut members, weights);
        assert!(matches!(error, EvaluateError::Weights { members: 2, .. }), "{error}");
    }
    let Scored::Checkpoint { progress, .. } = &mut members[1] else { panic!() };
    progress.classes = Classes::from_names(&["cat", "dog"].map(str::to_owned)).0;
    assert_eq!(
        with(&mut members, &[1.0, 1.0]).to_string(),
        "the models have different classes; expected the same of all:\n  \
         `a`: anger, disgust, fear, happiness, sadness, surprise, neutral\n  `b`: cat, dog"
    );
}

#[test]
fn the_command_writes_its_figures_beside_the_first_model() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let (path, csv) = (support::trained(folder.path()), folder.path().join("data.csv"));
    write_csv(&support::dataset(), &csv);
    let (model, data) = (path.to_str().unwrap(), csv.to_str().unwrap());
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("ensemble-") && name.ends_with(".PublicTest.json")
        };
        paths.retain(is_it);
        paths
    };
    let printed = fer_train(&["ensemble", model, model, "--data", data, "--weights", "1,3"]);
    let first = files();
    assert_eq!(first.len(), 1);
    let json = std::fs::read_to_string(&first[0]).unwrap();
    let evaluation: Evaluation = serde_json::from_str(&json).unwrap();
    assert_eq!(printed, evaluation.to_string());
    assert_eq!(evaluation.models[1].weight, 0.75);
    // The order makes no difference, other weights do.
    fer_train(&["ensemble", model, model, "--data", data, "--weights", "3,1"]);
    assert_eq!(files(), first);
    fer_train(&["ensemble", model, model, "--data", data]);
    assert_eq!(files().len(), 2);
    assert!(printed.lines().all(|line| line.chars().count() <= 100), "{printed}");
}
