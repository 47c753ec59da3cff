//! One frame's report as one JSON object: schema version 1 of the JSON Lines.
//!
//! The keys are those of Intel DL Streamer's `gvametaconvert` where it has one, so that its
//! consumers read ours, with the project's own beside them. Two rules follow:
//!
//! - a key that `gvametaconvert` leaves out when it has no value (`timestamp`, `source`,
//!   `emotion`) is left out here too, and so are `utc` and `unseen`; the project's other keys are always
//!   there, `null` at worst;
//! - within one schema version keys are added, never renamed, removed or given another meaning.
//!   Readers ignore what they don't know, as these types do when they deserialise.
//!
//! The same report always gives the same bytes: key order is that of the fields below, and
//! fractions are rounded to six decimals.

use serde::{Deserialize, Serialize};

use crate::emotion::{Emotion, Probabilities, StableLabel};
use crate::event::{Event, EventKind};
use crate::geometry::Rect;
use crate::report::{FaceEmotion, FaceReport, FrameReport};
use crate::time::{MediaTime, rfc3339};

/// The value of [`FrameRecord::schema_version`].
pub const SCHEMA_VERSION: u32 = 1;

/// `roi_type` and `detection.label` of every object.
const FACE: &str = "face";

/// What is known of a frame besides its report: all that a stream knows and the analysis doesn't.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameContext<'a> {
    /// The frame's width in pixels.
    pub width: u32,
    /// The frame's height in pixels.
    pub height: u32,
    /// Where the video comes from, in the user's words.
    pub source: Option<&'a str>,
    /// The buffer's presentation timestamp in nanoseconds.
    pub pts: Option<u64>,
    /// The frame's position in its medium in nanoseconds: what a player's seek bar shows.
    pub stream_time: Option<u64>,
    /// How long the pipeline had been playing when the frame was due, in nanoseconds.
    pub running_time: Option<u64>,
    /// When the frame was taken, in nanoseconds since 1970, in UTC.
    pub utc: Option<u64>,
    /// Whether the video is played backwards, so that `pts` falls as time goes on.
    pub reverse: bool,
}

/// One line: a frame, its faces and what happened to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameRecord {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The stream's name as the user gave it; may be empty.
    pub stream_id: String,
    /// Frames of the stream before this one; `None` for a frame that carries no analysis.
    pub frame: Option<u64>,
    /// Position in the medium (stream time) in nanoseconds; left out where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Presentation timestamp in nanoseconds.
    pub pts_ns: Option<u64>,
    /// Running time in nanoseconds.
    pub running_time_ns: Option<u64>,
    /// When the frame was taken, in UTC, as RFC 3339 has it, with microseconds; left out where nobody
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc: Option<String>,
    /// The frame's size.
    pub resolution: Resolution,
    /// Where the video comes from; left out unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The faces, by ascending `id`.
    pub objects: Vec<ObjectRecord>,
    /// What happened since the frame before.
    pub events: Vec<EventRecord>,
    /// Whether nobody has looked at the frame, or at one shortly before: there may be faces, or others
    /// than those in `objects`. Left out where somebody has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

/// A frame's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// One face. The box is cut off at the frame's edges and may thus be empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge in pixels.
    pub y: u32,
    /// Width in pixels.
    pub w: u32,
    /// Height in pixels.
    pub h: u32,
    /// The track's id, from 1, never used twice in a stream.
    pub id: u64,
    /// Always `face`.
    pub roi_type: String,
    /// What the detector said.
    pub detection: DetectionRecord,
    /// Whether the detector saw the face in this very frame; else its place is carried on.
    pub detected: bool,
    /// The expression; left out until the face has been classified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emotion: Option<EmotionRecord>,
}

/// What the detector said about a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionRecord {
    /// The box again, as fractions of the frame.
    pub bounding_box: BoundingBox,
    /// How sure the detector is, 0 to 1.
    pub confidence: f64,
    /// Always `face`.
    pub label: String,
}

/// A box as fractions of the frame, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge.
    pub x_min: f64,
    /// Right edge, exclusive.
    pub x_max: f64,
    /// Top edge.
    pub y_min: f64,
    /// Bottom edge, exclusive.
    pub y_max: f64,
}

/// A face's expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmotionRecord {
    /// The likeliest class of `probabilities`; may change from frame to frame.
    pub label: Emotion,
    /// The probability of `label`, 0 to 1.
    pub confidence: f64,
    /// The debounced label; `None` is written `uncertain`.
    #[serde(with = "stable_label")]
    pub stable: StableLabel,
    /// Since when `stable` has held, in nanoseconds on the timeline of `pts_ns` (on the
    /// analysis' own where the buffers have no timestamps).
    pub since_ns: u64,
    /// The distribution after the temporal filter.
    pub probabilities: ProbabilityRecord,
    /// The distribution as the classifier last gave it, calibrated.
    pub raw: ProbabilityRecord,
    /// The classifier.
    pub model: ModelRecord,
    /// Whether the classifier looked at this very frame; else its result is carried on.
    pub inferred: bool,
    /// How old the classifier's result is, in nanoseconds.
    pub age_ns: u64,
}

/// Which model a result comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The name in the model's manifest.
    pub name: String,
}

/// Seven probabilities by name, in the order of [`Emotion::ALL`]; they sum to 1 within rounding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field is the class of its name")]
pub struct ProbabilityRecord {
    pub anger: f64,
    pub disgust: f64,
    pub fear: f64,
    pub happiness: f64,
    pub sadness: f64,
    pub surprise: f64,
    pub neutral: f64,
}

/// What happened to a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum EventRecord {
    /// A face is now followed.
    FaceAppeared {
        /// The face's track.
        id: u64,
    },
    /// A face's stable label changed.
    EmotionChanged {
        /// The face's track.
        id: u64,
        /// The label until now; `None` is written `uncertain`.
        #[serde(with = "stable_label")]
        from: StableLabel,
        /// The label from now on; `None` is written `uncertain`.
        #[serde(with = "stable_label")]
        to: StableLabel,
    },
    /// A face is no longer followed.
    FaceLost {
        /// The face's track.
        id: u64,
    },
    /// A kind that a later release added; never written.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl FrameRecord {
    /// The record of one frame. Without a report, as when the metadata was lost on the way, the
    /// frame has neither number nor objects nor events.
    pub fn new(report: Option<&FrameReport>, context: &FrameContext<'_>) -> Self {
        let (stream_id, objects, events) = match report {
            Some(report) => (
                report.stream_id.clone(),
                report.faces.iter().map(|face| ObjectRecord::new(face, report, context)).collect(),
                report.events.iter().map(EventRecord::from).collect(),
            ),
            None => Default::default(),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            stream_id,
            frame: report.map(|report| report.frame),
            timestamp: context.stream_time,
            pts_ns: context.pts,
            running_time_ns: context.running_time,
            utc: context.utc.map(rfc3339),
            resolution: Resolution { width: context.width, height: context.height },
            source: context.source.map(str::to_owned),
            objects,
            events,
            unseen: report.is_some_and(|report| report.unseen),
        }
    }

    /// Whether the frame tells nothing: no face is in it and none has just left.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.events.is_empty()
    }

    /// The record as one line of JSON, its newline included.
    ///
    /// # Errors
    /// The record holds [`EventRecord::Unknown`], which cannot be written.
    pub fn to_line(&self) -> serde_json::Result<String> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        Ok(line)
    }
}

impl ObjectRecord {
    fn new(face: &FaceReport, report: &FrameReport, context: &FrameContext<'_>) -> Self {
        let bounding_box = BoundingBox::of(&face.rect);
        let (x, w) = pixels(bounding_box.x_min, bounding_box.x_max, context.width);
        let (y, h) = pixels(bounding_box.y_min, bounding_box.y_max, context.height);
        Self {
            x,
            y,
            w,
            h,
            id: face.track,
            roi_type: FACE.to_owned(),
            detection: DetectionRecord {
                bounding_box,
                confidence: fraction(face.confidence),
                label: FACE.to_owned(),
            },
            detected: face.detected,
            emotion: face
                .emotion
                .as_ref()
                .map(|emotion| EmotionRecord::new(emotion, report.time, context)),
        }
    }
}

impl EmotionRecord {
    fn new(emotion: &FaceEmotion, now: MediaTime, context: &FrameContext<'_>) -> Self {
        let (label, confidence) = emotion.top();
        let held = nanos(now.since(emotion.since));
        Self {
            label,
            confidence: fraction(confidence),
            stable: emotion.stable,
            since_ns: match context.pts {
                Some(pts) if context.reverse => pts.saturating_add(held),
                Some(pts) => pts.saturating_sub(held),
                None => emotion.since.nanos(),
            },
            probabilities: ProbabilityRecord::from(&emotion.smoothed),
            raw: ProbabilityRecord::from(&emotion.raw),
            model: ModelRecord { name: emotion.model.to_string() },
            inferred: emotion.inferred,
            age_ns: nanos(emotion.age),
        }
    }
}

impl BoundingBox {
    /// `rect`, in fractions of the frame, cut off at the frame's edges.
    pub(crate) fn of(rect: &Rect) -> Self {
        Self {
            x_min: fraction(rect.x),
            x_max: fraction(rect.right()),
            y_min: fraction(rect.y),
            y_max: fraction(rect.bottom()),
        }
    }
}

impl From<&Probabilities> for ProbabilityRecord {
    fn from(probabilities: &Probabilities) -> Self {
        let of = |emotion| fraction(probabilities.of(emotion));
        Self {
            anger: of(Emotion::Anger),
            disgust: of(Emotion::Disgust),
            fear: of(Emotion::Fear),
            happiness: of(Emotion::Happiness),
            sadness: of(Emotion::Sadness),
            surprise: of(Emotion::Surprise),
            neutral: of(Emotion::Neutral),
        }
    }
}

impl From<&Event> for EventRecord {
    fn from(event: &Event) -> Self {
        let id = event.track;
        match event.kind {
            EventKind::FaceAppeared => Self::FaceAppeared { id },
            EventKind::EmotionChanged { from, to } => Self::EmotionChanged { id, from, to },
            EventKind::FaceLost => Self::FaceLost { id },
        }
    }
}

/// A value of 0 to 1 at six decimals; what lies beyond is cut off and NaN is 0, because JSON
/// has no word for it.
pub(crate) fn fraction(value: f32) -> f64 {
    const DECIMALS: f64 = 1e6;
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    // Adding zero turns −0 into 0.
    (f64::from(value) * DECIMALS).round() / DECIMALS + 0.0
}

/// The start and length in pixels of `start..end`, fractions of `size` pixels: each edge goes to
/// the nearest one between pixels, so that boxes that touch still do.
fn pixels(start: f64, end: f64, size: u32) -> (u32, u32) {
    // Exact: a fraction is 0 to 1, and an f64 holds every u32.
    let edge = |fraction: f64| (fraction * f64::from(size)).round() as u32;
    (edge(start), edge(end).saturating_sub(edge(start)))
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A stable label in JSON: an emotion's name, or `uncertain`.
mod stable_label {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::emotion::{StableLabel, UNCERTAIN, label_from_name, label_name};

    pub(super) fn serialize<S: Serializer>(
        label: &StableLabel,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(label_name(*label))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<StableLabel, D::Error> {
        let name = String::deserialize(deserializer)?;
        label_from_name(&name).ok_or_else(|| {
            D::Error::custom(format!("\"{name}\" is neither an emotion nor \"{UNCERTAIN}\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report() -> FrameReport {
        FrameReport {
            stream_id: "door".into(),
            frame: 12,
            time: MediaTime::from_millis(480),
            faces: vec![
                FaceReport {
                    track: 3,
                    // 64, 36, 128 × 72 pixels at 640 × 360.
                    rect: Rect::new(0.1, 0.1, 0.2, 0.2),
                    confidence: 0.875,
                    detected: true,
                    emotion: Some(FaceEmotion {
                        stable: Some(Emotion::Happiness),
                        since: MediaTime::from_millis(200),
                        smoothed: weights([0.05, 0.0, 0.05, 0.7, 0.0, 0.1, 0.1]),
                        raw: weights([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0]),
                        model: "net".into(),
                        inferred: false,
                        age: Duration::from_millis(40),
                    }),
                },
                FaceReport {
                    track: 7,
                    // Reaches beyond the right and the upper edge.
                    rect: Rect::new(0.75, -0.25, 0.5, 0.5),
                    confidence: 0.5,
                    detected: false,
                    emotion: None,
                },
            ],
            events: vec![
                Event { track: 7, kind: EventKind::FaceAppeared },
                Event {
                    track: 3,
                    kind: EventKind::EmotionChanged { from: None, to: Some(Emotion::Happiness) },
                },
                Event { track: 2, kind: EventKind::FaceLost },
            ],
            unseen: false,
        }
    }

    fn weights(weights: [f32; 7]) -> Probabilities {
        Probabilities::from_weights(weights).unwrap()
    }

    fn context() -> FrameContext<'static> {
        FrameContext {
            width: 640,
            height: 360,
            source: Some("rtsp://door"),
            pts: Some(10_480_000_000),
            stream_time: Some(480_000_000),
            running_time: Some(500_000_000),
            utc: Some(1_795_692_018_250_000_999),
            reverse: false,
        }
    }

    #[test]
    fn a_report_is_this_line() {
        // since: 10.48 s − (480 − 200) ms. Edges of the second box: 0.75 × 640 = 480, and
        // (−0.25 + 0.5) × 360 = 90.
        let expected = concat!(
            r#"{"schema_version":1,"stream_id":"door","frame":12,"timestamp":480000000,"#,
            r#""pts_ns":10480000000,"running_time_ns":500000000,"#,
            r#""utc":"2026-11-26T11:20:18.250000Z","#,
            r#""resolution":{"width":640,"height":360},"source":"rtsp://door","objects":["#,
            r#"{"x":64,"y":36,"w":128,"h":72,"id":3,"roi_type":"face","#,
            r#""detection":{"bounding_box":{"x_min":0.1,"x_max":0.3,"y_min":0.1,"y_max":0.3},"#,
            r#""confidence":0.875,"label":"face"},"detected":true,"#,
            r#""emotion":{"label":"happiness","confidence":0.7,"stable":"happiness","#,
            r#""since_ns":10200000000,"#,
            r#""probabilities":{"anger":0.05,"disgust":0.0,"fear":0.05,"happiness":0.7,"#,
            r#""sadness":0.0,"surprise":0.1,"neutral":0.1},"#,
            r#""raw":{"anger":0.0,"disgust":0.0,"fear":0.0,"happiness":0.333333,"#,
            r#""sadness":0.0,"surprise":0.333333,"neutral":0.333333},"#,
            r#""model":{"name":"net"},"inferred":false,"age_ns":40000000}},"#,
            r#"{"x":480,"y":0,"w":160,"h":90,"id":7,"roi_type":"face","#,
            r#""detection":{"bounding_box":{"x_min":0.75,"x_max":1.0,"y_min":0.0,"y_max":0.25},"#,
            r#""confidence":0.5,"label":"face"},"detected":false}],"#,
            r#""events":[{"type":"face-appeared","id":7},"#,
            r#"{"type":"emotion-changed","id":3,"from":"uncertain","to":"happiness"},"#,
            r#"{"type":"face-lost","id":2}]}"#,
            "\n",
        );
        let record = FrameRecord::new(Some(&report()), &context());
        assert_eq!(record.to_line().unwrap(), expected);
        assert_eq!(serde_json::from_str::<FrameRecord>(expected).unwrap(), record);
        let unseen = FrameReport { faces: Vec::new(), unseen: true, ..report() };
        let line = FrameRecord::new(Some(&unseen), &context()).to_line().unwrap();
        assert!(line.ends_with("],\"unseen\":true}\n"), "{line}");
        assert!(serde_json::from_str::<FrameRecord>(&line).unwrap().unseen);
    }

    #[test]
    fn a_frame_without_analysis_or_timestamps_is_this_line() {
        let context = FrameContext { width: 16, height: 32, ..FrameContext::default() };
        let record = FrameRecord::new(None, &context);
        let expected = concat!(
            r#"{"schema_version":1,"stream_id":"","frame":null,"pts_ns":null,"#,
            r#""running_time_ns":null,"resolution":{"width":16,"height":32},"#,
            r#""objects":[],"events":[]}"#,
            "\n",
        );
        assert_eq!(record.to_line().unwrap(), expected);
        assert_eq!(serde_json::from_str::<FrameRecord>(expected).unwrap(), record);
        assert!(record.is_empty());
    }

    #[test]
    fn since_is_on_the_timeline_of_pts_if_there_is_one() {
        let since = |context| {
            let record = FrameRecord::new(Some(&report()), &context);
            record.objects[0].emotion.as_ref().unwrap().since_ns
        };
        assert_eq!(since(context()), 10_200_000_000);
        // Played backwards, what came before is later in the medium.
        assert_eq!(since(FrameContext { reverse: true, ..context() }), 10_760_000_000);
        assert_eq!(since(FrameContext { pts: None, ..context() }), 200_000_000);
    }

    #[test]
    fn a_frame_in_which_a_face_left_is_not_empty() {
        let left = FrameReport { faces: Vec::new(), ..report() };
        assert!(!FrameRecord::new(Some(&left), &context()).is_empty());
    }

    #[test]
    fn numbers_that_json_lacks_are_never_written() {
        for (value, expected) in [
            (f32::NAN, 0.0),
            (f32::INFINITY, 1.0),
            (f32::NEG_INFINITY, 0.0),
            (-0.0, 0.0),
            (1.5, 1.0),
            (0.123_456_7, 0.123_457),
        ] {
            assert_eq!(fraction(value).to_bits(), f64::to_bits(expected), "{value}");
        }
        let mut wild = report();
        wild.faces[0].rect = Rect::new(f32::NAN, f32::INFINITY, 1.0, -1.0);
        let line = FrameRecord::new(Some(&wild), &context()).to_line().unwrap();
        assert!(serde_json::from_str::<FrameRecord>(&line).is_ok(), "{line}");
    }

    #[test]
    fn names_in_json_are_the_label_sets() {
        for emotion in Emotion::ALL {
            let record = ProbabilityRecord::from(&Probabilities::one_hot(emotion));
            let json = serde_json::to_value(record).unwrap();
            assert_eq!(json[emotion.name()], 1.0);
            assert_eq!(json.as_object().unwrap().len(), Emotion::COUNT);
            assert_eq!(serde_json::to_value(emotion).unwrap(), emotion.name());
        }
        for event in &report().events {
            let json = serde_json::to_value(EventRecord::from(event)).unwrap();
            assert_eq!(json["type"], event.kind.name());
        }
    }

    #[test]
    fn what_a_later_release_added_is_ignored() {
        let line = r#"{"schema_version":1,"stream_id":"","frame":0,"pts_ns":0,"novel":[1],
            "running_time_ns":0,"resolution":{"width":1,"height":1,"novel":2},"objects":[],
            "events":[{"type":"face-recognised","id":1,"novel":3}]}"#;
        let record: FrameRecord = serde_json::from_str(line).unwrap();
        assert_eq!(record.events, [EventRecord::Unknown]);
    }

    #[test]
    fn a_label_that_does_not_exist_is_refused_by_name() {
        let event = r#"{"type":"emotion-changed","id":1,"from":"joy","to":"fear"}"#;
        let error = serde_json::from_str::<EventRecord>(event).unwrap_err().to_string();
        assert!(error.contains("\"joy\""), "{error}");
    }
}
