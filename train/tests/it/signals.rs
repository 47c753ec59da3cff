//! Signals to a run: it is saved after the epoch that is under way; a second one ends it at once.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use fer_train::checkpoint::Header;
use fer_train::run::{LAST, REPORT};

use crate::speech::files;
use crate::support;

/// A run of very many epochs, of which none is to be saved for an hour.
fn started([recipe, csv]: &[PathBuf; 2], out: &Path) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(["train".as_ref(), recipe.as_path(), "--data".as_ref(), csv, "--out".as_ref(), out])
        .args(["--resume", "--save-every", "3600"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    (child, told)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Lines up to one that begins like that.
fn read_to(told: &mut impl BufRead, start: &str) -> String {
    let mut all = String::new();
    for line in told.lines().map(Result::unwrap) {
        all += &format!("{line}\n");
        if line.starts_with(start) {
            return all;
        }
    }
    panic!("no `{start}`: {all}");
}

#[test]
fn the_first_signal_saves_and_the_run_goes_on_later() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let (files, out) = (files(folder.path(), 50_000), folder.path().join("run"));
    let mut least = 1;
    for (name, status) in [("TERM", 143), ("INT", 130)] {
        let (mut child, mut told) = started(&files, &out);
        read_to(&mut told, &format!("epoch {least}/"));
        signal(&child, name);
        let all = read_to(&mut told, "fer-train: error: SIG");
        assert!(all.contains(&format!("error: SIG{name}: saved after")), "{all}");
        assert!(all.contains("--resume goes on from there"), "{all}");
        assert_eq!(child.wait().unwrap().code(), Some(status));
        let done = Header::read(&out.join(LAST)).unwrap().progress.epochs_done;
        assert!(done >= least, "{done}");
        least = done + 1;
        assert!(!out.join(REPORT).exists());
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let ([recipe, csv], out) = (files(folder.path(), 2), folder.path().join("run"));
    // An epoch that takes seconds at least.
    let long = std::fs::read_to_string(&recipe).unwrap().replace("size: 48", "size: 1024");
    std::fs::write(&recipe, long).unwrap();
    let (mut child, mut told) = started(&[recipe, csv], &out);
    read_to(&mut told, "nothing to go on with");
    // Until then the signal ends it anyway: it has nothing to save.
    while !out.join(fer_train::run::INFO).exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    for _ in 0..2 {
        signal(&child, "TERM");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(!out.join(LAST).exists());
}
