//! `fer-train compare`.

use std::path::{Path, PathBuf};

use anyhow::Context;
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
    let runs: Vec<Run> =
        arguments.runs.iter().map(|folder| Run::open(folder)).collect::<Result<_, _>>()?;
    let references = match (&arguments.reference, runs.first()) {
        (Some(path), Some(run)) => read_references(path, &run.progress.classes)?,
        _ => Vec::new(),
    };
    let comparison = Comparison::of(&runs, references)?;
    let markdown = comparison.markdown();
    print(&markdown)?;
    match &arguments.out {
        Some(folder) => write_files(&comparison, &markdown, folder),
        None => Ok(()),
    }
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
