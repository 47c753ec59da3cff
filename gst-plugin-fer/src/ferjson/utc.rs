//! When frames were taken, in nanoseconds since 1970.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 1900, where NTP's time begins, to 1970.
const NTP_TO_UNIX: gst::ClockTime = gst::ClockTime::from_seconds(2_208_988_800);

/// The wall clock may go this much another way before it is followed, in nanoseconds: below,
/// the distances between frames count for more.
const TOLERANCE: i128 = 1_000_000_000;

static UNIX: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::builder("timestamp/x-unix").build());

/// What the frame's source says of it.
pub(super) fn of_reference(frame: &gst::BufferRef) -> Option<u64> {
    frame.iter_meta::<gst::ReferenceTimestampMeta>().find_map(|meta| {
        match meta.reference().structure(0)?.name().as_str() {
            "timestamp/x-unix" => Some(meta.timestamp()),
            "timestamp/x-ntp" => meta.timestamp().checked_sub(NTP_TO_UNIX),
            _ => None,
        }
        .map(gst::ClockTime::nseconds)
    })
}

/// Says it of a buffer made from that frame, for elements that go by it.
pub(super) fn write_reference(buffer: &mut gst::BufferRef, utc: u64) {
    let time = gst::ClockTime::from_nseconds(utc);
    gst::ReferenceTimestampMeta::add(buffer, &UNIX, time, gst::ClockTime::NONE);
}

/// What the wall clock shows.
pub(super) fn now() -> u64 {
    since_1970(SystemTime::now()).unwrap_or(0)
}

/// A time as users write it; `None` where it is none, or not of 1970 to 2554.
pub(super) fn parse(text: &str) -> Option<u64> {
    since_1970(humantime::parse_rfc3339_weak(text).ok()?)
}

fn since_1970(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

/// `time` nanoseconds after `origin`, within what a `u64` holds.
pub(super) fn after(origin: i128, time: i128) -> u64 {
    u64::try_from((origin + time).max(0)).unwrap_or(u64::MAX)
}

/// The wall clock's time at running time 0.
#[derive(Debug, Default)]
pub(super) struct Origin(Option<i128>);

impl Origin {
    /// When a frame of the running time `frame` was taken. `clock` is the running time that the
    /// pipeline's clock shows now, if it plays; `wall` what the wall clock shows now.
    pub(super) fn utc(&mut self, frame: i128, clock: Option<u64>, wall: u64) -> u64 {
        let wall = i128::from(wall);
        let by_clock = clock.map(|clock| wall - i128::from(clock));
        let origin = match (self.0, by_clock) {
            // After a pause, or where the wall clock was set.
            (Some(last), Some(now)) if (now - last).abs() > TOLERANCE => now,
            (Some(last), _) => last,
            (None, by_clock) => by_clock.unwrap_or(wall - frame),
        };
        self.0 = Some(origin);
        after(origin, frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// Some day of 2026.
    const DAY: u64 = 1_795_692_018 * SECOND;

    #[test]
    fn a_live_frame_was_taken_before_it_came() {
        let mut origin = Origin::default();
        // Begun at DAY; at 10 s comes what was taken at 9.75 s.
        let utc = origin.utc(9_750_000_000, Some(10 * SECOND), DAY + 10 * SECOND);
        assert_eq!(utc, DAY + 9_750_000_000);
        // The clocks tremble by 3 µs: frames do not.
        let utc = origin.utc(9_790_000_000, Some(10_040_003_000), DAY + 10_040_000_000);
        assert_eq!(utc, DAY + 9_790_000_000);
    }

    #[test]
    fn a_pause_or_a_clock_that_was_set_moves_the_origin() {
        let mut origin = Origin::default();
        assert_eq!(origin.utc(0, Some(0), DAY), DAY);
        // Ten seconds of pause, in which running time stands.
        assert_eq!(
            origin.utc(i128::from(SECOND), Some(SECOND), DAY + 11 * SECOND),
            DAY + 11 * SECOND
        );
        // Set back to 1970.
        assert_eq!(origin.utc(2 * i128::from(SECOND), Some(2 * SECOND), 3 * SECOND), 3 * SECOND);
    }

    #[test]
    fn without_a_clock_frames_keep_their_distances() {
        let mut origin = Origin::default();
        assert_eq!(origin.utc(40, None, DAY), DAY);
        assert_eq!(origin.utc(80, None, DAY + 7 * SECOND), DAY + 40);
        // The pipeline plays half a second later.
        assert_eq!(origin.utc(120, Some(0), DAY + SECOND / 2), DAY + 80);
    }

    #[test]
    fn no_time_leaves_the_range() {
        assert_eq!(after(0, -1), 0);
        assert_eq!(after(i128::from(u64::MAX), 1), u64::MAX);
        assert_eq!(Origin::default().utc(i128::from(u64::MAX), Some(SECOND), 0), u64::MAX - SECOND);
    }

    #[test]
    fn users_times_are_read() {
        for (text, utc) in [
            ("2026-11-26T11:20:18Z", Some(DAY)),
            ("2026-11-26T11:20:18.25Z", Some(DAY + SECOND / 4)),
            ("2026-11-26 11:20:18", Some(DAY)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-26", None),
            ("9999-01-01T00:00:00Z", None),
            ("noon", None),
            ("", None),
        ] {
            assert_eq!(parse(text), utc, "{text}");
        }
    }
}
