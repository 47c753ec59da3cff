//! `fer report`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use pipelines::recording::Recording;
use pipelines::report::{self, Pictures};

/// Makes one self-contained HTML page of JSON Lines: timelines, probabilities, totals, changes.
///
/// The lines are those of `json` outputs and of ferjson. Files of a stream that was written to
/// several are joined, in the order in which they are named.
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

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| beside(&arguments.files[0]));
    if arguments.files.iter().any(|file| same(file, &out)) {
        bail!("{}: the page would replace what it is made of; name another by -o", out.display());
    }
    let mut recording = Recording::default();
    for file in &arguments.files {
        read(&mut recording, file)?;
    }
    for (file, line) in &recording.truncated {
        eprintln!("fer: warning: {file}: line {line}, the last one, is broken off and left out");
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
    super::print(&out.display().to_string());
    Ok(ExitCode::SUCCESS)
}

fn read(recording: &mut Recording, file: &Path) -> Result<()> {
    let name = file.display().to_string();
    let result = if file == Path::new("-") {
        recording.read("standard input", std::io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| name.clone())?;
        recording.read(&name, BufReader::with_capacity(1 << 16, opened))
    };
    result.with_context(|| name)
}

fn beside(file: &Path) -> PathBuf {
    if file == Path::new("-") { "report.html".into() } else { file.with_extension("html") }
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
