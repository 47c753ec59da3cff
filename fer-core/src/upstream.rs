//! Faces that an element upstream has found.

use std::time::Duration;

use crate::time::{MediaTime, is_due};

/// An element upstream that has found nobody for longer than that has looked, however seldom it does.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// Tells frames in which an element upstream has found nobody from those in which it has not looked: it
/// may do so in each fifth one alone, and say nothing of the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Upstream {
    /// When it last found somebody, and how long after the time before.
    last: Option<MediaTime>,
    apart: Duration,
}

impl Upstream {
    /// Whether it has looked in a frame: it finds somebody, or has not for `interval`, or for as long as
    /// it did not between the last two times.
    pub(crate) fn has_looked(&mut self, finds: bool, interval: Duration, now: MediaTime) -> bool {
        if finds {
            let apart = self.last.replace(now).map_or(Duration::ZERO, |last| now.since(last));
            // After an absence it says nothing of how often it looks.
            self.apart = if apart > LONGEST_SILENCE { Duration::ZERO } else { apart };
        }
        finds || is_due(self.last, interval.max(self.apart), now)
    }
}
