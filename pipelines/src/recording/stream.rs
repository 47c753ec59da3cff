//! One stream, followed from report to report.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use fer_core::emotion::StableLabel;
use fer_core::record::{EventRecord, FrameRecord, ObjectRecord};

use super::axis::{Axis, Place};

/// What of a stream's past its next report is compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    axis: Axis,
    last: Option<Place>,
    /// The faces of the last report that were classified, and their stable labels.
    labels: BTreeMap<u64, StableLabel>,
    /// Every face of this run.
    faces: HashSet<u64>,
}

/// What one more report brings.
#[derive(Debug)]
pub(super) struct Step {
    /// Where it lies.
    pub(super) place: Place,
    /// Whether it is a report at all.
    pub(super) analysed: bool,
    /// By how much the stream's duration grows.
    pub(super) grown: Duration,
    /// The time since the last report.
    pub(super) passed: Duration,
    /// The labels that faces held since then.
    pub(super) held: Vec<StableLabel>,
    /// How many faces are new.
    pub(super) appeared: u64,
    /// Whose label changed, from what, to what.
    pub(super) changes: Vec<(u64, StableLabel, StableLabel)>,
}

impl Stream {
    /// Takes the stream's next record.
    pub(super) fn take(&mut self, record: &FrameRecord) -> Step {
        let known = self.axis.duration();
        // Lines without faces may be left out, and with them those that would show where it began.
        let is_again = |event: &EventRecord| matches!(event, EventRecord::FaceAppeared { id } if self.faces.contains(id));
        let place = self.axis.place(record, record.events.iter().any(is_again));
        let mut step = Step {
            place,
            analysed: record.frame.is_some(),
            grown: self.axis.duration() - known,
            passed: Duration::ZERO,
            held: Vec::new(),
            appeared: 0,
            changes: Vec::new(),
        };
        if step.analysed {
            self.compare(record, &mut step);
        }
        step
    }

    fn compare(&mut self, record: &FrameRecord, step: &mut Step) {
        if self.last.is_some_and(|last| last.run != step.place.run) {
            self.labels.clear();
            self.faces.clear();
        }
        let last = self.last.replace(step.place).and_then(|last| last.time);
        if let (Some(last), Some(now)) = (last, step.place.time) {
            step.passed = now.abs_diff(last);
        }
        for event in &record.events {
            if let EventRecord::EmotionChanged { id, from, to } = *event
                && (from.is_some() || self.labels.contains_key(&id))
            {
                step.changes.push((id, from, to));
            }
        }
        for object in &record.objects {
            step.appeared += u64::from(self.faces.insert(object.id));
            step.held.extend(self.labels.get(&object.id));
        }
        let labelled = |object: &ObjectRecord| Some((object.id, object.emotion.as_ref()?.stable));
        self.labels = record.objects.iter().filter_map(labelled).collect();
    }
}
