//! A line an epoch.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Figures of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// At the epoch's start.
    pub learning_rate: f64,
    /// Mean over the epoch's steps, penalties left out.
    pub loss: f64,
    /// On the augmented training images that were not mixed; 0 where all were.
    pub accuracy: f64,
    /// Mean negative log-likelihood on the validation split, of the averaged weights.
    pub validation_loss: f64,
    /// Accuracy there.
    pub validation_accuracy: f64,
    /// Macro-F1 there.
    pub validation_macro_f1: f64,
    /// Whether it was the best epoch so far.
    pub best: bool,
    /// Training images a second.
    pub images_per_second: f64,
    /// Time of the epoch, evaluation included.
    pub seconds: f64,
}

/// All epochs as CSV.
pub(super) fn csv(history: &[EpochRecord]) -> String {
    let mut text = String::from(
        "epoch,learning_rate,loss,accuracy,validation_loss,validation_accuracy,\
         validation_macro_f1,best,images_per_second,seconds\n",
    );
    for record in history {
        let EpochRecord { epoch, learning_rate, loss, accuracy, best, seconds, .. } = record;
        let _ = writeln!(
            text,
            "{epoch},{learning_rate:.3e},{loss:.5},{accuracy:.5},{:.5},{:.5},{:.5},{},{:.1},{seconds:.1}",
            record.validation_loss,
            record.validation_accuracy,
            record.validation_macro_f1,
            u8::from(*best),
            record.images_per_second,
        );
    }
    text
}
