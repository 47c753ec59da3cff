//! Media time. The analysis never asks a clock: every instant comes with the frame.

use std::time::{Duration, UNIX_EPOCH};

/// An instant on a stream's own timeline, in nanoseconds from its arbitrary origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(u64);

impl MediaTime {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From milliseconds; saturates at the end of the timeline.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for MediaTime {
    type Output = Self;

    /// Saturates at the end of the timeline (584 years).
    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Frame times are rounded to nanoseconds or milliseconds; an interval of three frames is not to
/// become one of four for it.
const ROUNDING: Duration = Duration::from_millis(2);

/// Whether `interval` has passed since `last`; always due when there was none.
pub fn is_due(last: Option<MediaTime>, interval: Duration, now: MediaTime) -> bool {
    last.is_none_or(|last| now.since(last) + ROUNDING >= interval)
}

/// Nanoseconds since 1970, in UTC, as in `2026-11-26T11:20:18.250000Z`.
pub fn rfc3339(utc: u64) -> String {
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_nanos(utc)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_running_backwards_is_no_time() {
        let a = MediaTime::from_millis(100);
        let b = MediaTime::from_millis(140);
        assert_eq!(b.since(a), Duration::from_millis(40));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a + Duration::from_millis(40), b);
        assert_eq!(MediaTime::from_nanos(u64::MAX) + Duration::from_secs(1), MediaTime(u64::MAX));
    }

    #[test]
    fn an_interval_of_three_frames_is_three_frames() {
        let interval = Duration::from_millis(100);
        let frame = |n: u64| MediaTime::from_nanos(n * 33_333_333);
        assert!(is_due(None, interval, frame(0)));
        assert!(!is_due(Some(frame(0)), interval, frame(2)));
        assert!(is_due(Some(frame(0)), interval, frame(3)));
    }
}
