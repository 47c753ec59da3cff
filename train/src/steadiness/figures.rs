//! How steady and how prompt labels are, against what was shown.

use serde::Serialize;

/// A label that lasts less than this, in seconds, is seen as flicker.
const FLASH: f64 = 0.3;

/// Figures of one clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Changes of the label a minute, to and from `uncertain` included.
    pub switches_per_minute: f64,
    /// Labels a minute that lasted less than .3 s.
    pub flashes_per_minute: f64,
    /// Seconds from a change of expression to its label: the median of those that were noticed;
    /// `None` where none was.
    pub onset_p50: Option<f64>,
    /// The 90th percentile.
    pub onset_p90: Option<f64>,
    /// Fraction of the changes whose expression never got its label while it lasted; `None` where
    /// nothing changed.
    pub missed: Option<f64>,
    /// Mean of the classes' F1 over frames; an uncertain frame is none of any class.
    pub macro_f1: f64,
}

impl Figures {
    /// Compares a label a frame with the class that the frame shows, at `rate` frames a second;
    /// `None` is `uncertain`, or no label yet.
    pub fn new(shown: &[usize], labels: &[Option<usize>], rate: f64) -> Self {
        let minutes = (shown.len() as f64 / rate / 60.0).max(f64::MIN_POSITIVE);
        let runs = lengths(labels);
        let inner = runs.get(1..runs.len().saturating_sub(1)).unwrap_or_default();
        let flashes = inner.iter().filter(|&&frames| (frames as f64) < FLASH * rate).count();
        let onsets = onsets(shown, labels);
        let mut noticed: Vec<f64> =
            onsets.iter().flatten().map(|&frames| frames as f64 / rate).collect();
        noticed.sort_by(f64::total_cmp);
        Self {
            switches_per_minute: runs.len().saturating_sub(1) as f64 / minutes,
            flashes_per_minute: flashes as f64 / minutes,
            onset_p50: percentile(&noticed, 0.5),
            onset_p90: percentile(&noticed, 0.9),
            missed: (!onsets.is_empty()).then(|| 1.0 - noticed.len() as f64 / onsets.len() as f64),
            macro_f1: macro_f1(shown, labels),
        }
    }
}

/// How often what is reported is right, and how often it says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibration {
    /// How many were asked about.
    pub faces: usize,
    /// Mean probability of the likeliest class.
    pub probability: f64,
    /// Fraction of which that is the class.
    pub accuracy: f64,
    /// Expected calibration error: the distance of the two, in 15 bins of probability.
    pub ece: f64,
}

impl Calibration {
    /// Of the class that is shown, the one that is reported as the likeliest, and its probability.
    pub fn new(reported: &[(usize, usize, f64)]) -> Self {
        const BINS: usize = 15;
        let faces = reported.len();
        let (mut accuracy, mut probability, mut gaps) = (0.0, 0.0, [0.0_f64; BINS]);
        for &(shown, said, p) in reported {
            let right = f64::from(u8::from(said == shown));
            gaps[((p * BINS as f64) as usize).min(BINS - 1)] += right - p;
            accuracy += right;
            probability += p;
        }
        let ece = gaps.iter().map(|gap| gap.abs()).sum::<f64>();
        let mean = |sum: f64| sum / faces.max(1) as f64;
        Self { faces, probability: mean(probability), accuracy: mean(accuracy), ece: mean(ece) }
    }
}

/// Changes a minute of what is shown.
pub fn changes_per_minute(shown: &[usize], rate: f64) -> f64 {
    let changes = lengths(shown).len().saturating_sub(1);
    changes as f64 * 60.0 * rate / shown.len().max(1) as f64
}

/// Frames of each run of equal values.
fn lengths<T: PartialEq>(values: &[T]) -> Vec<usize> {
    values.chunk_by(|a, b| a == b).map(<[T]>::len).collect()
}

/// For each change of what is shown, the frames until it has its label, if that came before the
/// next change.
fn onsets(shown: &[usize], labels: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut start = 0;
    let mut found = Vec::new();
    for length in lengths(shown) {
        let (class, end) = (shown[start], start + length);
        if start > 0 {
            found.push(labels[start..end].iter().position(|&label| label == Some(class)));
        }
        start = end;
    }
    found
}

/// The value below which `fraction` of the sorted values lie; `None` of none.
fn percentile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let index = (sorted.len() as f64 * fraction) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied()
}

fn macro_f1(shown: &[usize], labels: &[Option<usize>]) -> f64 {
    let classes = shown.iter().max().map_or(0, |&most| most + 1);
    let count = |keep: &dyn Fn(usize, Option<usize>) -> bool| {
        shown.iter().zip(labels).filter(|&(&class, &label)| keep(class, label)).count() as f64
    };
    let mut f1 = Vec::new();
    for class in 0..classes {
        let right = count(&|shown, label| shown == class && label == Some(class));
        let either = count(&|shown, _| shown == class) + count(&|_, label| label == Some(class));
        if either > 0.0 {
            f1.push(2.0 * right / either);
        }
    }
    f1.iter().sum::<f64>() / f1.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn figures_by_hand() {
        // Ten frames a second, six seconds: a tenth of a minute.
        let shown: Vec<usize> = [vec![0; 20], vec![1; 20], vec![0; 20]].concat();
        // Late by four frames, then a flash of two, then never right again but for uncertainty.
        let mut labels = vec![Some(0); 24];
        labels.extend(
            [vec![Some(1); 6], vec![Some(0); 2], vec![Some(1); 20], vec![None; 8]].concat(),
        );
        let figures = Figures::new(&shown, &labels, 10.0);
        close(figures.switches_per_minute, 40.0);
        close(figures.flashes_per_minute, 10.0);
        close(figures.onset_p50.unwrap(), 0.4);
        close(figures.onset_p90.unwrap(), 0.4);
        close(figures.missed.unwrap(), 0.5);
        // Class 0: shown 40, said 26, both 20. Class 1: shown 20, said 26, both 14.
        close(figures.macro_f1, f64::midpoint(40.0 / 66.0, 28.0 / 46.0));
        close(changes_per_minute(&shown, 10.0), 20.0);
    }

    #[test]
    fn a_label_that_stays_does_not_switch() {
        let figures = Figures::new(&[0; 50], &[Some(0); 50], 10.0);
        close(figures.switches_per_minute, 0.0);
        close(figures.macro_f1, 1.0);
        // Nothing changes, so that nothing is noticed or missed.
        assert_eq!((figures.onset_p50, figures.onset_p90, figures.missed), (None, None, None));
    }

    #[test]
    fn calibration_by_hand() {
        // .9 of ten faces of which six are right, .5 of ten of which five are.
        let reported = |right: usize, p: f64| (0..10).map(move |i| (0, usize::from(i >= right), p));
        let all: Vec<_> = reported(6, 0.9).chain(reported(5, 0.5)).collect();
        let found = Calibration::new(&all);
        close(found.probability, 0.7);
        close(found.accuracy, 0.55);
        close(found.ece, 0.15);
        assert_eq!(found.faces, 20);
    }
}
