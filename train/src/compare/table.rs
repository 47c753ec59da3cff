//! The lines of a comparison, as Markdown, as HTML and as bars.

use maud::{Markup, html};

use super::{Comparison, Group, Reference, Scores};
use crate::chart::grouped;
use crate::statistic::Statistic;

/// What is written where there is no figure.
const NOTHING: &str = "–";
/// Columns before those of the classes.
const COLUMNS: [&str; 10] = [
    "run",
    "scored on",
    "seeds",
    "epochs (best)",
    "parameters",
    "images/s",
    "accuracy",
    "macro-F1",
    "NLL",
    "ECE",
];
/// Of those, columns of text.
const TEXTS: usize = 2;

/// One bar of each kind.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) macro_f1: f64,
    pub(super) accuracy: f64,
}

/// The table's cells, its heading first: a line for each split that a group was scored on, then
/// one for each published result.
pub(super) fn lines(comparison: &Comparison) -> Vec<Vec<String>> {
    let classes = comparison.classes.names();
    let heading = COLUMNS.iter().map(|&name| name.to_owned());
    let heading = heading.chain(classes.iter().map(|class| format!("F1 {class}"))).collect();
    let mut lines = vec![heading];
    for group in &comparison.runs {
        match group.scores().count() {
            0 => lines.push(line(group, None, classes.len())),
            _ => lines.extend(group.scores().map(|s| line(group, Some(s), classes.len()))),
        }
    }
    lines.extend(comparison.references.iter().map(|reference| published(reference, classes)));
    lines
}

fn line(group: &Group, scores: Option<&Scores>, classes: usize) -> Vec<String> {
    let joined = |values: Vec<String>| values.join(", ");
    let epochs = group.epochs_done.iter().zip(&group.best_epochs).map(|(done, best)| {
        let best = best.map_or(NOTHING.to_owned(), |best| best.to_string());
        format!("{done}/{} ({best})", group.epochs)
    });
    let of = |figure: fn(&Scores) -> Statistic| {
        scores.map_or(NOTHING.to_owned(), |scores| figure(scores).text(4))
    };
    let mut cells = vec![
        group.name.clone(),
        scores.map_or(NOTHING.to_owned(), |scores| split_name(scores, group)),
        joined(group.seeds.iter().map(i64::to_string).collect()),
        joined(epochs.collect()),
        grouped(group.parameters),
        group.images_per_second.map_or(NOTHING.to_owned(), |speed| speed.text(0)),
        of(|scores| scores.accuracy),
        of(|scores| scores.macro_f1),
        of(|scores| scores.nll),
        of(|scores| scores.ece),
    ];
    match scores {
        Some(scores) => cells.extend(scores.class_f1.iter().map(|f1| f1.text(3))),
        None => cells.extend(vec![NOTHING.to_owned(); classes]),
    }
    cells
}

/// The split, and how many of the group's runs were scored on it if not all.
fn split_name(scores: &Scores, group: &Group) -> String {
    if scores.runs == group.seeds.len() {
        scores.split.clone()
    } else {
        format!("{} ({} of {} runs)", scores.split, scores.runs, group.seeds.len())
    }
}

fn published(reference: &Reference, classes: &[String]) -> Vec<String> {
    let text = |value: Option<f64>, decimals: usize| {
        value.map_or(NOTHING.to_owned(), |value| format!("{value:.decimals$}"))
    };
    let mut cells = vec![NOTHING.to_owned(); COLUMNS.len()];
    cells[0].clone_from(&reference.name);
    cells[1].clone_from(&reference.scored_on);
    // As precise as they were published.
    cells[6] = text(reference.accuracy, 2);
    cells[7] = text(reference.macro_f1, 2);
    cells.extend(classes.iter().map(|class| text(reference.class_f1.get(class).copied(), 2)));
    cells
}

/// The lines that have a score, for the chart.
pub(super) fn bars(comparison: &Comparison) -> Vec<Bar> {
    let several = comparison.runs.iter().any(|group| group.scores().count() > 1);
    let mut bars = Vec::new();
    for group in &comparison.runs {
        bars.extend(group.scores().map(|scores| Bar {
            label: if several {
                format!("{}, {}", group.name, scores.split)
            } else {
                group.name.clone()
            },
            macro_f1: scores.macro_f1.mean,
            accuracy: scores.accuracy.mean,
        }));
    }
    bars.extend(comparison.references.iter().map(|reference| Bar {
        label: reference.name.clone(),
        macro_f1: reference.macro_f1.unwrap_or(f64::NAN),
        accuracy: reference.accuracy.unwrap_or(f64::NAN),
    }));
    bars
}

/// As Markdown, padded so that it can be read as it is.
pub(super) fn markdown(lines: &[Vec<String>]) -> String {
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect())
        .collect();
    let columns = lines.first().map_or(0, Vec::len);
    let length = |cell: &String| cell.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| length(&line[column])).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            text += &if column < TEXTS {
                format!("| {cell:<width$} ")
            } else {
                format!("| {cell:>width$} ")
            };
        }
        text += "|\n";
        if index == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width);
                text +=
                    &if column < TEXTS { format!("|:{dashes}-") } else { format!("|-{dashes}:") };
            }
            text += "|\n";
        }
    }
    text
}

/// As HTML.
pub(super) fn html(lines: &[Vec<String>]) -> Markup {
    let class = |column: usize| (column < TEXTS).then_some("text");
    html! {
        table {
            @for (index, line) in lines.iter().enumerate() {
                tr {
                    @for (column, cell) in line.iter().enumerate() {
                        @if index == 0 { th class=[class(column)] { (cell) } }
                        @else { td class=[class(column)] { (cell) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_padded_and_escaped() {
        let lines = [["run", "scored on", "seeds"], ["a|b", "test", "1, 2"]]
            .map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(
            markdown(&lines),
            "| run  | scored on | seeds |\n|:-----|:----------|------:|\n| a\\|b | test      |  1, 2 |\n"
        );
    }
}
