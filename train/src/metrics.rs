//! Classification metrics, from probabilities and labels alone.

use serde::{Deserialize, Serialize};

use crate::classes::Classes;

/// Equal-width confidence bins of the expected calibration error (Guo et al. 2017).
const BINS: usize = 15;

/// Distributions over classes, one row an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distributions {
    classes: usize,
    values: Vec<f64>,
}

impl Distributions {
    /// No rows yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, values: Vec::new() }
    }

    /// Softmax of logits `[n, classes]` divided by `temperature`, computed in `f64`.
    pub fn of_logits(logits: &[f32], classes: usize, temperature: f64) -> Self {
        let mut rows = Self::new(classes);
        for row in logits.chunks_exact(classes.max(1)) {
            rows.push(softmax(row, temperature));
        }
        rows
    }

    /// Adds a row of as many values as there are classes.
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        self.values.extend(row);
    }

    /// Values in a row.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.classes.max(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rows one by one.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.classes.max(1))
    }

    /// The rows at `indices`, each of which must be below [`Self::len`].
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self::new(self.classes);
        for &index in indices {
            let row = index * self.classes..(index + 1) * self.classes;
            selected.values.extend_from_slice(&self.values[row]);
        }
        selected
    }

    /// The mean of several distributions of each of the same images, `weights` (above 0) telling
    /// how much each counts.
    pub fn mean(of: &[Self], weights: &[f64]) -> Self {
        let Some(first) = of.first() else { return Self::default() };
        let total: f64 = weights.iter().sum();
        let mut mean = vec![0.0; first.values.len()];
        for (rows, weight) in of.iter().zip(weights) {
            for (sum, value) in mean.iter_mut().zip(&rows.values) {
                *sum += value * weight / total;
            }
        }
        Self { classes: first.classes, values: mean }
    }
}

/// Softmax of one row of logits divided by `temperature`.
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let scaled = logits.iter().map(|&logit| f64::from(logit) / temperature);
    let highest = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scaled.map(|logit| (logit - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// How one class is told from the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class's name.
    pub class: String,
    /// Right among those called this class, 0 to 1; 0 where none was.
    pub precision: f64,
    /// Found among those that are this class, 0 to 1; 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Images of this class.
    pub support: usize,
}

/// Precision, recall and F1, averaged over classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Of the classes' precisions.
    pub precision: f64,
    /// Of the classes' recalls.
    pub recall: f64,
    /// Of the classes' F1.
    pub f1: f64,
}

/// The images whose top probability lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// How many.
    pub images: usize,
    /// Mean of their top probabilities; 0 where there is no image.
    pub confidence: f64,
    /// Fraction of them that is right; 0 where there is no image.
    pub accuracy: f64,
}

/// All figures of one model on one set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Images.
    pub images: usize,
    /// Fraction that is right; precision, recall and F1 averaged over images (micro) equal it.
    pub accuracy: f64,
    /// Averages in which all classes count the same, but those that no image is or was called.
    #[serde(rename = "macro")]
    pub macro_average: Average,
    /// Averages in which a class counts by its support.
    #[serde(rename = "weighted")]
    pub weighted_average: Average,
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Expected calibration error over 15 bins of equal width.
    pub ece: f64,
    /// The bins, from confidence 0 to 1.
    pub reliability: Vec<ReliabilityBin>,
    /// In the order of the classes.
    pub classes: Vec<ClassMetrics>,
    /// `confusion[truth][prediction]`, in images.
    pub confusion: Vec<Vec<usize>>,
}

impl Metrics {
    /// Metrics of probabilities against labels of the same number.
    pub fn new(rows: &Distributions, labels: &[usize], classes: &Classes) -> Self {
        let mut confusion = vec![vec![0; classes.len()]; classes.len()];
        for (row, &label) in rows.rows().zip(labels) {
            confusion[label][top(row).0] += 1;
        }
        let images = labels.len();
        let right: usize = (0..classes.len()).map(|class| confusion[class][class]).sum();
        let class_metrics = class_metrics(&confusion, classes);
        let supports: Vec<f64> = class_metrics.iter().map(|class| class.support as f64).collect();
        let reliability = reliability(rows, labels);
        let gap = |bin: &ReliabilityBin| bin.images as f64 * (bin.confidence - bin.accuracy).abs();
        Self {
            images,
            accuracy: ratio(right as f64, images as f64),
            macro_average: average(&class_metrics, &present(&confusion)),
            weighted_average: average(&class_metrics, &supports),
            nll: ratio(summed_nll(rows, labels), images as f64),
            ece: ratio(reliability.iter().map(gap).sum(), images as f64),
            reliability,
            classes: class_metrics,
            confusion,
        }
    }

    /// Mean of the classes' F1.
    pub fn macro_f1(&self) -> f64 {
        self.macro_average.f1
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The most probable class and its probability; the first of equals.
pub fn top(row: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (class, &probability) in row.iter().enumerate() {
        if probability > best.1 {
            best = (class, probability);
        }
    }
    best
}

fn summed_nll(rows: &Distributions, labels: &[usize]) -> f64 {
    // `max` would make a small number of NaN.
    let bounded = |p: f64| p.clamp(f64::MIN_POSITIVE, f64::INFINITY);
    rows.rows().zip(labels).map(|(row, &label)| -bounded(row[label]).ln()).sum()
}

fn class_metrics(confusion: &[Vec<usize>], classes: &Classes) -> Vec<ClassMetrics> {
    let metrics = |(class, name): (usize, &String)| {
        let right = confusion[class][class] as f64;
        let support: usize = confusion[class].iter().sum();
        let called: usize = confusion.iter().map(|row| row[class]).sum();
        let precision = ratio(right, called as f64);
        let recall = ratio(right, support as f64);
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        ClassMetrics { class: name.clone(), precision, recall, f1, support }
    };
    classes.names().iter().enumerate().map(metrics).collect()
}

/// 1 for each class that an image is or was called, 0 for the others.
fn present(confusion: &[Vec<usize>]) -> Vec<f64> {
    let is_present = |class: usize| {
        confusion[class].iter().any(|&images| images > 0)
            || confusion.iter().any(|row| row[class] > 0)
    };
    (0..confusion.len()).map(|class| f64::from(u8::from(is_present(class)))).collect()
}

fn average(classes: &[ClassMetrics], weights: &[f64]) -> Average {
    let total: f64 = weights.iter().sum();
    let mean = |figure: fn(&ClassMetrics) -> f64| {
        let weighed = classes.iter().zip(weights).map(|(class, weight)| weight * figure(class));
        ratio(weighed.sum(), total)
    };
    Average { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
}

/// Confidence and accuracy over bins of confidence, each open at its lower end.
fn reliability(rows: &Distributions, labels: &[usize]) -> Vec<ReliabilityBin> {
    let mut bins = vec![ReliabilityBin::default(); BINS];
    for (row, &label) in rows.rows().zip(labels) {
        let (class, probability) = top(row);
        let index = ((probability * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut bins[index];
        bin.images += 1;
        bin.confidence += probability;
        bin.accuracy += f64::from(u8::from(class == label));
    }
    for bin in &mut bins {
        bin.confidence = ratio(bin.confidence, bin.images as f64);
        bin.accuracy = ratio(bin.accuracy, bin.images as f64);
    }
    bins
}

/// The lowest and the highest temperature that are tried.
pub const TEMPERATURES: [f64; 2] = [0.2, 5.0];

/// Whether a fitted temperature is one of [`TEMPERATURES`], so that a better one lies beyond.
pub fn is_bound(temperature: f64) -> bool {
    TEMPERATURES.iter().any(|bound| (temperature / bound - 1.0).abs() < 1e-6)
}

/// The temperature, .2 to 5, whose probabilities have the lowest negative log-likelihood.
///
/// `logits` are `[n, classes]`. Found by golden-section search on its logarithm, in which the
/// likelihood has one minimum.
pub fn fit_temperature(logits: &[f32], classes: usize, labels: &[usize]) -> f64 {
    let loss = |log_temperature: f64| {
        let rows = Distributions::of_logits(logits, classes, log_temperature.exp());
        summed_nll(&rows, labels)
    };
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (TEMPERATURES[0].ln(), TEMPERATURES[1].ln());
    for _ in 0..48 {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    f64::midpoint(low, high).exp()
}

impl Metrics {
    /// A classification report and a line of summary, as text.
    pub fn report(&self) -> String {
        let mut text =
            format!("{:<14}{:>10}{:>8}{:>8}{:>9}\n", "", "precision", "recall", "F1", "support");
        let mut line = |name: &str, average: Average, support: usize| {
            let Average { precision, recall, f1 } = average;
            text += &format!("{name:<14}{precision:>10.3}{recall:>8.3}{f1:>8.3}{support:>9}\n");
        };
        for ClassMetrics { class, precision, recall, f1, support } in &self.classes {
            line(class, Average { precision: *precision, recall: *recall, f1: *f1 }, *support);
        }
        let micro = Average { precision: self.accuracy, recall: self.accuracy, f1: self.accuracy };
        line("micro", micro, self.images);
        line("macro", self.macro_average, self.images);
        line("weighted", self.weighted_average, self.images);
        text + &format!(
            "accuracy {:.4}   macro-F1 {:.4}   NLL {:.4}   ECE {:.4}\n",
            self.accuracy,
            self.macro_f1(),
            self.nll,
            self.ece
        )
    }

    /// The confusion matrix, as text.
    pub fn confusion_table(&self) -> String {
        let mut text = "confusion (rows: truth, columns: prediction)\n".to_owned();
        for (class, row) in self.classes.iter().zip(&self.confusion) {
            let counts: String = row.iter().map(|count| format!("{count:>6}")).collect();
            text += &format!("{:<14}{counts}\n", class.class);
        }
        text
    }
}

impl std::fmt::Display for Metrics {
    /// The report and the confusion matrix.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.report(), self.confusion_table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: usize, probability: f64) -> Vec<f64> {
        let mut row = vec![(1.0 - probability) / 6.0; 7];
        row[class] = probability;
        row
    }

    fn rows(of: impl IntoIterator<Item = Vec<f64>>) -> Distributions {
        let mut rows = Distributions::new(7);
        of.into_iter().for_each(|row| rows.push(row));
        rows
    }

    fn metrics(rows: &Distributions, labels: &[usize]) -> Metrics {
        Metrics::new(rows, labels, &Classes::fer2013())
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn f1_by_hand() {
        // Anger: 3 images, 2 found; disgust: 2 images, 1 found; fear: 1 image, not found.
        let truth = [0, 0, 0, 1, 1, 2];
        let m = metrics(&rows([0, 0, 1, 1, 0, 0].map(|class| row(class, 0.9))), &truth);
        close(m.accuracy, 0.5);
        // Anger: P 2/4, R 2/3, F1 4/7. Disgust: P 1/2, R 1/2. Fear: 0.
        close(m.classes[0].precision, 0.5);
        close(m.classes[0].recall, 2.0 / 3.0);
        close(m.classes[0].f1, 4.0 / 7.0);
        close(m.classes[1].f1, 0.5);
        close(m.classes[2].f1, 0.0);
        // Four classes are neither there nor predicted, and have no say.
        close(m.macro_f1(), (4.0 / 7.0 + 0.5) / 3.0);
        close(m.macro_average.recall, (2.0 / 3.0 + 0.5) / 3.0);
        close(m.weighted_average.f1, (3.0 * 4.0 / 7.0 + 2.0 * 0.5) / 6.0);
        close(m.weighted_average.precision, (3.0 * 0.5 + 2.0 * 0.5) / 6.0);
        assert_eq!(m.confusion[0][..3], [2, 1, 0]);
        assert_eq!(m.classes.iter().map(|class| class.support).sum::<usize>(), 6);
        // Three right at .9, three wrong, each at .1/6.
        close(m.nll, -(3.0 * 0.9_f64.ln() + 3.0 * (0.1_f64 / 6.0).ln()) / 6.0);
        // One bin: mean confidence .9, accuracy .5.
        close(m.ece, 0.4);
        assert_eq!(m.reliability[13].images, 6);
    }

    #[test]
    fn a_class_that_is_predicted_counts_though_it_is_not_there() {
        // Anger: P 1, R 1/2, F1 2/3; disgust, of which there is none, was called once: F1 0.
        let m = metrics(&rows([0, 1].map(|class| row(class, 0.9))), &[0, 0]);
        close(m.macro_f1(), 1.0 / 3.0);
        close(m.macro_average.precision, 0.5);
    }

    #[test]
    fn calibration_error_by_hand() {
        // Four at .95, all right: gap .05. Four at .5, one right: gap .25. Mean .15.
        let rows = rows([0.95; 4].into_iter().chain([0.5; 4]).map(|p| row(0, p)));
        let mut truth = [0; 8];
        truth[5..].fill(2);
        let m = metrics(&rows, &truth);
        close(m.ece, 0.15);
        close(m.reliability[7].accuracy, 0.25);
        close(m.reliability[14].confidence, 0.95);
    }

    #[test]
    fn temperature_by_hand() {
        // Nine of ten are right; logits that claim e⁴ : 1 on two classes are best at
        // temperature 4 / ln 9, where they claim 9 : 1.
        let logits = [4.0, 0.0].repeat(10);
        let mut truth = [0; 10];
        truth[9] = 1;
        let temperature = fit_temperature(&logits, 2, &truth);
        assert!((temperature - 4.0 / 9_f64.ln()).abs() < 1e-6, "{temperature}");
        assert!(!is_bound(temperature));
        // All are right, so that the surest are best; as many wrong as right, and the least sure.
        truth[9] = 0;
        assert!(is_bound(fit_temperature(&logits, 2, &truth)));
        truth[5..].fill(1);
        assert!(is_bound(fit_temperature(&logits, 2, &truth)));
        // As a manifest holds it.
        assert!(is_bound(f64::from(0.2_f32)) && !is_bound(0.21));
    }

    #[test]
    fn softmax_by_hand() {
        let row = softmax(&[0.0, 3_f32.ln()], 1.0);
        close(row[1], 0.75);
        // Temperature 2 takes the root of the ratio.
        let row = softmax(&[0.0, 9_f32.ln()], 2.0);
        close(row[1], 0.75);
    }

    #[test]
    fn what_is_no_number_has_no_likelihood() {
        assert!(metrics(&rows([vec![f64::NAN; 7]]), &[0]).nll.is_nan());
        // The least probable that there is: −ln of the smallest positive number.
        close(metrics(&rows([row(0, 1.0)]), &[1]).nll, 708.396_418_5);
    }

    #[test]
    fn nothing_gives_zeroes() {
        let m = metrics(&Distributions::new(7), &[]);
        assert_eq!((m.images, m.accuracy, m.macro_f1(), m.nll, m.ece), (0, 0.0, 0.0, 0.0, 0.0));
    }
}
