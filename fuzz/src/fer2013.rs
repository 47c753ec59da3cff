//! FER2013's CSV, plain or compressed: any bytes are the images that a plain reading finds, or an error that names file and row.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fer_train::dataset::{Dataset, DatasetError, ImageShape, Split};

use super::file::with_file;

/// How many images were accepted: refusals alone would say little.
pub static IMAGES: AtomicUsize = AtomicUsize::new(0);

/// Pixels of an image.
const PIXELS: usize = 48 * 48;

/// Reads `data` as a compressed file, or as CSV in which `@` stands for all pixels of an image but the first.
pub fn run(data: &[u8]) {
    let is_compressed = data.starts_with(&[0x1f, 0x8b]) || data.starts_with(&[0x28, 0xb5]);
    let csv = if is_compressed { data.to_vec() } else { spelt_out(data) };
    let dataset = match with_file(&csv, |path| Dataset::read(path, ImageShape::grey(48))) {
        Ok(dataset) => dataset,
        Err(error) => return check_error(&error, &csv, is_compressed),
    };
    for split in Split::ALL {
        let images = dataset.images(split);
        IMAGES.fetch_add(images.len(), Relaxed);
        assert_eq!(images.pixels().len(), images.len() * PIXELS);
        assert!(images.labels().iter().all(|label| *label < dataset.classes.len()));
        if !is_compressed {
            let rows: Vec<_> =
                rows(&csv).filter(|(_, _, usage)| *usage == dataset.split_name(split)).collect();
            assert_eq!(images.len(), rows.len());
            for ((pixels, label), (expected_label, expected, _)) in images.iter().zip(rows) {
                assert_eq!((label, pixels), (expected_label, &expected[..]));
            }
        }
    }
    if !is_compressed {
        let count: usize = Split::ALL.map(|split| dataset.images(split).len()).iter().sum();
        assert_eq!(count, lines(&csv).count());
    }
}

/// The first few `@` written out: more of them would only take time.
fn spelt_out(data: &[u8]) -> Vec<u8> {
    let rest = " 7".repeat(PIXELS - 1);
    let mut left = 32_usize;
    let mut csv = Vec::with_capacity(data.len());
    for byte in data {
        if *byte == b'@' && left > 0 {
            left -= 1;
            csv.extend_from_slice(rest.as_bytes());
        } else {
            csv.push(*byte);
        }
    }
    csv
}

fn check_error(error: &DatasetError, csv: &[u8], is_compressed: bool) {
    let message = error.to_string();
    assert!(message.contains("input") && message.len() < 500, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
    match error {
        DatasetError::Header { .. } | DatasetError::NoImages { .. } => {}
        DatasetError::Row { row, .. } if !is_compressed => {
            assert!((1..=csv.split(|byte| *byte == b'\n').count()).contains(row), "{message}");
        }
        DatasetError::Row { .. } | DatasetError::Io { .. } if is_compressed => {}
        _ => panic!("not an error of a plain CSV: {message}"),
    }
}

/// The lines below the header that are not blank.
fn lines(csv: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = csv.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end);
    lines.filter(|line| !line.is_empty())
}

/// Label, pixels and usage of each row, by the standard library's parsers.
fn rows(csv: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>, &str)> {
    lines(csv).filter_map(|line| {
        let mut fields = std::str::from_utf8(line).ok()?.split(',');
        let label = fields.next()?.parse().ok()?;
        let pixels = fields.next()?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some((label, pixels, fields.next()?))
    })
}
