//! Whether all of a recording is there, by what its container says of itself.
//!
//! GStreamer's demuxers take the end of a file that was cut off for the end of the recording. Here
//! the outermost structure is held against the size of the file: the boxes of MP4 and MOV
//! (ISO/IEC 14496-12), the segment of Matroska and WebM (RFC 9559), the RIFF chunks of AVI, the blocks
//! of GIF89a. Other containers, and recorders that never came to state a size, do not say how long they are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// What is missing of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its end.
    #[error("it is cut off: {there} of at least {stated} bytes are there")]
    CutOff {
        /// The size of the file.
        there: u64,
        /// The size that the container states, as far as it could be followed.
        stated: u64,
    },
    /// An MP4's or MOV's index, without which none of it can be played.
    #[error(
        "its index (`moov`) is missing: it is cut off, or its recorder was stopped before it was \
         done"
    )]
    NoIndex,
}

/// What is missing of a recording, if its container tells.
///
/// # Errors
///
/// It cannot be read.
pub fn flaw(path: &Path) -> io::Result<Option<Flaw>> {
    let mut file = File::open(path)?;
    let there = file.metadata()?.len();
    let head = head(&mut file, 0)?;
    let stated = match (&head[..4], &head[4..8]) {
        (b"\x1a\x45\xdf\xa3", _) => matroska(&mut file)?,
        (b"RIFF", _) => riff(&mut file, there)?,
        (b"GIF8", _) => gif(&mut file, there)?,
        (_, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") => {
            let (stated, is_indexed) = iso(&mut file, there)?;
            if !is_indexed {
                return Ok(Some(Flaw::NoIndex));
            }
            stated
        }
        _ => None,
    };
    Ok(stated.filter(|stated| *stated > there).map(|stated| Flaw::CutOff { there, stated }))
}

/// The 16 bytes from `at` on; zeros where the file ends.
fn head(file: &mut File, at: u64) -> io::Result<[u8; 16]> {
    let mut bytes = Vec::with_capacity(16);
    file.seek(SeekFrom::Start(at))?;
    file.take(16).read_to_end(&mut bytes)?;
    bytes.resize(16, 0);
    Ok(std::array::from_fn(|index| bytes[index]))
}

/// Where the last box that begins within the file ends, and whether the whole index is there.
fn iso(file: &mut File, there: u64) -> io::Result<(Option<u64>, bool)> {
    let (mut at, mut is_indexed) = (0, false);
    while at + 8 <= there {
        let head = head(file, at)?;
        let size = match u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]])) {
            // To the end of the file, whatever that is.
            0 => there - at,
            1 => number(&head[8..]),
            size => size,
        };
        if size < 8 {
            break;
        }
        at = at.saturating_add(size);
        is_indexed |= &head[4..8] == b"moov" && at <= there;
    }
    Ok((Some(at), is_indexed))
}

/// Where the segment ends, if that is stated: the second element, after the header.
fn matroska(file: &mut File) -> io::Result<Option<u64>> {
    const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
    let Some(header) = end(file, 4)? else { return Ok(None) };
    if head(file, header)?[..4] != SEGMENT {
        return Ok(None);
    }
    end(file, header + 4)
}

/// Where an element of EBML (RFC 8794) ends whose size is stated at `at`.
fn end(file: &mut File, at: u64) -> io::Result<Option<u64>> {
    let head = head(file, at)?;
    // As many bytes as the first one has leading zeros, and one more.
    let length = head[0].leading_zeros() as usize + 1;
    if length > 8 {
        return Ok(None);
    }
    let unknown = (1 << (7 * length)) - 1;
    let size = number(&head[..length]) & unknown;
    Ok((size != unknown).then(|| at + length as u64 + size))
}

/// Where the last RIFF chunk that begins within the file ends; long AVI files have several.
fn riff(file: &mut File, there: u64) -> io::Result<Option<u64>> {
    let (mut at, mut end) = (0, None);
    while at + 8 <= there {
        let head = head(file, at)?;
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        // A recorder that never came to write the size left zero, or all ones.
        if &head[..4] != b"RIFF" || size == 0 || size == u64::from(u32::MAX) {
            break;
        }
        end = Some(at + 8 + size);
        at += 8 + size + size % 2;
    }
    Ok(end)
}

/// Where a GIF's blocks end: with a trailer, or a byte after what is there at least. `None` where a
/// block is of no known kind.
fn gif(file: &mut File, there: u64) -> io::Result<Option<u64>> {
    const HEADER: u64 = 13;
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = HEADER + colours(head(file, 0)?[10]);
    while at < there {
        let block = head(file, at)?;
        at += match block[0] {
            b';' => return Ok(Some(at + 1)),
            // An extension, by its label.
            b'!' => 2,
            // A picture: its place, its own colours, the size of its codes.
            b',' => 10 + colours(block[9]) + 1,
            _ => return Ok(None),
        };
        loop {
            let length = u64::from(head(file, at)?[0]);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
    Ok(Some(at.max(there + 1)))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Option<Flaw> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        flaw(&path).unwrap()
    }

    fn boxed(kind: &[u8], body: usize) -> Vec<u8> {
        [&(8 + body as u32).to_be_bytes(), kind, &vec![7; body]].concat()
    }

    #[test]
    fn boxes_of_mp4() {
        let parts = |kinds: &[(&[u8; 4], usize)]| -> Vec<u8> {
            kinds.iter().flat_map(|(kind, body)| boxed(*kind, *body)).collect()
        };
        let first = parts(&[(b"ftyp", 16), (b"moov", 40), (b"mdat", 100)]);
        let last = parts(&[(b"ftyp", 16), (b"free", 0), (b"mdat", 100), (b"moov", 40)]);
        assert_eq!((told(&first), told(&last)), (None, None));
        // 24 + 48 + 108 bytes were written.
        assert_eq!(told(&first[..150]), Some(Flaw::CutOff { there: 150, stated: 180 }));
        assert_eq!(told(&first[..71]), Some(Flaw::NoIndex), "within the index");
        assert_eq!(told(&last[..130]), Some(Flaw::NoIndex));
        assert_eq!(told(&last[..187]), Some(Flaw::NoIndex), "the index lacks a byte");
        // A box of 2^32 + 9 bytes, and one that reaches to the end.
        let long = [&parts(&[(b"moov", 0)])[..], b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\x09"].concat();
        assert_eq!(told(&long), Some(Flaw::CutOff { there: 24, stated: 8 + (1 << 32) + 9 }));
        assert_eq!(told(&[&parts(&[(b"moov", 0)])[..], b"\0\0\0\0mdat1234567"].concat()), None);
        // As QuickTime ends some files.
        assert_eq!(told(&[&first[..], &[0; 4]].concat()), None);
    }

    #[test]
    fn the_segment_of_matroska() {
        let header = b"\x1a\x45\xdf\xa3\x83abc";
        let file = |size: &[u8], body: usize| {
            [&header[..], b"\x18\x53\x80\x67", size, &vec![7; body]].concat()
        };
        // 100 bytes, stated in one, two and eight bytes.
        for size in [&b"\xe4"[..], b"\x40\x64", b"\x01\0\0\0\0\0\0\x64"] {
            assert_eq!(told(&file(size, 100)), None);
            let stated = 8 + 4 + size.len() as u64 + 100;
            let cut = Some(Flaw::CutOff { there: stated - 1, stated });
            assert_eq!(told(&file(size, 99)), cut);
        }
        // As live recorders leave it: the size is not known.
        for size in [&b"\xff"[..], b"\x01\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(told(&file(size, 10)), None);
        }
        assert_eq!(told(header), None);
        assert_eq!(told(&header[..4]), None);
    }

    #[test]
    fn the_chunks_of_avi() {
        let chunk = |size: u32| [b"RIFF", &size.to_le_bytes()[..], b"AVI "].concat();
        let file = |size: u32, body: usize| [chunk(size), vec![7; body - 4]].concat();
        assert_eq!(told(&file(100, 100)), None);
        assert_eq!(told(&file(100, 90)), Some(Flaw::CutOff { there: 98, stated: 108 }));
        assert_eq!(told(&file(101, 101)), None, "the padding may be left out");
        for unstated in [0, u32::MAX] {
            assert_eq!(told(&file(unstated, 90)), None);
        }
        let two = [file(100, 100), file(50, 50)].concat();
        assert_eq!(told(&two), None);
        assert!(matches!(told(&two[..130]), Some(Flaw::CutOff { there: 130, stated: 166 })));
    }

    #[test]
    fn the_blocks_of_gif() {
        // Two global colours; a comment of two parts; a picture with four colours of its own and 5
        // bytes of data; the trailer.
        let picture = [&b",\0\0\0\0\x08\0\x08\0\x81"[..], &[7; 12], b"\x02\x05abcde\0"].concat();
        let parts: [&[u8]; 5] =
            [b"GIF89a\x08\0\x08\0\x80\0\0", &[9; 6], b"!\xfe\x02ab\x01c\0", &picture, b";"];
        let whole = parts.concat();
        assert_eq!(told(&whole), None);
        assert_eq!(told(&[&whole[..], b"more"].concat()), None);
        for length in 20..whole.len() {
            let cut = told(&whole[..length]);
            assert!(
                matches!(cut, Some(Flaw::CutOff { there, .. }) if there == length as u64),
                "{length}"
            );
        }
        assert_eq!(told(b"GIF89a\x08\0\x08\0\0\0\0?"), None, "a block of no kind");
    }

    #[test]
    fn others_say_nothing() {
        assert_eq!(told(b""), None);
        assert_eq!(told(b"\x47\x40\0\x10 a transport stream"), None);
    }
}
