//! What the program says, and readers that go away.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use fer_train::recipe::{EarlyStopping, Quantity, ScheduleRecipe};
use fer_train::run::LOG;

use crate::evaluate::write_csv;
use crate::support;

/// A tiny recipe and data for it, as files in a folder.
pub(crate) fn files(folder: &Path, epochs: usize) -> [PathBuf; 2] {
    let [recipe, csv] = ["recipe.yaml", "data.csv"].map(|name| folder.join(name));
    std::fs::write(&recipe, support::recipe(epochs).to_yaml().unwrap()).unwrap();
    write_csv(&support::dataset(), &csv);
    [recipe, csv]
}

/// How `fer-train` ends where nobody reads what it says.
fn unheard(arguments: &[&Path]) -> ExitStatus {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap()
}

#[test]
fn a_run_goes_on_where_nobody_reads_what_it_says() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let ([recipe, csv], out) = (files(folder.path(), 2), folder.path().join("run"));
    let status =
        unheard(&["train".as_ref(), &recipe, "--data".as_ref(), &csv, "--out".as_ref(), &out]);
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(out.join(LOG)).unwrap();
    assert_eq!(log.lines().count(), 3, "{log}");
}

#[test]
fn a_run_that_begins_anew_says_so() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let ([recipe, csv], out) = (files(folder.path(), 1), folder.path().join("run"));
    let told = || {
        let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .args(["train".as_ref(), recipe.as_path(), "--data".as_ref(), &csv])
            .args(["--out".as_ref(), out.as_path(), "--resume".as_ref()])
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let first = told();
    assert!(first.contains("nothing to go on with in `"), "{first}");
    let second = told();
    assert!(second.contains("going on after epoch 1"), "{second}");
}

#[test]
fn a_checkpoint_is_told_from_a_manifest() {
    let beside = ["--data", "data.csv", "--out", "a.onnx", "--name", "a"];
    for arguments in [
        &["steadiness", "--model", "a.safetensors", "--data", "data.csv"][..],
        &["bench", "--model", "a.safetensors"],
        &[&["join", "b.yaml", "a.safetensors"][..], &beside].concat(),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_fer-train")).args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(told.contains("`a.safetensors` is a checkpoint; expected a manifest"), "{told}");
    }
}

#[test]
fn figures_that_nobody_reads_are_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("data.csv");
    write_csv(&support::dataset(), &csv);
    let status = unheard(&["inspect".as_ref(), &csv]);
    assert!(status.success(), "{status}");
}

#[test]
fn a_run_that_had_ended_early_says_that_nothing_is_left_to_train() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let ([recipe, csv], out) = (files(folder.path(), 50), folder.path().join("run"));
    let mut stopping = support::recipe(50);
    stopping.optimiser.learning_rate = 1e-9;
    stopping.schedule = ScheduleRecipe::Constant;
    stopping.early_stopping = Some(EarlyStopping { monitor: Quantity::Accuracy, patience: 1 });
    std::fs::write(&recipe, stopping.to_yaml().unwrap()).unwrap();
    let told = |epochs: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .args(["train".as_ref(), recipe.as_path(), "--data".as_ref(), &csv])
            .args(["--out".as_ref(), out.as_path(), "--resume".as_ref(), "--set".as_ref()])
            .arg(format!("optimiser.epochs={epochs}"))
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        told
    };
    let first = told("50");
    assert!(first.contains("\nended early: no better validation figure"), "{first}");
    let longer = told("60");
    assert!(longer.contains("nothing is left to train of 60 epochs"), "{longer}");
    assert!(!longer.contains("\nended early"), "{longer}");
}

#[test]
fn names_licences_and_margins_are_checked_first() {
    let beside = ["export", "none.safetensors", "--data", "d.csv", "--out", "a.onnx"];
    for (arguments, expected) in [
        (&["--licence", " "][..], "invalid value ' ' for '--licence"),
        (&["--name", ""], "invalid value '' for '--name"),
        (&["--crop-margin", "-.5"], "invalid value '-.5' for '--crop-margin"),
        // Accepted: what is missing is the checkpoint.
        (&["--crop-margin", "-.4"], "none.safetensors"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .args(beside)
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(expected), "{arguments:?}: {told}");
    }
}
