//! Times of frames that only grow.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;

/// Lets time go on from frame to frame: encoders and muxers lose or refuse frames of the same time, of
/// an earlier one, as where a camera's clock was set back, and of none, as a damaged recording has them.
pub(super) fn go_on(pad: &gst::Pad) {
    let line = Mutex::new(Timeline::default());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        let time = line.next(buffer.pts(), buffer.duration());
        if buffer.pts() != Some(time) {
            buffer.make_mut().set_pts(time);
        }
        gst::PadProbeReturn::Ok
    });
}

/// So little back is no new beginning: what comes soon has a later time.
const JITTER: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// To a frame that is a little early.
const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(1);

#[derive(Debug, Default)]
struct Timeline {
    last: Option<gst::ClockTime>,
    /// By how much it is ahead of the frames' own times.
    ahead: gst::ClockTime,
}

impl Timeline {
    /// The time of a frame that says it has `pts` and lasts so long.
    fn next(
        &mut self,
        pts: Option<gst::ClockTime>,
        duration: Option<gst::ClockTime>,
    ) -> gst::ClockTime {
        let after = duration.unwrap_or(gst::ClockTime::from_mseconds(40));
        let time = match (self.last, pts) {
            (None, pts) => pts.unwrap_or_default(),
            (Some(last), None) => last.saturating_add(after),
            // As it should be, or a clock that was set back is right again.
            (Some(last), Some(pts)) if pts > last => {
                self.ahead = gst::ClockTime::ZERO;
                pts
            }
            (Some(last), Some(pts)) => self.later(last, pts, last.saturating_add(after)),
        };
        self.last = Some(time);
        time
    }

    /// A time after `last` for a frame whose own is not; `next` if it is a new beginning.
    fn later(
        &mut self,
        last: gst::ClockTime,
        pts: gst::ClockTime,
        next: gst::ClockTime,
    ) -> gst::ClockTime {
        let shifted = pts.saturating_add(self.ahead);
        if shifted > last {
            return shifted;
        }
        if last.saturating_sub(shifted) <= JITTER {
            return last.saturating_add(STEP);
        }
        self.ahead = next.saturating_sub(pts);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of times in milliseconds; every frame lasts 40.
    fn line(times: &[Option<u64>]) -> Vec<u64> {
        let mut line = Timeline::default();
        let clock = gst::ClockTime::from_mseconds;
        let mut next = |time: &Option<u64>| line.next(time.map(clock), Some(clock(40))).mseconds();
        times.iter().map(&mut next).collect()
    }

    #[test]
    fn times_only_grow_and_come_back_to_their_own() {
        let own = |times: &[u64]| times.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(line(&own(&[7, 47, 60, 900])), [7, 47, 60, 900]);
        // Two of one time, and one a little early.
        assert_eq!(line(&own(&[0, 40, 40, 80, 60, 120])), [0, 40, 41, 80, 81, 120]);
        // A clock that was set back by ten seconds, and once more.
        assert_eq!(line(&own(&[10_000, 0, 40, 5000, 1])), [10_000, 10_040, 10_080, 15_040, 15_080]);
        assert_eq!(
            line(&own(&[10_000, 0, 40, 10_120, 10_160])),
            [10_000, 10_040, 10_080, 10_120, 10_160]
        );
        assert_eq!(line(&[None, None, Some(60), None, Some(70)]), [0, 40, 60, 100, 101]);
    }
}
