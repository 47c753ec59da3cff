//! Where in time the reports of one stream lie.

use std::time::Duration;

use fer_core::record::FrameRecord;

/// The time axis of one stream.
///
/// A record's time is its position in the medium, else its timestamp, else its running time. A
/// frame number that does not go up says that the stream began anew, as a camera does that was
/// lost (one of a later time is of the same frame, shown again), and so does a face that appears with a number that is taken: its *run* follows on the axis where the one before ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Axis {
    run: u32,
    last_frame: Option<u64>,
    /// How long the runs before this one were.
    before: Duration,
    /// Where on the axis this run begins.
    offset: Duration,
    span: Option<Span>,
}

/// The times of a run, as its records state them.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Duration,
    earliest: Duration,
    latest: Duration,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which run it belongs to, from 0: faces are numbered anew in each.
    pub(super) run: u32,
    /// Its place on the axis; `None` for one that states no time.
    pub(super) time: Option<Duration>,
}

impl Axis {
    /// Takes the next record of the stream; `is_new` where it is known to be of a new run.
    pub(super) fn place(&mut self, record: &FrameRecord, is_new: bool) -> Place {
        let nanos = record.timestamp.or(record.pts_ns).or(record.running_time_ns);
        let time = nanos.map(Duration::from_nanos);
        if let Some(frame) = record.frame {
            let is_later = time.zip(self.span).is_some_and(|(time, span)| time > span.latest);
            let is_back =
                self.last_frame.is_some_and(|last| frame < last || (frame == last && !is_later));
            if is_new || is_back {
                self.begin_anew();
            }
            self.last_frame = Some(frame);
        }
        let time = time.map(|time| {
            let span = self.span.get_or_insert(Span { first: time, earliest: time, latest: time });
            span.earliest = span.earliest.min(time);
            span.latest = span.latest.max(time);
            if self.run == 0 { time } else { self.offset + time.abs_diff(span.first) }
        });
        Place { run: self.run, time }
    }

    /// From the first report of each run to its last, all runs together. How long a last frame
    /// was shown is not known.
    pub(super) fn duration(&self) -> Duration {
        self.before + self.span.map_or(Duration::ZERO, |span| span.latest - span.earliest)
    }

    fn begin_anew(&mut self) {
        if let Some(span) = self.span.take() {
            self.before += span.latest - span.earliest;
            self.offset = match self.run {
                0 => span.latest,
                _ => self.offset + (span.latest - span.earliest),
            };
        }
        self.run += 1;
    }
}
