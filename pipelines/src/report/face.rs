//! The part of the page about one face.

use fer_core::emotion::label_name;
use maud::{Markup, html};

use super::chart::{Scale, area, strip};
use super::pictures::Picture;
use super::time::{clock, length};
use crate::recording::Face;

/// A face's labels and probabilities over its own time, and pictures of it.
pub(super) fn face(face: &Face, pictures: &[&Picture]) -> Markup {
    let scale = Scale::new(face.from, face.to);
    html! {
        article.face {
            h3 {
                "Face " (face.id)
                small { (clock(face.from)) " – " (clock(face.to)) " · " (length(face.duration())) }
            }
            @if !pictures.is_empty() {
                div.pictures {
                    @for picture in pictures {
                        figure {
                            (picture.shown())
                            figcaption {
                                i class={ "swatch " (label_name(picture.crop.to)) } {}
                                (label_name(picture.crop.to))
                            }
                        }
                    }
                }
            }
            div.scroll tabindex="0" {
                div.wide {
                    div.strip { (strip(face, &scale)) }
                    (area(face))
                    (scale.axis())
                }
            }
        }
    }
}

/// Puts faces into as few rows as they need side by side.
pub(super) fn lanes(faces: &[Face]) -> Vec<Vec<&Face>> {
    let mut lanes: Vec<Vec<&Face>> = Vec::new();
    for face in faces {
        let free = |lane: &&mut Vec<&Face>| lane.last().is_none_or(|last| last.to < face.from);
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.push(face),
            None => lanes.push(vec![face]),
        }
    }
    lanes
}
