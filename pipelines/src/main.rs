//! `fer`: the command line of gst-plugin-fer.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;

use commands::{annotate, batch, check, demo, run, schema};

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
    Demo(demo::Arguments),
    /// Annotates one recording: a video with the faces drawn in, and JSON Lines.
    Annotate(annotate::Arguments),
    /// Annotates many recordings, and goes on where it was interrupted.
    Batch(batch::Arguments),
    /// Runs the streams of a pipeline file until they end or Ctrl-C.
    Run(run::Arguments),
    /// Says everything that is wrong with pipeline files.
    Check(check::Arguments),
    /// Prints the JSON Schema of pipeline files, for editors.
    Schema,
}

fn main() -> ExitCode {
    let result = match &Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Annotate(arguments) => annotate::run(arguments),
        Command::Batch(arguments) => batch::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Schema => schema::run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("fer: {error:#}");
        ExitCode::FAILURE
    })
}
