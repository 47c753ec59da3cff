//! The names of pictures of faces: [`run`](crate::run) writes them, [`report`](crate::report) finds
//! them again.
//!
//! A name says everything that is known of a picture, and sorts by time:
//! `door_20261125T153300.123Z_0000012345ms_face7_neutral-happiness.png`, that is the stream, when it
//! was written (UTC), the frame's media time, the track, and the labels.

use fer_core::emotion::{StableLabel, label_from_name, label_name};
use jiff::Timestamp;

use crate::config::PictureFormat;

const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";

/// What is known of a picture of a face whose stable emotion changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crop {
    /// The stream.
    pub stream: String,
    /// When it was written, to the millisecond.
    pub written: Timestamp,
    /// The frame's media time in milliseconds.
    pub millis: u64,
    /// The face's track.
    pub track: u64,
    /// The label until then; `None` is `uncertain`.
    pub from: StableLabel,
    /// The label from then on.
    pub to: StableLabel,
    /// What it is written as.
    pub format: PictureFormat,
}

impl Crop {
    /// The name of its file.
    pub fn name(&self) -> String {
        format!(
            "{}_{}_{:010}ms_face{}_{}-{}.{}",
            self.stream,
            stamp(self.written),
            self.millis,
            self.track,
            label_name(self.from),
            label_name(self.to),
            self.format.ending(),
        )
    }

    /// What a name says; `None` for that of any other file.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, ending) = name.rsplit_once('.')?;
        let mut formats = [PictureFormat::Png, PictureFormat::Jpeg].into_iter();
        let format = formats.find(|format| format.ending() == ending)?;
        // A stream's name may have underscores too.
        let mut parts = rest.rsplitn(5, '_');
        let (from, to) = parts.next()?.split_once('-')?;
        let track = number(parts.next()?.strip_prefix("face")?)?;
        let millis = number(parts.next()?.strip_suffix("ms")?)?;
        let written = time(parts.next()?)?;
        let stream = parts.next()?.to_owned();
        Some(Self {
            stream,
            written,
            millis,
            track,
            from: label_from_name(from)?,
            to: label_from_name(to)?,
            format,
        })
    }
}

/// A time as names have it.
pub(crate) fn stamp(time: Timestamp) -> String {
    time.strftime(STAMP).to_string()
}

/// The time that a name has.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    (stamp(time) == text).then_some(time)
}

pub(crate) fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::Emotion;

    use super::*;

    #[test]
    fn a_name_says_what_it_is_and_is_known_again() {
        let crop = Crop {
            stream: "door_1".to_owned(),
            written: Timestamp::from_millisecond(1_795_000_000_120).unwrap(),
            millis: 12_345,
            track: 7,
            from: None,
            to: Some(Emotion::Happiness),
            format: PictureFormat::Jpeg,
        };
        let named = crop.name();
        assert_eq!(named, "door_1_20261118T110640.120Z_0000012345ms_face7_uncertain-happiness.jpg");
        assert_eq!(Crop::parse(&named), Some(crop));
        for other in [
            named.replace(".jpg", ".txt"),
            named.replace("face7", "face"),
            named.replace("face7", "face+7"),
            named.replace("happiness", "joy"),
            named.replace("20261118T", "2026-11-18T"),
            named.replace(".jpg", "_2.jpg"),
            "door_1.jpg".to_owned(),
        ] {
            assert_eq!(Crop::parse(&other), None, "{other}");
        }
    }
}
