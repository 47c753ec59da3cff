//! `fer-train steadiness`.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use fer_core::config::Config;
use fer_train::dataset::ImageShape;
use fer_train::steadiness::{Calibration, Figures, Options, Steadiness, steadiness};

use super::outputs::refuse_in_data;
use super::speech::print;
use super::{SplitName, read_data, refuse_checkpoint, write_json};

/// The side of FER2013's images; those of a folder are brought to it.
const SIDE: usize = 48;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A manifest (.yaml), or an ONNX file with its manifest beside.
    #[arg(long)]
    model: PathBuf,
    /// FER2013's CSV (plain, gzip or zstd), or a folder of labelled images.
    #[arg(long)]
    data: PathBuf,
    /// The split whose faces are shown.
    #[arg(long, value_enum, default_value = "public")]
    split: SplitName,
    /// Length of the clip, above 0 to 600.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Frames a second, 1 to 240.
    #[arg(long, default_value_t = 30.0)]
    rate: f64,
    /// Seed of the clip.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `ferdetect`'s smoothing-time in milliseconds; its default if not given.
    #[arg(long, value_name = "MS")]
    smoothing_time: Option<u64>,
    /// `ferdetect`'s hold in milliseconds; its default if not given.
    #[arg(long, value_name = "MS")]
    hold: Option<u64>,
    /// `ferdetect`'s margin, 0 to 1; its default if not given.
    #[arg(long)]
    margin: Option<f32>,
    /// Where the figures go as JSON too.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    refuse_in_data(&arguments.data, &[("--json", arguments.json.as_deref())])?;
    refuse_checkpoint(&arguments.model)?;
    for (name, value, low, high) in
        [("--minutes", arguments.minutes, 0.01, 600.0), ("--rate", arguments.rate, 1.0, 240.0)]
    {
        if !(low..=high).contains(&value) {
            bail!("{name}: {value}; expected {low} to {high}");
        }
    }
    let mut config = Config::default();
    if let Some(time) = arguments.smoothing_time {
        config.smoothing_time = Duration::from_millis(time);
    }
    if let Some(hold) = arguments.hold {
        config.debounce.hold = Duration::from_millis(hold);
    }
    if let Some(margin) = arguments.margin {
        config.debounce.margin = margin;
    }
    let &Arguments { minutes, rate, seed, .. } = arguments;
    let options = Options { minutes, rate, seed, config };
    let dataset = read_data(&arguments.data, ImageShape::grey(SIDE))?;
    let found = steadiness(&arguments.model, &dataset, arguments.split.into(), &options)?;
    print(&table(&found)?)?;
    match &arguments.json {
        Some(path) => write_json(path, &found),
        None => Ok(()),
    }
}

fn table(found: &Steadiness) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{:.1} true changes a minute", found.true_changes_per_minute)?;
    writeln!(out)?;
    writeln!(
        out,
        "{:18}{:>10}{:>8}{:>9}{:>8}{:>11}{:>11}{:>8}{:>10}",
        "", "switches", "× true", "< .3 s", "", "onset p50", "onset p90", "missed", "macro-F1"
    )?;
    for (name, row) in &found.rows {
        let Figures { switches_per_minute, flashes_per_minute, .. } = row;
        let times = switches_per_minute / found.true_changes_per_minute;
        let times = Some(times).filter(|times| times.is_finite());
        let times = figure(times, |times| format!("{times:.2}"));
        let [p50, p90] =
            [row.onset_p50, row.onset_p90].map(|onset| figure(onset, |s| format!("{s:.2} s")));
        let missed = figure(row.missed, |missed| format!("{:.1}%", 100.0 * missed));
        writeln!(
            out,
            "{name:18}{switches_per_minute:>6.1}/min{times:>8}{flashes_per_minute:>9.1}/min{:>4}{p50:>11}{p90:>11}{missed:>8}{:>10.3}",
            "", row.macro_f1
        )?;
    }
    writeln!(out, "\nfrozen faces: {} switches", found.frozen_switches)?;
    let Calibration { faces, probability, accuracy, ece } = found.frozen;
    writeln!(
        out,
        "after two seconds, {faces} faces: probability {probability:.3}, right {accuracy:.3}, ECE {ece:.3}"
    )?;
    Ok(out)
}

/// A figure as text; a dash where there is none, as of a clip in which nothing changes.
fn figure(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or("–".to_owned(), text)
}
