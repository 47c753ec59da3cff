//! `fer-train inspect` as it is called.

use std::path::Path;
use std::process::{Command, Output};

use image::GrayImage;

fn inspect(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fer-train")).arg("inspect").args(arguments).output().unwrap()
}

fn save(root: &Path, path: &str, value: u8) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(60, 50, |x, y| [value ^ (x * y) as u8].into()).save(path).unwrap();
}

#[test]
fn figures_and_pictures_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("faces");
    for (path, value) in [
        ("train/happy/1.png", 1),
        ("train/happy/2.png", 2),
        ("train/sad/3.png", 3),
        ("val/happy/1.png", 1),
        ("val/sad/2.png", 2),
        ("test/sad/4.png", 4),
    ] {
        save(&data, path, value);
    }
    std::fs::write(data.join("notes.txt"), "x").unwrap();
    let (out, json) = (folder.path().join("out/pictures"), folder.path().join("figures.json"));
    let output = inspect(&[&data, "--out".as_ref(), &out, "--json".as_ref(), &json]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        "faces: 6 images of 2 classes, read at 48×48 grey",
        "files skipped: 1 ",
        "files: 60 / 60 / 60 pixels across, 50 / 50 / 50 down",
        "4 distinct images, 2 groups of identical ones, 0 constant images",
        "train/happy/2.png (happiness), val/sad/2.png (sadness)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let figures: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(figures["splits"][1]["twins_in_training"], 2);
    assert_eq!(figures["splits"][0]["imbalance"], 2.0);
    assert_eq!(figures["splits"][2]["imbalance"], serde_json::Value::Null);
    assert_eq!(figures["conflicts"][0][1]["place"], "val/sad/2.png");

    // Two rows of twelve tiles, 48 enlarged twice, with gaps of 4.
    let samples = image::open(out.join("samples.png")).unwrap();
    assert_eq!((samples.width(), samples.height()), (12 * 100 + 4, 2 * 100 + 4));
    assert!(std::fs::read_to_string(out.join("classes.svg")).unwrap().contains("happiness"));
    assert!(image::open(out.join("classes.png")).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let output = inspect(&["nowhere".as_ref()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot read `nowhere`"), "{said}");
}
