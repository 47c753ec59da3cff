//! FER2013 as it was published: one CSV of `emotion,pixels,Usage`.
//!
//! Reading is strict. A row that is not exactly a 48×48 image of bytes with a known class and a
//! known usage is an error that names the row, because a silently skipped row would change the
//! figures that are compared across publications.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{
    Dataset, DatasetError, FER2013, FER2013_IMAGES, ImageShape, Origin, Split, own_name, text_of,
};
use crate::classes::Classes;

/// Width and height of an image in pixels.
const SIDE: usize = 48;
/// Pixels of an image.
const PIXELS: usize = SIDE * SIDE;
const HEADER: &str = "emotion,pixels,Usage";
/// Bytes that are read of a row; the longest that is right has some 9,250.
const LONGEST_ROW: usize = 1 << 14;

/// What spreadsheets put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The first bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The first bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a file: CSV, plain or compressed. Returned with it: the split of each row, in order.
pub(super) fn read(path: &Path) -> Result<(Dataset, Vec<Split>), DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
    let start = file.fill_buf().map_err(io)?;
    let reader: Box<dyn Read> = if start.starts_with(&ZSTD_MAGIC) {
        Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(io)?)
    } else if start.starts_with(&GZIP_MAGIC) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    parse(BufReader::with_capacity(1 << 20, reader), path)
}

/// Reads CSV text; `path` is only used to name the source in errors.
fn parse(mut reader: impl BufRead, path: &Path) -> Result<(Dataset, Vec<Split>), DatasetError> {
    let (name, shape) = (own_name(path, "file"), ImageShape::grey(SIDE));
    let mut dataset = Dataset::empty(&name, Origin::Fer2013, Classes::fer2013(), shape);
    let mut order = Vec::new();
    let mut line = Vec::new();
    let mut pixels = Vec::with_capacity(PIXELS);
    for row in 1.. {
        line.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_ROW as u64)
            .read_until(b'\n', &mut line)
            .map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
        let text = line.trim_ascii_end();
        let text = if row == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
        let wrong = |problem| DatasetError::Row { path: path.to_owned(), row, problem };
        match (read, row) {
            (_, 1) if text != HEADER.as_bytes() => {
                let (path, found) = (path.to_owned(), text_of(text));
                return Err(DatasetError::Header { path, found, expected: HEADER });
            }
            (0, _) => break,
            (LONGEST_ROW, _) if !line.ends_with(b"\n") => {
                return Err(wrong(format!(
                    "no end within {LONGEST_ROW} bytes; expected at most some 9250"
                )));
            }
            (_, 1) => {}
            _ if text.is_empty() => {}
            _ => {
                let (label, split) =
                    parse_row(text, dataset.classes.len(), &mut pixels).map_err(wrong)?;
                dataset.images_mut(split).push(&pixels, label);
                dataset.provenance.add(split, format!("row {row}"));
                order.push(split);
            }
        }
    }
    if order.is_empty() {
        let expected = "rows `emotion,pixels,Usage` below the header";
        return Err(DatasetError::NoImages { path: path.to_owned(), expected });
    }
    // Anybody's own images may be in such a file, and have another licence.
    if Split::ALL.map(|split| dataset.images(split).len()) == FER2013_IMAGES {
        FER2013.clone_into(&mut dataset.name);
    }
    Ok((dataset, order))
}

/// Takes one row apart; its image is left in `pixels`.
fn parse_row(line: &[u8], classes: usize, pixels: &mut Vec<u8>) -> Result<(usize, Split), String> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b',').collect();
    let [emotion, image, usage] = fields[..] else {
        return Err(format!("{} fields; expected 3 (`{HEADER}`)", fields.len()));
    };
    let label =
        parse_byte(emotion).map(usize::from).filter(|&label| label < classes).ok_or_else(|| {
            format!("emotion `{}`; expected 0 (anger) to 6 (neutral)", text_of(emotion))
        })?;
    let split = split_of(usage).ok_or_else(|| {
        let usage = text_of(usage);
        format!("usage `{usage}`; expected Training, PublicTest or PrivateTest")
    })?;
    pixels.clear();
    for (index, text) in image.split(|&byte| byte == b' ').enumerate() {
        let value = parse_byte(text).ok_or_else(|| {
            let value = text_of(text);
            format!("pixel {index} is `{value}`; expected a whole number from 0 to 255")
        })?;
        pixels.push(value);
    }
    if pixels.len() != PIXELS {
        return Err(format!("{} pixels; expected {PIXELS} (48×48)", pixels.len()));
    }
    Ok((label, split))
}

/// The split that a `Usage` field names.
pub(super) fn split_of(usage: &[u8]) -> Option<Split> {
    Split::ALL.into_iter().find(|&split| Origin::Fer2013.split_name(split).as_bytes() == usage)
}

/// One to three digits, 0 to 255. Written out because 83 million of them are read.
fn parse_byte(text: &[u8]) -> Option<u8> {
    if text.is_empty() || text.len() > 3 {
        return None;
    }
    let mut value = 0_u16;
    for &digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).ok()
}
