//! JSON Lines, one record at a time.

use std::io::{self, BufRead, Read};

use fer_core::record::{FrameRecord, SCHEMA_VERSION};
use serde::Deserialize;
use serde_json::Value;

/// The longest line that is read, in bytes. A face takes about 800.
const LONGEST: u64 = 16 << 20;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The system refuses.
    #[error("line {line} cannot be read: {source}")]
    Read {
        /// The line, from 1.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what `ferjson` writes.
    #[error("line {line} is not ferjson output: {reason}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A line speaks another version of the schema.
    #[error(
        "line {line} has schema_version {found}, this program reads {SCHEMA_VERSION}: a newer \
         release may read it"
    )]
    Version {
        /// The line, from 1.
        line: u64,
        /// What it says.
        found: Value,
    },
    /// There is no whole line.
    #[error("there is no whole line in it, at least one of ferjson's is needed")]
    Empty,
}

/// The records of a recording, in order; memory for one line at a time.
///
/// Ends after the first error. A last line without its newline that is no whole record, as a
/// writer that was killed leaves it, is not an error: it is left out and [told](Self::truncated).
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    line: u64,
    bytes: Vec<u8>,
    truncated: Option<u64>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads from the beginning of `reader`.
    pub const fn new(reader: R) -> Self {
        Self { reader, line: 0, bytes: Vec::new(), truncated: None, ended: false }
    }

    /// The number, from 1, of a last line that was broken off; known once all are read.
    pub const fn truncated(&self) -> Option<u64> {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<FrameRecord>, RecordingError> {
        loop {
            self.line += 1;
            self.bytes.clear();
            (&mut self.reader)
                .take(LONGEST)
                .read_until(b'\n', &mut self.bytes)
                .map_err(|source| RecordingError::Read { line: self.line, source })?;
            if self.bytes.is_empty() {
                return Ok(None);
            }
            if self.bytes.trim_ascii().is_empty() {
                continue;
            }
            let whole = self.bytes.ends_with(b"\n");
            if !whole && self.bytes.len() as u64 == LONGEST {
                let reason = format!("longer than {LONGEST} bytes");
                return Err(RecordingError::Line { line: self.line, reason });
            }
            return match parse(self.bytes.trim_ascii_end(), self.line) {
                Err(RecordingError::Line { .. }) if !whole => {
                    self.truncated = Some(self.line);
                    Ok(None)
                }
                record => record.map(Some),
            };
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<FrameRecord, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.read().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}

/// Other versions may look otherwise in every respect: only where the version is right, or cannot
/// be found, the reason is the parser's.
fn parse(bytes: &[u8], line: u64) -> Result<FrameRecord, RecordingError> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: Value,
    }
    match serde_json::from_slice::<FrameRecord>(bytes) {
        Ok(record) if record.schema_version == SCHEMA_VERSION => Ok(record),
        Ok(record) => Err(RecordingError::Version { line, found: record.schema_version.into() }),
        Err(error) => match serde_json::from_slice::<Version>(bytes) {
            Ok(Version { schema_version: found }) if found != SCHEMA_VERSION => {
                Err(RecordingError::Version { line, found })
            }
            _ => Err(RecordingError::Line { line, reason: reason(&error) }),
        },
    }
}

/// What the parser says, without its line number: it saw one line only.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("{what}, at its byte {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"schema_version":1,"stream_id":"a","frame":0,"pts_ns":0,"running_time_ns":0,"resolution":{"width":4,"height":3},"objects":[],"events":[],"added_later":7}"#;

    fn read(text: &str) -> (Vec<Result<FrameRecord, RecordingError>>, Option<u64>) {
        let mut lines = Lines::new(text.as_bytes());
        (lines.by_ref().collect(), lines.truncated())
    }

    #[test]
    fn whole_lines_are_read_and_blank_ones_left_out() {
        for text in [format!("{LINE}\n\n{LINE}\n"), format!("{LINE}\r\n{LINE}")] {
            let (records, truncated) = read(&text);
            assert_eq!((records.len(), truncated), (2, None));
            assert!(records.iter().all(|record| record.as_ref().unwrap().stream_id == "a"));
        }
        assert!(read("").0.is_empty());
    }

    #[test]
    fn a_last_line_that_was_broken_off_is_told_and_no_other() {
        let (records, truncated) = read(&format!("{LINE}\n{}", &LINE[..60]));
        assert!(records.len() == 1 && records[0].is_ok());
        assert_eq!(truncated, Some(2));
        let (records, truncated) = read(&format!("{LINE}\n{}\n{LINE}\n", &LINE[..60]));
        let error = records[1].as_ref().unwrap_err().to_string();
        let reason = "line 2 is not ferjson output: EOF while parsing a string, at its byte 60";
        assert_eq!(error, reason);
        assert_eq!((records.len(), truncated), (2, None));
    }

    #[test]
    fn other_versions_are_told_whatever_they_look_like() {
        for (text, found) in [
            (LINE.replace("version\":1", "version\":2"), "schema_version 2"),
            (r#"{"schema_version":"2.0","all":"else"}"#.into(), "schema_version \"2.0\""),
        ] {
            let error = read(&format!("{LINE}\n{text}\n")).0[1].as_ref().unwrap_err().to_string();
            assert!(error.starts_with(&format!("line 2 has {found}, ")), "{error}");
        }
        let error = read("{\"timestamp\": 3}\n").0[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("schema_version"), "{error}");
    }

    #[test]
    fn a_file_without_lines_is_refused_before_it_fills_the_memory() {
        let endless = io::BufReader::new(io::repeat(b'7'));
        let error = Lines::new(endless).next().unwrap().unwrap_err().to_string();
        assert!(error.contains("longer than 16777216 bytes"), "{error}");
    }
}
