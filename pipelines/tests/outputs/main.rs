//! Outputs that write pictures or serve video, read back with real decoders and clients, and
//! recordings in a row: as their users run them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faces;
mod hls;
mod recordings;
mod restream;
mod videos;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn fer(folder: &Path, yaml: &str) -> Command {
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(["run", "p.yaml"]).current_dir(folder).env_remove("G_DEBUG");
    command
}

fn run(folder: &Path, yaml: &str) -> Output {
    fer(folder, yaml).output().unwrap()
}

fn start(folder: &Path, yaml: &str) -> Child {
    fer(folder, yaml).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Interrupts a run; what it said.
fn stop(child: Child) -> String {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    text(&child.wait_with_output().unwrap().stderr)
}

/// Takes the folder `out` away from a run that writes into it, and waits until its lines go on all the same;
/// what the run said.
fn lose_the_folder(child: Child, folder: &Path) -> String {
    let out = folder.join("out");
    // A file instead: also root can write nothing there.
    std::fs::rename(&out, folder.join("elsewhere")).unwrap();
    std::fs::write(&out, "").unwrap();
    let written = || lines(folder.join("lines.jsonl")).len();
    std::thread::sleep(Duration::from_secs(3));
    let before = written();
    until("more lines", || written() > before + 25);
    stop(child)
}

/// Waits until `done`, for at most half a minute.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The whole lines of a file of JSON Lines.
fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
