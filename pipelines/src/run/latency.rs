//! How late frames leave the analysis.

use std::time::Duration;

use gst::prelude::*;

/// The upper ends of the histogram's buckets, in seconds.
pub(super) const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// How much one frame moves the average that is shown.
const WEIGHT: f64 = 0.1;

/// Latencies of all frames so far, counted as Prometheus does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latency {
    /// Frames of at most each bound.
    pub(super) counts: [u64; BOUNDS.len()],
    /// All frames.
    pub(super) count: u64,
    /// The sum over all, in seconds.
    pub(super) sum: f64,
    recent: Option<f64>,
}

impl Latency {
    /// A frame was so late.
    pub(super) fn take(&mut self, latency: Duration) {
        let seconds = latency.as_secs_f64();
        for (count, bound) in self.counts.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
        let recent = self.recent.unwrap_or(seconds);
        self.recent = Some(recent + WEIGHT * (seconds - recent));
    }

    /// The average of late.
    pub(super) fn recent(&self) -> Option<Duration> {
        self.recent.map(Duration::from_secs_f64)
    }
}

/// How long after its own time a frame passes a pad: what the source held it back is part of it.
pub(super) fn of(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<Duration> {
    let now = pad.parent_element()?.current_running_time()?;
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
    let due = segment.to_running_time(buffer.pts()?)?;
    Some(now.saturating_sub(due).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_in_every_bucket_that_holds_them() {
        let mut latency = Latency::default();
        for millis in [10, 30, 7000] {
            latency.take(Duration::from_millis(millis));
        }
        assert_eq!(latency.counts, [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(latency.count, 3);
        assert!((latency.sum - 7.04).abs() < 1e-9);
        // .01, then a tenth of the way to .03 (.012), then a tenth of the way to 7: .7108.
        assert_eq!(latency.recent().unwrap().as_micros(), 710_800);
    }
}
