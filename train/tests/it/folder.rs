//! Folders of image files: both layouts, the kinds of files, and each thing that is refused.

use std::fs;
use std::path::Path;

use fer_train::dataset::{Dataset, DatasetError, ImageShape, Split};
use fer_train::recipe::DataRecipe;
use fer_train::training::Data;
use image::{GrayImage, ImageFormat, RgbImage};

const SHAPE: ImageShape = ImageShape::grey(4);

/// A 4×4 image of one value, saved at `path` with the folders it needs.
fn save(root: &Path, path: &str, value: u8) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(4, 4, [value].into()).save(path).unwrap();
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn folder(paths: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, path) in paths.iter().enumerate() {
        save(folder.path(), path, index as u8);
    }
    folder
}

fn read(folder: &tempfile::TempDir) -> Result<Dataset, DatasetError> {
    Dataset::read(folder.path(), SHAPE)
}

/// The value of each image of a split, and its label.
fn values(dataset: &Dataset, split: Split) -> Vec<(u8, usize)> {
    dataset.images(split).iter().map(|(pixels, label)| (pixels[0], label)).collect()
}

#[test]
fn split_folders_hold_class_folders() {
    let folder = folder(&[
        "Train/happy/b.png",
        "Train/happy/a.png",
        "Train/angry/a.bmp",
        "PublicTest/happy/a.webp",
        "test/sad/a.png",
        ".git/x/a.png",
        "test/sad/.hidden.png",
        "preview.png",
    ]);
    put(folder.path(), "Train/happy/Thumbs.db", b"x");
    put(folder.path(), "Train/readme.txt", b"x");
    let dataset = read(&folder).unwrap();
    assert_eq!(dataset.classes.names(), ["anger", "happiness", "sadness"]);
    assert_eq!(values(&dataset, Split::Training), [(2, 0), (1, 1), (0, 1)]);
    // In the order of the paths.
    assert_eq!(values(&dataset, Split::Validation), [(3, 1)]);
    assert_eq!(values(&dataset, Split::Test), [(4, 2)]);
    assert_eq!(dataset.provenance.place(Split::Training, 1), Some("Train/happy/a.png"));
    assert_eq!(dataset.provenance.carved, []);
    // .git, .hidden.png, preview.png, Thumbs.db and readme.txt.
    assert_eq!(dataset.provenance.skipped, 5);
    assert!(dataset.provenance.remarks()[0].starts_with("files skipped: 5 "));
    let name = folder.path().file_name().unwrap().to_string_lossy();
    assert_eq!(dataset.name, name);
}

#[test]
fn class_folders_alone_are_split_by_a_hash() {
    let names: Vec<String> = (0..60)
        .map(|index| format!("{}/{index}.png", if index < 40 { "smile" } else { "frown" }))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let folder = folder(&names);
    let dataset = read(&folder).unwrap();
    assert_eq!(dataset.classes.names(), ["frown", "smile"]);
    assert_eq!(dataset.provenance.carved, [Split::Validation, Split::Test]);
    let mut all = Vec::new();
    for split in Split::ALL {
        assert!(dataset.images(split).class_counts().iter().all(|&count| count > 0));
        all.extend(values(&dataset, split));
    }
    // Each image once, with its class.
    all.sort_unstable();
    let expected: Vec<_> = (0..60).map(|index| (index, usize::from(index < 40))).collect();
    assert_eq!(all, expected);
    assert_eq!(read(&folder).unwrap(), dataset);
}

#[test]
fn a_test_folder_never_stands_in_for_validation() {
    let names: Vec<String> = (0..24)
        .map(|index| {
            let split = if index < 16 { "train" } else { "test" };
            format!("{split}/{}/{index}.png", if index % 2 == 0 { "happy" } else { "sad" })
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dataset = read(&folder(&names)).unwrap();
    assert_eq!(dataset.provenance.carved, [Split::Validation]);
    assert!(values(&dataset, Split::Test).iter().all(|&(value, _)| value >= 16));
    assert_eq!(dataset.test.len(), 8);
    assert!(values(&dataset, Split::Validation).iter().all(|&(value, _)| value < 16));
    assert!(dataset.validation.class_counts().iter().all(|&count| count > 0));
    assert_eq!(dataset.training.len() + dataset.validation.len(), 16);

    // Without a test folder the test split stays empty.
    let names: Vec<String> = names.iter().map(|name| name.replace("test/", "val/")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dataset = read(&folder(&names)).unwrap();
    assert_eq!((dataset.validation.len(), dataset.test.len()), (8, 0));
}

#[test]
fn a_class_without_training_images_is_not_trained() {
    let folder = folder(&[
        "train/happy/1.png",
        "train/sad/2.png",
        "val/happy/3.png",
        "test/angry/4.png",
        "test/fear/5.png",
    ]);
    // These are of one value each, which would be left out.
    let all = DataRecipe { drop_constant: false, ..DataRecipe::default() };
    let error = Data::of(read(&folder).unwrap(), &all).unwrap_err().to_string();
    assert!(error.starts_with("no training image is left of anger, fear; expected"), "{error}");
}

#[test]
fn every_kind_of_file_is_read_in_grey_and_in_colour() {
    let folder = tempfile::tempdir().unwrap();
    let colour = RgbImage::from_pixel(9, 7, [200, 10, 30].into());
    for name in ["a.png", "b.bmp", "c.webp", "d.jpg", "e.JPEG", "f.png"] {
        put(folder.path(), &format!("train/x/{name}"), b"");
        colour.save(folder.path().join("train/x").join(name)).unwrap();
    }
    // A JPEG that is named PNG.
    let mut bytes = std::io::Cursor::new(Vec::new());
    colour.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    put(folder.path(), "train/x/f.png", bytes.get_ref());
    save(folder.path(), "val/y/grey.png", 77);

    // BT.601: 0.299 · 200 + 0.587 · 10 + 0.114 · 30 = 69.09; JPEG may be off by some.
    let grey = Dataset::read(folder.path(), SHAPE).unwrap();
    assert_eq!(grey.training.len(), 6);
    for (pixels, _) in grey.training.iter() {
        assert!(pixels.iter().all(|&value| value.abs_diff(69) <= 2), "{pixels:?}");
    }
    assert_eq!(grey.validation.pixels(), [77; 16]);
    assert_eq!(grey.provenance.sizes.iter().filter(|&&size| size == (9, 7)).count(), 6);
    let rgb = Dataset::read(folder.path(), ImageShape { channels: 3, ..SHAPE }).unwrap();
    for (pixels, _) in rgb.training.iter() {
        for (plane, expected) in pixels.chunks_exact(16).zip([200_u8, 10, 30]) {
            assert!(plane.iter().all(|value| value.abs_diff(expected) <= 4), "{pixels:?}");
        }
    }
    assert_eq!(rgb.validation.pixels(), [77; 48]);
}

/// A JPEG of 16×8 pixels, black on the left and white on the right, with an Exif orientation.
fn turned(orientation: u8) -> Vec<u8> {
    let image = GrayImage::from_fn(16, 8, |x, _| [if x < 8 { 0 } else { 255 }].into());
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    // TIFF, little-endian, one entry: tag 0x0112 (orientation), one short; no next directory.
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let bytes = jpeg.into_inner();
    [&bytes[..2], &[0xff, 0xe1], &length, &exif, &bytes[2..]].concat()
}

#[test]
fn images_are_turned_upright_by_their_exif_data() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train/x/1.jpg", &turned(1));
    // To be turned clockwise by 90°: what is on the left comes to the top.
    put(folder.path(), "train/x/6.jpg", &turned(6));
    save(folder.path(), "val/y/a.png", 0);
    let shape = ImageShape::grey(2);
    let dataset = Dataset::read(folder.path(), shape).unwrap();
    let dark: Vec<Vec<bool>> = dataset
        .training
        .iter()
        .map(|(pixels, _)| pixels.iter().map(|&p| p < 99).collect())
        .collect();
    assert_eq!(dark, [[true, false, true, false], [true, true, false, false]]);
    assert_eq!(dataset.provenance.sizes[..2], [(16, 8), (8, 16)]);
}

#[test]
fn images_are_sampled_to_the_shape() {
    let folder = tempfile::tempdir().unwrap();
    // Stripes of 100 pixels on a large image come out as columns of a small one.
    let large = GrayImage::from_fn(400, 300, |x, _| [(x / 100 * 50) as u8].into());
    put(folder.path(), "train/x/large.png", b"");
    large.save(folder.path().join("train/x/large.png")).unwrap();
    save(folder.path(), "val/y/a.png", 0);
    let dataset = Dataset::read(folder.path(), SHAPE).unwrap();
    let image = dataset.training.image(0);
    // A triangle as wide as two target pixels takes 1/8 from each neighbour: columns of
    // 0, 50, 100, 150 become 0·7/8 + 50/8 ≈ 6, 50, 100, 150 − 50/8 ≈ 144.
    for row in image.chunks_exact(4) {
        for (value, expected) in row.iter().zip([6_u8, 50, 100, 144]) {
            assert!(value.abs_diff(expected) <= 1, "{image:?}");
        }
    }
}

#[test]
fn each_mistake_is_named() {
    for (paths, parts) in [
        (&["a.png", "b.png"][..], ["has no images", "`happy/*.png` or `train/happy/*.png`"]),
        (&[], ["has no images", "class folders"]),
        (&["train/a.png"], ["has no images", "class folders"]),
        (&["train/x/a.png", "test/x/a.png"], ["only one class, `x`", "at least two"]),
        (&["train/x/a.png", "docs/y/a.png"], ["`docs` lies beside", "train, validation or test"]),
        (&["train/x/a.png", "Training/y/a.png"], ["second folder for its split", "`train`"]),
        (&["x/a.png", "y/b/a.png"], ["`y/b` is a folder in a class folder", "image files only"]),
    ] {
        let error = read(&folder(paths)).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let empty = folder(&["train/x/a.png", "train/y/a.png"]);
    put(empty.path(), "train/z/notes.txt", b"x");
    fs::create_dir_all(empty.path().join("train/w")).unwrap();
    let error = read(&empty).unwrap_err().to_string();
    assert!(error.contains("class folder `train/w` has no image"), "{error}");
    assert!(error.contains("class folder `train/z` has no image"), "{error}");
}

#[test]
fn files_that_cannot_be_read_are_listed_together() {
    let folder = folder(&["x/good.png", "y/good.png"]);
    for index in 10..20 {
        put(folder.path(), &format!("x/{index}.png"), b"no image at all");
    }
    put(folder.path(), "x/00.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    let png = fs::read(folder.path().join("x/good.png")).unwrap();
    put(folder.path(), "x/01.png", &png[..png.len() / 2]);
    let jpeg = turned(1);
    put(folder.path(), "x/02.jpg", &jpeg[..jpeg.len() - 8]);
    let error = read(&folder).unwrap_err().to_string();
    for part in [
        "13 image files",
        "x/00.gif: ",
        "x/01.png: ",
        "x/02.jpg: the JPEG ends before its end marker",
        "x/16.png: ",
        "and 3 more",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("x/17.png") && !error.contains("good"), "{error}");
    assert!(error.contains("PNG, JPEG, BMP and WebP") && error.contains("convert"), "{error}");
}

#[test]
fn the_case_of_a_class_does_not_count() {
    let folder = folder(&[
        "train/Happy/a.png",
        "train/Cat/b.png",
        "train/cat/c.png",
        "test/happy/d.png",
        "test/CAT/e.png",
        "val/HAPPY/f.png",
    ]);
    let dataset = read(&folder).unwrap();
    // As the training split calls them, and there the first.
    assert_eq!(dataset.classes.names(), ["Cat", "Happy"]);
    assert_eq!(values(&dataset, Split::Training), [(1, 0), (0, 1), (2, 0)]);
    assert_eq!(values(&dataset, Split::Validation), [(5, 1)]);
    assert_eq!(values(&dataset, Split::Test), [(4, 0), (3, 1)]);
}

#[test]
fn a_folder_is_not_the_published_data_set_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["FER2013", "fer2013", "mine"] {
        for class in ["happy", "sad"] {
            save(folder.path(), &format!("{name}/train/{class}/a.png"), 1);
        }
    }
    let name = |name: &str| Dataset::read(&folder.path().join(name), SHAPE).unwrap().name;
    assert_eq!(name("FER2013"), "FER2013 (folder)");
    assert_eq!(name("mine"), "mine");
}

#[test]
fn where_all_training_images_are_twins_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (index, class) in ["happy", "happy", "sad"].into_iter().enumerate() {
        let image = GrayImage::from_fn(4, 4, |x, _| [(40 * x) as u8 + index as u8].into());
        for split in ["train", if index == 0 { "val" } else { "test" }] {
            let path = folder.path().join(format!("{split}/{class}/{index}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image.save(path).unwrap();
        }
    }
    save(folder.path(), "train/sad/flat.png", 7);
    let error = Data::of(read(&folder).unwrap(), &DataRecipe::default()).unwrap_err().to_string();
    let expected = "nothing to learn from: all 4 training images are left out, as 3 are \
                    pixel-identical to validation or test images, 1 of one value; expected others";
    assert_eq!(error, expected);
}
