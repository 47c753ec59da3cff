//! What the charts say and how large they are.

use resvg::usvg::roxmltree::Document;

use super::*;
use crate::metrics::{Distributions, Metrics};

/// All texts of an SVG, which must be well-formed.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.filter_map(|node| node.text()).map(|text| text.trim().to_owned()).collect()
}

#[track_caller]
fn has(texts: &[String], expected: &[&str]) {
    for text in expected {
        assert!(texts.iter().any(|found| found == text), "no `{text}` among {texts:?}");
    }
}

/// Metrics of `count` images over classes of these names; two of three are right.
fn metrics(names: &[&str], count: usize) -> Metrics {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let (classes, _) = crate::classes::Classes::from_names(&names);
    let mut rows = Distributions::new(classes.len());
    let labels: Vec<usize> = (0..count).map(|image| image % classes.len()).collect();
    for (image, label) in labels.iter().enumerate() {
        let called = if image % 3 == 2 { (label + 1) % classes.len() } else { *label };
        let rest = 0.3 / (classes.len() - 1) as f64;
        rows.push((0..classes.len()).map(|class| if class == called { 0.7 } else { rest }));
    }
    Metrics::new(&rows, &labels, &classes)
}

fn series(name: &str, values: &[f64]) -> (String, Vec<f64>) {
    (name.to_owned(), values.to_vec())
}

#[test]
fn bars_have_labels_values_and_a_legend() {
    let labels = ["a < b".to_owned(), "c & d".to_owned()];
    let chart = [series("training", &[1200.0, 7.0]), series("test", &[30.0, f64::NAN])];
    let svg = bars("Images", &labels, &chart).unwrap();
    has(&texts(&svg), &["Images", "a < b", "c & d", "1,200", "7", "30", "–", "test"]);
    let fractions = [series("macro-F1", &[0.6149, 1.0])];
    let svg = bars("Scores", &labels, &fractions).unwrap();
    has(&texts(&svg), &["0.615", "1.000"]);
    assert!(!texts(&svg).contains(&"macro-F1".to_owned()), "one series needs no legend");
}

#[test]
fn a_bar_is_as_long_as_its_value() {
    let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let svg = bars("", &labels, &[series("s", &[100.0, 25.0, 0.0])]).unwrap();
    let document = Document::parse(&svg).unwrap();
    let number = |node: resvg::usvg::roxmltree::Node<'_, '_>, name| {
        node.attribute(name).and_then(|text| text.parse::<f64>().ok()).unwrap()
    };
    let bars = document.descendants().filter(|node| node.attribute("fill") == Some("#0072B2"));
    let widths: Vec<f64> = bars.map(|node| number(node, "width")).collect();
    assert_eq!(widths.len(), 3);
    assert!((widths[1] / widths[0] - 0.25).abs() < 0.01, "{widths:?}");
    assert_eq!(widths[2], 0.0);
}

#[test]
fn bars_refuse_what_they_cannot_show() {
    let labels = ["a".to_owned(), "b".to_owned()];
    let short = bars("Images", &labels, &[series("test", &[1.0])]).unwrap_err();
    assert_eq!(
        short.to_string(),
        "chart `Images`, series `test`: 1 values; expected 2, one a label"
    );
    let negative = bars("Images", &labels, &[series("test", &[1.0, -2.5])]).unwrap_err();
    assert_eq!(
        negative.to_string(),
        "chart `Images`, series `test`: value -2.5; expected at least 0"
    );
    assert!(bars("Nothing", &[], &[]).is_ok());
}

#[test]
fn lines_of_any_number_of_points_can_be_drawn() {
    let points = |count: u32| (1..=count).map(|x| (f64::from(x), 1.0 / f64::from(x))).collect();
    for count in [0, 1, 2, 300] {
        let chart = ["training <loss>", "validation"].map(|name| (name.to_owned(), points(count)));
        let svg = lines("Loss", "epoch", "nats", &chart).unwrap();
        has(&texts(&svg), &["Loss", "epoch", "nats", "training <loss>", "validation"]);
    }
    let broken = [("loss".to_owned(), vec![(1.0, f64::NAN), (2.0, 0.5), (3.0, 0.4)])];
    assert!(!lines("Loss", "epoch", "nats", &broken).unwrap().contains("NaN"));
}

#[test]
fn whole_numbers_have_no_ticks_between_them() {
    let chart = [("loss".to_owned(), vec![(1.0, 0.75), (3.0, 0.5)])];
    let texts = texts(&lines("Loss", "epoch", "nats", &chart).unwrap());
    has(&texts, &["1", "2", "3"]);
    assert!(!texts.iter().any(|text| text == "1.5"), "{texts:?}");
}

#[test]
fn a_confusion_matrix_has_counts_and_percentages() {
    // 9 images of each class: of each three, two are right and one is called the next class.
    let svg = confusion(&metrics(&["cat", "dog <small>"], 18)).unwrap();
    let texts = texts(&svg);
    has(&texts, &["cat", "dog <small>", "6", "3", "67 %", "33 %"]);
    assert_eq!(texts.iter().filter(|text| *text == "67 %").count(), 2);
}

#[test]
fn confusion_matrices_fit_two_to_thirty_classes() {
    for count in [2, 3, 7, 30] {
        let names: Vec<String> = (0..count).map(|class| format!("class {class:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let svg = confusion(&metrics(&names, count * 3)).unwrap();
        assert_eq!(texts(&svg).iter().filter(|text| text.starts_with("class")).count(), 2 * count);
        let document = Document::parse(&svg).unwrap();
        let width = document.root_element().attribute("width").unwrap();
        assert!((250..=1600).contains(&width.parse().unwrap()), "{width}");
    }
}

#[test]
fn a_reliability_diagram_has_the_bins_counts() {
    // All 18 at confidence .7, in one bin; 12 are right, so the error is .7 − 2/3.
    let svg = reliability(&metrics(&["cat", "dog"], 18)).unwrap();
    has(&texts(&svg), &["18", "confidence", "accuracy", "Reliability: ECE 0.033"]);
    assert!(reliability(&metrics(&["cat", "dog"], 0)).is_ok());
}

#[test]
fn thousands_are_grouped() {
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn long_labels_are_cut_in_the_middle() {
    let label = format!("source-{}-smote", "x".repeat(40));
    let short = shortened(&label);
    assert_eq!(short.chars().count(), LONGEST);
    assert!(short.starts_with("source-") && short.ends_with("-smote"), "{short}");
}
