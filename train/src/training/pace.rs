//! How a run minds the clock.

use std::time::{Duration, Instant};

/// After how many epochs of a new run their number is set for good; the first of them are spent on
/// choosing kernels, and of a warm-up.
const MEASURED: usize = 4;

/// What a run may take, and how often it is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Time in which a new run shall end, from when it starts to train: the recipe's number of
    /// epochs becomes what fits, at least four. Each of the first four epochs gives an estimate by
    /// which the schedule goes on; the fourth's stays.
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
}

impl Clock {
    pub(super) fn start(pace: Pace) -> Self {
        let now = Instant::now();
        Self { pace, started: now, saved: now }
    }

    /// Whether checkpoints are due after so many epochs, at the end of the run or before. Not before
    /// it is known how many fit: who goes on with a checkpoint has that many.
    pub(super) fn is_due(&mut self, epochs: usize, ended: bool) -> bool {
        let fitted = self.pace.fit_into.is_none() || epochs >= MEASURED;
        let due = ended || (fitted && self.saved.elapsed() >= self.pace.save_every);
        if due {
            self.saved = Instant::now();
        }
        due
    }

    /// How many epochs fit, as far as that is known, and until it is set; `seconds` is what each
    /// epoch took.
    pub(super) fn epochs(&self, seconds: &[f64]) -> Option<usize> {
        let limit = self.pace.fit_into?;
        let done = seconds.len();
        if !(1..=MEASURED).contains(&done) {
            return None;
        }
        let left = limit.saturating_sub(self.started.elapsed());
        Some((done + that_fit(left.as_secs_f64(), &seconds[done / 2..])).max(MEASURED))
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
        let clock = Clock::start(Pace { fit_into, ..Pace::default() });
        // The second half counts: a little less than 1000 s of 2 s each. Before, of 9 s, 5 s and
        // 3.5 s each.
        assert_eq!(clock.epochs(&[]), None);
        assert_eq!(clock.epochs(&[9.0]), Some(1 + 111));
        assert_eq!(clock.epochs(&[9.0, 5.0]), Some(2 + 199));
        assert_eq!(clock.epochs(&[9.0, 5.0, 2.0]), Some(3 + 285));
        assert_eq!(clock.epochs(&[9.0, 5.0, 2.0, 2.0]), Some(4 + 499));
        assert_eq!(clock.epochs(&[9.0, 5.0, 2.0, 2.0, 2.0]), None);
        assert_eq!(Clock::start(Pace::default()).epochs(&[1.0; 4]), None);
        // It takes four epochs to know.
        let hurried = Clock::start(Pace { fit_into: Some(Duration::ZERO), ..Pace::default() });
        assert_eq!(hurried.epochs(&[2.0]), Some(4));
    }

    #[test]
    fn checkpoints_wait_but_not_at_the_end() {
        let save_every = Duration::from_secs(1000);
        let mut clock = Clock::start(Pace { save_every, ..Pace::default() });
        assert!(!clock.is_due(9, false) && clock.is_due(9, true));
        assert!(Clock::start(Pace::default()).is_due(1, false));
        let fit_into = Some(Duration::from_secs(1000));
        let mut clock = Clock::start(Pace { fit_into, ..Pace::default() });
        assert!(!clock.is_due(MEASURED - 1, false) && clock.is_due(MEASURED, false));
    }
}
