//! Media time of buffers, those without a timestamp included.

use fer_core::time::MediaTime;
use gst::prelude::*;

/// Assumed where neither timestamps nor caps tell: 30 frames a second.
const DEFAULT_FRAME: gst::ClockTime = gst::ClockTime::from_nseconds(33_333_333);
/// Where reverse playback starts when its segment doesn't say.
const FAR: gst::ClockTime = gst::ClockTime::from_seconds(1_000_000_000);

/// Time steps back by less than this where senders correct their clocks, or give frames of a decoder
/// the times of others; by more, it is another place in the medium.
const SLIGHT: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// How far frames of that rate are apart; 0/1 is none.
pub(super) fn apart(rate: gst::Fraction) -> Option<gst::ClockTime> {
    let frames = u64::try_from(rate.numer()).ok().filter(|frames| *frames > 0)?;
    gst::ClockTime::SECOND.mul_div_floor(u64::try_from(rate.denom()).ok()?, frames)
}

/// Turns buffers' timestamps into times that run forward.
#[derive(Debug, Default)]
pub(super) struct MediaClock {
    last: Option<gst::ClockTime>,
    frame: Option<gst::ClockTime>,
    /// In reverse playback: the end from which time is counted.
    reverse_from: Option<gst::ClockTime>,
}

impl MediaClock {
    /// Takes the frame rate of new caps; 0/1 is none.
    pub(super) fn set_rate(&mut self, rate: gst::Fraction) {
        self.frame = apart(rate);
    }

    /// Takes a new segment.
    pub(super) fn set_segment(&mut self, segment: &gst::FormattedSegment<gst::ClockTime>) {
        let reverse = segment.rate() < 0.0;
        self.reverse_from = reverse.then(|| segment.stop().unwrap_or(FAR));
        self.last = None;
    }

    /// Whether buffers' timestamps fall.
    pub(super) const fn is_reverse(&self) -> bool {
        self.reverse_from.is_some()
    }

    /// The buffer's media time: its PTS, else its DTS, else one frame after the buffer before. Stands
    /// still until a slight step back is made up for.
    pub(super) fn time(&mut self, buffer: &gst::BufferRef) -> MediaTime {
        let stamped = buffer.pts().or(buffer.dts()).map(|time| match self.reverse_from {
            Some(end) => end.saturating_sub(time),
            None => time,
        });
        let step = buffer.duration().or(self.frame).unwrap_or(DEFAULT_FRAME);
        let time = stamped
            .or_else(|| self.last.map(|last| last.saturating_add(step)))
            .unwrap_or(gst::ClockTime::ZERO);
        let is_slight = |last: &gst::ClockTime| last.saturating_sub(time) < SLIGHT;
        let time = self.last.filter(is_slight).map_or(time, |last| last.max(time));
        self.last = Some(time);
        MediaTime::from_nanos(time.nseconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(pts: Option<u64>) -> gst::Buffer {
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().unwrap().set_pts(pts.map(gst::ClockTime::from_mseconds));
        buffer
    }

    #[test]
    fn missing_timestamps_go_on_at_the_frame_rate() {
        gst::init().unwrap();
        let mut clock = MediaClock::default();
        clock.set_rate(gst::Fraction::new(25, 1));
        let times: Vec<u64> = [Some(100), None, None, Some(300)]
            .map(|pts| clock.time(&buffer(pts)).nanos() / 1_000_000)
            .to_vec();
        assert_eq!(times, [100, 140, 180, 300]);
        clock.set_rate(gst::Fraction::new(0, 1));
        assert_eq!(clock.time(&buffer(None)).nanos(), 333_333_333);
    }

    #[test]
    fn time_stands_still_where_it_would_step_back_slightly() {
        gst::init().unwrap();
        let mut clock = MediaClock::default();
        let times: Vec<u64> = [0, 33, 66, 33, 99, 1000, 501, 502, 1001, 501, 500, 0]
            .map(|pts| clock.time(&buffer(Some(pts))).nanos() / 1_000_000)
            .to_vec();
        assert_eq!(times, [0, 33, 66, 66, 99, 1000, 1000, 1000, 1001, 501, 501, 0]);
    }

    #[test]
    fn in_reverse_playback_time_still_runs_forward() {
        gst::init().unwrap();
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_rate(-1.0);
        segment.set_stop(gst::ClockTime::from_seconds(1));
        let mut clock = MediaClock::default();
        clock.set_segment(&segment);
        assert_eq!(clock.time(&buffer(Some(900))), MediaTime::from_millis(100));
        assert_eq!(clock.time(&buffer(Some(800))), MediaTime::from_millis(200));
    }
}
