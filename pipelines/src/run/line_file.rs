//! One file of JSON Lines: opened to go on with what is whole in it, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::place;
use crate::config::Existing;

/// Opens it to write at its end, wherever others may have put that; whether it is ours is known of what
/// this process has written.
pub(super) fn open(path: &Path, existing: Existing, is_ours: bool) -> Result<File, String> {
    let told = |error: io::Error| format!("{}: {error}", path.display());
    // A pipe is not waited for so, whoever reads it.
    let mut options = OpenOptions::new();
    let mut file = options.create(true).read(true).append(true).open(path).map_err(told)?;
    let is_file = file.metadata().is_ok_and(|data| data.is_file());
    if is_file && existing == Existing::Replace {
        file.set_len(0).map_err(told)?;
    } else if is_file {
        if !is_ours && !may_be_lines(&mut file).map_err(told)? {
            return Err(format!(
                "{}: it does not begin as JSON Lines of faces do; expected another file, or \
                 `existing: replace`",
                path.display()
            ));
        }
        let lost = cut_broken_line(&mut file).map_err(told)?;
        if lost > 0 {
            gst::warning!(
                gst::CAT_RUST,
                "{}: a last line of {lost} bytes was broken off: it is cut",
                path.display()
            );
        }
    }
    Ok(file)
}

/// Writes a line in one call: what is killed in between leaves whole lines. Where the disk takes but
/// a part of it, that is taken back.
pub(super) fn write_whole(file: &mut File, line: &[u8]) -> io::Result<()> {
    let before = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
    file.write_all(line).inspect_err(|_| {
        if let Some(before) = before {
            // The write's own error is the one to tell.
            let _ = file.set_len(before);
        }
    })
}

/// The number of the newest of a stream's files that begin anew under the name `plain`, 1 if there is
/// none. Another stream's name may be like it: `cam-2` beside `cam`.
pub(super) fn newest(plain: &Path, stream: &str) -> u32 {
    let folder = plain.parent().filter(|folder| !folder.as_os_str().is_empty());
    let names = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let names: Vec<String> =
        names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let mut counts: Vec<u32> = names.iter().filter_map(|name| count_of(name, plain)).collect();
    counts.sort_unstable();
    let is_ours = |count: &u32| !is_of_another(&place::numbered(plain, *count), stream);
    counts.retain(is_ours);
    // Files of days or years may lie beside them: rows of numbers that begin with a date are no rotation's.
    let starts = |at: &usize| *at == 0 || counts[*at] != counts[*at - 1] + 1;
    let is_of_rotation = |at: &usize| {
        let start = (0..=*at).rev().find(starts).map_or(0, |start| counts[start]);
        !is_date(start)
    };
    (0..counts.len()).rev().find(is_of_rotation).map_or(1, |at| counts[at])
}

/// Whether a number may be a year, as in 2026, or that with a month or a day.
fn is_date(number: u32) -> bool {
    (1900..2200).contains(&number) || number >= 190_000
}

/// The number in a name that [`place::numbered`] gave.
fn count_of(name: &str, plain: &Path) -> Option<u32> {
    let rest = name.strip_prefix(plain.file_stem()?.to_str()?)?.strip_prefix('-')?;
    let count = rest
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
        .filter(|&count| count > 1)?;
    let numbered = place::numbered(plain, count);
    (numbered.file_name()?.to_str()? == name).then_some(count)
}

/// Whether a file's first line says that it is of another stream; one that cannot be read, or has none
/// yet, may be.
fn is_of_another(path: &Path, stream: &str) -> bool {
    const KEY: &str = "\"stream_id\":\"";
    let mut start = Vec::new();
    if File::open(path).and_then(|file| file.take(512).read_to_end(&mut start)).is_err() {
        return true;
    }
    let start = String::from_utf8_lossy(&start);
    start.is_empty()
        || start.split_once(KEY).is_some_and(|(_, id)| !id.starts_with(&format!("{stream}\"")))
}

/// Whether there is nothing in a file, or what an output like this may have left: its lines, the first
/// of which may be broken off, or have become zeros in a power cut.
fn may_be_lines(file: &mut File) -> io::Result<bool> {
    const START: &[u8] = b"{\"schema_version\":";
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    Read::by_ref(file).take(4096).read_to_end(&mut bytes)?;
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let rest = &bytes[zeros..];
    Ok(rest.starts_with(START) || START.starts_with(rest))
}

/// A full disk or a power cut leaves half a line, which the next one must not go on with. Returns how
/// many bytes were cut.
fn cut_broken_line(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let length = file.metadata()?.len();
    let mut whole = length;
    let mut bytes = Vec::new();
    while whole > 0 {
        let start = whole.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        bytes.clear();
        (&mut *file).take(whole - start).read_to_end(&mut bytes)?;
        if let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') {
            whole = start + end as u64 + 1;
            break;
        }
        whole = start;
    }
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(length - whole)
}
