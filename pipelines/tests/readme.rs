//! What the README and the pages in `docs/` tell their readers to type, typed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Commands of the launcher, not of this program.
const LAUNCHERS: [&str; 1] = ["./fer deb"];

/// The documents with commands. Each is followed in a folder of its own, as a reader would.
const WITH_COMMANDS: [&str; 5] = [
    "README.md",
    "docs/installing.md",
    "docs/pipelines.md",
    "docs/recordings.md",
    "docs/tuning.md",
];

/// Commands of which only the arguments are tried, and why.
const ONLY_PARSED: [(&str, &str); 3] = [
    ("./fer watch", "shows a window; tests/terminal.rs looks at one"),
    ("./fer models get", "asks the network; src/models.rs has tests that fetch from loopback"),
    ("./fer bench", "takes minutes"),
];

/// Commands whose exit code tells of the machine.
const OF_THIS_MACHINE: [&str; 2] = ["./fer doctor", "./fer devices"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

/// The README and all pages in `docs/`.
fn documents() -> Vec<String> {
    let mut documents = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            documents.push(format!("docs/{name}"));
        }
    }
    documents.sort();
    documents
}

/// What stands between ```` ```LANGUAGE ```` and ```` ``` ````.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    text.split(opening.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The lines of shell blocks that call `./fer`, perhaps after a variable.
fn commands(text: &str) -> Vec<&str> {
    blocks(text, "sh")
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| line.split_whitespace().find(|word| !word.contains('=')) == Some("./fer"))
        .collect()
}

/// A folder in which a reader might stand: the program, the pipeline files, some recordings.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_fer"), at("fer")).unwrap();
    symlink(env!("CARGO_MANIFEST_DIR"), at("pipelines")).unwrap();
    std::fs::create_dir(at("recordings")).unwrap();
    std::fs::create_dir(at("cctv")).unwrap();
    for name in ["in.mp4", "cctv/yard.mkv"] {
        let yaml = format!(
            "{{ version: 1, streams: {{ made: {{ source: {{ test: {{ pattern: face, frames: 30 }} }}, \
             analysis: {{ detector: none }}, \
             outputs: [ {{ video: {{ file: {name}, overlay: none, encoder: software }} }} ] }} }} }}"
        );
        std::fs::write(at("made.yaml"), yaml).unwrap();
        succeeds(folder.path(), "./fer run made.yaml");
    }
    for name in ["talk.mp4", "recordings/one.mp4", "recordings/two.mp4"] {
        std::fs::copy(at("in.mp4"), at(name)).unwrap();
    }
    folder
}

fn shell(folder: &Path, line: &str) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .env("XDG_DATA_HOME", folder)
        .output()
        .unwrap()
}

fn has_graphviz() -> bool {
    Command::new("dot").arg("-V").output().is_ok()
}

fn succeeds(folder: &Path, line: &str) {
    let output = shell(folder, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Types the commands of a document; `results` must be there afterwards.
fn follow(document: &str, results: &[&str]) {
    let folder = folder();
    let text = text(document);
    let commands = commands(&text);
    assert!(!commands.is_empty(), "{document} has no commands any more");
    for line in commands {
        // The comment behind it.
        let command = line.split("  #").next().unwrap().trim();
        if LAUNCHERS.contains(&command) {
            continue;
        }
        if ONLY_PARSED.iter().any(|(name, _)| command.starts_with(name)) {
            succeeds(folder.path(), &format!("{command} --help"));
        } else if OF_THIS_MACHINE.contains(&command) {
            let output = shell(folder.path(), command);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {output:?}");
            assert!(!output.stdout.is_empty(), "{command}: {output:?}");
        } else if command.ends_with(".svg") && !has_graphviz() {
            succeeds(folder.path(), &command.replace(".svg", ".dot"));
        } else {
            succeeds(folder.path(), line);
        }
    }
    for result in results {
        let size = std::fs::metadata(folder.path().join(result)).map_or(0, |file| file.len());
        assert!(size > 0, "{document}: no command made {result}");
    }
}

#[test]
fn the_readmes_commands_do_what_they_say() {
    let results = [
        "out/demo/faces.jsonl",
        "out/annotated.mp4",
        "talk.annotated.mp4",
        "talk.annotated.html",
        "out/batch/batch.csv",
    ];
    follow("README.md", &results);
}

#[test]
fn the_installing_pages_commands_do_what_they_say() {
    follow("docs/installing.md", &[]);
}

#[test]
fn the_pipelines_pages_commands_do_what_they_say() {
    let drawing = if has_graphviz() { "rtsp.svg" } else { "rtsp.dot" };
    follow("docs/pipelines.md", &["fer.schema.json", drawing]);
}

#[test]
fn the_recordings_pages_commands_do_what_they_say() {
    let results = [
        "talk.annotated.mp4",
        "talk.annotated.html",
        "talk.jsonl",
        "safe.mp4",
        "out/batch/batch.csv",
        "night/batch.csv",
        "batch.html",
    ];
    follow("docs/recordings.md", &results);
}

#[test]
fn the_tuning_pages_commands_do_what_they_say() {
    follow("docs/tuning.md", &[]);
}

#[test]
fn no_document_has_commands_that_nobody_types() {
    let all: Vec<String> = documents();
    let found: Vec<&String> = all.iter().filter(|name| !commands(&text(name)).is_empty()).collect();
    assert_eq!(found, WITH_COMMANDS);
    for (name, _) in ONLY_PARSED {
        let is_there = WITH_COMMANDS.iter().any(|document| {
            commands(&text(document)).iter().any(|command| command.starts_with(name))
        });
        assert!(is_there, "no document has the command {name} any more");
    }
}

/// Each whole pipeline file, as it stands but for its cameras.
#[test]
fn every_pipeline_file_runs() {
    let folder = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_fer"), folder.path().join("fer")).unwrap();
    let texts: Vec<String> = documents().iter().map(|document| text(document)).collect();
    let files: Vec<&str> = texts.iter().flat_map(|text| blocks(text, "yaml")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for yaml in files {
        std::fs::write(folder.path().join("cameras.yaml"), yaml).unwrap();
        succeeds(folder.path(), "CAMERA_PASSWORD=x ./fer check cameras.yaml");
        let file: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
        let film = "={ test: { pattern: face, frames: 40 } }";
        let sets: String = file["streams"]
            .as_object()
            .unwrap()
            .keys()
            .map(|name| {
                // Inline: a busy machine would look at a live source too seldom to be sure of a face.
                format!(
                    " --set 'streams.{name}.source{film}' --set streams.{name}.analysis.analysis=inline"
                )
            })
            .collect();
        succeeds(folder.path(), &format!("CAMERA_PASSWORD=x ./fer run cameras.yaml{sets}"));
    }
    let made = |ending: &str| {
        let entries = std::fs::read_dir(folder.path().join("out")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|it| it == ending)).unwrap()
    };
    let lines = std::fs::read_to_string(made("jsonl")).unwrap();
    assert!(lines.contains("\"roi_type\":\"face\""), "{lines}");
    assert!(made("mkv").metadata().unwrap().len() > 0);
}
