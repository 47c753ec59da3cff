//! What a recording comes to, as a short table.

use fer_core::emotion::{Emotion, label_name};
use pipelines::recording::Summary;
use pipelines::speech::count;

pub(crate) fn text(summary: &Summary) -> String {
    let Summary { frames, faces, changes, .. } = summary;
    let seconds = summary.duration.as_secs_f64();
    let [frames, faces, changes] =
        [(frames, "frame"), (faces, "face"), (changes, "change")].map(|(n, name)| count(*n, name));
    let mut text = format!("\n{seconds:.2} s, {frames}, {faces}, {changes}");
    if let Some(rate) = summary.changes_per_minute() {
        text += &format!(" ({rate:.1} a minute of a face)");
    }
    for label in Emotion::ALL.into_iter().map(Some).chain([None]) {
        let held = summary.held(label).as_secs_f64();
        if let Some(share) = summary.share(label).filter(|_| held > 0.0) {
            text +=
                &format!("\n  {:<10} {held:>9.2} s {:>4.0} %", label_name(label), 100.0 * share);
        }
    }
    text
}
