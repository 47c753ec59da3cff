//! Gives a target its committed corpus and mutations of it, the same ones in every run: what CI
//! does without nightly. Tests of the crates include this file.

use std::path::Path;

use fastrand::Rng;

/// Pieces that parsers and arithmetic trip over.
const PIECES: [&[u8]; 24] = [
    b"-1",
    b"0",
    b"18446744073709551615",
    b"1e999",
    b"-.inf",
    b".nan",
    b"null",
    b"true",
    b"\"",
    b"'",
    b"\n",
    b"  ",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"&a ",
    b"${",
    b"<<: ",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xf0\x9f\x98\x80",
];

/// Runs `target` on each file of `fuzz/corpus/NAME` and on `count` mutations, or `FER_SOAK` times as many.
pub fn guard(name: &str, count: usize, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let attempt = |data: &[u8]| {
        let outcome = std::panic::catch_unwind(|| target(data));
        assert!(outcome.is_ok(), "{name} fails on b\"{}\"", data.escape_ascii());
    };
    files.iter().for_each(|file| attempt(file));
    let mut random = Rng::with_seed(1);
    let factor = std::env::var("FER_SOAK").ok().and_then(|factor| factor.parse().ok());
    for _ in 0..count * factor.unwrap_or(1) {
        let mut data = files[random.usize(..files.len())].clone();
        for _ in 0..random.usize(1..6) {
            mutate(&mut data, &files, &mut random);
        }
        attempt(&data);
    }
}

fn mutate(data: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(..=data.len());
    let end = (at + random.usize(..24)).min(data.len());
    match random.u8(..6) {
        0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
        1 if at < data.len() => data[at] = random.u8(..),
        2 => drop(data.drain(at..end)),
        3 => data.extend_from_within(at..end),
        4 => {
            let other = &files[random.usize(..files.len())];
            let from = random.usize(..=other.len());
            let to = (from + random.usize(..64)).min(other.len());
            data.splice(at..end, other[from..to].iter().copied());
        }
        _ => drop(data.splice(at..at, PIECES[random.usize(..PIECES.len())].iter().copied())),
    }
}
