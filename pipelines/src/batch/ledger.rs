//! Which recording each result in a batch's folder is of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fer_core::manifest::sha256_hex;
use serde::{Deserialize, Serialize};

use super::{BatchError, Recording};
use crate::files::write_durably;

/// The file that it is kept in: a line a result, the last one of each counts. While a batch runs,
/// lines are added; in the end they are sorted.
const NAME: &str = "recordings.jsonl";

/// Whether a file is a batch's list of its recordings, which lies among their results.
pub fn is_ledger(path: &Path) -> bool {
    let is_named_so = path.file_name().is_some_and(|name| name == NAME);
    let first = || {
        let mut line = String::new();
        BufReader::new(File::open(path).ok()?).take(1 << 16).read_line(&mut line).ok()?;
        serde_json::from_str::<Source>(&line).ok()
    };
    is_named_so && first().is_some()
}

/// Bytes at each end of a recording by which it is known again under another path.
const END: u64 = 1 << 20;

/// What a result is of. It is known again wherever it lies by then, as on a disk that is mounted
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// The result's lines, from the folder on.
    result: PathBuf,
    /// Its name in tables.
    name: String,
    /// Where it lay; what of that is not UTF-8 is replaced.
    path: String,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// SHA-256 of its ends; `None` where an earlier version has noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
}

impl Source {
    /// Whether `recording`, which this is, is what a result was made of. Files of a camera that cuts
    /// them all to one size may be alike in size and age; only under the same path is that enough.
    fn is_still(&self, before: &Self, recording: &Path) -> bool {
        (self.bytes, self.modified) == (before.bytes, before.modified)
            && (self.path == before.path
                || before.ends.is_none()
                || before.ends == ends(recording).ok())
    }
}

/// SHA-256 of a file's first and last [`END`] bytes.
fn ends(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(END).read_to_end(&mut bytes)?;
    let rest = file.metadata()?.len().saturating_sub(END).max(END);
    file.seek(SeekFrom::Start(rest))?;
    file.take(END).read_to_end(&mut bytes)?;
    Ok(sha256_hex(&bytes))
}

/// What is known of the results in a folder.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    /// By the result.
    sources: BTreeMap<PathBuf, Source>,
    /// Whether the folder had none: what is there was made by an earlier version.
    is_new: bool,
}

/// How it stands with a recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What is made of it is there.
    Done,
    /// It is to be made.
    Open,
    /// What would be made of it has the name of what was made of another one: why it is refused.
    Refused(String),
}

impl Ledger {
    /// Opens the ledger of a folder; with `anew` nothing in there counts any more.
    pub(super) fn open(folder: &Path, anew: bool) -> Result<Self, BatchError> {
        let mut ledger =
            Self { folder: folder.to_owned(), sources: BTreeMap::new(), is_new: false };
        match std::fs::read(ledger.path()) {
            _ if anew => {}
            Ok(text) => {
                // A line that a power cut has broken is of a result that is made again.
                let lines = text.split(|byte| *byte == b'\n');
                let sources = lines.filter_map(|line| serde_json::from_slice(line).ok());
                let sources = sources.map(|source: Source| (source.result.clone(), source));
                ledger.sources = sources.collect();
            }
            Err(error) if error.kind() == ErrorKind::NotFound => ledger.is_new = true,
            Err(error) => return Err(ledger.problem(&error)),
        }
        Ok(ledger)
    }

    pub(super) fn standing(&self, recording: &Recording) -> Standing {
        let Ok(now) = self.source(recording) else { return Standing::Open };
        match self.sources.get(&now.result) {
            Some(before) if now.is_still(before, &recording.input) => match recording.is_there() {
                true => Standing::Done,
                false => Standing::Open,
            },
            Some(before)
                if now.path != before.path && recording.made().any(|made| made.exists()) =>
            {
                Standing::Refused(format!(
                    "{} is of {}; expected another folder (--out), or --again to replace it",
                    recording.lines.display(),
                    before.path
                ))
            }
            None if self.is_new && recording.is_younger() => Standing::Done,
            _ => Standing::Open,
        }
    }

    /// What there is of these recordings counts no more, whatever it was made of.
    pub(super) fn forget(&mut self, recordings: &[Recording]) {
        for recording in recordings {
            let result = self.result(recording).to_owned();
            self.sources.remove(&result);
        }
    }

    /// What a recording is that is about to be read: it may be written on meanwhile.
    pub(super) fn look_at(&self, recording: &Recording) -> io::Result<Source> {
        let ends = Some(ends(&recording.input)?);
        Ok(Source { ends, ..self.source(recording)? })
    }

    /// What is made of this gets its name now.
    pub(super) fn note(&mut self, source: Source) -> io::Result<()> {
        let mut line = serde_json::to_vec(&source)?;
        line.push(b'\n');
        let mut file = File::options().append(true).create(true).open(self.path())?;
        file.write_all(&line)?;
        file.sync_all()?;
        self.sources.insert(source.result.clone(), source);
        Ok(())
    }

    /// What is made of these recordings has its name, whatever they are called by now.
    pub(super) fn adopt(&mut self, recordings: &[&Recording]) {
        for recording in recordings {
            // One that has gone meanwhile is not asked for again.
            let Ok(mut source) = self.source(recording) else { continue };
            source.ends = self.sources.get(&source.result).and_then(|before| before.ends.clone());
            self.sources.insert(source.result.clone(), source);
        }
    }

    /// Writes all of it in order.
    pub(super) fn save(&self) -> Result<(), BatchError> {
        let mut text = Vec::new();
        for source in self.sources.values() {
            serde_json::to_writer(&mut text, source).map_err(|error| self.problem(&error))?;
            text.push(b'\n');
        }
        write_durably(&self.path(), &text).map_err(|error| self.problem(&error))
    }

    /// The names of all recordings of which there are results.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.values().map(|source| source.name.as_str())
    }

    fn result<'a>(&self, recording: &'a Recording) -> &'a Path {
        recording.lines.strip_prefix(&self.folder).unwrap_or(&recording.lines)
    }

    fn source(&self, recording: &Recording) -> io::Result<Source> {
        let data = std::fs::metadata(&recording.input)?;
        let modified = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Source {
            result: self.result(recording).to_owned(),
            name: recording.name.clone(),
            path: recording.input.canonicalize()?.to_string_lossy().into_owned(),
            bytes: data.len(),
            modified: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
            ends: None,
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    fn problem(&self, reason: &dyn std::fmt::Display) -> BatchError {
        BatchError::Folder { path: self.path(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn recording(folder: &Path, input: PathBuf) -> Recording {
        Recording { input, name: "x".into(), lines: folder.join("out/x.jsonl"), video: None }
    }

    /// A recording of that age, and that it is done.
    fn done(ledger: &mut Ledger, recording: &Recording, content: &[u8], age: SystemTime) {
        write(&recording.input, content, age);
        let source = ledger.look_at(recording).unwrap();
        std::fs::write(&recording.lines, "").unwrap();
        ledger.note(source).unwrap();
    }

    fn write(path: &Path, content: &[u8], age: SystemTime) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        File::options().append(true).open(path).unwrap().set_modified(age).unwrap();
    }

    fn open(folder: &Path) -> Ledger {
        std::fs::create_dir_all(folder.join("out")).unwrap();
        Ledger::open(&folder.join("out"), false).unwrap()
    }

    #[test]
    fn a_recording_is_the_one_that_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, age) = (open(folder.path()), SystemTime::now());
        let ours = recording(folder.path(), folder.path().join("a/x.mp4"));
        done(&mut ledger, &ours, b"content", age);
        assert_eq!(open(folder.path()).standing(&ours), Standing::Done);
        // Elsewhere by now.
        let moved = recording(folder.path(), folder.path().join("b/x.mp4"));
        write(&moved.input, b"content", age);
        assert_eq!(ledger.standing(&moved), Standing::Done);
        // As long and as old, and another.
        write(&moved.input, b"contend", age);
        assert!(matches!(ledger.standing(&moved), Standing::Refused(_)));
        ledger.forget(std::slice::from_ref(&moved));
        assert_eq!(ledger.standing(&moved), Standing::Open);
        // It was still being copied when it was read.
        write(&ours.input, b"half", age);
        let half = ledger.look_at(&ours).unwrap();
        write(&ours.input, b"half and half", age);
        ledger.note(half).unwrap();
        assert_eq!(ledger.standing(&ours), Standing::Open);
    }

    #[test]
    fn ends_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut bytes = vec![0; 3 * END as usize];
        let mut of = |changed: usize, length: usize| {
            bytes[changed] ^= 1;
            std::fs::write(&path, &bytes[..length]).unwrap();
            bytes[changed] ^= 1;
            ends(&path).unwrap()
        };
        let end = END as usize;
        let (middle, whole) = (of(end + 9, 3 * end), of(2 * end - 1, 3 * end));
        assert_eq!(middle, whole, "what lies in between is not looked at");
        assert!(of(0, 3 * end) != whole && of(3 * end - 1, 3 * end) != whole);
        // One that is hardly longer than one end: each byte once.
        assert_eq!(of(0, end + 3), {
            let mut expected = vec![0; end + 3];
            expected[0] = 1;
            sha256_hex(&expected)
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_and_lines_need_not_be_utf_8() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"d\xe9"));
        let ours = recording(folder.path(), odd.join("x.mp4"));
        done(&mut open(folder.path()), &ours, b"content", SystemTime::now());
        let path = folder.path().join("out").join(NAME);
        let lines = std::fs::read(&path).unwrap();
        std::fs::write(&path, [b"{\xe9\n", lines.as_slice()].concat()).unwrap();
        let ledger = open(folder.path());
        assert_eq!(ledger.standing(&ours), Standing::Done);
        ledger.save().unwrap();
        assert_eq!(open(folder.path()).standing(&ours), Standing::Done);
    }
}
