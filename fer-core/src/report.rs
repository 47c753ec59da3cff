//! What the analysis says about one frame.

use std::sync::Arc;
use std::time::Duration;

use crate::emotion::{Emotion, Probabilities, StableLabel};
use crate::event::Event;
use crate::geometry::Rect;
use crate::time::MediaTime;

/// Everything known about one frame: what metadata, overlay and JSON are made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameReport {
    /// The stream's name, as the user gave it; may be empty.
    pub stream_id: String,
    /// Frames of the stream before this one, those included whose analysis failed.
    pub frame: u64,
    /// The frame's media time.
    pub time: MediaTime,
    /// The faces that are followed, by ascending track id.
    pub faces: Vec<FaceReport>,
    /// What happened since the frame before.
    pub events: Vec<Event>,
    /// Whether nobody has looked for faces yet, or too long ago, which for a live stream is a second or twice the distance of its frames:
    /// there may be some, or others than those that are carried on.
    pub unseen: bool,
}

/// One face in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceReport {
    /// The track's id, from 1, never used twice in a stream.
    pub track: u64,
    /// Where the face is, as fractions of the frame; may reach beyond 0..1 at borders.
    pub rect: Rect,
    /// How sure the detector is, 0 to 1.
    pub confidence: f32,
    /// Whether the detector saw it in this very frame; else the place is carried on.
    pub detected: bool,
    /// The expression, once classified.
    pub emotion: Option<FaceEmotion>,
}

/// The expression of one face in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceEmotion {
    /// The debounced label.
    pub stable: StableLabel,
    /// Since when the label has been `stable`.
    pub since: MediaTime,
    /// After the temporal filter.
    pub smoothed: Probabilities,
    /// As the classifier last gave them, calibrated.
    pub raw: Probabilities,
    /// The model's name.
    pub model: Arc<str>,
    /// Whether the classifier looked at this very frame; else the result is carried on.
    pub inferred: bool,
    /// How old the classifier's result is.
    pub age: Duration,
}

impl FaceEmotion {
    /// The likeliest class of the filtered distribution, and its probability.
    pub fn top(&self) -> (Emotion, f32) {
        self.smoothed.top()
    }
}
