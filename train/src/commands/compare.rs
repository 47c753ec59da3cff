//! `fer-train compare`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fer_train::chart;
use fer_train::compare::{Comparison, read_references};
use fer_train::run::Run;

use super::speech::print;
use super::{write_file, write_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folders of runs.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Published figures to put beside them (YAML).
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Folder for compare.html, .json, .md, .svg and .png.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (runs, left_out) = opened(&arguments.runs)?;
    let references = match (&arguments.reference, runs.first()) {
        (Some(path), Some(run)) => read_references(path, &run.progress.classes)?,
        _ => Vec::new(),
    };
    let mut comparison = Comparison::of(&runs, references)?;
    comparison.notes.extend(left_out.iter().map(|reason| format!("Left out: {reason}.")));
    let markdown = comparison.markdown();
    print(&markdown)?;
    match &arguments.out {
        Some(folder) => write_files(&comparison, &markdown, folder),
        None => Ok(()),
    }
}

/// The runs that can be read, and why others cannot.
///
/// # Errors
///
/// None can.
fn opened(folders: &[PathBuf]) -> anyhow::Result<(Vec<Run>, Vec<String>)> {
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    for folder in folders {
        match Run::open(folder) {
            Ok(run) => runs.push(run),
            Err(error) => left_out.push(error.to_string()),
        }
    }
    ensure!(!runs.is_empty(), "no run to compare:\n  {}", left_out.join("\n  "));
    Ok((runs, left_out))
}

fn write_files(comparison: &Comparison, markdown: &str, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create `{}`", folder.display()))?;
    let (svg, html) = (comparison.chart()?, comparison.html()?);
    write_json(&folder.join("compare.json"), comparison)?;
    let files: [(&str, &[u8]); 4] = [
        ("compare.html", html.as_bytes()),
        ("compare.md", markdown.as_bytes()),
        ("compare.svg", svg.as_bytes()),
        ("compare.png", &chart::png(&svg)?),
    ];
    for (name, bytes) in files {
        write_file(&folder.join(name), bytes)?;
    }
    Ok(())
}
