//! Compares detectors and their settings on a folder of PPM pictures.
//!
//! ```sh
//! ffmpeg -i film.mp4 pictures/%04d.ppm
//! cargo run --release -p fer-backends --example detectors -- pictures [ground_truth.txt] [yunet.onnx]
//! ```
//!
//! `ground_truth.txt` is that of Caltech 10k Web Faces: a line `name left-eye right-eye nose mouth`
//! (x and y each) a face. Recall counts faces whose eyes and mouth lie in a box of 1.3 to 4.5 times
//! the distance of the eyes. Not every face is annotated there, so boxes beyond the annotated faces
//! are checked against YuNet (score ≥ 0.5): "extra" are those that neither knows. Times are of one
//! thread, on the processor, whatever else runs on the machine.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fer_backends::haar::{HaarDetector, Options as Haar};
use fer_backends::yunet::{Options as YuNet, YuNetDetector};
use fer_core::detect::{Detection, FaceDetector};
use fer_core::frame::{Component, Frame, Pixels};

type Landmarks = [(f32, f32); 4];

struct Picture {
    name: String,
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    /// What YuNet finds.
    known: Vec<Detection>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut fields = bytes.splitn(4, |b| b.is_ascii_whitespace());
        let mut number = || std::str::from_utf8(fields.next().unwrap()).unwrap().to_owned();
        assert_eq!(number(), "P6", "{}", path.display());
        let (width, height) = (number().parse().unwrap(), number().parse().unwrap());
        let rgb = bytes[bytes.len() - 3 * width * height..].to_vec();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, width, height, rgb, known: Vec::new() }
    }

    fn frame(&self) -> Frame<'_> {
        let at = |offset: usize| Component::new(&self.rgb[offset..], 3 * self.width, 3, 0, 0);
        let pixels = Pixels::Rgb { r: at(0), g: at(1), b: at(2) };
        Frame::new(self.width, self.height, pixels).unwrap()
    }
}

fn ground_truth(path: &str) -> HashMap<String, Vec<Landmarks>> {
    let mut faces: HashMap<String, Vec<Landmarks>> = HashMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines().filter(|l| !l.starts_with('#')) {
        let (name, numbers) = line.split_once(' ').unwrap();
        let n: Vec<f32> = numbers.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let landmarks = [(n[0], n[1]), (n[2], n[3]), (n[4], n[5]), (n[6], n[7])];
        faces.entry(name.replace(".jpg", "")).or_default().push(landmarks);
    }
    faces
}

fn matches(face: &Detection, landmarks: &Landmarks) -> bool {
    let [left, right, _, mouth] = *landmarks;
    let eyes = (left.0 - right.0).hypot(left.1 - right.1);
    let r = face.rect;
    let inside = |(x, y): (f32, f32)| x > r.x && x < r.right() && y > r.y && y < r.bottom();
    [left, right, mouth].into_iter().all(inside) && (1.3..4.5).contains(&(r.w / eyes))
}

/// Seconds that this thread has run.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn measure(
    label: &str,
    detector: &mut dyn FaceDetector,
    pictures: &[Picture],
    truth: &HashMap<String, Vec<Landmarks>>,
    fraction: f32,
) {
    let (mut faces, mut hits, mut boxes, mut extra, mut empty) = (0, 0, 0, 0, 0);
    let start = processor_time();
    for picture in pictures {
        let found = detector.detect(&picture.frame(), picture.height as f32 * fraction).unwrap();
        let annotated = truth.get(&picture.name).map_or(&[][..], Vec::as_slice);
        faces += annotated.len();
        hits += annotated.iter().filter(|face| found.iter().any(|f| matches(f, face))).count();
        boxes += found.len();
        empty += usize::from(found.is_empty());
        extra += found
            .iter()
            .filter(|face| !annotated.iter().any(|landmarks| matches(face, landmarks)))
            .filter(|face| picture.known.iter().all(|known| face.rect.iou(&known.rect) < 0.3))
            .count();
    }
    let ms = (processor_time() - start) * 1e3 / pictures.len() as f64;
    println!(
        "{label:32} min-face {fraction:.3}  recall {hits:4}/{faces:<4} boxes {boxes:4} extra \
         {extra:4} pictures without {empty:4}  {ms:6.1} ms"
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let find = |end: &str| arguments.iter().find(|argument| argument.ends_with(end));
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&arguments[0]).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut pictures: Vec<_> = paths.iter().map(|path| Picture::read(path)).collect();
    let truth = find(".txt").map(|path| ground_truth(path)).unwrap_or_default();
    opencv::core::set_num_threads(1).unwrap();
    let yunet = find(".onnx").map(|path| YuNet::new(path.into()));
    if let Some(options) = &yunet {
        let sharp = YuNet { score_threshold: 0.5, ..options.clone() };
        let mut detector = YuNetDetector::new(sharp).unwrap();
        for picture in &mut pictures {
            picture.known = detector.detect(&picture.frame(), 16.0).unwrap();
        }
    }
    for fraction in [0.1, 0.2] {
        for scale_factor in [1.1, 1.2, 1.3] {
            for min_neighbors in [3, 4, 5, 8] {
                let options = Haar { scale_factor, min_neighbors, ..Haar::default() };
                let mut detector = HaarDetector::new(options).unwrap();
                let label = format!("haar {scale_factor} {min_neighbors}");
                measure(&label, &mut detector, &pictures, &truth, fraction);
            }
        }
        if let Some(options) = &yunet {
            let mut detector = YuNetDetector::new(options.clone()).unwrap();
            measure("yunet", &mut detector, &pictures, &truth, fraction);
        }
    }
}
