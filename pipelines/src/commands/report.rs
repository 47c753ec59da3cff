//! `fer report`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use pipelines::batch::is_ledger;
use pipelines::recording::{Recording, RecordingError};
use pipelines::report::{self, Pictures};
use pipelines::speech::tell;

/// Makes one self-contained HTML page of JSON Lines: timelines, probabilities, totals, changes.
///
/// The lines are those of `json` outputs and of ferjson. Files of a stream that was written to
/// several are joined, in the order in which they are named; numbers at the end of names count.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files of JSON Lines; `-` is the standard input.
    #[arg(required = true, value_name = "JSONL")]
    files: Vec<PathBuf>,
    /// The page (default: the first file's name with the ending html).
    #[arg(long, short, value_name = "OUT.html")]
    out: Option<PathBuf>,
    /// A folder of a `faces` output: the list of changes shows its pictures. May be repeated.
    #[arg(long, value_name = "FOLDER")]
    faces: Vec<PathBuf>,
}

/// The files of one name with their numbers, as rotation gives them, in the order of those: shells
/// sort `a-10` before `a-2`, and both before `a`.
fn rotated(files: &[PathBuf]) -> Vec<&PathBuf> {
    let name = |file: &PathBuf| -> (PathBuf, u64) {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let ending = file.extension().unwrap_or_default();
        let number = stem.rsplit_once('-').and_then(|(plain, number)| {
            let number = number.parse().ok().filter(|_| !number.starts_with(['0', '+']))?;
            let plain = file.with_file_name(plain);
            // Else it is a day, or part of another name.
            files.contains(&plain.with_added_extension(ending)).then_some((plain, number))
        });
        number.unwrap_or_else(|| (file.with_extension(""), 1))
    };
    let names: Vec<_> = files.iter().map(name).collect();
    let mut order: Vec<usize> = (0..files.len()).collect();
    // Each name where it was first named.
    let first = |index: usize| names.iter().position(|(plain, _)| *plain == names[index].0);
    order.sort_by_key(|&index| (first(index), names[index].1));
    order.into_iter().map(|index| &files[index]).collect()
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| beside(&arguments.files[0]));
    if arguments.files.iter().any(|file| same(file, &out)) {
        bail!("{}: the page would replace what it is made of; name another by -o", out.display());
    }
    if !may_replace(&out) {
        bail!("{}: it is there already, and no page; name another by -o", out.display());
    }
    let mut recording = Recording::default();
    let mut empty = Vec::new();
    for file in rotated(&arguments.files) {
        // `fer report out/batch/*.jsonl` means the results.
        if arguments.files.len() > 1 && is_ledger(file) {
            continue;
        }
        let name = file.display().to_string();
        match read(&mut recording, file).with_context(|| name.clone())? {
            Err(RecordingError::Empty) => empty.push(name),
            result => result.context(name)?,
        }
    }
    // A night in which nobody came leaves a file without a line, which others need not suffer for.
    if recording.streams.is_empty() {
        return Err(RecordingError::Empty).context(empty.join(", "));
    }
    for name in empty {
        tell(&format!("fer: warning: {name}: there is no whole line in it"));
    }
    for (file, line) in &recording.truncated {
        tell(&format!(
            "fer: warning: {file}: line {line}, the last one, is broken off and left out"
        ));
    }
    let mut pictures = Pictures::default();
    for folder in &arguments.faces {
        let count = pictures.find(folder).with_context(|| folder.display().to_string())?;
        if count == 0 {
            bail!("{}: no picture in it that a `faces` output has written", folder.display());
        }
    }
    let page = report::page(&recording, &pictures);
    report::save(&out, &page).with_context(|| out.display().to_string())?;
    super::print(&out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether what lies there is nothing, an earlier page, or no file at all, as the standard output.
fn may_replace(out: &Path) -> bool {
    const PAGE: &[u8] = b"<!doctype html";
    if !std::fs::metadata(out).is_ok_and(|there| there.is_file() && there.len() > 0) {
        return true;
    }
    let mut start = Vec::new();
    let read =
        File::open(out).and_then(|file| file.take(PAGE.len() as u64).read_to_end(&mut start));
    read.is_ok() && start.eq_ignore_ascii_case(PAGE)
}

/// Reads a file, if it can be opened at all.
fn read(recording: &mut Recording, file: &Path) -> io::Result<Result<(), RecordingError>> {
    if file == Path::new("-") {
        return Ok(recording.read("standard input", io::stdin().lock()));
    }
    let opened = BufReader::with_capacity(1 << 16, File::open(file)?);
    Ok(recording.read(&file.display().to_string(), opened))
}

fn beside(file: &Path) -> PathBuf {
    if file == Path::new("-") { "report.html".into() } else { file.with_extension("html") }
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
