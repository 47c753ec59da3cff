//! Lines of JSON on their way out: to a file that may be rotated, the standard output, whoever
//! connects, or in packets.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use jiff::civil::Date;

use super::clients::Clients;
use super::line_file::{newest, open, write_whole};
use super::packets::Packets;
use super::place::{self, Claim};
use crate::config::{Existing, Json, Rotate};

/// Where an output's lines go. It outlives the pipelines of its stream.
#[derive(Debug)]
pub(super) enum LineSink {
    File(Box<RotatedFile>),
    Stdout,
    Tcp(Clients),
    Udp(Packets),
}

impl LineSink {
    /// Opens what the settings name.
    pub(super) fn open(settings: &Json, stream: &str) -> Result<Self, String> {
        if let Some(pattern) = &settings.file {
            let file = RotatedFile::open(pattern, stream, settings)?;
            return Ok(Self::File(Box::new(file)));
        }
        if let Some(address) = &settings.tcp_server {
            return Clients::listen(address).map(Self::Tcp);
        }
        if let Some(address) = &settings.udp {
            return Ok(Self::Udp(Packets::to(address, stream)));
        }
        Ok(Self::Stdout)
    }

    /// Takes one line, its end included.
    pub(super) fn write(&mut self, line: &[u8]) -> Result<(), String> {
        match self {
            Self::File(file) => file.write(line),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                let written = out.write_all(line).and_then(|()| out.flush());
                written.map_err(|error| format!("the standard output: {error}"))
            }
            Self::Tcp(clients) => {
                clients.write(line);
                Ok(())
            }
            Self::Udp(packets) => {
                packets.send(line);
                Ok(())
            }
        }
    }
}

/// How often it is looked whether a file is still there.
const SELDOM: Duration = Duration::from_secs(1);

/// A file that begins anew when it is large or old enough, or when the day that it is named after is
/// over.
#[derive(Debug)]
pub(super) struct RotatedFile {
    pattern: String,
    stream: String,
    existing: Existing,
    rotate: Option<Rotate>,
    file: File,
    /// Its name without a number.
    plain: PathBuf,
    /// Its number among the files of that name.
    count: u32,
    path: PathBuf,
    _claims: Vec<Claim>,
    bytes: u64,
    since: Instant,
    /// When it was last looked whether the file is still there.
    looked: Instant,
    /// The day that its name is of, where the name holds one.
    day: Option<Date>,
}

fn claim(path: &Path) -> Result<Claim, String> {
    Claim::alone(path).ok_or_else(|| {
        format!("{}: another output writes to this file; give each its own", path.display())
    })
}

impl RotatedFile {
    fn open(pattern: &str, stream: &str, settings: &Json) -> Result<Self, String> {
        let settings = (settings.existing, settings.rotate);
        Self::open_at(pattern, stream, settings, &ZonedDateTime::now())
    }

    fn open_at(
        pattern: &str,
        stream: &str,
        (wanted, rotate): (Existing, Option<Rotate>),
        now: &ZonedDateTime,
    ) -> Result<Self, String> {
        let path = place::name_at(pattern, stream, now)?;
        place::folder_of(&path)?;
        place::may_write(&path, wanted)?;
        let is_left = place::is_left(&path);
        let existing = if is_left { Existing::Continue } else { wanted };
        let mut claims = vec![claim(&path)?];
        let goes_on = existing == Existing::Continue && rotate.is_some();
        let (plain, count) = (path.clone(), if goes_on { newest(&path, stream) } else { 1 });
        let path = place::numbered(&plain, count);
        let is_ours = if count > 1 { place::is_left(&path) } else { is_left };
        if count > 1 {
            claims.push(claim(&path)?);
        }
        let file = match open(&path, existing, is_ours) {
            Ok(file) => file,
            Err(reason) => {
                claims.into_iter().for_each(Claim::withdraw);
                return Err(reason);
            }
        };
        let bytes = file.metadata().map_or(0, |data| data.len());
        Ok(Self {
            pattern: pattern.to_owned(),
            stream: stream.to_owned(),
            existing: wanted,
            rotate,
            file,
            plain,
            count,
            path,
            _claims: claims,
            bytes,
            since: Instant::now(),
            looked: Instant::now(),
            day: place::names_days(pattern, now).then(|| now.date()),
        })
    }

    fn write(&mut self, line: &[u8]) -> Result<(), String> {
        self.write_at(line, &ZonedDateTime::now())
    }

    fn write_at(&mut self, line: &[u8], now: &ZonedDateTime) -> Result<(), String> {
        if self.is_over(now) {
            self.go_to(now)?;
        } else if self.is_full(line.len()) {
            self.begin_anew(now)?;
        } else {
            self.stay()?;
        }
        let written = write_whole(&mut self.file, line);
        written.map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn is_over(&self, now: &ZonedDateTime) -> bool {
        self.day.is_some_and(|day| day != now.date())
    }

    /// Goes to the file of today, if that is another: a name may be of a week or a month.
    fn go_to(&mut self, now: &ZonedDateTime) -> Result<(), String> {
        self.day = Some(now.date());
        if place::name_at(&self.pattern, &self.stream, now)? == self.plain {
            return Ok(());
        }
        let settings = (self.existing, self.rotate);
        match Self::open_at(&self.pattern, &self.stream, settings, now) {
            Ok(file) => {
                *self = file;
                Ok(())
            }
            // What is there is nobody's to go on with, but the recording goes on.
            Err(_) => self.begin_anew(now),
        }
    }

    /// Makes the file anew where somebody has moved it away or deleted it, as `logrotate` does.
    fn stay(&mut self) -> Result<(), String> {
        if self.looked.elapsed() < SELDOM {
            return Ok(());
        }
        self.looked = Instant::now();
        if !place::is_at(&self.file, &self.path) {
            place::folder_of(&self.path)?;
            self.file = open(&self.path, Existing::Continue, false)?;
            (self.bytes, self.since) = (0, Instant::now());
        }
        Ok(())
    }

    fn is_full(&self, more: usize) -> bool {
        let Some(Rotate { size, time }) = self.rotate else { return false };
        let large = size.is_some_and(|size| self.bytes > 0 && self.bytes + more as u64 > size.0);
        large || time.is_some_and(|time| self.since.elapsed() >= time.0)
    }

    fn begin_anew(&mut self, now: &ZonedDateTime) -> Result<(), String> {
        let plain = place::name_at(&self.pattern, &self.stream, now)?;
        let mut count = if plain == self.plain { self.count + 1 } else { 1 };
        let (path, claim) = loop {
            let path = place::numbered(&plain, count);
            place::folder_of(&path)?;
            // Another output may be about to make anew what was moved away from there.
            let claim = if path.exists() { None } else { Claim::alone(&path) };
            match claim {
                Some(claim) => break (path, claim),
                None => count += 1,
            }
        };
        self.file = open(&path, Existing::Continue, false)?;
        self._claims = vec![claim];
        (self.plain, self.count, self.path) = (plain, count, path);
        (self.bytes, self.since) = (0, Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Amount;

    /// As far as anybody looks at it.
    const LINE: &str = "{\"schema_version\":1}\n";

    fn settings(file: &Path) -> Json {
        Json {
            file: Some(file.to_string_lossy().into_owned()),
            stdout: false,
            tcp_server: None,
            udp: None,
            rotate: None,
            existing: Existing::Refuse,
            skip_empty: false,
        }
    }

    fn write(settings: &Json, lines: &[&str]) -> Result<(), String> {
        let mut sink = LineSink::open(settings, "s")?;
        lines.iter().try_for_each(|line| sink.write(format!("{line}\n").as_bytes()))
    }

    #[test]
    fn a_new_part_is_no_file_that_another_output_writes() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["cam.jsonl", "cam-2.jsonl"].map(|name| folder.path().join(name));
        let rotate = Some(Rotate { size: Some(Amount(10)), time: None });
        let mut sink = LineSink::open(&Json { rotate, ..settings(&ours) }, "s").unwrap();
        let _other = LineSink::open(&settings(&theirs), "t").unwrap();
        // As logrotate does; the other output is about to make it anew.
        std::fs::rename(&theirs, folder.path().join("moved")).unwrap();
        (0..2).for_each(|_| sink.write(b"0123456789\n").unwrap());
        assert!(!theirs.exists() && folder.path().join("cam-3.jsonl").exists());
    }

    #[test]
    fn files_are_refused_replaced_or_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/a.jsonl");
        write(&settings(&path), &["1", "2"]).unwrap();
        // Left by this very process: gone on with, whatever the settings say.
        for existing in [Existing::Refuse, Existing::Replace] {
            write(&Json { existing, ..settings(&path) }, &["3"]).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n3\n");
        // But not while another output is at it.
        let at_work = LineSink::open(&settings(&path), "s").unwrap();
        let error = write(&settings(&path), &["4"]).unwrap_err();
        assert!(error.contains("is there already"), "{error}");
        let other = folder.path().join("deep/../deep/a.jsonl");
        for existing in [Existing::Continue, Existing::Replace] {
            let error = write(&Json { existing, ..settings(&other) }, &["4"]).unwrap_err();
            assert!(error.contains("another output writes to this file"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n3\n");
        drop(at_work);

        let path = folder.path().join("b.jsonl");
        let read = || std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "1\n").unwrap();
        let error = write(&settings(&path), &["2"]).unwrap_err();
        assert!(error.contains("is there already") && read() == "1\n", "{error}");
        write(&Json { existing: Existing::Replace, ..settings(&path) }, &["3"]).unwrap();
        assert_eq!(read(), "3\n");
    }

    #[test]
    fn a_line_that_was_broken_off_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let settings = Json { existing: Existing::Continue, ..settings(&path) };
        let half = "x".repeat(10_000);
        for (before, after) in [
            (format!("{LINE}{{\"schema_ver"), format!("{LINE}2\n")),
            ("{\"schema_ver".into(), "2\n".into()),
            (LINE.into(), format!("{LINE}2\n")),
            (String::new(), "2\n".into()),
            ("\0\0\0".into(), "2\n".into()),
            (format!("{LINE}{half}"), format!("{LINE}2\n")),
        ] {
            std::fs::write(&path, &before).unwrap();
            write(&settings, &["2"]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "{before:.20}");
        }
    }

    #[test]
    fn what_is_of_others_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.mp4");
        let settings = Json { existing: Existing::Continue, ..settings(&path) };
        for theirs in ["first\nlast", "\0\0\0\x18ftypmp42\nmoov", "{\"a\":1}"] {
            std::fs::write(&path, theirs).unwrap();
            let error = write(&settings, &["2"]).unwrap_err();
            assert!(error.contains("talk.mp4: it does not begin as"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs);
        }
    }

    #[test]
    fn a_new_file_is_begun_at_a_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let rotate = Some(Rotate { size: Some(Amount(6)), time: None });
        // Lines of three bytes, two a file.
        let lines = ["11", "22", "33", "44", "55"];
        write(&Json { rotate, ..settings(&path) }, &lines).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("a.jsonl"), "11\n22\n");
        assert_eq!(read("a-2.jsonl"), "33\n44\n");
        assert_eq!(read("a-3.jsonl"), "55\n");
        let existing = Existing::Continue;
        write(&Json { rotate, existing, ..settings(&path) }, &["66", "77"]).unwrap();
        assert_eq!((read("a.jsonl"), read("a-3.jsonl")), ("11\n22\n".into(), "55\n66\n".into()));
        assert_eq!(read("a-4.jsonl"), "77\n");
    }

    #[test]
    fn the_newest_file_of_ones_own_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let line = |stream: &str| format!("{{\"schema_version\":1,\"stream_id\":\"{stream}\"}}\n");
        let settings = Json {
            rotate: Some(Rotate { size: Some(Amount(1000)), time: None }),
            existing: Existing::Continue,
            ..settings(&at("s.jsonl"))
        };
        // Another stream is called `s-2`; of one's own, older files were deleted.
        for (name, stream) in [
            ("s-2.jsonl", "s-2"),
            ("s-3.jsonl", "s"),
            ("s-9.jsonl", "s"),
            ("s-10.jsonl", "s"),
            ("s-11b.jsonl", "s"),
            // Of other programs: `logrotate` names what it moves after days.
            ("s-2025.jsonl", "s"),
            ("s-20260101.jsonl", "s"),
        ] {
            std::fs::write(at(name), line(stream)).unwrap();
        }
        // That of a stream called `s-11`, which has no line yet.
        std::fs::write(at("s-11.jsonl"), "").unwrap();
        write(&settings, &["1"]).unwrap();
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!(read("s-10.jsonl"), line("s") + "1\n");
        assert_eq!(read("s-2.jsonl"), line("s-2"));
        assert!(!at("s.jsonl").exists());
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let LineSink::File(mut file) = LineSink::open(&settings(&at("a.jsonl")), "s").unwrap()
        else {
            panic!("no file");
        };
        file.write(b"1\n").unwrap();
        std::fs::rename(at("a.jsonl"), at("a.jsonl.1")).unwrap();
        file.looked -= 2 * SELDOM;
        file.write(b"2\n").unwrap();
        file.write(b"3\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!((read("a.jsonl.1"), read("a.jsonl")), ("1\n".into(), "2\n3\n".into()));
    }

    #[test]
    fn a_file_named_after_a_day_holds_that_day() {
        let folder = tempfile::tempdir().unwrap();
        let at = |text: &str| format!("{text}[Europe/Berlin]").parse::<ZonedDateTime>().unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
        for (pattern, days) in [
            ("%Y-%m-%d", true),
            ("{stream}/%j", true),
            ("%Y-%m-%dT%H-%M-%S", false),
            ("%Y", true),
            ("plain", true),
        ] {
            // The day on which clocks are set forward.
            assert_eq!(place::names_days(pattern, &at("2026-03-29T12:00")), days, "{pattern}");
        }
        let pattern = folder.path().join("%F.jsonl");
        let LineSink::File(mut file) = LineSink::open(&settings(&pattern), "s").unwrap() else {
            panic!("no file");
        };
        file.day = Some(at("2026-03-28T12:00").date());
        file.write_at(b"1\n", &at("2026-03-28T23:59:59")).unwrap();
        file.write_at(b"2\n", &at("2026-03-29T00:00:00")).unwrap();
        file.write_at(b"3\n", &at("2026-03-29T23:59:59")).unwrap();
        std::fs::write(folder.path().join("2026-03-30.jsonl"), "0\n").unwrap();
        file.write_at(b"4\n", &at("2026-03-30T00:00:01")).unwrap();
        assert_eq!(read("2026-03-29.jsonl").as_deref(), Some("2\n3\n"));
        assert_eq!(read("2026-03-30-2.jsonl").as_deref(), Some("4\n"), "what is there is not ours");
        // A clock that was a day late goes on in the file of that day.
        let settings =
            Json { existing: Existing::Continue, ..settings(&folder.path().join("%F-b.jsonl")) };
        std::fs::write(folder.path().join("2026-03-30-b.jsonl"), LINE).unwrap();
        let LineSink::File(mut file) = LineSink::open(&settings, "s").unwrap() else {
            panic!("no file");
        };
        file.write_at(b"1\n", &at("2026-03-30T08:00:00")).unwrap();
        assert_eq!(read("2026-03-30-b.jsonl").as_deref(), Some(&*format!("{LINE}1\n")));
    }

    #[test]
    fn a_file_named_after_a_month_holds_that_month() {
        let folder = tempfile::tempdir().unwrap();
        let at = |text: &str| format!("{text}[Europe/Berlin]").parse::<ZonedDateTime>().unwrap();
        let LineSink::File(mut file) =
            LineSink::open(&settings(&folder.path().join("%Y-%m.jsonl")), "s").unwrap()
        else {
            panic!("no file");
        };
        for day in ["2026-03-31", "2026-04-01", "2026-04-02", "2026-04-30"] {
            file.write_at(b"x\n", &at(&format!("{day}T12:00:00"))).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("2026-03.jsonl"), read("2026-04.jsonl")),
            ("x\n".into(), "x\nx\nx\n".into())
        );
        assert!(!folder.path().join("2026-04-2.jsonl").exists());
    }
}
