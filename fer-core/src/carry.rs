//! Results that come later than their frames, and ride on those that follow.

use std::time::Duration;

use crate::event::Event;
use crate::geometry::Rect;
use crate::report::{FaceReport, FrameReport};
use crate::time::MediaTime;
use crate::track::coasted;

/// Two reports further apart than this tell nothing of a face's velocity.
const APART_SECONDS: f32 = 0.5;
/// Faces of a report that is older may be elsewhere, and others may have come: they are carried on, but
/// nobody has looked. Not where frames are so far apart that this is the one before.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// A report that is older tells nothing of a frame, as after a pause; nor does one of the future, as
/// where time has run backwards.
const STALE: Duration = Duration::from_secs(5);

/// Carries the newest report on from frame to frame: boxes move on as they moved before, ages grow,
/// and each event is told once.
#[derive(Debug, Default)]
pub struct Carrier {
    before: Option<FrameReport>,
    last: Option<FrameReport>,
    events: Vec<Event>,
    /// The frame before.
    frame: Option<MediaTime>,
    /// Whether what was carried into it was too old.
    is_doubtful: bool,
}

impl Carrier {
    /// Takes the report of an earlier frame.
    pub fn take(&mut self, mut report: FrameReport) {
        self.events.append(&mut report.events);
        self.before = self.last.replace(report);
    }

    /// Takes what happened in a report whose faces are not to be carried on.
    pub fn tell(&mut self, events: Vec<Event>) {
        self.events.extend(events);
    }

    /// The report of a frame at `now`; what the frame's number is, others know.
    pub fn carry(&mut self, now: MediaTime) -> FrameReport {
        let events = std::mem::take(&mut self.events);
        let apart = self.frame.replace(now).map_or(Duration::ZERO, |before| now.since(before));
        let is_of = |report: &&FrameReport| report.time <= now && now.since(report.time) <= STALE;
        let Some(last) = self.last.as_ref().filter(is_of) else {
            return FrameReport { time: now, events, unseen: true, ..FrameReport::default() };
        };
        let faces = last.faces.iter().map(|face| self.carried(face, last.time, now)).collect();
        let stream_id = last.stream_id.clone();
        // Once it is, it takes a much younger report: what is hidden meanwhile would blink.
        let limit = if self.is_doubtful { DOUBTFUL / 2 } else { DOUBTFUL };
        self.is_doubtful = now.since(last.time) > limit.max(2 * apart);
        let unseen = self.is_doubtful;
        FrameReport { stream_id, time: now, faces, events, unseen, ..FrameReport::default() }
    }

    fn carried(&self, face: &FaceReport, then: MediaTime, now: MediaTime) -> FaceReport {
        let mut face = face.clone();
        let passed = now.since(then);
        if passed.is_zero() {
            return face;
        }
        let (vx, vy) = self.velocity(&face, then);
        let way = coasted(passed);
        face.rect = Rect { x: face.rect.x + vx * way, y: face.rect.y + vy * way, ..face.rect };
        face.detected = false;
        if let Some(emotion) = &mut face.emotion {
            emotion.inferred = false;
            emotion.age += passed;
        }
        face
    }

    /// Fractions of the frame a second.
    fn velocity(&self, face: &FaceReport, then: MediaTime) -> (f32, f32) {
        let earlier = self.before.as_ref().and_then(|before| {
            let same = before.faces.iter().find(|other| other.track == face.track)?;
            Some((same.rect, then.since(before.time).as_secs_f32()))
        });
        match earlier {
            Some((rect, seconds)) if seconds > 0.0 && seconds <= APART_SECONDS => {
                let ((ax, ay), (bx, by)) = (rect.center(), face.rect.center());
                ((bx - ax) / seconds, (by - ay) / seconds)
            }
            _ => (0.0, 0.0),
        }
    }

    /// Carries no faces on; what happened is still to be told.
    pub fn forget(&mut self) {
        (self.before, self.last) = (None, None);
    }

    /// What happened and was not told yet. Forgets everything.
    pub fn finish(&mut self) -> Vec<Event> {
        std::mem::take(self).events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{Emotion, Probabilities};
    use crate::event::EventKind;
    use crate::report::FaceEmotion;

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn report(millis: u64, x: f32) -> FrameReport {
        let probabilities = Probabilities::UNIFORM;
        let emotion = FaceEmotion {
            stable: Some(Emotion::Fear),
            since: at(0),
            smoothed: probabilities,
            raw: probabilities,
            model: "m".into(),
            inferred: true,
            age: Duration::ZERO,
        };
        let face = FaceReport {
            track: 3,
            rect: Rect::new(x, 0.5, 0.1, 0.1),
            confidence: 0.9,
            detected: true,
            emotion: Some(emotion),
        };
        let events = vec![Event { track: 3, kind: EventKind::FaceAppeared }];
        let (stream_id, time) = ("a".into(), at(millis));
        FrameReport { stream_id, time, faces: vec![face], events, ..FrameReport::default() }
    }

    #[test]
    fn a_report_rides_on_the_frames_that_follow() {
        let mut carrier = Carrier::default();
        let none = carrier.carry(at(0));
        assert_eq!((none.faces.len(), none.events.len()), (0, 0));
        assert!(none.unseen);
        carrier.take(report(0, 0.2));
        let carried = carrier.carry(at(80));
        assert_eq!((carried.time, carried.stream_id.as_str()), (at(80), "a"));
        assert_eq!(carried.events.len(), 1);
        let face = &carried.faces[0];
        assert_eq!((face.rect.x, face.detected), (0.2, false), "nothing is known of its velocity");
        let emotion = face.emotion.as_ref().unwrap();
        assert_eq!((emotion.age, emotion.inferred), (Duration::from_millis(80), false));
        assert_eq!(carrier.carry(at(120)).events, [], "told once");
    }

    #[test]
    fn boxes_move_on_and_slow_down() {
        let mut carrier = Carrier::default();
        carrier.take(report(0, 0.2));
        carrier.take(report(100, 0.25));
        // Half a frame a second, for 0.2 · (1 − e^−1) s.
        let carried = carrier.carry(at(300));
        let expected = 0.25 + 0.5 * 0.2 * (1.0 - (-1.0_f32).exp());
        assert!((carried.faces[0].rect.x - expected).abs() < 1e-6, "{carried:?}");
        assert!(carrier.carry(at(5100)).faces[0].rect.x < 0.351);
        // A report of this very time is taken as it is.
        carrier.take(report(400, 0.3));
        assert!(carrier.carry(at(400)).faces[0].detected);
    }

    #[test]
    fn nothing_is_carried_over_a_pause_nor_back_in_time() {
        let mut carrier = Carrier::default();
        carrier.take(report(10_000, 0.2));
        for (millis, faces) in [(9999, 0), (10_000, 1), (15_000, 1), (15_001, 0), (3_600_000, 0)] {
            assert_eq!(carrier.carry(at(millis)).faces.len(), faces, "at {millis}");
        }
    }

    #[test]
    fn faces_of_more_than_a_second_ago_may_be_elsewhere_and_others_there() {
        let mut carrier = Carrier::default();
        carrier.take(report(0, 0.2));
        for millis in (0..=5000).step_by(40) {
            let carried = carrier.carry(at(millis));
            assert_eq!((carried.faces.len(), carried.unseen), (1, millis > 1000), "at {millis}");
        }
        // An analysis that takes .7 s gives reports of .7 to 1.4 s ago.
        carrier.take(report(4300, 0.2));
        assert!(carrier.carry(at(5040)).unseen);
        // Looked at again.
        carrier.take(report(4800, 0.2));
        assert!(!carrier.carry(at(5080)).unseen);
        carrier.take(report(4900, 0.2));
        assert!(!carrier.carry(at(5800)).unseen);
    }

    #[test]
    fn where_frames_come_seldom_the_result_of_the_one_before_will_do() {
        let mut carrier = Carrier::default();
        carrier.take(report(0, 0.2));
        let told = [0, 1500, 3000, 4500].map(|millis| carrier.carry(at(millis)).unseen);
        assert_eq!(told, [false, false, false, true]);
    }

    #[test]
    fn what_was_not_told_is_told_at_the_end() {
        let mut carrier = Carrier::default();
        carrier.take(report(0, 0.2));
        assert_eq!(carrier.finish().len(), 1);
        assert_eq!(carrier.carry(at(40)).faces, []);
    }
}
