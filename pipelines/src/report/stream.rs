//! The part of the page about one stream.

use fer_core::emotion::{Emotion, label_name};
use maud::{Markup, html};

use super::Pictures;
use super::chart::{Scale, ZOOMS, name, strip};
use super::face::{face, lanes};
use super::time::{clock, length, moment, span};
use crate::recording::{Change, Face, Timeline};

/// More rows than this are folded away.
const OPEN: usize = 12;

/// Everything about a stream; `index` sets its controls apart from the others'.
pub(super) fn stream(timeline: &Timeline, index: usize, pictures: &Pictures) -> Markup {
    html! {
        section {
            header {
                h2 { (title(timeline)) }
                @if timeline.span.is_some() { (zoom(index)) }
            }
            p.faint { (origin(timeline)) }
            (cards(timeline))
            (warnings(timeline))
            div.totals { (totals(timeline)) }
            @if let Some((from, to)) = timeline.span {
                @if timeline.faces.len() > 1 { (overview(timeline, &Scale::new(from, to))) }
                (faces(timeline, pictures))
            }
            (changes(timeline, pictures))
        }
    }
}

fn title(timeline: &Timeline) -> &str {
    let file = timeline.files.first().map_or("", String::as_str);
    if timeline.name.is_empty() { file } else { &timeline.name }
}

fn origin(timeline: &Timeline) -> String {
    let mut parts = vec![timeline.files.join(", ")];
    parts.extend(timeline.taken.map(|(first, last)| format!("taken {}", span(first, last))));
    parts.extend(timeline.source.as_ref().map(|source| format!("video {source}")));
    parts.extend(timeline.resolution.map(|r| format!("{} × {} pixels", r.width, r.height)));
    parts.extend(timeline.model.as_ref().map(|model| format!("model {model}")));
    parts.join(" · ")
}

fn zoom(index: usize) -> Markup {
    html! {
        fieldset.zoom {
            legend { "Zoom" }
            @for zoom in ZOOMS {
                label {
                    input type="radio" name={ "zoom" (index) } value=(zoom) checked[zoom == 1];
                    span { (zoom) "×" }
                }
            }
        }
    }
}

fn cards(timeline: &Timeline) -> Markup {
    let summary = &timeline.summary;
    let pace = summary.changes_per_minute().map_or("–".into(), |pace| format!("{pace:.1}"));
    let cards = [
        (length(summary.duration), "duration"),
        (summary.frames.to_string(), "frames"),
        (summary.faces.to_string(), if summary.faces == 1 { "face" } else { "faces" }),
        (summary.changes.to_string(), if summary.changes == 1 { "change" } else { "changes" }),
        (pace, "changes a minute of face"),
    ];
    html! {
        div.cards {
            @for (figure, what) in cards { div.card { b { (figure) } span { (what) } } }
        }
    }
}

fn warnings(timeline: &Timeline) -> Markup {
    let summary = &timeline.summary;
    html! {
        @if timeline.span.is_none() {
            p.note { "The lines state no time: there is no timeline, and nothing has a length." }
        }
        @if summary.unanalysed > 0 {
            p.note {
                (summary.unanalysed) " of the frames carry no analysis: ferdetect was missing \
                 before ferjson, or the metadata was lost on the way."
            }
        }
    }
}

/// How long each label was held, and a bar of it.
fn totals(timeline: &Timeline) -> Markup {
    let summary = &timeline.summary;
    let longest = Emotion::ALL.into_iter().map(Some).chain([None]);
    let longest = longest.filter_map(|label| summary.share(label)).fold(0.0, f64::max);
    html! {
        table {
            thead { tr { th { "expression" } th.number { "time" } th.number { "share" } th {} } }
            tbody {
                @for label in Emotion::ALL.into_iter().map(Some).chain([None]) {
                    @let share = summary.share(label);
                    tr.none[share.unwrap_or(0.0) == 0.0] {
                        td { i class={ "swatch " (label_name(label)) } {} (label_name(label)) }
                        td.number { (length(summary.held(label))) }
                        td.number { @if let Some(share) = share { (format!("{:.1} %", share * 100.0)) } @else { "–" } }
                        td.bar {
                            @if let Some(share) = share.filter(|share| *share > 0.0) {
                                i class=(label_name(label))
                                    style=(format!("width:{:.2}%", share / longest * 100.0)) {}
                            }
                        }
                    }
                }
            }
            tfoot {
                tr { td { "all faces" } td.number { (length(summary.face_time())) } td {} td {} }
            }
        }
    }
}

/// All faces on the stream's time axis.
fn overview(timeline: &Timeline, scale: &Scale) -> Markup {
    html! {
        article {
            h3 { "All faces" small { "one row for each that is in view at a time" } }
            div.scroll tabindex="0" {
                div.wide {
                    @for lane in lanes(&timeline.faces) {
                        div.strip.lane {
                            @for face in lane {
                                div.one style=(scale.place(face.from, face.to)) {
                                    b { (face.id) }
                                    (strip(face, &Scale::new(face.from, face.to)))
                                }
                            }
                        }
                    }
                    (scale.axis())
                }
            }
        }
    }
}

/// The longest faces one by one, in order of appearance.
fn faces(timeline: &Timeline, pictures: &Pictures) -> Markup {
    let drawn = |face: &&Face| face.probabilities.means().nth(1).is_some();
    let mut shown: Vec<&Face> = timeline.faces.iter().filter(drawn).collect();
    shown.sort_by_key(|face| std::cmp::Reverse(face.duration()));
    shown.truncate(Timeline::DETAILED);
    shown.sort_by_key(|face| face.from);
    let more = timeline.faces.len() - shown.len();
    html! {
        @for one in &shown { (face(one, &pictures.of_face(timeline, one))) }
        @if more > 0 && !shown.is_empty() {
            p.faint {
                "The longest are shown one by one; " (more) " more are in the row" @if more > 1 { "s" }
                " above only."
            }
        }
    }
}

fn changes(timeline: &Timeline, pictures: &Pictures) -> Markup {
    let listed = timeline.changes.len();
    let more = timeline.summary.changes - listed as u64;
    html! {
        @if listed > 0 {
            details open[listed <= OPEN] {
                summary { (timeline.summary.changes) " change" @if timeline.summary.changes > 1 { "s" } }
                table.changes {
                    thead {
                        tr {
                            th.number { "time" }
                            @if timeline.taken.is_some() { th.number { "UTC" } }
                            th.number { "face" }
                            th { "from" }
                            th { "to" }
                            @if !pictures.is_empty() { th { "picture" } }
                        }
                    }
                    tbody { @for change in &timeline.changes { (row(timeline, change, pictures)) } }
                }
                @if more > 0 { p.faint { "And " (more) " more, which are not listed." } }
            }
        }
    }
}

fn row(timeline: &Timeline, change: &Change, pictures: &Pictures) -> Markup {
    let label = |label| {
        let text = name(Some(label));
        html! { td { i class={ "swatch " (text) } {} (text) } }
    };
    html! {
        tr {
            td.number { (change.time.map_or("–".into(), clock)) }
            @if timeline.taken.is_some() {
                td.number { (change.taken.map_or("–".into(), moment)) }
            }
            td.number { (change.face) }
            (label(change.from))
            (label(change.to))
            @if !pictures.is_empty() {
                td.picture {
                    @if let Some(picture) = pictures.of_change(timeline, change) { (picture.shown()) }
                }
            }
        }
    }
}
