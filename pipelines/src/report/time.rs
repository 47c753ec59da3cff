//! Times as people write them.

use std::time::Duration;

use jiff::Timestamp;

/// A place on the time axis: `1:02.5`, from an hour on `1:01:02.5`; tenths of a second, cut off.
pub(super) fn clock(time: Duration) -> String {
    format!("{}.{}", whole(time), time.subsec_millis() / 100)
}

/// The same in whole seconds.
pub(super) fn whole(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A time of day, in UTC: `16:39:05`.
pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}

/// From when to when, in UTC: `2026-11-27 16:39:05 to 16:40:12 UTC`, with both days where they differ.
pub(super) fn span(first: Timestamp, last: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%F").to_string();
    let end = if day(first) == day(last) { String::new() } else { format!("{} ", day(last)) };
    format!("{} {} to {end}{} UTC", day(first), moment(first), moment(last))
}

/// A length of time: `0.8 s`, `12.3 s`, `4 min 05 s`, `1 h 02 min`.
pub(super) fn length(time: Duration) -> String {
    // Rounded first, so that 59.96 s are a minute.
    let tenths = (time.as_secs_f64() * 10.0).round() as u64;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = time.as_secs_f64().round() as u64;
    if seconds < 3600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        let minutes = (seconds + 30) / 60;
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// A step between ticks that gives `most` of them or fewer over `span`; from a tenth of a second to
/// whole days.
pub(super) fn step(span: Duration, most: u32) -> Duration {
    const STEPS: [u64; 22] = [
        100,
        200,
        500,
        1000,
        2000,
        5000,
        10_000,
        15_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        900_000,
        1_800_000,
        3_600_000,
        7_200_000,
        10_800_000,
        21_600_000,
        43_200_000,
        86_400_000,
        604_800_000,
    ];
    let fits = |step: &Duration| span.as_nanos() <= step.as_nanos() * u128::from(most);
    let mut steps = STEPS.into_iter().map(Duration::from_millis);
    steps.find(fits).unwrap_or(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_do() {
        for (millis, on_axis, long) in [
            (0, "0:00.0", "0.0 s"),
            (840, "0:00.8", "0.8 s"),
            (59_960, "0:59.9", "1 min 00 s"),
            (62_500, "1:02.5", "1 min 03 s"),
            (3_599_600, "59:59.6", "1 h 00 min"),
            (3_662_500, "1:01:02.5", "1 h 01 min"),
            (90_000_000, "25:00:00.0", "25 h 00 min"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!((clock(time).as_str(), length(time).as_str()), (on_axis, long));
        }
    }

    #[test]
    fn days_are_told_once_where_there_is_one() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = at("2026-11-27T16:39:05.250000Z");
        let told = span(first, at("2026-11-27T16:40:12Z"));
        assert_eq!(told, "2026-11-27 16:39:05 to 16:40:12 UTC");
        let told = span(first, at("2026-11-28T00:00:01Z"));
        assert_eq!(told, "2026-11-27 16:39:05 to 2026-11-28 00:00:01 UTC");
    }

    #[test]
    fn ticks_stand_at_round_times() {
        for (seconds, most, millis) in [
            (0.0, 10, 100),
            (3.0, 10, 500),
            (15.0, 10, 2000),
            (3600.0, 10, 600_000),
            (1e5, 40, 3_600_000),
        ] {
            let step = step(Duration::from_secs_f64(seconds), most);
            assert_eq!(step.as_millis(), millis, "{seconds} s");
        }
    }
}
