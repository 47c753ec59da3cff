//! How a run minds the clock.

use std::time::{Duration, Instant};

use crate::recipe::MOST_EPOCHS;

/// A new run's number of epochs is not set for good before so many of them; the first are spent on
/// choosing kernels, and of a warm-up.
const MEASURED: usize = 4;
/// Nor before this part of the time is over: runs that begin together slow each other down only
/// once all of them have begun, and one that counts on the GPU for itself is cut off in the middle
/// of its schedule.
const MEASURED_TIME: f64 = 0.125;
/// As far as that is no longer than this: until it is over there is no checkpoint.
const LONGEST: Duration = Duration::from_secs(120);

/// What a run may take, and how often it is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Time in which a new run shall end, from when it starts to train: the recipe's number of
    /// epochs becomes what fits, at least four. Each epoch gives an estimate by which the schedule
    /// goes on, until there are four and an eighth of the time is over, at most two minutes; then it
    /// stays.
    pub fit_into: Option<Duration>,
    /// Shortest time between two checkpoints; none by default: after each epoch.
    pub save_every: Duration,
}

/// A [`Pace`] under way.
#[derive(Debug)]
pub(super) struct Clock {
    pace: Pace,
    started: Instant,
    saved: Instant,
    /// Whether the number of epochs is set for good.
    fitted: bool,
}

impl Clock {
    pub(super) fn start(pace: Pace) -> Self {
        let now = Instant::now();
        Self { pace, started: now, saved: now, fitted: pace.fit_into.is_none() }
    }

    /// Whether checkpoints are due after an epoch, at the end of the run or before. Not before
    /// it is known how many fit: who goes on with a checkpoint has that many.
    pub(super) fn is_due(&mut self, ended: bool) -> bool {
        let due = ended || (self.fitted && self.saved.elapsed() >= self.pace.save_every);
        if due {
            self.saved = Instant::now();
        }
        due
    }

    /// How many epochs fit, as far as that is known, and until it is set; `seconds` is what each
    /// epoch took.
    pub(super) fn epochs(&mut self, seconds: &[f64]) -> Option<usize> {
        let limit = self.pace.fit_into?;
        let done = seconds.len();
        if self.fitted || done == 0 {
            return None;
        }
        let elapsed = self.started.elapsed();
        self.fitted = done >= MEASURED && elapsed >= limit.mul_f64(MEASURED_TIME).min(LONGEST);
        let left = limit.saturating_sub(elapsed);
        Some(
            (done + that_fit(left.as_secs_f64(), &seconds[done / 2..]))
                .clamp(MEASURED, MOST_EPOCHS),
        )
    }
}

/// How often the mean of `seconds` fits into `left`.
fn that_fit(left: f64, seconds: &[f64]) -> usize {
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    (left / mean.max(1e-6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_those_that_fit() {
        assert_eq!(that_fit(10.0, &[2.0, 3.0]), 4);
        assert_eq!(that_fit(0.0, &[2.0, 3.0]), 0);
        let fit_into = Some(Duration::from_secs(1000));
        let mut clock = Clock::start(Pace { fit_into, ..Pace::default() });
        // The second half counts: a little less than 1000 s of 2 s each. Before, of 9 s, 5 s and
        // 3.5 s each.
        assert_eq!(clock.epochs(&[]), None);
        assert_eq!(clock.epochs(&[9.0]), Some(1 + 111));
        assert_eq!(clock.epochs(&[9.0, 5.0]), Some(2 + 199));
        assert_eq!(clock.epochs(&[9.0, 5.0, 2.0]), Some(3 + 285));
        assert_eq!(clock.epochs(&[9.0, 5.0, 2.0, 2.0]), Some(4 + 499));
        assert_eq!(Clock::start(Pace::default()).epochs(&[1.0; 4]), None);
        // No more than a recipe may ask for.
        let mut endless = Clock::start(Pace { fit_into, ..Pace::default() });
        assert_eq!(endless.epochs(&[1e-9]), Some(MOST_EPOCHS));
        // It takes four epochs to know.
        let mut hurried = Clock::start(Pace { fit_into: Some(Duration::ZERO), ..Pace::default() });
        assert_eq!(hurried.epochs(&[2.0]), Some(4));
        assert_eq!(hurried.epochs(&[2.0; 4]), Some(4));
        assert_eq!(hurried.epochs(&[2.0; 5]), None);
    }

    #[test]
    fn runs_beside_one_another_slow_each_other_down_after_the_fourth_epoch() {
        let limit = Duration::from_secs(1000);
        let mut clock = Clock::start(Pace { fit_into: Some(limit), ..Pace::default() });
        assert_eq!(clock.epochs(&[1.0; 4]), Some(4 + 999));
        // The others have begun: by the mean of the latter half.
        let mut seconds = vec![1.0; 4];
        seconds.extend([4.0; 4]);
        assert_eq!(clock.epochs(&seconds), Some(8 + 249));
        let Some(earlier) = Instant::now().checked_sub(LONGEST) else { return };
        clock.started = earlier;
        // 880 s are left.
        assert_eq!(clock.epochs(&seconds), Some(8 + 219));
        assert_eq!(clock.epochs(&[4.0; 9]), None);
    }

    #[test]
    fn checkpoints_wait_but_not_at_the_end() {
        let save_every = Duration::from_secs(1000);
        let mut clock = Clock::start(Pace { save_every, ..Pace::default() });
        assert!(!clock.is_due(false) && clock.is_due(true));
        assert!(Clock::start(Pace::default()).is_due(false));
        let mut clock = Clock::start(Pace { fit_into: Some(Duration::ZERO), ..Pace::default() });
        clock.epochs(&[1.0; MEASURED - 1]);
        assert!(!clock.is_due(false));
        clock.epochs(&[1.0; MEASURED]);
        assert!(clock.is_due(false));
    }
}
