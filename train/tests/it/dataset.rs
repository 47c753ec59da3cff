//! Reading FER2013's CSV: what is accepted, and each thing that is refused.

use std::io::Write;
use std::path::Path;

use fer_core::emotion::Emotion;
use fer_train::dataset::{Dataset, DatasetError, PIXELS, Split};

const HEADER: &str = "emotion,pixels,Usage\n";

fn row(emotion: &str, pixels: &[u8], usage: &str) -> String {
    let pixels: Vec<String> = pixels.iter().map(u8::to_string).collect();
    format!("{emotion},{},{usage}\n", pixels.join(" "))
}

/// An image that is told from others by `value`.
fn image(value: u8) -> Vec<u8> {
    let mut pixels = vec![0; PIXELS];
    pixels[7] = value;
    pixels
}

fn parse(rows: &[String]) -> Result<Dataset, DatasetError> {
    let text = HEADER.to_owned() + &rows.concat();
    Dataset::parse(text.as_bytes(), Path::new("test.csv"))
}

fn refusal(row: &str) -> String {
    parse(&[row_ok(), row.to_owned()]).unwrap_err().to_string()
}

fn row_ok() -> String {
    row("3", &image(1), "Training")
}

#[test]
fn rows_go_to_their_splits() {
    let dataset = parse(&[
        row("3", &image(255), "Training"),
        row("0", &image(2), "PublicTest"),
        row("6", &image(3), "PrivateTest"),
        row("5", &image(4), "Training"),
    ])
    .unwrap();
    let training = dataset.images(Split::Training);
    assert_eq!(training.labels(), [Emotion::Happiness, Emotion::Surprise]);
    assert_eq!(training.image(0), image(255));
    assert_eq!(training.class_counts(), [0, 0, 0, 1, 0, 1, 0]);
    assert_eq!(dataset.images(Split::PublicTest).labels(), [Emotion::Anger]);
    assert_eq!(dataset.images(Split::PrivateTest).labels(), [Emotion::Neutral]);
}

#[test]
fn plain_and_zstd_read_the_same() {
    let text = HEADER.to_owned() + &row_ok().replace('\n', "\r\n");
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.csv");
    let packed = folder.path().join("packed");
    std::fs::write(&plain, &text).unwrap();
    let mut file = zstd::Encoder::new(std::fs::File::create(&packed).unwrap(), 1).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
    let read = Dataset::read(&plain).unwrap();
    assert_eq!(read.training.len(), 1);
    assert_eq!(Dataset::read(&packed).unwrap(), read);
}

#[test]
fn twins_and_constant_images_leave_training() {
    let dataset = parse(&[
        row("3", &image(1), "Training"),
        row("3", &image(2), "Training"),
        row("4", &image(3), "Training"),
        row("4", &[9; PIXELS], "Training"),
        row("3", &image(2), "PublicTest"),
        row("3", &image(9), "PublicTest"),
        row("6", &image(3), "PrivateTest"),
    ])
    .unwrap();
    let (kept, removed) = dataset.clean_training(true, true).unwrap();
    assert_eq!((removed.twins, removed.constant), (2, 1));
    assert_eq!(kept.pixels(), image(1));
    let (kept, removed) = dataset.clean_training(false, true).unwrap();
    assert_eq!((kept.len(), removed.twins, removed.constant), (3, 0, 1));
    assert_eq!(dataset.without_training_twins(Split::PublicTest).pixels(), image(9));
    assert!(dataset.without_training_twins(Split::PrivateTest).is_empty());
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let dataset = parse(&[row("3", &[9; PIXELS], "Training")]).unwrap();
    let error = dataset.clean_training(true, true).unwrap_err().to_string();
    assert!(error.contains("no Training rows"), "{error}");
}

#[test]
fn each_mistake_is_named_with_its_row() {
    let ok = row_ok();
    for (bad, parts) in [
        (ok.replacen("3,", "7,", 1), ["row 3", "emotion `7`", "0 (anger) to 6"]),
        (ok.replacen("3,", "happy,", 1), ["row 3", "emotion `happy`", "0 (anger) to 6"]),
        (ok.replace("Training", "Test"), ["row 3", "usage `Test`", "PublicTest or PrivateTest"]),
        (row("3", &image(1)[1..], "Training"), ["row 3", "2303 pixels", "expected 2304"]),
        (ok.replacen(" 1 ", " 300 ", 1), ["row 3: pixel 7", "`300`", "0 to 255"]),
        (ok.replacen(" 1 ", " -1 ", 1), ["row 3: pixel 7", "`-1`", "0 to 255"]),
        (ok.replacen(" 1 ", "  ", 1), ["row 3: pixel 7", "``", "0 to 255"]),
        (ok.replace(",Training", ""), ["row 3", "2 fields", "expected 3"]),
    ] {
        let error = refusal(&bad);
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn a_wrong_file_is_named() {
    let error = Dataset::read(Path::new("nowhere.csv")).unwrap_err().to_string();
    assert!(error.contains("nowhere.csv"), "{error}");
    let error = Dataset::parse(&b"a,b\n"[..], Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("`a,b`") && error.contains("emotion,pixels,Usage"), "{error}");
    let error = Dataset::parse(&b""[..], Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("emotion,pixels,Usage"), "{error}");
}
