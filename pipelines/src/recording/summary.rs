//! What a recording comes to.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use fer_core::emotion::{Emotion, StableLabel};
use fer_core::record::FrameRecord;

use super::stream::{Step, Stream};
use super::{Lines, RecordingError};

/// The totals of a recording: of one stream, or of all that are in it together.
///
/// A face counts for a label from a report in which it holds it to the next report, if it is in
/// that one too. Thus the time after a face was last seen counts for none, nor does the time
/// before it was classified.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Lines, a frame each. Frames that `skip-empty` left out are not among them.
    pub frames: u64,
    /// Frames among them without analysis (their `frame` is null).
    pub unanalysed: u64,
    /// From the first frame to the last; of a stream that began anew, its runs added up.
    pub duration: Duration,
    /// Faces that were followed. One that was lost and came back counts again.
    pub faces: u64,
    /// How long faces held each emotion as their stable label, by [`Emotion::index`]; two faces
    /// at once count twice.
    pub emotions: [Duration; Emotion::COUNT],
    /// How long faces were `uncertain`.
    pub uncertain: Duration,
    /// Changes of stable labels, to and from `uncertain` too. The first label of a face is none:
    /// nothing changed.
    pub changes: u64,
    /// The number, from 1, of a last line that was broken off and left out.
    pub truncated: Option<u64>,
    streams: BTreeMap<String, Stream>,
}

impl Summary {
    /// Adds up a whole recording, in memory for one line and the numbers of its faces.
    ///
    /// # Errors
    ///
    /// [`RecordingError`]: a line cannot be read, is none of `ferjson`'s or has another schema
    /// version, or there is no whole line. A last line that was broken off is not an error.
    pub fn read(reader: impl BufRead) -> Result<Self, RecordingError> {
        let mut summary = Self::default();
        let mut lines = Lines::new(reader);
        for record in lines.by_ref() {
            summary.take(&record?);
        }
        summary.truncated = lines.truncated();
        if summary.frames == 0 { Err(RecordingError::Empty) } else { Ok(summary) }
    }

    /// Takes the next record of its stream.
    pub fn take(&mut self, record: &FrameRecord) {
        let step = self.streams.entry(record.stream_id.clone()).or_default().take(record);
        self.add(&step);
    }

    /// Adds what one more report brought.
    pub(super) fn add(&mut self, step: &Step) {
        self.frames += 1;
        self.unanalysed += u64::from(!step.analysed);
        self.duration += step.grown;
        self.faces += step.appeared;
        self.changes += step.changes.len() as u64;
        for label in &step.held {
            *self.held_mut(*label) += step.passed;
        }
    }

    /// How long faces held a label; `None` is `uncertain`.
    pub fn held(&self, label: StableLabel) -> Duration {
        label.map_or(self.uncertain, |emotion| self.emotions[emotion.index()])
    }

    fn held_mut(&mut self, label: StableLabel) -> &mut Duration {
        match label {
            Some(emotion) => &mut self.emotions[emotion.index()],
            None => &mut self.uncertain,
        }
    }

    /// How long faces held any label, `uncertain` included.
    pub fn face_time(&self) -> Duration {
        self.emotions.iter().sum::<Duration>() + self.uncertain
    }

    /// The part of [`face_time`](Self::face_time) for which faces held a label, 0 to 1; `None`
    /// where no face held any.
    pub fn share(&self, label: StableLabel) -> Option<f64> {
        let whole = self.face_time();
        (!whole.is_zero()).then(|| self.held(label).as_secs_f64() / whole.as_secs_f64())
    }

    /// Changes a minute of [`face_time`](Self::face_time); `None` where no face held a label.
    pub fn changes_per_minute(&self) -> Option<f64> {
        let minutes = self.face_time().as_secs_f64() / 60.0;
        (minutes > 0.0).then(|| self.changes as f64 / minutes)
    }
}

#[cfg(test)]
mod tests {
    use Emotion::{Anger, Happiness, Neutral};

    use super::super::testing::{Frame, text};
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn read(frames: &[Frame]) -> Summary {
        Summary::read(text(frames).as_bytes()).unwrap()
    }

    /// Ten frames a second. Face 1: neutral at 0.0 and 0.1, happy from 0.2, last seen at 0.4.
    /// Face 2: not classified at 0.1, uncertain at 0.2, angry at 0.3, last seen at 0.5.
    #[test]
    fn a_summary_worked_by_hand() {
        let summary = read(&[
            Frame::at(0).face(1, Some(Neutral)).changed(1, None, Some(Neutral)),
            Frame::at(1).face(1, Some(Neutral)).unclassified(2),
            Frame::at(2)
                .face(1, Some(Happiness))
                .changed(1, Some(Neutral), Some(Happiness))
                .face(2, None),
            Frame::at(3).face(1, Some(Happiness)).face(2, Some(Anger)).changed(
                2,
                None,
                Some(Anger),
            ),
            Frame::at(4).face(1, Some(Happiness)).face(2, Some(Anger)),
            Frame::at(5).face(2, Some(Anger)),
            Frame::at(6),
        ]);
        assert_eq!((summary.frames, summary.unanalysed, summary.faces), (7, 0, 2));
        assert_eq!(summary.duration, seconds(0.6));
        // Face 1 was neutral for 0.0–0.2 and happy for 0.2–0.4, face 2 uncertain for 0.2–0.3 and angry
        // for 0.3–0.5.
        for (label, held) in
            [(Some(Neutral), 0.2), (Some(Happiness), 0.2), (None, 0.1), (Some(Anger), 0.2)]
        {
            assert_eq!(summary.held(label), seconds(held), "{label:?}");
        }
        assert_eq!(summary.face_time(), seconds(0.7));
        assert!((summary.share(Some(Anger)).unwrap() - 2.0 / 7.0).abs() < 1e-12);
        assert_eq!(summary.share(Some(Emotion::Fear)), Some(0.0));
        // To happiness, and from uncertain to anger; face 1's first label is none. 2 in 0.7 s.
        assert_eq!(summary.changes, 2);
        assert!((summary.changes_per_minute().unwrap() - 2.0 * 60.0 / 0.7).abs() < 1e-9);
    }

    /// A camera that was lost at 0.2 s: its frames, times and faces are counted anew.
    #[test]
    fn a_stream_that_began_anew_goes_on() {
        let run = |face| [0, 1, 2].map(|at| Frame::at(at).face(1, Some(face)));
        let summary = read(&[run(Neutral), run(Anger)].concat());
        assert_eq!((summary.faces, summary.duration), (2, seconds(0.4)));
        assert_eq!(summary.held(Some(Neutral)), seconds(0.2));
        assert_eq!(summary.held(Some(Anger)), seconds(0.2));
    }

    /// As by `videorate`.
    #[test]
    fn a_frame_that_is_shown_again_is_no_new_beginning() {
        let frames = [0, 1, 2, 3].map(|at| Frame::at(at).again(at / 2).face(1, Some(Neutral)));
        let summary = read(&frames);
        assert_eq!((summary.faces, summary.duration), (1, seconds(0.3)));
    }

    /// The lines that would show that frames are counted anew were left out.
    #[test]
    fn a_face_that_appears_again_is_of_another_run() {
        let run = |from: u64, face| {
            let first = Frame::at(from).appeared(1).face(1, Some(face));
            [first, Frame::at(from + 1).face(1, Some(face))]
        };
        let summary = read(&[run(0, Neutral), run(8, Anger)].concat());
        assert_eq!((summary.faces, summary.duration), (2, seconds(0.2)));
    }

    #[test]
    fn mixed_streams_are_told_apart() {
        let frames: Vec<Frame> = (0..4)
            .flat_map(|at| [("a", Neutral), ("b", Anger)].map(|s| (at, s)))
            .map(|(at, (stream, label))| Frame::at(at).of(stream).face(1, Some(label)))
            .collect();
        let summary = read(&frames);
        assert_eq!((summary.faces, summary.duration), (2, seconds(0.6)));
        assert_eq!(summary.held(Some(Neutral)), seconds(0.3));
    }

    /// Frames 1 to 8 have no face and were left out; face 1 is another one than face 2.
    #[test]
    fn what_was_left_out_counts_for_nobody() {
        let summary = read(&[
            Frame::at(0).face(1, Some(Neutral)),
            Frame::at(9).face(2, Some(Anger)),
            Frame::at(10).face(2, Some(Anger)),
        ]);
        assert_eq!((summary.frames, summary.duration), (3, seconds(1.0)));
        assert_eq!((summary.face_time(), summary.held(Some(Anger))), (seconds(0.1), seconds(0.1)));
    }

    #[test]
    fn played_backwards_it_lasts_as_long() {
        let frames = [3, 2, 1].map(|at| Frame::at(at).number(10 - at).face(1, Some(Neutral)));
        let summary = read(&frames);
        assert_eq!((summary.duration, summary.face_time()), (seconds(0.2), seconds(0.2)));
    }

    #[test]
    fn frames_without_time_or_analysis_are_counted_and_nothing_else() {
        let untimed = [0, 1].map(|at| Frame::at(at).untimed().face(1, Some(Neutral)));
        let summary = read(&untimed);
        assert_eq!((summary.frames, summary.faces), (2, 1));
        assert_eq!((summary.duration, summary.face_time()), (Duration::ZERO, Duration::ZERO));
        assert_eq!((summary.changes_per_minute(), summary.share(None)), (None, None));
        // The lost metadata of frame 1 does not break what frames 0 and 2 say.
        let frames = [
            Frame::at(0).face(1, Some(Neutral)),
            Frame::at(1).unanalysed(),
            Frame::at(2).face(1, Some(Neutral)),
        ];
        let summary = read(&frames);
        assert_eq!((summary.frames, summary.unanalysed), (3, 1));
        assert_eq!(summary.held(Some(Neutral)), seconds(0.2));
    }

    /// The second file of a stream that is written to several: its face was known before.
    #[test]
    fn a_change_in_the_first_line_is_one() {
        let first = Frame::at(50).face(4, Some(Anger)).changed(4, Some(Neutral), Some(Anger));
        assert_eq!(read(&[first]).changes, 1);
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        for (text, reason) in [
            ("", "no whole line"),
            ("\n\n", "no whole line"),
            ("{\"schema_version\": 1, \"str", "no whole line"),
            ("width,height\n1,2\n", "line 1 is not ferjson output"),
        ] {
            let error = Summary::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        let mut broken = text(&[Frame::at(0), Frame::at(1)]);
        broken.truncate(broken.len() - 9);
        let summary = Summary::read(broken.as_bytes()).unwrap();
        assert_eq!((summary.frames, summary.truncated), (1, Some(2)));
    }
}
