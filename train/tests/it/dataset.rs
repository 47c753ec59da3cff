//! Reading FER2013's CSV: what is accepted, and each thing that is refused.

use std::io::Write;
use std::path::{Path, PathBuf};

use fer_train::dataset::{Dataset, DatasetError, ImageShape, Images, Split};
use tempfile::TempDir;

const HEADER: &str = "emotion,pixels,Usage\n";
const VOTES_HEADER: &str = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,\
                            fear,contempt,unknown,NF\n";
const SHAPE: ImageShape = ImageShape::grey(48);

fn row(emotion: &str, pixels: &[u8], usage: &str) -> String {
    let pixels: Vec<String> = pixels.iter().map(u8::to_string).collect();
    format!("{emotion},{},{usage}\n", pixels.join(" "))
}

/// An image that is told from others by `value`.
fn image(value: u8) -> Vec<u8> {
    let mut pixels = vec![0; SHAPE.len()];
    pixels[7] = value;
    pixels
}

fn row_ok() -> String {
    row("3", &image(1), "Training")
}

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(bytes: &[u8]) -> Result<Dataset, DatasetError> {
    let (_folder, path) = file("test.csv", bytes);
    Dataset::read(&path, SHAPE)
}

fn parse(rows: &[String]) -> Dataset {
    read((HEADER.to_owned() + &rows.concat()).as_bytes()).unwrap()
}

/// What is said of a file that is refused.
fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A data set of some rows that do not compress to nothing.
fn noise() -> String {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let rows = (0..20).map(|_| {
        let pixels: Vec<u8> = (0..SHAPE.len()).map(|_| next()).collect();
        row("3", &pixels, "Training")
    });
    HEADER.to_owned() + &rows.collect::<String>()
}

#[test]
fn rows_go_to_their_splits() {
    let dataset = parse(&[
        row("3", &image(255), "Training"),
        row("0", &image(2), "PublicTest"),
        row("6", &image(3), "PrivateTest"),
        row("5", &image(4), "Training"),
    ]);
    assert_eq!(dataset.training.labels(), [3, 5]);
    assert_eq!(dataset.training.image(0), image(255));
    assert_eq!(dataset.training.class_counts(), [0, 0, 0, 1, 0, 1, 0]);
    assert_eq!(dataset.validation.labels(), [0]);
    assert_eq!(dataset.test.labels(), [6]);
    assert_eq!(dataset.classes.name(3), "happiness");
    assert_eq!(dataset.provenance.place(Split::Training, 1), Some("row 5"));
    assert_eq!(dataset.training.votes(), None);
}

#[test]
fn plain_gzip_and_zstd_read_the_same() {
    let text = HEADER.to_owned() + &row_ok().replace('\n', "\r\n");
    let plain = read(text.as_bytes()).unwrap();
    assert_eq!(plain.training.pixels(), image(1));
    assert_eq!(read(&zstd(&text)).unwrap(), plain);
    assert_eq!(read(&gzip(&text)).unwrap(), plain);
    // As spreadsheets write it.
    assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap(), plain);
    // Two members in one file, as `cat a.gz b.gz` makes them.
    let members = [gzip(HEADER), gzip(&row_ok())].concat();
    assert_eq!(read(&members).unwrap(), plain);
}

#[test]
fn a_file_that_was_cut_off_is_named() {
    for packed in [zstd(&noise()), gzip(&noise())] {
        assert_eq!(read(&packed).unwrap().training.len(), 20);
        for length in [packed.len() / 2, packed.len() - 3] {
            let error = refusal(&packed[..length]);
            assert!(error.contains("cannot read") && error.contains("test.csv"), "{error}");
        }
    }
    let text = noise();
    let error = refusal(&text.as_bytes()[..text.len() - 500]);
    assert!(error.contains("row 21: 2 fields; expected 3"), "{error}");
}

#[test]
fn twins_and_constant_images_leave_training() {
    let dataset = parse(&[
        row("3", &image(1), "Training"),
        row("3", &image(2), "Training"),
        row("4", &image(3), "Training"),
        row("4", &[9; SHAPE.len()], "Training"),
        row("3", &image(2), "PublicTest"),
        row("3", &image(9), "PublicTest"),
        row("6", &image(3), "PrivateTest"),
    ]);
    let (kept, removed) = dataset.clean_training(true, true).unwrap();
    assert_eq!((removed.twins, removed.constant), (2, 1));
    assert_eq!(kept.pixels(), image(1));
    let (kept, removed) = dataset.clean_training(false, true).unwrap();
    assert_eq!((kept.len(), removed.twins, removed.constant), (3, 0, 1));
    assert_eq!(dataset.without_training_twins(Split::Validation).pixels(), image(9));
    assert!(dataset.without_training_twins(Split::Test).is_empty());
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let dataset = parse(&[row("3", &[9; SHAPE.len()], "Training")]);
    let error = dataset.clean_training(true, true).unwrap_err().to_string();
    assert!(error.contains("all 1 Training images are left out"), "{error}");
}

#[test]
fn each_mistake_is_named_with_its_row() {
    let ok = row_ok();
    let long = ok.replace(",Training", &" 0".repeat(9000));
    // Blanks at a row's end do no harm, but another row behind them would have been read as one.
    let two = format!("{:16384}{ok}", ok.trim_end());
    for (bad, parts) in [
        (ok.replacen("3,", "7,", 1), ["row 3", "emotion `7`", "0 (anger) to 6"]),
        (ok.replacen("3,", "happy,", 1), ["row 3", "emotion `happy`", "0 (anger) to 6"]),
        (ok.replace("Training", "Test"), ["row 3", "usage `Test`", "PublicTest or PrivateTest"]),
        (row("3", &image(1)[1..], "Training"), ["row 3", "2303 pixels", "expected 2304"]),
        (ok.replacen(" 1 ", " 300 ", 1), ["row 3: pixel 7", "`300`", "0 to 255"]),
        (ok.replacen(" 1 ", " -1 ", 1), ["row 3: pixel 7", "`-1`", "0 to 255"]),
        (ok.replacen(" 1 ", "  ", 1), ["row 3: pixel 7", "``", "0 to 255"]),
        (ok.replace(",Training", ""), ["row 3", "2 fields", "expected 3"]),
        (long, ["row 3", "no end within 16384 bytes", "9250"]),
        (two, ["row 3", "no end within 16384 bytes", "9250"]),
    ] {
        let error = refusal((HEADER.to_owned() + &ok + &bad).as_bytes());
        for part in parts.into_iter().chain(["test.csv"]) {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn what_is_no_data_set_is_named() {
    let error = Dataset::read(Path::new("nowhere.csv"), SHAPE).unwrap_err().to_string();
    assert!(error.contains("nowhere.csv"), "{error}");
    let binary: Vec<u8> = (0..100_000_u32).map(|i| (i * 7 % 251) as u8 & 0x9f).collect();
    for (bytes, part) in [(&b"a,b\n"[..], "`a,b`"), (b"", "``"), (&binary, "test.csv")] {
        let error = refusal(bytes);
        assert!(error.contains(part) && error.contains("emotion,pixels,Usage"), "{error}");
        assert!(!error.chars().any(char::is_control) && error.len() < 400, "{error:?}");
    }
    let error = refusal(HEADER.as_bytes());
    assert!(error.contains("has no images; expected rows"), "{error}");
}

#[test]
fn votes_beside_the_csv_are_read_under_either_name() {
    let rows = [
        row("3", &image(1), "Training"),
        row("6", &image(2), "PrivateTest"),
        row("3", &image(3), "Training"),
    ];
    let votes = "Training,a.png,0,8,0,0,0,0,0,2,0,0\n\
                 PrivateTest,b.png,0,0,0,0,0,0,0,0,10,0\n\
                 Training,c.png,1,3,0,0,0,0,0,0,0,6\n";
    for name in ["ferplus_votes.csv", "fer2013new.csv"] {
        let (folder, path) = file("a.csv", (HEADER.to_owned() + &rows.concat()).as_bytes());
        std::fs::write(folder.path().join(name), VOTES_HEADER.to_owned() + votes).unwrap();
        let dataset = Dataset::read(&path, SHAPE).unwrap();
        let expected = [[0., 0., 0., 1., 0., 0., 0.], [0., 0., 0., 0.75, 0., 0., 0.25]].concat();
        assert_eq!(dataset.training.votes(), Some(&expected[..]));
        assert_eq!(dataset.test.votes(), Some(&[0.0; 7][..]));
        assert_eq!(dataset.validation.votes(), None);
        // Votes stay with their images.
        let kept: Images = dataset.training.filtered(|pixels| pixels[7] == 3);
        assert_eq!(kept.votes(), Some(&expected[7..]));

        std::fs::write(folder.path().join(name), VOTES_HEADER.to_owned() + &votes[35..]).unwrap();
        let error = Dataset::read(&path, SHAPE).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("row 2: usage `PrivateTest`"), "{error}");
    }
}

#[test]
fn a_file_of_other_numbers_is_called_by_its_own_name() {
    assert_eq!(parse(&[row_ok()]).name, "test.csv");
    let text = HEADER.to_owned() + &row_ok();
    let (_folder, path) = file("FER2013", text.as_bytes());
    assert_eq!(Dataset::read(&path, SHAPE).unwrap().name, "FER2013 (file)");
}
