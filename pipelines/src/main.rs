//! `fer`: the command line of gst-plugin-fer.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clip;
mod demo;
mod summary;

/// Facial expression analysis for GStreamer.
#[derive(Parser)]
#[command(name = "fer", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Analyses a bundled portrait or a file of yours: annotated video, JSON Lines, one picture.
    Demo {
        /// A video or picture that GStreamer can decode (default: the bundled portrait).
        file: Option<PathBuf>,
        /// The folder for the results; made if it isn't there.
        #[arg(long, short, default_value = "out/demo")]
        out: PathBuf,
        /// Language of the labels that are drawn: en or ru.
        #[arg(long, default_value = "en", value_parser = ["en", "ru"])]
        language: String,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { file, out, language } => demo::run(file.as_deref(), &out, &language),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
