//! `fer`: the command line of gst-plugin-fer.

#![cfg_attr(not(test), warn(clippy::print_stderr))]

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use pipelines::config::without_passwords;
use pipelines::speech::{tell, with_causes};

mod commands;
mod memory;
mod threads;

use commands::{
    annotate, batch, bench, check, demo, devices, doctor, graph, manual, models, report, run,
    schema, watch,
};

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
    /// Shows a webcam or a recording in a window, with the faces drawn in.
    Watch(watch::Arguments),
    /// Runs the streams of a pipeline file until they end or Ctrl-C.
    Run(run::Arguments),
    /// Says everything that is wrong with pipeline files.
    Check(check::Arguments),
    /// Makes an HTML page of recorded JSON Lines.
    Report(report::Arguments),
    /// Measures what the analysis costs on this machine, beside others at the same work.
    Bench(bench::Arguments),
    /// Prints the JSON Schema of pipeline files, for editors.
    Schema,
    /// Lists the cameras of this machine and what they offer.
    Devices(devices::Arguments),
    /// Says what is missing on this machine and how to mend it.
    Doctor(doctor::Arguments),
    /// Lists and fetches models that are not built in.
    Models(models::Arguments),
    /// Draws the pipelines of a file.
    Graph(graph::Arguments),
    /// Prints a shell's completions.
    Completions(manual::Completions),
    /// Prints the manual page, or writes one for each command.
    Man(manual::Man),
}

fn main() -> ExitCode {
    memory::keep_together();
    threads::end_where_one_is_refused();
    let result = match &Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Annotate(arguments) => annotate::run(arguments),
        Command::Batch(arguments) => batch::run(arguments),
        Command::Watch(arguments) => watch::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Schema => schema::run(),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Graph(arguments) => graph::run(arguments),
        Command::Completions(shell) => manual::completions(shell, Arguments::command()),
        Command::Man(folder) => manual::man(folder, Arguments::command()),
    };
    result.unwrap_or_else(|error| {
        tell(&format!("fer: error: {}", without_passwords(&with_causes(&error))));
        ExitCode::FAILURE
    })
}
