//! What happened to a face between one frame and the next.

use crate::emotion::StableLabel;

/// Something worth telling about one face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The face's track.
    pub track: u64,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A face is now followed.
    FaceAppeared,
    /// A face's stable label changed.
    EmotionChanged {
        /// The label until now.
        from: StableLabel,
        /// The label from now on.
        to: StableLabel,
    },
    /// A face is no longer followed.
    FaceLost,
}

impl EventKind {
    /// The name in messages and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FaceAppeared => "face-appeared",
            Self::EmotionChanged { .. } => "emotion-changed",
            Self::FaceLost => "face-lost",
        }
    }
}
