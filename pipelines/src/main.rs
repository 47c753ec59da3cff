//! `fer`: the command line of gst-plugin-fer.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;

use commands::{check, demo, report, run, schema};

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
    /// Runs the streams of a pipeline file until they end or Ctrl-C.
    Run(run::Arguments),
    /// Says everything that is wrong with pipeline files.
    Check(check::Arguments),
    /// Makes an HTML page of recorded JSON Lines.
    Report(report::Arguments),
    /// Prints the JSON Schema of pipeline files, for editors.
    Schema,
}

fn main() -> ExitCode {
    let result = match &Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Schema => schema::run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("fer: {error:#}");
        ExitCode::FAILURE
    })
}
