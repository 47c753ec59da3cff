//! The stages of an analysis, each by itself, on one thread but for batches: `cargo bench -p fer-backends`.
//!
//! The picture is the bundled portrait in a frame of 1280×720.

#![allow(clippy::unwrap_used, missing_docs, reason = "a measuring tool")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fer_backends::haar::{HaarDetector, Options as Haar};
use fer_backends::onnx::{OnnxClassifier, Options as Onnx};
use fer_core::classify::EmotionClassifier;
use fer_core::config::Config;
use fer_core::detect::{Detection, FaceDetector};
use fer_core::emotion::{Emotion, Probabilities};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::preprocess::preprocess;
use fer_core::registry::{smoothers, trackers};
use fer_core::smooth::SmoothOptions;
use fer_core::time::MediaTime;

const SIZE: (u32, u32) = (1280, 720);
/// Where the portrait's face lies.
const FACE: Rect = Rect { x: 600.0, y: 80.0, w: 180.0, h: 180.0 };

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Luma of the portrait at its height, on black.
fn picture() -> Vec<u8> {
    let portrait = image::open(root().join("pipelines/assets/astronaut.png")).unwrap();
    let portrait =
        portrait.resize(SIZE.0, SIZE.1, image::imageops::FilterType::Triangle).to_luma8();
    let mut canvas = image::GrayImage::new(SIZE.0, SIZE.1);
    let left = i64::from(SIZE.0 - portrait.width()) / 2;
    image::imageops::replace(&mut canvas, &portrait, left, 0);
    canvas.into_raw()
}

fn haar(criterion: &mut Criterion, frame: &Frame<'_>) {
    let mut detector = HaarDetector::new(Haar::default()).unwrap();
    let least = Config::default().min_face * frame.height() as f32;
    let found = detector.detect(frame, least).unwrap();
    assert!(!found.is_empty(), "the portrait's face must be found");
    let places: Vec<Rect> = found.iter().map(|face| face.rect).collect();
    criterion.bench_function("haar, whole frame", |bench| {
        bench.iter(|| detector.detect(black_box(frame), least).unwrap());
    });
    criterion.bench_function("haar, near a known face", |bench| {
        bench.iter(|| detector.detect_near(black_box(frame), &places).unwrap());
    });
}

fn classify(criterion: &mut Criterion, frame: &Frame<'_>) {
    for model in ["fer", "fer-tiny"] {
        let path = root().join(format!("models/{model}.yaml"));
        let options = Onnx { intra_threads: 1, ..Onnx::default() };
        let mut classifier = OnnxClassifier::load(&path, &options).unwrap();
        let manifest = classifier.manifest().clone();
        let (shape, normalisation) = (manifest.shape(), manifest.input.normalisation.clone());
        let region = manifest.input.crop.region(&FACE, frame.pixel_aspect());
        let mut tensor = Vec::new();
        if model == "fer" {
            criterion.bench_function("preprocess", |bench| {
                bench.iter(|| {
                    tensor.clear();
                    preprocess(black_box(frame), &region, shape, &normalisation, &mut tensor);
                });
            });
        }
        tensor.clear();
        preprocess(frame, &region, shape, &normalisation, &mut tensor);
        for faces in [1, 8] {
            let batch = tensor.repeat(faces);
            criterion.bench_function(&format!("onnx, {model}, batch of {faces}"), |bench| {
                bench.iter(|| classifier.run(black_box(&batch), faces).unwrap());
            });
        }
    }
}

/// Eight streams with a face each at the same time, on all cores: with sessions that are pooled, and in
/// batches, which is what GPUs are asked for.
fn batch(criterion: &mut Criterion) {
    let path = root().join("models/fer.yaml");
    for (name, intra_threads) in [("pooled", 1), ("batched", 2)] {
        let load = || {
            let options = Onnx { intra_threads, ..Onnx::default() };
            OnnxClassifier::load(&path, &options).unwrap().among_streams().unwrap()
        };
        let mut streams: Vec<_> = (0..8).map(|_| load()).collect();
        let face = vec![0.5; streams[0].manifest().shape().len()];
        criterion.bench_function(&format!("onnx, fer, eight streams, {name}"), |bench| {
            bench.iter(|| {
                std::thread::scope(|scope| {
                    for stream in &mut streams {
                        scope.spawn(|| stream.run(black_box(&face), 1).unwrap());
                    }
                });
            });
        });
    }
}

fn track(criterion: &mut Criterion) {
    for faces in [1, 50] {
        let mut tracker = trackers().build("iou", &Config::default()).unwrap();
        let mut step = 0_u64;
        criterion.bench_function(&format!("track, {faces} faces"), |bench| {
            bench.iter(|| {
                step += 1;
                let shift = (step % 8) as f32;
                let found: Vec<Detection> = (0..faces)
                    .map(|face| Detection {
                        rect: Rect::new(90.0 * face as f32 + shift, 10.0, 80.0, 80.0),
                        confidence: 0.9,
                    })
                    .collect();
                tracker.update(black_box(&found), MediaTime::from_millis(step * 33));
            });
        });
    }
}

fn smooth(criterion: &mut Criterion) {
    let raw = [Emotion::Happiness, Emotion::Neutral].map(Probabilities::one_hot);
    let time_constant = Config::default().smoothing_time;
    let options = SmoothOptions { time_constant, prior: Probabilities::UNIFORM };
    for name in smoothers().names() {
        let mut smoother = smoothers().build(name, &options).unwrap();
        let mut step = 0_u64;
        criterion.bench_function(&format!("smooth, {name}"), |bench| {
            bench.iter(|| {
                step += 1;
                let raw = &raw[step as usize / 50 % 2];
                smoother.update(black_box(raw), MediaTime::from_millis(step * 33))
            });
        });
    }
}

fn all(criterion: &mut Criterion) {
    let luma = picture();
    let frame = Frame::grey(SIZE.0 as usize, SIZE.1 as usize, &luma).unwrap();
    classify(criterion, &frame);
    batch(criterion);
    haar(criterion, &frame);
    track(criterion);
    smooth(criterion);
}

criterion_group! {
    name = stages;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).sample_size(20);
    targets = all
}
criterion_main!(stages);
