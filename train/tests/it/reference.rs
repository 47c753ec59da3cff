//! Metrics, temperature and logit adjustment against scikit-learn and SciPy.
//!
//! The numbers are what this printed (scikit-learn 1.x, NumPy 2.x):
//!
//! ```python
//! import numpy as np
//! from scipy.optimize import minimize_scalar
//! from scipy.special import log_softmax, softmax
//! from sklearn.metrics import log_loss, precision_recall_fscore_support as prf
//!
//! g = np.random.default_rng(5)
//! y = g.choice(4, 16, p=[.5, .25, .15, .1])
//! z = (g.normal(size=(16, 4)) * 2 + 2.5 * np.eye(4)[y]).round(1).astype(np.float32).astype(float)
//! p = softmax(z, axis=1)
//! for average in ["micro", "macro", "weighted"]:
//!     print(prf(y, p.argmax(1), average=average, zero_division=0)[:3])
//! print(log_loss(y, p))
//! top, right = p.max(1), p.argmax(1) == y
//! bins = np.minimum(np.ceil(top * 15).astype(int), 15)
//! print(sum(abs(top[bins == b].sum() - right[bins == b].sum()) for b in set(bins)) / len(y))
//! loss = lambda t: log_loss(y, softmax(z / t, axis=1))
//! print(minimize_scalar(loss, bounds=(.2, 5), method="bounded", options={"xatol": 1e-10}))
//! frequency = np.array([40, 30, 20, 10]) / 100
//! adjusted = softmax(log_softmax(z, axis=1) - 1.5 * np.log(frequency), axis=1)
//! print(adjusted[0], log_loss(y, adjusted), (adjusted.argmax(1) == y).mean())
//! ```

use fer_train::classes::Classes;
use fer_train::evaluate::adjust;
use fer_train::metrics::{Average, Distributions, Metrics, fit_temperature};

const LABELS: [usize; 16] = [2, 2, 1, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 3, 2, 2];

#[rustfmt::skip]
const LOGITS: [f32; 64] = [
    -0.2, -2.3,  1.2, -1.0,
    -1.4,  1.1,  2.4, -1.2,
     0.8,  4.2, -3.3, -0.5,
     0.5, -0.3, -2.6,  0.0,
     2.4, -0.6, -2.1, -0.8,
     0.3, -2.7,  0.4, -2.2,
     4.8,  1.4, -4.0,  0.5,
     0.3,  0.1,  0.1, -4.0,
     2.0, -0.5,  1.9, -2.4,
     1.5, -2.2, -0.7,  0.8,
     2.9,  3.6,  4.9,  1.3,
     4.2,  1.7, -1.2, -0.1,
     5.2, -0.8,  0.4,  0.0,
     1.2, -0.7, -0.3,  3.0,
     0.2, -1.7,  4.3, -2.6,
    -2.4, -2.6,  4.4, -0.7,
];

fn metrics(rows: &Distributions) -> Metrics {
    let (classes, _) = Classes::from_names(&["a", "b", "c", "d"].map(str::to_owned));
    Metrics::new(rows, &LABELS, &classes)
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-7, "{found}; expected {expected}");
}

#[test]
fn averages_and_calibration_are_scikit_learns() {
    let m = metrics(&Distributions::of_logits(&LOGITS, 4, 1.0));
    close(m.accuracy, 0.8125);
    let of = |average: Average| [average.precision, average.recall, average.f1];
    for (found, expected) in [
        (of(m.macro_average), [0.885_416_666_7, 0.718_75, 0.752_083_333_3]),
        (of(m.weighted_average), [0.854_166_666_7, 0.812_5, 0.804_166_666_7]),
    ] {
        found.iter().zip(expected).for_each(|(&found, expected)| close(found, expected));
    }
    close(m.nll, 0.450_140_291_5);
    close(m.ece, 0.182_787_116_4);
    // The micro averages are printed as the accuracy.
    assert!(m.report().contains("micro              0.812   0.812   0.812       16"), "{m}");
}

#[test]
fn the_temperature_is_scipys_minimum() {
    let temperature = fit_temperature(&LOGITS, 4, &LABELS);
    // Flat at its minimum, so that either search is right to half of its digits.
    assert!((temperature - 0.710_843_787).abs() < 1e-6, "{temperature}");
    close(metrics(&Distributions::of_logits(&LOGITS, 4, temperature)).nll, 0.427_328_506_7);
}

#[test]
fn logit_adjustment_is_numpys() {
    let rows = adjust(&Distributions::of_logits(&LOGITS, 4, 1.0), 1.5, &[0.4, 0.3, 0.2, 0.1]);
    let expected = [0.061_527_087_9, 0.011_599_948_9, 0.705_705_741_1, 0.221_167_222_1];
    let first = rows.rows().next().unwrap();
    first.iter().zip(expected).for_each(|(&found, expected)| close(found, expected));
    let m = metrics(&rows);
    close(m.nll, 0.642_984_030_7);
    close(m.accuracy, 0.687_5);
}
