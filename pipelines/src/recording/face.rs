//! One face's time in a stream.

use std::time::Duration;

use fer_core::emotion::{Emotion, StableLabel};
use fer_core::record::ObjectRecord;
use jiff::Timestamp;

/// What a face was shown to be; `None` until it is classified.
pub type Label = Option<StableLabel>;

/// A face from its first report to its last.
#[derive(Clone, Debug)]
pub struct Face {
    /// Its number in the stream; after the stream began anew, numbers begin anew too.
    pub id: u64,
    /// Its first report, on the stream's axis.
    pub from: Duration,
    /// Its last one.
    pub to: Duration,
    /// The presentation timestamps of both in milliseconds, as pictures of it are named.
    pub millis: Option<(u64, u64)>,
    /// When the frames of both were taken, of a live source.
    pub taken: Option<(Timestamp, Timestamp)>,
    /// The labels it held, one after the other without gaps, neighbours differing.
    pub held: Vec<Held>,
    /// The seven probabilities over its time, thinned out.
    pub probabilities: Probabilities,
    pub(super) run: u32,
}

/// A label and when a face held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The label.
    pub label: Label,
    /// Since when, on the stream's axis.
    pub from: Duration,
    /// Until when.
    pub to: Duration,
}

impl Face {
    pub(super) const fn new(id: u64, run: u32, time: Duration) -> Self {
        let probabilities = Probabilities { width: Probabilities::FINEST, bins: Vec::new() };
        let held = Vec::new();
        Self { id, from: time, to: time, millis: None, taken: None, held, probabilities, run }
    }

    /// Takes the face's next report.
    pub(super) fn take(
        &mut self,
        object: &ObjectRecord,
        time: Duration,
        (millis, taken): (Option<u64>, Option<Timestamp>),
    ) {
        // A stream that is played backwards is shown in the order in which it was played; of files that
        // do not belong together, nothing is before what came before.
        let time = (self.from + time.abs_diff(self.from)).max(self.to);
        self.to = self.to.max(time);
        if let Some(millis) = millis {
            let (first, last) = self.millis.unwrap_or((millis, millis));
            self.millis = Some((first.min(millis), last.max(millis)));
        }
        if let Some(taken) = taken {
            let (first, last) = self.taken.unwrap_or((taken, taken));
            self.taken = Some((first.min(taken), last.max(taken)));
        }
        let label = object.emotion.as_ref().map(|emotion| emotion.stable);
        if let Some(last) = self.held.last_mut() {
            last.to = time;
        }
        if self.held.last().is_none_or(|last| last.label != label) {
            self.held.push(Held { label, from: time, to: time });
        }
        if let Some(emotion) = &object.emotion {
            let p = &emotion.probabilities;
            let values =
                [p.anger, p.disgust, p.fear, p.happiness, p.sadness, p.surprise, p.neutral];
            self.probabilities.add(time - self.from, values);
        }
    }

    /// From the first report to the last.
    pub fn duration(&self) -> Duration {
        self.to - self.from
    }
}

/// Means over spans of equal width that double whenever there are too many: the memory is bounded
/// whatever the face's time.
#[derive(Clone, Debug)]
pub struct Probabilities {
    width: Duration,
    bins: Vec<Bin>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    sum: [f64; Emotion::COUNT],
    count: u32,
}

impl Probabilities {
    /// How many spans there are at most.
    pub const MOST: usize = 480;
    /// The width they begin with: no camera is faster.
    const FINEST: Duration = Duration::from_millis(8);

    fn add(&mut self, time: Duration, values: [f64; Emotion::COUNT]) {
        while self.index(time) >= Self::MOST {
            self.width *= 2;
            self.bins = self.bins.chunks(2).map(Bin::merged).collect();
        }
        let index = self.index(time);
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Bin::default());
        }
        let bin = &mut self.bins[index];
        bin.count += 1;
        for (sum, value) in bin.sum.iter_mut().zip(values) {
            *sum += value;
        }
    }

    fn index(&self, time: Duration) -> usize {
        usize::try_from(time.as_nanos() / self.width.as_nanos()).unwrap_or(usize::MAX)
    }

    /// The middle of each span, since the face's first report, and the means over its reports, in
    /// the order of [`Emotion::ALL`]. Spans without a report are left out.
    pub fn means(&self) -> impl Iterator<Item = (Duration, [f64; Emotion::COUNT])> {
        self.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0).map(|(index, bin)| {
            let middle = self.width * index as u32 + self.width / 2;
            (middle, bin.sum.map(|sum| sum / f64::from(bin.count)))
        })
    }

    /// Gives the memory back.
    pub(super) fn forget(&mut self) {
        self.bins = Vec::new();
    }
}

impl Bin {
    fn merged(bins: &[Self]) -> Self {
        bins.iter().fold(Self::default(), |mut all, bin| {
            all.count += bin.count;
            for (sum, value) in all.sum.iter_mut().zip(bin.sum) {
                *sum += value;
            }
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour at 30 frames a second in which happiness grows from 0 to 1: few means, each of the
    /// growth at its own time.
    #[test]
    fn an_hour_is_thinned_out_and_keeps_its_course() {
        let mut thinned = Probabilities { width: Probabilities::FINEST, bins: Vec::new() };
        let frames = 30 * 3600;
        for frame in 0..frames {
            let share = f64::from(frame) / f64::from(frames);
            let mut values = [0.0; Emotion::COUNT];
            values[Emotion::Happiness.index()] = share;
            values[Emotion::Neutral.index()] = 1.0 - share;
            thinned.add(Duration::from_secs(1) * frame / 30, values);
        }
        let means: Vec<_> = thinned.means().collect();
        assert!((Probabilities::MOST / 2..=Probabilities::MOST).contains(&means.len()));
        // The last span is not full: its mean is not of its middle.
        for (time, values) in &means[..means.len() - 1] {
            let expected = time.as_secs_f64() / 3600.0;
            assert!((values[Emotion::Happiness.index()] - expected).abs() < 1e-4, "{time:?}");
            assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let counted: u32 = thinned.bins.iter().map(|bin| bin.count).sum();
        assert_eq!(counted, frames);
    }
}
