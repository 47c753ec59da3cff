//! `fer models`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use pipelines::models::{self, Outcome, YUNET};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the models that are built in, and those that can be fetched.
    List,
    /// Fetches a model, unless it is there; its checksum is pinned.
    Get(Get),
}

#[derive(Debug, clap::Args)]
struct Get {
    /// The model.
    #[arg(value_parser = [YUNET.name])]
    model: String,
    /// Where the file goes (default: the user's data folder, where ferdetect finds it).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A mirror's address (http, https, file), or a file, for machines without a network.
    #[arg(long, value_name = "URL|FILE", default_value = YUNET.url, hide_default_value = true)]
    from: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.action {
        Action::List => super::print(&list())?,
        Action::Get(get) => super::print(&fetch(get)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(Get { out, from, .. }: &Get) -> Result<String> {
    let usual = models::usual_place();
    let path = match out {
        Some(path) => std::path::absolute(path)?,
        None => usual.as_ref().map_err(|_| models::ModelError::NoPlace)?.clone(),
    };
    // At its usual place whatever else lies there is ours, and damaged.
    let outcome = YUNET.get(from, &path, out.is_none())?;
    let outcome = match outcome {
        Outcome::Fetched => "fetched",
        Outcome::Present => "there already",
    };
    let is_usual = usual.is_ok_and(|usual| usual == path);
    Ok(format!("{}: {outcome}\nused by: {}", path.display(), usage(&path, is_usual)))
}

fn usage(path: &Path, is_usual: bool) -> String {
    let named =
        if is_usual { String::new() } else { format!(" detector-model={}", path.display()) };
    format!("ferdetect detector=yunet{named}")
}

fn list() -> String {
    format!(
        "fer       built in; the classifier of emotions unless `model-file` names another\n\
         fer-tiny  models/fer-tiny.yaml in the project's folder, or /usr/share/gst-plugin-fer/models where the\n          \
         package is installed; a third of the time or less, used by\n          \
         ferdetect model-file=PATH/fer-tiny.yaml\n\
         yunet     {}",
        yunet()
    )
}

fn yunet() -> String {
    let path = match models::usual_place() {
        Ok(path) => path,
        Err(error) => return format!("not fetched: {error}"),
    };
    let shown = path.display();
    match YUNET.is_at(&path) {
        Ok(Some(true)) => format!("{shown}; used by {}", usage(&path, true)),
        Ok(Some(false)) => format!("{shown} is damaged; `fer models get yunet` mends it"),
        Ok(None) => "not fetched; `fer models get yunet` does that (233 kB)".to_owned(),
        Err(error) => format!("{shown}: {error}"),
    }
}
