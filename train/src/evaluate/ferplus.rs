//! FER+ votes (Barsoum et al. 2016) as a second reference beside FER2013's labels.

use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::metrics::{Distributions, Metrics};

/// How predictions compare with several people's votes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FerPlus {
    /// Images in whose votes one class leads.
    pub images: usize,
    /// Fraction of them for which the predicted class is the leading one; `None` of none.
    pub accuracy: Option<f64>,
    /// Mean of the classes' F1 against the leading class; `None` of none.
    pub macro_f1: Option<f64>,
    /// Images with a vote for any of the classes.
    pub voted_images: usize,
    /// Mean over them of the predictions' cross-entropy against the votes, in nats; `None` of none.
    pub cross_entropy: Option<f64>,
}

impl FerPlus {
    /// Compares the predictions at `indices` with the votes, `[n, classes]` flat as in
    /// [`Images::votes`](crate::dataset::Images::votes).
    pub fn new(rows: &Distributions, votes: &[f32], indices: &[usize], classes: &Classes) -> Self {
        let votes_on = |index: usize| &votes[index * classes.len()..(index + 1) * classes.len()];
        let (led, labels): (Vec<usize>, Vec<usize>) =
            indices.iter().filter_map(|&index| Some((index, leading(votes_on(index))?))).unzip();
        let metrics = Metrics::new(&rows.select(&led), &labels, classes);

        let voted = indices.iter().filter(|&&index| votes_on(index).iter().any(|&vote| vote > 0.0));
        let voted: Vec<usize> = voted.copied().collect();
        let predicted = rows.select(&voted);
        let entropy: f64 = voted
            .iter()
            .zip(predicted.rows())
            .map(|(&index, row)| cross_entropy(votes_on(index), row))
            .sum();
        Self {
            images: led.len(),
            accuracy: (!led.is_empty()).then_some(metrics.accuracy),
            macro_f1: (!led.is_empty()).then_some(metrics.macro_f1()),
            voted_images: voted.len(),
            cross_entropy: (!voted.is_empty()).then(|| entropy / voted.len() as f64),
        }
    }
}

/// The class with the most votes, if there is only one.
fn leading(votes: &[f32]) -> Option<usize> {
    let most = votes.iter().copied().fold(0.0, f32::max);
    let mut leaders = (0..votes.len()).filter(|&class| votes[class] == most);
    let leader = leaders.next().filter(|_| most > 0.0);
    if leaders.next().is_some() { None } else { leader }
}

fn cross_entropy(votes: &[f32], row: &[f64]) -> f64 {
    let terms = votes.iter().zip(row).filter(|(vote, _)| **vote > 0.0);
    terms.map(|(&vote, p)| -f64::from(vote) * p.max(f64::MIN_POSITIVE).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_by_hand() {
        let (classes, _) = Classes::from_names(&["a".into(), "b".into()]);
        let mut rows = Distributions::new(2);
        for row in [[0.75, 0.25], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75]] {
            rows.push(row);
        }
        // `a` leads and is predicted; `b` leads and is not; a tie; nobody voted for either.
        let votes = [1.0, 0.0, 0.25, 0.75, 0.5, 0.5, 0.0, 0.0];
        let found = FerPlus::new(&rows, &votes, &[0, 1, 2, 3], &classes);
        assert_eq!((found.images, found.voted_images, found.accuracy), (2, 3, Some(0.5)));
        // `a`: precision 1/2, recall 1, F1 2/3. `b`: 0.
        let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-12;
        assert!(close(found.macro_f1, 1.0 / 3.0), "{found:?}");
        let logs = |p: f64| -p.ln();
        let sum = logs(0.75) + 0.25 * logs(0.75) + 0.75 * logs(0.25) + logs(0.5);
        assert!(close(found.cross_entropy, sum / 3.0), "{found:?}");

        let part = FerPlus::new(&rows, &votes, &[1, 3], &classes);
        assert_eq!((part.images, part.voted_images, part.accuracy), (1, 1, Some(0.0)));
        let none = FerPlus::new(&rows, &votes, &[3], &classes);
        assert_eq!((none.images, none.accuracy, none.cross_entropy), (0, None, None));
    }
}
