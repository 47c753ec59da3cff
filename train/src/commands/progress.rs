//! What a run shows while it trains: a bar on a terminal, a line an epoch anywhere.

use std::time::Duration;

use fer_train::training::{EpochRecord, Observer, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::signals::Signals;
use super::speech::tell;

/// Shows a run on standard error, and ends it where a signal asks for that.
pub(crate) struct Console<'a> {
    signals: &'a Signals,
    /// Whether it was told that a signal came.
    told: bool,
    bar: ProgressBar,
    /// Seconds of the epochs so far, for the time that is left.
    times: Vec<f64>,
}

impl<'a> Console<'a> {
    pub(crate) fn new(signals: &'a Signals) -> Self {
        // Without a terminal indicatif shows nothing.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        let template = "{prefix} {wide_bar} {pos}/{len} {msg} eta {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { signals, told: false, bar, times: Vec::new() }
    }
}

impl Observer for Console<'_> {
    fn step(&mut self, report: &StepReport) {
        if let Some(signal) = self.signals.first().filter(|_| !self.told) {
            self.told = true;
            let epoch = report.epoch;
            let text = format!(
                "{signal}: the run ends after epoch {epoch} and is saved; once more, and it ends at \
                 once, without this epoch"
            );
            self.bar.suspend(|| tell(&text));
        }
        if self.bar.length() != Some(report.steps as u64) || self.bar.prefix().is_empty() {
            self.bar.reset();
            self.bar.set_length(report.steps as u64);
            self.bar.set_prefix(format!("epoch {}", report.epoch));
        }
        self.bar.set_position(report.step as u64);
        self.bar.set_message(format!(
            "loss {:.4} acc {:.4} {:.0} images/s",
            report.loss, report.accuracy, report.images_per_second
        ));
    }

    fn epoch(&mut self, record: &EpochRecord, epochs: usize) {
        self.bar.set_prefix("");
        self.times.push(record.seconds);
        let mean = self.times.iter().sum::<f64>() / self.times.len() as f64;
        let left = mean * epochs.saturating_sub(record.epoch) as f64;
        let text = format!(
            "epoch {}/{epochs} rate {:.2e} loss {:.4} acc {:.4} | validation loss {:.4} acc {:.4} \
             macro-F1 {:.4}{} | {:.0} images/s, {} left",
            record.epoch,
            record.learning_rate,
            record.loss,
            record.accuracy,
            record.validation_loss,
            record.validation_accuracy,
            record.validation_macro_f1,
            if record.best { " *" } else { "" },
            record.images_per_second,
            indicatif::HumanDuration(Duration::from_secs_f64(left)),
        );
        self.bar.suspend(|| tell(&text));
    }

    fn ends(&self) -> bool {
        self.signals.first().is_some()
    }
}
