//! Mean and standard deviation over repetitions: seeds, or random boxes.

use serde::{Deserialize, Serialize};

/// Mean and spread of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (divided by n − 1); `None` of a single value.
    pub sd: Option<f64>,
}

impl Statistic {
    /// Of some values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Some(Self { mean, sd })
    }

    /// `mean ± sd` with some decimals.
    pub fn text(&self, decimals: usize) -> String {
        match self.sd {
            Some(sd) => format!("{:.decimals$} ± {sd:.decimals$}", self.mean),
            None => format!("{:.decimals$}", self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_sample_deviation_by_hand() {
        // Mean .61; deviations −.02, 0, .02; squares sum to .0008; /2 = .0004; root .02.
        let statistic = Statistic::of(&[0.59, 0.61, 0.63]).unwrap();
        assert!((statistic.mean - 0.61).abs() < 1e-12);
        assert!((statistic.sd.unwrap() - 0.02).abs() < 1e-12);
        assert_eq!(statistic.text(3), "0.610 ± 0.020");
    }

    #[test]
    fn one_value_has_no_spread_and_none_no_mean() {
        assert_eq!(Statistic::of(&[0.5]), Some(Statistic { mean: 0.5, sd: None }));
        assert_eq!(Statistic::of(&[0.5]).unwrap().text(2), "0.50");
        assert_eq!(Statistic::of(&[]), None);
    }
}
