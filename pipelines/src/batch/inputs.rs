//! The recordings of a batch, and the names of what is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{BatchError, Recording, claim};
use crate::speech::tell;

/// Endings of the files that are taken from a folder; others are taken when they are named.
const VIDEOS: [&str; 21] = [
    "3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts",
    "mxf", "ogv", "ts", "vob", "webm", "wmv", "y4m", "divx",
];

/// A recording, and its place under the folder or the fixed part of the glob that it was found by.
type Found = (PathBuf, PathBuf);

/// The recordings that files, folders and globs name, each once, in the order of their names. None
/// of them lies where the video of one goes.
pub(super) fn find(
    inputs: &[String],
    out: &Path,
    video: Option<&str>,
) -> Result<Vec<Recording>, BatchError> {
    let mut found = BTreeMap::new();
    for input in inputs {
        let path = Path::new(input);
        let these = match std::fs::metadata(path) {
            Ok(data) if data.is_dir() => {
                if video.is_some() && is_same(path, out) {
                    let reason = "the next run would take its videos for recordings; expected \
                                  another folder than that of the recordings";
                    let (path, reason) = (out.to_owned(), reason.to_owned());
                    return Err(BatchError::Folder { path, reason });
                }
                in_folder(path, out)?
            }
            Ok(data) if !data.is_file() => {
                let reason = "expected a file or a folder, not a pipe or a device";
                return Err(BatchError::Input(format!("{input}: {reason}")));
            }
            Ok(_) => vec![(path.to_owned(), name_of(path))],
            Err(error) => matching(input, &error)?,
        };
        for (path, place) in these {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            found.entry(real).or_insert((path, place));
        }
    }
    let inputs: BTreeSet<PathBuf> = found.keys().cloned().collect();
    let recordings = named(found.into_values().collect(), out, video);
    let made = recordings.iter().filter_map(|recording| recording.video.as_deref());
    let lost = |path: &&Path| path.canonicalize().is_ok_and(|path| inputs.contains(&path));
    if let Some(path) = made.into_iter().find(lost) {
        let reason = "a recording would be replaced; expected another folder".to_owned();
        return Err(BatchError::Folder { path: path.to_owned(), reason });
    }
    Ok(recordings)
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn name_of(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

/// The videos in a folder and those below; not what is made of them, in this batch or others.
fn in_folder(folder: &Path, out: &Path) -> Result<Vec<Found>, BatchError> {
    let out = out.canonicalize().ok();
    let is_out = |path: &Path| out.is_some() && path.canonicalize().ok() == out;
    let is_others = |path: &Path| {
        let is = claim::holds_videos(path);
        if is {
            skip(&format!("{}: the videos of another batch", path.display()));
        }
        is
    };
    let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let entries = WalkDir::new(folder).follow_links(true).into_iter().filter_entry(|entry| {
        let is_result = || is_out(entry.path()) || is_others(entry.path());
        entry.depth() == 0 || !(is_hidden(entry.file_name()) || is_result())
    });
    let mut found: Vec<Found> = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() > 0 => {
                skip(&error);
                continue;
            }
            Err(error) => return Err(BatchError::Input(error.to_string())),
        };
        if entry.file_type().is_file() && is_video(entry.path()) {
            let place = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            found.push((entry.into_path(), place));
        }
    }
    let inputs: BTreeSet<PathBuf> = found.iter().map(|(path, _)| path.with_extension("")).collect();
    found.retain(|(path, _)| !annotated(path).is_some_and(|source| inputs.contains(&source)));
    if found.is_empty() {
        let folder = folder.display();
        let kinds = VIDEOS.join(", ");
        return Err(BatchError::Input(format!("{folder}: no video in it ({kinds})")));
    }
    Ok(found)
}

/// One link that leads nowhere, or folder that may not be read, is no reason to do nothing.
fn skip(problem: &dyn std::fmt::Display) {
    tell(&format!("fer: warning: {problem}; left out"));
}

/// The recording without its ending, if this is what `fer annotate` makes of one.
fn annotated(path: &Path) -> Option<PathBuf> {
    let plain = path.with_extension("");
    (plain.extension()? == "annotated").then(|| plain.with_extension(""))
}

fn is_video(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    VIDEOS.contains(&ending.as_str())
}

/// The files that a glob names, because there is no file of that very name.
fn matching(pattern: &str, missing: &std::io::Error) -> Result<Vec<Found>, BatchError> {
    let problem =
        |reason: &dyn std::fmt::Display| BatchError::Input(format!("{pattern}: {reason}"));
    if !pattern.contains(['*', '?', '[']) {
        return Err(problem(missing));
    }
    let fixed = Path::new(pattern);
    let fixed =
        fixed.ancestors().skip(1).find(|part| !part.to_string_lossy().contains(['*', '?', '[']));
    let paths = glob::glob(pattern).map_err(|error| problem(&error))?;
    let mut found = Vec::new();
    for path in paths {
        let path = match path {
            Ok(path) => path,
            Err(error) => {
                skip(&error);
                continue;
            }
        };
        if path.is_file() {
            let place = fixed.and_then(|fixed| path.strip_prefix(fixed).ok());
            let place = place.map_or_else(|| name_of(&path), Path::to_owned);
            found.push((path, place));
        }
    }
    if found.is_empty() {
        return Err(problem(&"matches no file"));
    }
    Ok(found)
}

/// Names what is made of each: as the recording without its ending, with it where two would be
/// named alike.
fn named(mut found: Vec<Found>, out: &Path, video: Option<&str>) -> Vec<Recording> {
    found.sort_by(|(_, a), (_, b)| a.cmp(b));
    let mut count: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (_, place) in &found {
        *count.entry(place.with_extension("")).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let name = |(input, place): Found| {
        let plain = place.with_extension("");
        let base = if count[&plain] > 1 { place.clone() } else { plain };
        let mut free = base.clone();
        let mut number = 2;
        while !taken.insert(free.clone()) {
            free = base.with_file_name(format!("{}-{number}", name_of(&base).display()));
            number += 1;
        }
        let ending = |ending: &str| {
            let mut path = out.join(&free).into_os_string();
            path.push(".");
            path.push(ending);
            PathBuf::from(path)
        };
        Recording {
            name: input.display().to_string(),
            lines: ending("jsonl"),
            video: video.map(ending),
            input,
        }
    };
    found.into_iter().map(name).collect()
}
