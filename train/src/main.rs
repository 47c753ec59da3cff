//! `fer-train`: see `fer-train --help`.

#![cfg_attr(not(test), warn(clippy::print_stderr))]

mod commands;
mod memory;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fer_train::training::memory_message;

use self::commands::signals::Interrupted;
use self::commands::speech::tell;

/// Trains, evaluates and exports facial expression classifiers.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what is in a data set and what is wrong with it.
    Inspect(commands::inspect::Arguments),
    /// Train a network as a recipe says.
    Train(commands::train::Arguments),
    /// Train a small network to follow the probabilities of one or several others.
    Distill(commands::distill::Arguments),
    /// Score a checkpoint, or any ONNX file with a manifest, on a split of a data set.
    Evaluate(commands::evaluate::Arguments),
    /// Score the mean of several models' probabilities as one model.
    Ensemble(commands::ensemble::Arguments),
    /// Tell how steady each smoother's labels are, on clips spliced from labelled faces.
    Steadiness(commands::steadiness::Arguments),
    /// Write a checkpoint as an ONNX file with its manifest, checked against the trainer.
    Export(commands::export::Arguments),
    /// Write several exported networks as one, whose logits are the mean of theirs.
    Join(commands::join::Arguments),
    /// Take channels out of a trained VGG: a start for a small network.
    Prune(commands::prune::Arguments),
    /// Write a run's report, self-contained HTML, into its folder.
    Report(commands::report::Arguments),
    /// Put runs side by side: one table, one chart, mean and standard deviation over seeds.
    Compare(commands::compare::Arguments),
    /// Time a recipe's training and inference on random images, or an ONNX file.
    Bench(commands::bench::Arguments),
}

fn main() -> ExitCode {
    memory::keep_for_next_step();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // That is told as an error.
        if memory_message(panic.payload()).is_none() {
            report(panic);
        }
    }));
    let command = Cli::parse().command;
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(command))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            tell(&format!("fer-train: error: {}", told_once(&error)));
            let interrupted = error.downcast_ref::<Interrupted>();
            interrupted.map_or(ExitCode::FAILURE, |by| ExitCode::from(by.signal.exit_status()))
        }
        Err(panic) => {
            if let Some(reason) = memory_message(panic.as_ref()) {
                tell(&format!("fer-train: error: memory does not suffice: {reason}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Train(arguments) => commands::train::run(&arguments),
        Command::Distill(arguments) => commands::distill::run(&arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::Ensemble(arguments) => commands::ensemble::run(&arguments),
        Command::Steadiness(arguments) => commands::steadiness::run(&arguments),
        Command::Export(arguments) => commands::export::run(&arguments),
        Command::Join(arguments) => commands::join::run(&arguments),
        Command::Prune(arguments) => commands::prune::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Compare(arguments) => commands::compare::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
    }
}

/// An error and its causes, but those that its own message tells already.
fn told_once(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told += &format!(": {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_is_told_once() {
        let missing = || std::io::Error::other("no such file");
        let error = anyhow::Error::new(missing()).context("cannot read `a`: no such file");
        assert_eq!(told_once(&error), "cannot read `a`: no such file");
        let error = Err::<(), _>(missing()).context("cannot read `a`").unwrap_err();
        assert_eq!(told_once(&error), "cannot read `a`: no such file");
    }
}
