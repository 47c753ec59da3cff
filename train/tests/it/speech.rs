//! Readers that go away.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use fer_train::run::LOG;

use crate::evaluate::write_csv;
use crate::support;

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
    let file = |name: &str| folder.path().join(name);
    let (recipe, csv, out) = (file("recipe.yaml"), file("data.csv"), file("run"));
    std::fs::write(&recipe, support::recipe(2).to_yaml().unwrap()).unwrap();
    write_csv(&support::dataset(), &csv);
    let status =
        unheard(&["train".as_ref(), &recipe, "--data".as_ref(), &csv, "--out".as_ref(), &out]);
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(out.join(LOG)).unwrap();
    assert_eq!(log.lines().count(), 3, "{log}");
}

#[test]
fn figures_that_nobody_reads_are_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("data.csv");
    write_csv(&support::dataset(), &csv);
    let status = unheard(&["inspect".as_ref(), &csv]);
    assert!(status.success(), "{status}");
}
