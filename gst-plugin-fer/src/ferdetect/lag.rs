//! How far the analysis in the background is behind the video.

use std::time::Duration;

use fer_core::time::MediaTime;

/// So far behind, what is said of a face may no longer be so.
const TOO_FAR: Duration = Duration::from_secs(1);
/// Between two complaints.
const AGAIN: Duration = Duration::from_secs(10);
/// After a longer pause between two frames nobody is behind.
const PAUSE: Duration = Duration::from_secs(2);

/// Compares the frames that come with those that have been analysed, in media time.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The newest frame, and the newest that has been analysed.
    newest: Option<MediaTime>,
    analysed: Option<MediaTime>,
    complained: Option<MediaTime>,
}

impl Lag {
    /// The frame at `time` has been analysed.
    pub(super) fn analysed(&mut self, time: MediaTime) {
        // What was under way before a pause or a jump is not of this time.
        if self.analysed.is_some_and(|last| last < time) && self.newest >= Some(time) {
            self.analysed = Some(time);
        }
    }

    /// What comes has nothing to do with what was.
    pub(super) const fn restart(&mut self) {
        self.newest = None;
    }

    /// A frame comes; how far the newest that has been analysed is behind it.
    pub(super) fn frame(&mut self, now: MediaTime) -> Duration {
        let goes_on = self.newest.is_some_and(|last| last <= now && now.since(last) <= PAUSE);
        if !goes_on {
            self.analysed = Some(now);
            // Where time has run backwards, that is yet to come.
            self.complained = self.complained.filter(|last| *last <= now);
        }
        self.newest = Some(now);
        self.behind()
    }

    /// How far the newest frame that has been analysed is behind the newest.
    pub(super) fn behind(&self) -> Duration {
        self.newest.zip(self.analysed).map_or(Duration::ZERO, |(now, then)| now.since(then))
    }

    /// The lag, if it is to be complained of with the newest frame.
    pub(super) fn complaint(&mut self) -> Option<Duration> {
        let now = self.newest?;
        let behind = self.behind();
        let is_due = self.complained.is_none_or(|last| now.since(last) >= AGAIN);
        (behind >= TOO_FAR && is_due).then(|| {
            self.complained = Some(now);
            behind
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// What is complained of while the analysis is always `late` milliseconds behind, by time.
    fn complaints(lag: &mut Lag, start: u64, length: u64, late: u64) -> Vec<(u64, u128)> {
        let mut told = Vec::new();
        for millis in (start..start + length).step_by(100) {
            if let Some(done) = millis.checked_sub(late).filter(|done| *done >= start) {
                lag.analysed(at(done));
            }
            lag.frame(at(millis));
            told.extend(lag.complaint().map(|behind| (millis - start, behind.as_millis())));
        }
        told
    }

    #[test]
    fn a_lag_of_a_second_is_complained_of_each_ten_seconds() {
        let mut lag = Lag::default();
        assert_eq!(complaints(&mut lag, 0, 30_000, 900), []);
        let expected = [(1000, 1000), (11_000, 1100), (21_000, 1100)];
        assert_eq!(complaints(&mut Lag::default(), 0, 30_000, 1100), expected);
    }

    #[test]
    fn new_beginnings_are_no_reason_to_complain_oftener() {
        let mut lag = Lag::default();
        for (start, expected) in
            [(0, vec![(1000, 1000)]), (5000, vec![]), (10_000, vec![(1000, 1000)])]
        {
            assert_eq!(complaints(&mut lag, start, 5000, 5000), expected, "at {start}");
            lag.restart();
        }
        assert_eq!(complaints(&mut lag, 0, 5000, 5000), [(1000, 1000)], "back in time");
    }

    #[test]
    fn pauses_and_jumps_are_no_lag() {
        let mut lag = Lag::default();
        for start in [0, 3_600_000, 24 * 3_600_000, 0] {
            assert_eq!(complaints(&mut lag, start, 5000, 500), [], "at {start}");
            // Of before the jump: tells nothing of what comes.
            lag.analysed(at(start + 4900));
        }
        lag.frame(at(50_000));
        lag.analysed(at(24 * 3_600_000));
        assert_eq!(lag.frame(at(50_900)), Duration::from_millis(900));
    }
}
