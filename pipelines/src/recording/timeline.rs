//! As much of a recording as a picture of it needs.

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;
use std::time::Duration;

use fer_core::emotion::StableLabel;
use fer_core::record::{FrameRecord, Resolution};
use jiff::Timestamp;

use super::stream::Stream;
use super::{Face, Lines, RecordingError, Summary};

/// The streams of one or many files.
#[derive(Debug, Default)]
pub struct Recording {
    /// In the order of their first lines.
    pub streams: Vec<Timeline>,
    /// The files whose last line was broken off, and its number, from 1.
    pub truncated: Vec<(String, u64)>,
}

impl Recording {
    /// Reads a file called `name`. A stream of an earlier file goes on where its frame numbers do, as
    /// in a file that was rotated; else one of the same name is another stream.
    ///
    /// # Errors
    ///
    /// Those of [`Summary::read`]; what was read until then stays.
    pub fn read(&mut self, name: &str, reader: impl BufRead) -> Result<(), RecordingError> {
        let mut lines = Lines::new(reader);
        let mut here: BTreeMap<String, usize> = BTreeMap::new();
        for record in lines.by_ref() {
            let record = record?;
            let index = match here.get(&record.stream_id) {
                Some(index) => *index,
                None => {
                    let index = self.stream_of(name, &record);
                    here.insert(record.stream_id.clone(), index);
                    index
                }
            };
            self.streams[index].take(&record);
        }
        self.truncated.extend(lines.truncated().map(|line| (name.to_owned(), line)));
        if here.is_empty() { Err(RecordingError::Empty) } else { Ok(()) }
    }

    fn stream_of(&mut self, file: &str, record: &FrameRecord) -> usize {
        let goes_on = |s: &Timeline| {
            s.name == record.stream_id && s.last_frame.is_some_and(|last| Some(last) < record.frame)
        };
        let found = self.streams.iter().rposition(goes_on);
        let index = found.unwrap_or_else(|| {
            self.streams.push(Timeline { name: record.stream_id.clone(), ..Timeline::default() });
            self.streams.len() - 1
        });
        self.streams[index].files.push(file.to_owned());
        index
    }
}

/// One stream.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Its name as the lines state it; may be empty.
    pub name: String,
    /// The files that it is in.
    pub files: Vec<String>,
    /// Where the video came from, if the lines tell.
    pub source: Option<String>,
    /// The size of its first frame.
    pub resolution: Option<Resolution>,
    /// The name of the model that classified its first face.
    pub model: Option<String>,
    /// Its totals.
    pub summary: Summary,
    /// When its first and last report are, on its axis; `None` if no line states a time.
    pub span: Option<(Duration, Duration)>,
    /// When its first and last frame were taken, of a live source.
    pub taken: Option<(Timestamp, Timestamp)>,
    /// Its faces, by their first reports. Only the longest [`Timeline::DETAILED`] that are over have
    /// their probabilities still.
    pub faces: Vec<Face>,
    /// The first [`Timeline::LISTED`] changes that [`Summary::changes`] counts.
    pub changes: Vec<Change>,
    stream: Stream,
    last_frame: Option<u64>,
    /// The faces of the last report, by number: where in `faces` they are.
    present: BTreeMap<u64, usize>,
    /// Faces that are over and have their probabilities still.
    detailed: Vec<usize>,
}

/// A stable label that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, on the stream's axis; `None` if the line states no time.
    pub time: Option<Duration>,
    /// The frame's presentation timestamp in milliseconds, as pictures of it are named.
    pub millis: Option<u64>,
    /// When the frame was taken, of a live source.
    pub taken: Option<Timestamp>,
    /// Whose.
    pub face: u64,
    /// From what; `None` is `uncertain`.
    pub from: StableLabel,
    /// To what.
    pub to: StableLabel,
}

impl Timeline {
    /// How many faces keep their probabilities.
    pub const DETAILED: usize = 24;
    /// How many changes are kept.
    pub const LISTED: usize = 2000;

    fn take(&mut self, record: &FrameRecord) {
        let step = self.stream.take(record);
        self.summary.add(&step);
        self.last_frame = record.frame.or(self.last_frame);
        self.resolution.get_or_insert(record.resolution);
        if self.source.is_none() {
            self.source.clone_from(&record.source);
        }
        let time = step.place.time;
        let millis = record.pts_ns.map(millis);
        let taken: Option<Timestamp> = record.utc.as_ref().and_then(|utc| utc.parse().ok());
        if let Some(taken) = taken {
            let (first, last) = self.taken.unwrap_or((taken, taken));
            self.taken = Some((first.min(taken), last.max(taken)));
        }
        for (face, from, to) in step.changes {
            if self.changes.len() < Self::LISTED {
                self.changes.push(Change { time, millis, taken, face, from, to });
            }
        }
        if let Some(time) = time {
            let (first, last) = self.span.get_or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
            if step.analysed {
                self.follow(record, (step.place.run, time), (millis, taken));
            }
        }
    }

    fn follow(
        &mut self,
        record: &FrameRecord,
        (run, time): (u32, Duration),
        named: (Option<u64>, Option<Timestamp>),
    ) {
        let here: HashSet<u64> = record.objects.iter().map(|object| object.id).collect();
        let over = |id: &u64, index: &usize| !here.contains(id) || self.faces[*index].run != run;
        let over: Vec<(u64, usize)> = self
            .present
            .iter()
            .filter(|(id, index)| over(id, index))
            .map(|(a, b)| (*a, *b))
            .collect();
        for (id, index) in over {
            self.present.remove(&id);
            self.end(index);
        }
        for object in &record.objects {
            let index = *self.present.entry(object.id).or_insert_with(|| {
                self.faces.push(Face::new(object.id, run, time));
                self.faces.len() - 1
            });
            self.faces[index].take(object, time, named);
            if let (None, Some(emotion)) = (&self.model, &object.emotion) {
                self.model = Some(emotion.model.name.clone());
            }
        }
    }

    /// A face is over: of too many, the shortest one's probabilities go.
    fn end(&mut self, index: usize) {
        self.detailed.push(index);
        if self.detailed.len() > Self::DETAILED {
            let shortest = (0..self.detailed.len())
                .min_by_key(|&place| self.faces[self.detailed[place]].duration());
            if let Some(place) = shortest {
                let index = self.detailed.swap_remove(place);
                self.faces[index].probabilities.forget();
            }
        }
    }
}

fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::Emotion::{Anger, Happiness, Neutral};

    use super::super::Held;
    use super::super::testing::{Frame, text};
    use super::*;

    fn read(frames: &[Frame]) -> Timeline {
        let mut recording = Recording::default();
        recording.read("a.jsonl", text(frames).as_bytes()).unwrap();
        recording.streams.remove(0)
    }

    fn tenths(tenths: u32) -> Duration {
        Duration::from_millis(100) * tenths
    }

    #[test]
    fn a_face_holds_one_label_after_the_other() {
        let timeline = read(&[
            Frame::at(0).unclassified(1),
            Frame::at(1).face(1, Some(Neutral)).changed(1, None, Some(Neutral)),
            Frame::at(2).face(1, Some(Neutral)),
            Frame::at(3).face(1, Some(Anger)).changed(1, Some(Neutral), Some(Anger)),
            Frame::at(4).face(1, Some(Anger)),
            Frame::at(5),
        ]);
        let [face] = &timeline.faces[..] else { panic!("{:?}", timeline.faces) };
        let held = |label, from, to| Held { label, from: tenths(from), to: tenths(to) };
        let expected =
            [held(None, 0, 1), held(Some(Some(Neutral)), 1, 3), held(Some(Some(Anger)), 3, 4)];
        assert_eq!(face.held, expected);
        assert_eq!((face.from, face.to), (tenths(0), tenths(4)));
        let (from, to) = (Some(Neutral), Some(Anger));
        let change =
            Change { time: Some(tenths(3)), millis: Some(300), taken: None, face: 1, from, to };
        assert_eq!(timeline.changes, [change]);
        assert_eq!(timeline.span, Some((tenths(0), tenths(5))));
    }

    /// As of two files whose border is not seen.
    #[test]
    fn times_that_go_back_take_nothing_from_what_was() {
        let frames = [(0, 100, Neutral), (1, 150, Anger), (2, 120, Anger)];
        let timeline = read(
            &frames.map(|(number, at, label)| Frame::at(at).number(number).face(1, Some(label))),
        );
        let held =
            |label, from, to| Held { label: Some(Some(label)), from: tenths(from), to: tenths(to) };
        assert_eq!(timeline.faces[0].held, [held(Neutral, 100, 150), held(Anger, 150, 150)]);
    }

    /// The same number after a restart is another face, later on the axis.
    #[test]
    fn a_stream_that_began_anew_has_other_faces() {
        let run = |label| [0, 1, 2].map(|at| Frame::at(at).face(1, Some(label)));
        let timeline = read(&[run(Neutral), run(Anger), run(Happiness)].concat());
        let places: Vec<_> =
            timeline.faces.iter().map(|face| (face.id, face.from, face.to)).collect();
        let expected = [(0, 2), (2, 4), (4, 6)].map(|(from, to)| (1, tenths(from), tenths(to)));
        assert_eq!(places, expected);
    }

    #[test]
    fn of_many_faces_the_longest_keep_their_probabilities() {
        let mut frames = Vec::new();
        for id in 1..=60_u64 {
            // Every third face stays for three frames, the others for one.
            let stay = if id % 3 == 0 { 3 } else { 1 };
            for _ in 0..stay {
                let next = Frame::at(frames.len() as u64).face(id, Some(Neutral));
                frames.push(next);
            }
        }
        let timeline = read(&frames);
        assert_eq!(timeline.faces.len(), 60);
        let kept = |face: &&Face| face.probabilities.means().next().is_some();
        let kept: Vec<u64> = timeline.faces.iter().filter(kept).map(|face| face.id).collect();
        assert!((20..=Timeline::DETAILED + 1).contains(&kept.len()), "{kept:?}");
        assert!((1..=20).all(|third| kept.contains(&(third * 3))), "{kept:?}");
    }
}
