//! The page as a whole.

use fer_core::emotion::{Emotion, label_name};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Pictures;
use super::stream::stream;
use crate::recording::Recording;

/// What browsers may load: the style sheet in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
const STYLE: &str = include_str!("style.css");

/// The HTML page of a recording, with those of `pictures` that were taken of its changes.
///
/// Nothing in it is fetched and nothing runs, whatever the names in the recording hold. Its size
/// is bounded by the numbers of faces and changes, not by the number of frames.
pub fn page(recording: &Recording, pictures: &Pictures) -> String {
    let names: Vec<&str> = recording.streams.iter().map(|stream| stream.name.as_str()).collect();
    let title = match names[..] {
        [name] if !name.is_empty() => format!("Facial expressions: {name}"),
        _ => "Facial expressions".to_owned(),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy"
                    content=(if pictures.is_empty() { POLICY.to_owned() } else { format!("{POLICY}; img-src data:") });
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Facial expressions" }
                    (legend())
                    (truncated(recording))
                    @for (index, one) in recording.streams.iter().enumerate() {
                        (stream(one, index, pictures))
                    }
                    footer {
                        p {
                            "An expression is not an inner state, and labels are wrong at times. \
                             The rows show the stable label; under them the seven probabilities \
                             after the temporal filter."
                        }
                        p { "Made by fer " (env!("CARGO_PKG_VERSION")) "." }
                    }
                }
            }
        }
    }
    .into_string()
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for label in Emotion::ALL.into_iter().map(Some).chain([None]) {
                li { i class={ "swatch " (label_name(label)) } {} (label_name(label)) }
            }
        }
    }
}

fn truncated(recording: &Recording) -> Markup {
    html! {
        @for (file, line) in &recording.truncated {
            p.note { (file) ": line " (line) ", the last one, was broken off and is left out." }
        }
    }
}
