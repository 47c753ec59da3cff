//! What is drawn along a time axis.

use std::time::Duration;

use fer_core::emotion::{Emotion, label_name};
use maud::{Markup, PreEscaped, html};

use super::time::{clock, length, step, whole};
use crate::recording::{Face, Held, Label};

/// From the bottom up: what pulls down, neutral, what lifts.
const STACK: [Emotion; Emotion::COUNT] = [
    Emotion::Neutral,
    Emotion::Happiness,
    Emotion::Surprise,
    Emotion::Fear,
    Emotion::Sadness,
    Emotion::Disgust,
    Emotion::Anger,
];

/// How far a page can be zoomed; the style sheet knows the same ones.
pub(super) const ZOOMS: [u32; 3] = [1, 4, 16];

/// More labels than this in a row are told apart by no eye, and would make the page slow.
const COLUMNS: usize = 1500;

/// A span of time that is as wide as the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: Duration,
    span: Duration,
}

impl Scale {
    /// Times from `from` to `to`; a millisecond at least, so that there is something to divide by.
    pub(super) fn new(from: Duration, to: Duration) -> Self {
        Self { from, span: to.saturating_sub(from).max(Duration::from_millis(1)) }
    }

    /// Where a time lies, 0 to 1.
    fn at(&self, time: Duration) -> f64 {
        (time.saturating_sub(self.from).as_secs_f64() / self.span.as_secs_f64()).min(1.0)
    }

    /// `left` and `width` of a box from `from` to `to`.
    pub(super) fn place(&self, from: Duration, to: Duration) -> String {
        let (left, right) = (self.at(from) * 100.0, self.at(to) * 100.0);
        format!("left:{left:.3}%;width:{:.3}%", right - left)
    }

    /// The axis' labels, one set for each zoom.
    pub(super) fn axis(&self) -> Markup {
        html! {
            @for zoom in ZOOMS {
                div class={ "axis z" (zoom) } aria-hidden="true" {
                    @for time in self.ticks(10 * zoom) {
                        @let at = self.at(time);
                        span.first[at < 0.02].last[at > 0.98] style=(format!("left:{:.3}%", at * 100.0)) {
                            (self.tick(time, 10 * zoom))
                        }
                    }
                }
            }
        }
    }

    fn ticks(&self, most: u32) -> impl Iterator<Item = Duration> + use<> {
        let step = step(self.span, most);
        let first = self.from.as_nanos().div_ceil(step.as_nanos());
        let end = self.from + self.span;
        (0..=most)
            .map(move |index| step * (u32::try_from(first).unwrap_or(0) + index))
            .take_while(move |time| *time <= end)
    }

    fn tick(&self, time: Duration, most: u32) -> String {
        if step(self.span, most) < Duration::from_secs(1) { clock(time) } else { whole(time) }
    }
}

/// A label's name in the style sheet, in the legend and in texts.
pub(super) fn name(label: Label) -> &'static str {
    label.map_or("unclassified", label_name)
}

/// The stable labels of a face, side by side.
pub(super) fn strip(face: &Face, scale: &Scale) -> Markup {
    html! {
        @for held in thinned(face) {
            @let text = name(held.label);
            div class={ "held " (text) } style=(scale.place(held.from, held.to)) title={
                "face " (face.id) ": " (text) "\n" (clock(held.from)) " – " (clock(held.to))
                " (" (length(held.to - held.from)) ")"
            } { span { (text) } }
        }
    }
}

/// What a face held, in as many columns as can be seen: of each column its longest label.
fn thinned(face: &Face) -> Vec<Held> {
    if face.held.len() <= COLUMNS {
        return face.held.clone();
    }
    let width = face.duration() / COLUMNS as u32;
    let mut thinned: Vec<Held> = Vec::new();
    let mut rest = face.held.as_slice();
    for column in 0..COLUMNS as u32 {
        let (from, to) = (face.from + width * column, face.from + width * (column + 1));
        let over = rest.iter().take_while(|held| held.to <= from).count();
        rest = &rest[over.min(rest.len() - 1)..];
        let within = |held: &&Held| held.to.min(to).saturating_sub(held.from.max(from));
        let here = rest.iter().take_while(|held| held.from < to);
        let Some(longest) = here.max_by_key(within) else { continue };
        match thinned.last_mut() {
            Some(last) if last.label == longest.label => last.to = to,
            _ => thinned.push(Held { label: longest.label, from, to }),
        }
    }
    thinned
}

/// The seven probabilities over a face's time, one above the other.
pub(super) fn area(face: &Face) -> Markup {
    let means: Vec<_> = face.probabilities.means().collect();
    let span = face.duration().as_secs_f64().max(1e-3);
    let xs: Vec<f64> =
        means.iter().map(|(t, _)| (t.as_secs_f64() / span).min(1.0) * 1000.0).collect();
    let mut tops = vec![[0.0; Emotion::COUNT]; means.len()];
    for (top, (_, values)) in tops.iter_mut().zip(&means) {
        let mut sum = 0.0;
        for (layer, emotion) in STACK.into_iter().enumerate() {
            sum += values[emotion.index()];
            top[layer] = sum;
        }
    }
    let outline = |layer: usize| -> String {
        let first = tops.first().map_or(0.0, |top| top[layer]);
        let last = tops.last().map_or(0.0, |top| top[layer]);
        let points: String = xs.iter().zip(&tops).map(|(x, top)| point(*x, top[layer])).collect();
        // To both edges, and back along the ground.
        format!("M0 100L{}{points}{}1000 100Z", point(0.0, first), point(1000.0, last))
    };
    html! {
        svg.area viewBox="0 0 1000 100" preserveAspectRatio="none" role="img"
            aria-label={ "probabilities of face " (face.id) } {
            // The highest first, so that the lower ones lie upon it.
            @for (layer, emotion) in STACK.into_iter().enumerate().rev() {
                path class=(emotion.name()) d=(outline(layer)) {}
            }
            (PreEscaped(readings(face, &means, &xs)))
        }
    }
}

/// `x y ` with y from the bottom, a thousandth of the width and of the height exact.
fn point(x: f64, share: f64) -> String {
    format!("{x:.1} {:.1} ", (100.0 - share * 100.0).max(0.0))
}

/// Invisible columns that tell the numbers under the pointer.
fn readings(face: &Face, means: &[(Duration, [f64; Emotion::COUNT])], xs: &[f64]) -> String {
    let edge = |index: usize| match index {
        0 => 0.0,
        index if index == xs.len() => 1000.0,
        index => (xs[index - 1] + xs[index]) / 2.0,
    };
    let columns = means.iter().enumerate().map(|(index, (time, values))| {
        let (left, right) = (edge(index), edge(index + 1));
        let mut ranked: Vec<_> = Emotion::ALL.into_iter().zip(values).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(a.1));
        let told: String = ranked
            .iter()
            .take(4)
            .map(|(emotion, value)| format!("\n{emotion} {:.0} %", *value * 100.0))
            .collect();
        format!(
            "<rect x=\"{left:.1}\" width=\"{:.1}\" height=\"100\"><title>{}{told}</title></rect>",
            right - left,
            clock(face.from + *time),
        )
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;
    use crate::recording::testing::{Frame, text};

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn times_lie_where_they_belong() {
        let scale = Scale::new(at(1000), at(5000));
        assert_eq!(scale.place(at(2000), at(4000)), "left:25.000%;width:50.000%");
        assert_eq!(scale.ticks(10).collect::<Vec<_>>()[..3], [at(1000), at(1500), at(2000)]);
        assert_eq!(scale.ticks(10).last(), Some(at(5000)));
        assert_eq!(Scale::new(at(7), at(7)).place(at(7), at(7)), "left:0.000%;width:0.000%");
    }

    /// Ten minutes in which every third tenth of a second is angry and the rest neutral: 4000 labels,
    /// and in every column the neutral one is the longest.
    #[test]
    fn more_labels_than_can_be_seen_are_thinned_out() {
        let label = |frame| if frame % 3 == 2 { Emotion::Anger } else { Emotion::Neutral };
        let frame = |frame| Frame::at(frame).face(1, Some(label(frame)));
        let frames: Vec<Frame> = (0..=6000).map(frame).collect();
        let mut recording = Recording::default();
        recording.read("a.jsonl", text(&frames).as_bytes()).unwrap();
        let face = &recording.streams[0].faces[0];
        assert!(face.held.len() > 4000);
        let neutral = Held { label: Some(Some(Emotion::Neutral)), from: at(0), to: at(600_000) };
        assert_eq!(thinned(face), [neutral]);
    }
}
