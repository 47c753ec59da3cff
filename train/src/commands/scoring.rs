//! What `evaluate` and `ensemble` share: how a split is scored and where the figures go.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fer_train::chart;
use fer_train::dataset::{ImageShape, Split};
use fer_train::evaluate::{Calibration, Evaluation, JitterOptions, Kept, Options, Scored, Tta};

use super::outputs::refuse_in_data;
use super::speech::print;
use super::{SplitName, warn_of_bound, write_file, write_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Scoring {
    /// FER2013's CSV (plain, gzip or zstd), or a folder of labelled images.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// The split to score.
    #[arg(long, value_enum, default_value = "public")]
    split: SplitName,
    /// Test-time augmentation: the mean of the probabilities over several views of an image.
    #[arg(long, value_enum, default_value = "none")]
    tta: Tta,
    /// Lessen what class frequencies in training do: subtract TAU times their logarithm from the
    /// log-probabilities (0 or above).
    #[arg(long, value_name = "TAU")]
    logit_adjustment: Option<f64>,
    /// Score as well with boxes that are off by up to 5, 10 and 15 % of their side.
    #[arg(long)]
    jitter: bool,
    /// Random boxes an image and strength, 2 or more.
    #[arg(long, default_value_t = 5, requires = "jitter")]
    jitter_repetitions: usize,
    /// Seed of the random boxes.
    #[arg(long, default_value_t = 0, requires = "jitter")]
    jitter_seed: u64,
    /// Score as well on small, blurred, noisy, dark and compressed images.
    #[arg(long)]
    degraded: bool,
    /// Where the figures go as JSON; beside the (first) model if not given.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Folder for confusion matrix, reliability diagram and risk–coverage curve, as SVG and PNG.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
}

impl Scoring {
    /// Refuses files that would become a part of the data.
    pub(crate) fn check_outputs(&self) -> anyhow::Result<()> {
        let outputs = [("--plots", self.plots.as_deref()), ("--json", self.json.as_deref())];
        refuse_in_data(&self.data, &outputs)
    }

    pub(crate) fn options(&self) -> Options {
        let (seed, repetitions) = (self.jitter_seed, self.jitter_repetitions);
        Options {
            tta: self.tta,
            logit_adjustment: self.logit_adjustment,
            jitter: self.jitter.then_some(JitterOptions { seed, repetitions }),
            degraded: self.degraded,
            ..Options::from(Split::from(self.split))
        }
    }

    /// Prints the figures and writes them as JSON, to `json` if no other path was given. What took
    /// long to compute is not lost where one of the two fails.
    pub(crate) fn hand_out(&self, evaluation: &Evaluation, json: &Path) -> anyhow::Result<()> {
        let printed = print(&evaluation.to_string());
        for model in &evaluation.models {
            if let Calibration::Fitted { temperature, .. } = model.calibration {
                warn_of_bound(&model.file, temperature);
            }
        }
        write_json(self.json.as_deref().unwrap_or(json), evaluation)?;
        if let Some(folder) = &self.plots {
            plot(evaluation, folder)?;
        }
        Ok(printed?)
    }
}

/// Writes the pictures of all rows' figures, named after split and views.
fn plot(evaluation: &Evaluation, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let pictures = [
        ("confusion", chart::confusion(&evaluation.whole)?),
        ("reliability", chart::reliability(&evaluation.whole)?),
        ("coverage", risk_coverage(&evaluation.coverage.whole)?),
    ];
    for (name, svg) in pictures {
        let file = |kind: &str| folder.join(format!("{name}.{}.{kind}", evaluation.file_name()));
        write_file(&file("svg"), svg.as_bytes())?;
        write_file(&file("png"), &chart::png(&svg)?)?;
    }
    Ok(())
}

/// How many of the answers are wrong among those that are sure enough to be kept.
fn risk_coverage(kept: &[Kept]) -> Result<String, chart::ChartError> {
    let risk = |kept: &Kept| Some((kept.coverage, 1.0 - kept.accuracy?));
    let points = kept.iter().filter_map(risk).collect();
    let series = [("risk".to_owned(), points)];
    chart::lines("Risk and coverage", "images that are answered", "wrong answers", &series)
}

/// The shape that a folder's images are read in: as large as any of the models wants them.
pub(crate) fn image_shape(models: &[Scored]) -> ImageShape {
    let none = ImageShape { width: 0, height: 0, channels: 0 };
    models.iter().map(Scored::shape).fold(none, |largest, shape| ImageShape {
        width: largest.width.max(shape.width),
        height: largest.height.max(shape.height),
        channels: largest.channels.max(shape.colour.channels()),
    })
}
