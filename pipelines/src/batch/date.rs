//! The date of writing in an MP4 file, by which two equal files would differ.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Size and type before the content of a box (ISO/IEC 14496-12, 4.2).
const HEAD: usize = 8;

/// Sets the dates in the headers of an MP4 file to zero, which stands for none.
///
/// # Errors
///
/// The system's, or the file is no MP4.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        file.read_exact(&mut head[..HEAD])?;
        let mut size = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if size == 1 {
            file.read_exact(&mut head[HEAD..])?;
            size = u64::from_be_bytes(head[HEAD..].try_into().map_err(io::Error::other)?);
        }
        if size < HEAD as u64 {
            return Err(io::Error::other(format!("{}: no MP4 file", path.display())));
        }
        if &head[4..HEAD] == b"moov" {
            let mut moov = vec![0; size as usize];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut moov)?;
            clear_in(&mut moov[HEAD..]);
            file.seek(SeekFrom::Start(at))?;
            return file.write_all(&moov);
        }
        at += size;
    }
}

/// Goes through the boxes that lie side by side in `bytes`.
fn clear_in(mut bytes: &mut [u8]) {
    while bytes.len() >= HEAD {
        let size = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        if size < HEAD || size > bytes.len() {
            return;
        }
        let (this, rest) = bytes.split_at_mut(size);
        match &this[4..HEAD] {
            b"trak" | b"mdia" => clear_in(&mut this[HEAD..]),
            // A version and three bytes of flags; then both dates, of four bytes each, or eight.
            b"mvhd" | b"tkhd" | b"mdhd" => {
                let length = if this.get(HEAD) == Some(&1) { 16 } else { 8 };
                if let Some(dates) = this.get_mut(HEAD + 4..HEAD + 4 + length) {
                    dates.fill(0);
                }
            }
            _ => {}
        }
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (HEAD + content.len()) as u32;
        [&size.to_be_bytes(), kind.as_slice(), content].concat()
    }

    #[test]
    fn dates_are_cleared_and_nothing_else_is() {
        let header = |version: u8, dates: &[u8]| [&[version, 7, 7, 7], dates, &[9; 4]].concat();
        let file = |short: &[u8; 8], long: &[u8; 16]| {
            let mdia = boxed(b"mdia", &boxed(b"mdhd", &header(0, short)));
            let trak = [boxed(b"tkhd", &header(1, long)), mdia, boxed(b"edts", &[8; 20])].concat();
            let moov = [boxed(b"mvhd", &header(0, short)), boxed(b"trak", &trak)].concat();
            [boxed(b"ftyp", b"isom"), boxed(b"mdat", &[5; 30]), boxed(b"moov", &moov)].concat()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        std::fs::write(&path, file(&[3; 8], &[4; 16])).unwrap();
        clear(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), file(&[0; 8], &[0; 16]));
        for broken in [&b""[..], b"\0\0\0\x03moov", b"\0\0\0\x10ftypisomisom"] {
            std::fs::write(&path, broken).unwrap();
            assert!(clear(&path).is_err());
        }
    }
}
