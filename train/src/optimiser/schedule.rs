//! The learning rate's course, and waiting for an improvement.

use serde::{Deserialize, Serialize};

use crate::recipe::{OptimiserRecipe, ScheduleRecipe};

/// The learning rate at `step` of `steps` in all, both counted over the whole run.
///
/// `reductions` is how often a plateau has lowered it; other schedules ignore that.
pub fn learning_rate(
    optimiser: &OptimiserRecipe,
    schedule: &ScheduleRecipe,
    step: usize,
    steps: usize,
    reductions: usize,
) -> f64 {
    let highest = optimiser.learning_rate;
    let per_epoch = steps as f64 / optimiser.epochs as f64;
    match *schedule {
        ScheduleRecipe::Constant => highest,
        ScheduleRecipe::Plateau { factor, .. } => highest * factor.powf(reductions as f64),
        ScheduleRecipe::Step { every, factor } => {
            let taken = (step as f64 / (every as f64 * per_epoch)).floor();
            highest * factor.powf(taken)
        }
        ScheduleRecipe::Cosine { warmup_epochs, final_fraction } => {
            let warmup = warmup_epochs * per_epoch;
            let (step, steps) = (step as f64, steps as f64);
            if step < warmup {
                return highest * (step + 1.0) / warmup.max(1.0);
            }
            let done = ((step - warmup) / (steps - warmup).max(1.0)).min(1.0);
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            highest * (final_fraction + (1.0 - final_fraction) * cosine)
        }
    }
}

/// Waits for a figure to rise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    best: Option<f64>,
    waited: usize,
}

impl Patience {
    /// Takes an epoch's figure, of which more is better; whether `patience` epochs have now passed
    /// without a new best. Then waiting starts anew.
    pub fn is_over(&mut self, figure: f64, patience: usize) -> bool {
        if self.best.is_none_or(|best| figure > best) {
            self.best = Some(figure);
            self.waited = 0;
            return false;
        }
        self.waited += 1;
        let over = self.waited >= patience;
        if over {
            self.waited = 0;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{OptimiserKind, Quantity};

    fn rate(schedule: ScheduleRecipe, step: usize, reductions: usize) -> f64 {
        let optimiser = OptimiserRecipe {
            epochs: 10,
            batch: 4,
            kind: OptimiserKind::Sgd { momentum: 0.9 },
            learning_rate: 0.4,
            weight_decay: 0.0,
            clip_norm: 0.0,
            sam_radius: 0.0,
            ema_decay: 0.0,
        };
        // 10 epochs of 10 steps.
        learning_rate(&optimiser, &schedule, step, 100, reductions)
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn warm_up_then_cosine() {
        // 20 steps of warm-up, then 80 of cosine.
        let cosine = ScheduleRecipe::Cosine { warmup_epochs: 2.0, final_fraction: 0.1 };
        close(rate(cosine, 0, 0), 0.02);
        close(rate(cosine, 19, 0), 0.4);
        close(rate(cosine, 20, 0), 0.4);
        // Half-way: .4·(.1 + .9·½).
        close(rate(cosine, 60, 0), 0.22);
        close(rate(cosine, 100, 0), 0.04);
    }

    #[test]
    fn steps_and_plateaus() {
        let step = ScheduleRecipe::Step { every: 3, factor: 0.1 };
        close(rate(step, 29, 0), 0.4);
        close(rate(step, 30, 0), 0.04);
        close(rate(step, 60, 0), 0.004);
        let plateau = ScheduleRecipe::Plateau { monitor: Quantity::Loss, factor: 0.5, patience: 2 };
        close(rate(plateau, 99, 0), 0.4);
        close(rate(plateau, 0, 2), 0.1);
    }

    #[test]
    fn patience_counts_epochs_without_a_new_best() {
        let mut patience = Patience::default();
        let figures = [1.0, 2.0, 2.0, 1.5, 3.0, 2.9, 2.9, 2.9, 2.9];
        let over: Vec<bool> = figures.iter().map(|&figure| patience.is_over(figure, 2)).collect();
        assert_eq!(over, [false, false, false, true, false, false, true, false, true]);
    }
}
