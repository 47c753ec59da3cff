//! How long a pipeline may stand still.

use std::time::{Duration, Instant};

use crate::config::Source;

/// Nothing but a halt of the whole process, as by Ctrl-Z, keeps the watchdog from looking for so long.
const HALTED: Duration = Duration::from_secs(2);
/// What the step from PAUSED to PLAYING, a matter of moments, takes at most. GStreamer leaves it to a
/// thread of its own, and says nothing when it gets none.
const STANDSTILL: Duration = Duration::from_secs(20);
const NO_THREAD: &str = "the pipeline does not begin to play: this process may have no more memory or \
                         threads (ulimit -v, ulimit -u)";

/// Gives a pipeline up that brings no more frames.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// What a source may take from frame to frame; `None` where it has all the time in the world.
    patience: Option<Duration>,
    /// By how much longer the first frame is waited for.
    head_start: Duration,
    started: Instant,
    looked: Instant,
    /// Since when neither the process was halted nor an output has held frames up.
    awake: Instant,
    /// Since when the pipeline has been about to play.
    about_to_play: Option<Instant>,
}

impl Watchdog {
    /// Begins to wait for the first frame.
    pub(super) fn of(source: &Source) -> Self {
        let now = Instant::now();
        Self {
            patience: source.patience(),
            head_start: source.head_start(),
            started: now,
            looked: now,
            awake: now,
            about_to_play: None,
        }
    }

    /// The pipeline's state has changed: only one step is missing to play, or not.
    pub(super) fn is_about_to_play(&mut self, is_next: bool) {
        self.about_to_play = is_next.then(Instant::now);
    }

    /// Why the pipeline is to be given up, if it is; `waited` is since the last frame, if there was one,
    /// and with `held_up` there are more, but somebody takes his time with those before: a reader that
    /// has paused, a slow disk. To be asked several times a second.
    pub(super) fn complaint(&mut self, waited: Option<Duration>, held_up: bool) -> Option<String> {
        // An output may need many frames before it can begin, of a camera or an analysis that gives few.
        let is_quiet = waited.is_none_or(|waited| waited > STANDSTILL);
        if is_quiet && self.about_to_play.is_some_and(|since| since.elapsed() > STANDSTILL) {
            return Some(NO_THREAD.to_owned());
        }
        let patience = self.patience?;
        // A process that was halted has missed nothing meanwhile.
        if held_up || self.looked.elapsed() > HALTED {
            self.awake = Instant::now();
        }
        self.looked = Instant::now();
        let (waited, limit) = match waited {
            Some(waited) => (waited, patience),
            None => (self.started.elapsed(), patience + self.head_start),
        };
        let waited = waited.min(self.awake.elapsed());
        (waited > limit).then(|| format!("no frame for {} ms", waited.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_that_gives_frames_may_take_long_to_begin() {
        let source = Source::Gst("videotestsrc".to_owned());
        let mut watchdog = Watchdog::of(&source);
        watchdog.about_to_play = Instant::now().checked_sub(2 * STANDSTILL);
        assert_eq!(watchdog.complaint(Some(STANDSTILL / 2), false), None);
        for waited in [None, Some(2 * STANDSTILL)] {
            assert_eq!(watchdog.complaint(waited, false).as_deref(), Some(NO_THREAD));
        }
    }

    #[test]
    fn frames_that_are_held_up_are_not_missed() {
        let source = Source::File(crate::config::File { path: "a".into(), realtime: false });
        let limit = Duration::from_millis(5);
        let mut watchdog = Watchdog { patience: Some(limit), ..Watchdog::of(&source) };
        let waited = Some(Duration::from_secs(100));
        std::thread::sleep(4 * limit);
        assert_eq!(watchdog.complaint(waited, true), None);
        // Nobody holds anything up any more: from now on they are missed.
        std::thread::sleep(4 * limit);
        let complaint = watchdog.complaint(waited, false);
        assert!(complaint.is_some_and(|told| told.starts_with("no frame for ")));
    }
}
