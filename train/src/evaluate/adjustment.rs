//! Post-hoc logit adjustment for classes of unequal size.

use crate::metrics::Distributions;

/// Divides each probability by the class's frequency to the power of `tau` and normalises: the
/// post-hoc logit adjustment of Menon et al. (2020), `log p − tau · log frequency`.
///
/// `frequencies`, one a class, are above 0.
pub fn adjust(rows: &Distributions, tau: f64, frequencies: &[f64]) -> Distributions {
    let factors: Vec<f64> = frequencies.iter().map(|frequency| frequency.powf(-tau)).collect();
    let mut adjusted = Distributions::new(rows.classes());
    for row in rows.rows() {
        let sum: f64 = row.iter().zip(&factors).map(|(p, factor)| p * factor).sum();
        adjusted.push(row.iter().zip(&factors).map(|(p, factor)| p * factor / sum));
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adjusted(row: [f64; 2], tau: f64, frequencies: [f64; 2]) -> Vec<f64> {
        let mut rows = Distributions::new(2);
        rows.push(row);
        adjust(&rows, tau, &frequencies).rows().next().unwrap().to_vec()
    }

    fn close(found: &[f64], expected: [f64; 2]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn adjustment_by_hand() {
        // Frequencies .8 and .2. At τ = 1: .6/.8 = .75 and .4/.2 = 2, of 2.75: 3/11 and 8/11.
        close(&adjusted([0.6, 0.4], 1.0, [0.8, 0.2]), [3.0 / 11.0, 8.0 / 11.0]);
        // At τ = ½ the ratio .6 : .4 is divided by √4 = 2: 3 : 4.
        close(&adjusted([0.6, 0.4], 0.5, [0.8, 0.2]), [3.0 / 7.0, 4.0 / 7.0]);
    }

    #[test]
    fn nothing_changes_without_a_tau_or_with_even_classes() {
        close(&adjusted([0.6, 0.4], 0.0, [0.8, 0.2]), [0.6, 0.4]);
        close(&adjusted([0.6, 0.4], 2.0, [0.5, 0.5]), [0.6, 0.4]);
    }
}
