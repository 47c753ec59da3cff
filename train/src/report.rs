//! Classification metrics, from probabilities and labels alone.

use fer_core::emotion::Emotion;
use serde::{Deserialize, Serialize};

const CLASSES: usize = Emotion::COUNT;
/// Equal-width confidence bins of the expected calibration error (Guo et al. 2017).
const ECE_BINS: usize = 15;

/// How one class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub emotion: Emotion,
    /// Right among those called this class, 0 to 1; 0 where none was.
    pub precision: f64,
    /// Found among those that are this class, 0 to 1; 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Images of this class.
    pub support: usize,
}

/// All figures of one model on one set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Images.
    pub images: usize,
    /// Fraction that is right.
    pub accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// Mean of the classes' F1, weighted by their support.
    pub weighted_f1: f64,
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Expected calibration error over 15 bins of equal width.
    pub ece: f64,
    /// In the order of [`Emotion::ALL`].
    pub classes: Vec<ClassMetrics>,
    /// `confusion[truth][prediction]`, in images.
    pub confusion: [[usize; CLASSES]; CLASSES],
}

/// Softmax of logits divided by `temperature`, computed in `f64`.
pub fn probabilities(logits: &[f32; CLASSES], temperature: f64) -> [f64; CLASSES] {
    let scaled = logits.map(|logit| f64::from(logit) / temperature);
    let highest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = scaled.map(|logit| (logit - highest).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// Metrics of logits, one row an image, as [`metrics`] of their [`probabilities`].
pub fn metrics_of_logits(
    logits: &[[f32; CLASSES]],
    labels: &[Emotion],
    temperature: f64,
) -> Metrics {
    let rows: Vec<_> = logits.iter().map(|row| probabilities(row, temperature)).collect();
    metrics(&rows, labels)
}

/// Metrics of probabilities, one row an image, against labels of the same number.
pub fn metrics(rows: &[[f64; CLASSES]], labels: &[Emotion]) -> Metrics {
    let mut confusion = [[0; CLASSES]; CLASSES];
    let mut nll = 0.0;
    for (row, label) in rows.iter().zip(labels) {
        confusion[label.index()][best(row).0] += 1;
        nll -= row[label.index()].max(f64::MIN_POSITIVE).ln();
    }
    let images = labels.len();
    let classes = class_metrics(&confusion);
    let right: usize = (0..CLASSES).map(|class| confusion[class][class]).sum();
    let weighted: f64 = classes.iter().map(|class| class.f1 * class.support as f64).sum();
    Metrics {
        images,
        accuracy: ratio(right as f64, images as f64),
        macro_f1: classes.iter().map(|class| class.f1).sum::<f64>() / CLASSES as f64,
        weighted_f1: ratio(weighted, images as f64),
        nll: ratio(nll, images as f64),
        ece: calibration_error(rows, labels),
        classes,
        confusion,
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The most probable class and its probability; the first of equals.
fn best(row: &[f64; CLASSES]) -> (usize, f64) {
    let mut best = (0, row[0]);
    for (class, &probability) in row.iter().enumerate() {
        if probability > best.1 {
            best = (class, probability);
        }
    }
    best
}

fn class_metrics(confusion: &[[usize; CLASSES]; CLASSES]) -> Vec<ClassMetrics> {
    let mut classes = Vec::with_capacity(CLASSES);
    for emotion in Emotion::ALL {
        let class = emotion.index();
        let right = confusion[class][class] as f64;
        let support: usize = confusion[class].iter().sum();
        let called: usize = confusion.iter().map(|row| row[class]).sum();
        let precision = ratio(right, called as f64);
        let recall = ratio(right, support as f64);
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        classes.push(ClassMetrics { emotion, precision, recall, f1, support });
    }
    classes
}

/// Mean gap between confidence and accuracy over bins of confidence, weighted by their images.
fn calibration_error(rows: &[[f64; CLASSES]], labels: &[Emotion]) -> f64 {
    let mut confidence = [0.0; ECE_BINS];
    let mut right = [0.0; ECE_BINS];
    for (row, label) in rows.iter().zip(labels) {
        let (class, probability) = best(row);
        let bin = ((probability * ECE_BINS as f64).ceil() as usize).clamp(1, ECE_BINS) - 1;
        confidence[bin] += probability;
        right[bin] += f64::from(u8::from(class == label.index()));
    }
    let gaps: f64 = confidence.iter().zip(&right).map(|(c, r)| (c - r).abs()).sum();
    ratio(gaps, rows.len() as f64)
}

/// The temperature, .2 to 5, whose probabilities have the lowest negative log-likelihood.
///
/// Found by golden-section search on its logarithm, in which the likelihood has one minimum.
pub fn fit_temperature(logits: &[[f32; CLASSES]], labels: &[Emotion]) -> f64 {
    let loss = |log_temperature: f64| -> f64 {
        let temperature = log_temperature.exp();
        let nll = |(row, label): (&[f32; CLASSES], &Emotion)| {
            -probabilities(row, temperature)[label.index()].max(f64::MIN_POSITIVE).ln()
        };
        logits.iter().zip(labels).map(nll).sum()
    };
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (0.2_f64.ln(), 5.0_f64.ln());
    for _ in 0..48 {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    f64::midpoint(low, high).exp()
}

impl std::fmt::Display for Metrics {
    /// A classification report and the confusion matrix, as text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<12}{:>10}{:>8}{:>8}{:>9}", "", "precision", "recall", "F1", "support")?;
        for class in &self.classes {
            let (name, p, r) = (class.emotion.name(), class.precision, class.recall);
            writeln!(f, "{name:<12}{p:>10.3}{r:>8.3}{:>8.3}{:>9}", class.f1, class.support)?;
        }
        writeln!(
            f,
            "accuracy {:.4}   macro-F1 {:.4}   weighted F1 {:.4}   NLL {:.4}   ECE {:.4}   images {}",
            self.accuracy, self.macro_f1, self.weighted_f1, self.nll, self.ece, self.images
        )?;
        writeln!(f, "confusion (rows: truth, columns: prediction)")?;
        for (emotion, row) in Emotion::ALL.iter().zip(&self.confusion) {
            write!(f, "{:<12}", emotion.name())?;
            for count in row {
                write!(f, "{count:>6}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: usize, probability: f64) -> [f32; CLASSES] {
        let rest = ((1.0 - probability) / 6.0).ln() as f32;
        let mut logits = [rest; CLASSES];
        logits[class] = probability.ln() as f32;
        logits
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn f1_by_hand() {
        use Emotion::{Anger, Disgust, Fear};
        // Anger: 3 images, 2 found; disgust: 2 images, 1 found; fear: 1 image, not found.
        let truth = [Anger, Anger, Anger, Disgust, Disgust, Fear];
        let called = [0, 0, 1, 1, 0, 0].map(|class| row(class, 0.9));
        let m = metrics_of_logits(&called, &truth, 1.0);
        close(m.accuracy, 0.5);
        // Anger: P 2/4, R 2/3, F1 4/7. Disgust: P 1/2, R 1/2. Fear: 0.
        close(m.classes[0].precision, 0.5);
        close(m.classes[0].recall, 2.0 / 3.0);
        close(m.classes[0].f1, 4.0 / 7.0);
        close(m.classes[1].f1, 0.5);
        close(m.classes[2].f1, 0.0);
        close(m.macro_f1, (4.0 / 7.0 + 0.5) / 7.0);
        close(m.weighted_f1, (3.0 * 4.0 / 7.0 + 2.0 * 0.5) / 6.0);
        assert_eq!(m.confusion[0][..3], [2, 1, 0]);
        assert_eq!(m.classes.iter().map(|class| class.support).sum::<usize>(), 6);
        // Three right at .9, three wrong, each at .1/6.
        close(m.nll, -(3.0 * 0.9_f64.ln() + 3.0 * (0.1_f64 / 6.0).ln()) / 6.0);
        // One bin: mean confidence .9, accuracy .5.
        close(m.ece, 0.4);
    }

    #[test]
    fn calibration_error_by_hand() {
        // Four at .95, all right: gap .05. Four at .5, one right: gap .25. Mean .15.
        let logits: Vec<_> =
            [0.95; 4].iter().chain(&[0.5; 4]).map(|&probability| row(0, probability)).collect();
        let mut truth = [Emotion::Anger; 8];
        truth[5..].fill(Emotion::Fear);
        close(metrics_of_logits(&logits, &truth, 1.0).ece, 0.15);
    }

    #[test]
    fn temperature_by_hand() {
        // Nine of ten are right; logits that claim e⁴ : 1 on two classes are best at
        // temperature 4 / ln 9, where they claim 9 : 1.
        let mut logits = [[-1e4_f32; CLASSES]; 10];
        for row in &mut logits {
            row[0] = 4.0;
            row[1] = 0.0;
        }
        let mut truth = [Emotion::Anger; 10];
        truth[9] = Emotion::Disgust;
        let temperature = fit_temperature(&logits, &truth);
        assert!((temperature - 4.0 / 9_f64.ln()).abs() < 1e-6, "{temperature}");
    }

    #[test]
    fn nothing_gives_zeroes() {
        let m = metrics(&[], &[]);
        assert_eq!((m.images, m.accuracy, m.macro_f1, m.nll, m.ece), (0, 0.0, 0.0, 0.0, 0.0));
    }
}
