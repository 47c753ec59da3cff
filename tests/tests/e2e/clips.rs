//! Real clips of `../shared`: what is known of them by eye.

use fer_core::emotion::{Emotion, StableLabel, label_name};
use fer_core::event::EventKind;
use fer_core::report::FrameReport;

use crate::support::{clip, run};

/// Runs a clip and gives its reports, or `None` where the clip isn't there.
fn reports(name: &str) -> Option<Vec<FrameReport>> {
    let source = clip(name)?;
    let outcome = run(&format!("{source} ! ferdetect draw=false ! appsink name=sink sync=false"));
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.reports().len(), outcome.buffers.len(), "a frame without a report");
    Some(outcome.reports())
}

/// Every stable label that some face has at some time, with the second at which it came.
fn labels(reports: &[FrameReport]) -> Vec<(f64, StableLabel)> {
    reports
        .iter()
        .flat_map(|report| report.events.iter().map(move |event| (report, event)))
        .filter_map(|(report, event)| match event.kind {
            EventKind::EmotionChanged { to, .. } => Some((report.time.nanos() as f64 / 1e9, to)),
            _ => None,
        })
        .collect()
}

#[test]
fn neutral_then_a_smile() {
    let Some(reports) = reports("single_face.mp4") else { return };
    let labels = labels(&reports);
    let shown: Vec<_> = labels.iter().map(|(time, label)| (*time, label_name(*label))).collect();
    assert_eq!(labels.last().unwrap().1, Some(Emotion::Happiness), "{shown:?}");
    assert!(labels.iter().any(|(_, label)| *label == Some(Emotion::Neutral)), "{shown:?}");
}

#[test]
fn no_face_is_no_face() {
    let Some(reports) = reports("no_face.mp4") else { return };
    let seen = reports.iter().filter(|report| !report.faces.is_empty()).count();
    assert_eq!(seen, 0, "of {} frames", reports.len());
}

#[test]
fn a_face_that_goes_is_lost() {
    let Some(reports) = reports("face_noface.mov") else { return };
    assert!(!reports[20].faces.is_empty());
    assert!(reports.last().unwrap().faces.is_empty());
    let lost = reports.iter().flat_map(|report| &report.events);
    assert!(lost.into_iter().any(|event| event.kind == EventKind::FaceLost));
}

#[test]
fn a_truncated_file_is_analysed_as_far_as_it_goes() {
    let Some(source) = clip("truncated_sad.mp4") else { return };
    let outcome = run(&format!("{source} ! ferdetect draw=false ! appsink name=sink sync=false"));
    assert!(outcome.reports().len() >= 100, "{} frames", outcome.reports().len());
}
