//! Cuts faces, and what cascades take for faces, out of photos: what `models/face.onnx` learns from.
//!
//! ```sh
//! cargo run --release -p fer-backends --example face_crops -- OUT yunet.onnx PHOTOS… [fer2013.csv]
//! ```
//!
//! Every hit of every cascade becomes a picture of 40×40 pixels, in `OUT/SPLIT/face` where it matches
//! an annotated face or one that YuNet is sure of, in `OUT/SPLIT/other` where YuNet sees not even a
//! doubtful one, and nowhere else. Of five photos three are of the split `train`, one of
//! `validation`, one of `test`. Of FER2013 every fourth image of Training is a face as well.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool")]

mod caltech;

use std::path::{Path, PathBuf};

use caltech::{Picture, judge, matches, pictures};
use fer_backends::haar::{HaarDetector, Options as Haar, Profile};
use fer_core::detect::{Detection, FaceDetector};
use fer_core::frame::Frame;
use fer_core::preprocess::{Colour, Crop, Normalisation, Shape, preprocess};

const SIDE: usize = 40;
/// Smallest faces looked for, in pixels.
const SMALLEST: f32 = 16.0;
/// What YuNet calls at least this is a face for sure.
const SURE: f32 = 0.7;
const DOUBTFUL: f32 = 0.3;
/// At most so many of each kind a photo: those of one photo are alike.
const MOST: usize = 40;

/// The class of a hit; `None` where it is neither.
fn class(hit: &Detection, picture: &Picture) -> Option<&'static str> {
    if picture.annotated.iter().any(|landmarks| matches(hit, landmarks)) {
        return Some("face");
    }
    let near = |known: &&Detection| known.rect.iou(&hit.rect) >= 0.5;
    if picture.known.iter().filter(near).any(|known| known.confidence >= SURE) {
        return Some("face");
    }
    let far = |known: &Detection| known.rect.iou(&hit.rect) < 0.15;
    let (cx, cy) = hit.rect.center();
    let annotated = picture.annotated.iter().flatten();
    let mut apart = annotated.map(|(x, y)| (x - cx).hypot(y - cy) / hit.rect.w);
    (picture.known.iter().all(far) && apart.all(|distance| distance > 0.8)).then_some("other")
}

fn grey(frame: &Frame<'_>, hit: &Detection) -> Vec<u8> {
    let shape = Shape { width: SIDE, height: SIDE, colour: Colour::Grey };
    let plain = Normalisation { scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let region = Crop { margin: 0.0, square: true }.region(&hit.rect, frame.pixel_aspect());
    let mut values = Vec::new();
    preprocess(frame, &region, shape, &plain, &mut values);
    values.into_iter().map(|value| value.round() as u8).collect()
}

fn write(folder: &Path, name: &str, side: usize, pixels: Vec<u8>) {
    std::fs::create_dir_all(folder).unwrap();
    let picture = image::GrayImage::from_raw(side as u32, side as u32, pixels).unwrap();
    picture.save(folder.join(name)).unwrap();
}

fn photo(index: usize, picture: &Picture, detector: &mut HaarDetector, out: &Path) {
    let split = ["train", "train", "train", "validation", "test"][index % 5];
    let mut hits = detector.detect(&picture.frame(), SMALLEST).unwrap();
    // In an order that favours no place, the same each time.
    hits.sort_by_key(|hit| {
        (hit.rect.x as u64 * 7919 + hit.rect.y as u64 * 104_729 + hit.rect.w as u64 * 31) % 1009
    });
    for wanted in ["face", "other"] {
        let fitting = hits.iter().filter(|hit| class(hit, picture) == Some(wanted));
        for (number, hit) in fitting.take(MOST).enumerate() {
            let name = format!("{}-{number}.png", picture.name);
            write(&out.join(split).join(wanted), &name, SIDE, grey(&picture.frame(), hit));
        }
    }
}

fn fer2013(path: &str, out: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let training = text.lines().filter(|line| line.ends_with(",Training"));
    for (row, line) in training.enumerate().step_by(4) {
        let pixels = line.split(',').nth(1).unwrap().split(' ');
        let pixels: Vec<u8> = pixels.map(|pixel| pixel.parse().unwrap()).collect();
        write(&out.join("train/face"), &format!("fer2013-{row}.png"), 48, pixels);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, yunet, rest @ ..] = &arguments[..] else {
        panic!("expected: OUT yunet.onnx PHOTOS… [fer2013.csv]");
    };
    let out = PathBuf::from(out);
    let options =
        Haar { profile: Profile::Thorough, scale_factor: 1.1, min_neighbors: 0, ..Haar::default() };
    let mut detector = HaarDetector::new(options).unwrap();
    for source in rest {
        if source.ends_with(".csv") {
            fer2013(source, &out);
            continue;
        }
        let mut pictures = pictures(source);
        judge(&mut pictures, yunet, DOUBTFUL);
        for (index, picture) in pictures.iter().enumerate() {
            photo(index, picture, &mut detector, &out);
        }
        println!("{source}: {} photos", pictures.len());
    }
}
