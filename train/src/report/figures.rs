//! What a report says of one split: headline figures, classes, confusion, reliability.

use maud::{Markup, html};

use super::page::chart;
use crate::chart::{ChartError, confusion, grouped, reliability};
use crate::metrics::{Average, Metrics};

/// The figures on all images and, where that differs, without those that have a twin in Training.
pub(super) fn section(
    whole: &Metrics,
    without_twins: Option<&Metrics>,
) -> Result<Markup, ChartError> {
    let without = without_twins.filter(|metrics| metrics.images < whole.images);
    Ok(html! {
        div.box.scroll.split {
            (classes(whole))
            div {
                h3 { "Averages" }
                table {
                    tr {
                        th {}
                        @for name in ["images", "accuracy", "macro-F1", "NLL", "ECE"] { th { (name) } }
                    }
                    (line("all images", whole))
                    @if let Some(metrics) = without { (line("without twins in Training", metrics)) }
                }
                @if without_twins.is_some() && without.is_none() {
                    p.faint { "None of the images has a pixel-identical twin in Training." }
                }
            }
        }
        (charts(whole)?)
        @if let Some(metrics) = without {
            details {
                summary { "The same without the images that are pixel-identical to a training image" }
                div.box.scroll { (classes(metrics)) }
                (charts(metrics)?)
            }
        }
    })
}

fn line(what: &str, metrics: &Metrics) -> Markup {
    html! {
        tr {
            td { (what) }
            td { (grouped(metrics.images)) }
            @for figure in [metrics.accuracy, metrics.macro_f1(), metrics.nll, metrics.ece] {
                td { (format!("{figure:.4}")) }
            }
        }
    }
}

fn charts(metrics: &Metrics) -> Result<Markup, ChartError> {
    Ok(html! {
        div.pair {
            (chart(&confusion(metrics)?, "confusion matrix: truth against prediction"))
            (chart(&reliability(metrics)?, "reliability diagram: accuracy against confidence"))
        }
    })
}

/// Precision, recall and F1 of each class and their averages.
fn classes(metrics: &Metrics) -> Markup {
    let micro = metrics.accuracy;
    let averages = [
        ("micro", Average { precision: micro, recall: micro, f1: micro }),
        ("macro", metrics.macro_average),
        ("weighted", metrics.weighted_average),
    ];
    html! {
        div {
            h3 { "Classes" }
            table {
                tr { th {} th { "precision" } th { "recall" } th.text { "F1" } th { "images" } }
                @for class in &metrics.classes {
                    tr {
                        td { (class.class) }
                        td { (format!("{:.3}", class.precision)) }
                        td { (format!("{:.3}", class.recall)) }
                        td.text {
                            (format!("{:.3}", class.f1))
                            span.bar { i style=(format!("width:{:.0}%", class.f1 * 100.0)) {} }
                        }
                        td { (grouped(class.support)) }
                    }
                }
                @for (name, average) in averages {
                    tr.total {
                        td { (name) }
                        td { (format!("{:.3}", average.precision)) }
                        td { (format!("{:.3}", average.recall)) }
                        td.text { (format!("{:.3}", average.f1)) }
                        td { (grouped(metrics.images)) }
                    }
                }
            }
        }
    }
}
