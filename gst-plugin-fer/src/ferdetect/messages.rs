//! What goes out on the bus.

use fer_core::emotion::label_name;
use fer_core::event::{Event, EventKind};
use fer_core::report::{FaceEmotion, FrameReport};

/// The name of our messages' structure.
const NAME: &str = "ferdetect";

/// When in the stream the frame is with which something is told, as `level` and `spectrum` say it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct When {
    pts: Option<gst::ClockTime>,
    stream_time: Option<gst::ClockTime>,
    running_time: Option<gst::ClockTime>,
}

impl When {
    pub(super) fn of(
        buffer: &gst::BufferRef,
        segment: &gst::FormattedSegment<gst::ClockTime>,
    ) -> Self {
        let pts = buffer.pts();
        Self {
            pts,
            stream_time: segment.to_stream_time(pts),
            running_time: segment.to_running_time(pts),
        }
    }

    /// In nanoseconds; what is not known is left out.
    fn tell(&self, structure: &mut gst::Structure) {
        let times = [
            ("timestamp", self.pts),
            ("stream-time", self.stream_time),
            ("running-time", self.running_time),
        ];
        for (name, time) in times {
            if let Some(time) = time {
                structure.set(name, time.nseconds());
            }
        }
    }
}

/// The bus message of one event. `confidence` is the probability of the label that a face has changed to;
/// of the likeliest class where that is `uncertain`, and with all other events.
pub(super) fn message(
    element: &super::FerDetect,
    event: &Event,
    report: &FrameReport,
    when: &When,
) -> gst::Message {
    let mut structure = gst::Structure::builder(NAME)
        .field("event", event.kind.name())
        .field("stream-id", &report.stream_id)
        .field("frame", report.frame)
        .field("time", report.time.nanos())
        .field("id", event.track)
        .build();
    when.tell(&mut structure);
    if let EventKind::EmotionChanged { from, to } = event.kind {
        structure.set("from", label_name(from));
        structure.set("to", label_name(to));
    }
    if let Some(face) = report.faces.iter().find(|face| face.track == event.track) {
        structure.set("x", face.rect.x);
        structure.set("y", face.rect.y);
        structure.set("w", face.rect.w);
        structure.set("h", face.rect.h);
        if let Some(emotion) = &face.emotion {
            structure.set("confidence", confidence(event.kind, emotion));
        }
    }
    gst::message::Element::builder(structure).src(element).build()
}

fn confidence(event: EventKind, emotion: &FaceEmotion) -> f32 {
    match event {
        EventKind::EmotionChanged { to: Some(label), .. } => emotion.smoothed.of(label),
        _ => emotion.top().1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fer_core::emotion::{Emotion, Probabilities};
    use fer_core::time::MediaTime;

    use super::*;

    #[test]
    fn a_changes_confidence_is_that_of_what_the_face_has_changed_to() {
        // Disgust has 2 / 10, fear 3 / 10.
        let smoothed = Probabilities::from_weights([1., 2., 3., 1., 1., 1., 1.]).unwrap();
        let emotion = FaceEmotion {
            stable: None,
            since: MediaTime::ZERO,
            smoothed,
            raw: smoothed,
            model: "m".into(),
            inferred: true,
            age: Duration::ZERO,
        };
        let changed = |to| EventKind::EmotionChanged { from: None, to };
        for (event, expected) in [
            (changed(Some(Emotion::Disgust)), 0.2),
            (changed(None), 0.3),
            (EventKind::FaceAppeared, 0.3),
        ] {
            assert!((confidence(event, &emotion) - expected).abs() < 1e-6, "{event:?}");
        }
    }
}
