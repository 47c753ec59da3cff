//! Recordings of a few frames, for tests.

use fer_core::emotion::{Emotion, StableLabel, label_name};
use serde_json::{Value, json};

/// A frame of stream `a` at ten frames a second, as `ferjson` would write it.
#[derive(Clone)]
pub(crate) struct Frame(Value);

impl Frame {
    /// Frame `number`, `number` tenths of a second into the stream.
    pub(crate) fn at(number: u64) -> Self {
        let time = number * 100_000_000;
        Self(json!({
            "schema_version": 1, "stream_id": "a", "frame": number, "timestamp": time,
            "pts_ns": time, "running_time_ns": time, "resolution": { "width": 640, "height": 360 },
            "objects": [], "events": [],
        }))
    }

    pub(crate) fn of(self, stream: &str) -> Self {
        self.with("stream_id", json!(stream))
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.with("frame", json!(number))
    }

    pub(crate) fn unanalysed(self) -> Self {
        self.with("frame", Value::Null)
    }

    pub(crate) fn untimed(self) -> Self {
        let mut frame = self.with("pts_ns", Value::Null).with("running_time_ns", Value::Null);
        frame.0.as_object_mut().unwrap().remove("timestamp");
        frame
    }

    /// A face whose stable label is `stable`, its emotion at 0.7 and the others at 0.05 each.
    pub(crate) fn face(self, id: u64, stable: StableLabel) -> Self {
        let top = stable.unwrap_or(Emotion::Neutral);
        let of = |emotion: Emotion| (emotion.name(), if emotion == top { 0.7 } else { 0.05 });
        let probabilities: std::collections::BTreeMap<_, _> =
            Emotion::ALL.into_iter().map(of).collect();
        let mut frame = self.unclassified(id);
        frame.0["objects"].as_array_mut().unwrap().last_mut().unwrap()["emotion"] = json!({
            "label": top, "confidence": 0.7, "stable": label_name(stable), "since_ns": 0,
            "probabilities": probabilities, "raw": probabilities, "model": { "name": "m" },
            "inferred": true, "age_ns": 0,
        });
        frame
    }

    pub(crate) fn unclassified(mut self, id: u64) -> Self {
        let place = json!({ "x_min": 0.1, "x_max": 0.2, "y_min": 0.1, "y_max": 0.2 });
        self.0["objects"].as_array_mut().unwrap().push(json!({
            "x": 64, "y": 36, "w": 64, "h": 36, "id": id, "roi_type": "face", "detected": true,
            "detection": { "bounding_box": place, "confidence": 0.9, "label": "face" },
        }));
        self
    }

    pub(crate) fn appeared(mut self, id: u64) -> Self {
        let event = json!({ "type": "face-appeared", "id": id });
        self.0["events"].as_array_mut().unwrap().push(event);
        self
    }

    pub(crate) fn changed(mut self, id: u64, from: StableLabel, to: StableLabel) -> Self {
        self.0["events"].as_array_mut().unwrap().push(json!({
            "type": "emotion-changed", "id": id, "from": label_name(from), "to": label_name(to),
        }));
        self
    }

    /// It is that frame, shown again.
    pub(crate) fn again(self, frame: u64) -> Self {
        self.with("frame", json!(frame))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0[key] = value;
        self
    }
}

/// The frames as JSON Lines.
pub(crate) fn text(frames: &[Frame]) -> String {
    frames.iter().map(|frame| format!("{}\n", frame.0)).collect()
}
