//! `faces`: pictures of faces whose stable emotion changes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{lines, run, text};

const FACE: &str = "version: 1
streams:
  desk:
    source: { test: { pattern: face, frames: 40 } }
    analysis: { min-face: 0.2 }
    outputs:
      - json: { file: out.jsonl, existing: continue }
";

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// The rows, columns and samples a pixel of a PNG.
fn size(path: &Path) -> (u32, u32) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let shown = &pixels[..frame.buffer_size()];
    assert!(shown.iter().max().unwrap() - shown.iter().min().unwrap() > 100, "a plain picture");
    (frame.width, frame.height)
}

/// Frames with a change of emotion: the face's box in pixels, and the label.
fn changes(lines: &[Value]) -> Vec<([f64; 4], String)> {
    let mut found = Vec::new();
    for line in lines {
        for event in line["events"].as_array().into_iter().flatten() {
            if event["type"] == "emotion-changed" {
                let objects = line["objects"].as_array().unwrap();
                let face = objects.iter().find(|face| face["id"] == event["id"]).unwrap();
                let of = |key: &str| face["detection"]["bounding_box"][key].as_f64().unwrap();
                let rect = [of("x_min"), of("y_min"), of("x_max"), of("y_max")];
                found.push((rect, event["to"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

#[test]
fn a_picture_of_each_change_shows_the_face_with_its_margin() {
    let folder = tempfile::tempdir().unwrap();
    let faces = "      - faces: { folder: 'faces/{stream}', margin: 0.25 }\n      - faces: { folder: flat, folders: none, format: jpeg }\n";
    let output = run(folder.path(), &format!("{FACE}{faces}"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let changes = changes(&lines(folder.path().join("out.jsonl")));
    assert!(!changes.is_empty());
    let (rect, label) = &changes[0];
    let found = pictures(&folder.path().join("faces/desk").join(label));
    let same = changes.iter().filter(|(_, to)| to == label).count();
    assert_eq!(found.len(), same, "{found:?}");
    let name = found[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("desk_20") && name.ends_with(&format!("_uncertain-{label}.png")));
    // The box grown by a quarter of its size on each side, cut at the borders, in whole pixels.
    let side = |low: f64, high: f64, pixels: f64| {
        let margin = 0.25 * (high - low);
        ((high + margin).min(1.0) * pixels) - ((low - margin).max(0.0) * pixels)
    };
    let (width, height) = size(&found[0]);
    let expected = (side(rect[0], rect[2], 640.0), side(rect[1], rect[3], 480.0));
    assert!((f64::from(width) - expected.0).abs() <= 2.0, "{width} {expected:?}");
    assert!((f64::from(height) - expected.1).abs() <= 2.0, "{height} {expected:?}");
    let flat = pictures(&folder.path().join("flat"));
    assert_eq!(flat.len(), changes.len());
    assert!(flat.iter().all(|path| std::fs::read(path).unwrap().starts_with(b"\xff\xd8")));
}

#[test]
fn earlier_runs_count_towards_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let faces = "      - faces: { folder: faces, folders: none, keep: { files: 2, age: 1h } }\n";
    let yaml = format!("{FACE}{faces}");
    std::fs::create_dir(folder.path().join("faces")).unwrap();
    std::fs::write(folder.path().join("faces/notes.txt"), b"mine").unwrap();
    let old = folder
        .path()
        .join("faces/desk_20200101T000000.000Z_0000000000ms_face1_uncertain-happiness.png");
    std::fs::write(&old, b"old").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let output = run(folder.path(), &yaml);
        assert!(output.status.success(), "{}", text(&output.stderr));
        seen.extend(pictures(&folder.path().join("faces")));
    }
    assert!(!old.exists());
    let left = pictures(&folder.path().join("faces"));
    // The two newest, and what is not of this output.
    let mut expected: Vec<_> = seen.into_iter().collect();
    expected.drain(..expected.len() - 3);
    assert_eq!(left, expected);
    assert!(left.iter().any(|path| path.ends_with("notes.txt")));
}

#[test]
fn a_folder_that_cannot_be_written_stops_this_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), b"a file").unwrap();
    std::fs::create_dir(folder.path().join("lost")).unwrap();
    // A file where the emotion's folder would be: the disk fails on the way.
    for label in ["happiness", "neutral", "surprise", "uncertain"] {
        std::fs::write(folder.path().join("lost").join(label), b"a file").unwrap();
    }
    let faces = "      - faces: { folder: taken }\n      - faces: { folder: lost }\n";
    let output = run(folder.path(), &format!("{FACE}{faces}"));
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("output 1 (faces) does not start: taken: "), "{errors}");
    assert!(errors.contains("output 2 (faces) stops: ") && errors.contains("lost/"), "{errors}");
    // The others go on; a busy machine drops some of a live source's frames.
    assert!(lines(folder.path().join("out.jsonl")).len() >= 30, "{errors}");
    assert!(!errors.contains("CRITICAL"), "{errors}");
}
