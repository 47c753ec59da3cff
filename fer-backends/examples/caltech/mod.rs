//! Photos with the landmarks of Caltech 10k Web Faces, and what YuNet finds in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fer_backends::yunet::{Options as YuNet, YuNetDetector};
use fer_core::detect::{Detection, FaceDetector};
use fer_core::frame::{Component, Frame, Pixels};

/// Left eye, right eye, nose and mouth.
pub(super) type Landmarks = [(f32, f32); 4];

pub(super) struct Picture {
    pub(super) name: String,
    pub(super) width: usize,
    pub(super) height: usize,
    rgb: Vec<u8>,
    /// Annotated faces; not every face is.
    pub(super) annotated: Vec<Landmarks>,
    /// What YuNet finds.
    pub(super) known: Vec<Detection>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let rgb = image::open(path).unwrap().into_rgb8();
        let (width, height) = (rgb.width() as usize, rgb.height() as usize);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (annotated, known) = (Vec::new(), Vec::new());
        Self { name, width, height, rgb: rgb.into_raw(), annotated, known }
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        let at = |offset: usize| Component::new(&self.rgb[offset..], 3 * self.width, 3, 0, 0);
        let pixels = Pixels::Rgb { r: at(0), g: at(1), b: at(2) };
        Frame::new(self.width, self.height, pixels).unwrap()
    }
}

/// The pictures of a folder in the order of their names, with the landmarks of `ground_truth.txt`
/// if that lies there.
pub(super) fn pictures(folder: &str) -> Vec<Picture> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jpg" || end == "png"));
    paths.sort();
    let mut truth = ground_truth(&Path::new(folder).join("ground_truth.txt"));
    let mut pictures: Vec<_> = paths.iter().map(|path| Picture::read(path)).collect();
    for picture in &mut pictures {
        picture.annotated = truth.remove(&picture.name).unwrap_or_default();
    }
    pictures
}

fn ground_truth(path: &Path) -> HashMap<String, Vec<Landmarks>> {
    let mut faces: HashMap<String, Vec<Landmarks>> = HashMap::new();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, numbers) = line.split_once(' ').unwrap();
        let n: Vec<f32> = numbers.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let landmarks = [(n[0], n[1]), (n[2], n[3]), (n[4], n[5]), (n[6], n[7])];
        faces.entry(name.replace(".jpg", "")).or_default().push(landmarks);
    }
    faces
}

/// Has YuNet look at all pictures, for faces that score at least `score`.
pub(super) fn judge(pictures: &mut [Picture], yunet: &str, score: f32) {
    let options = YuNet { score_threshold: score, ..YuNet::new(yunet.into()) };
    let mut detector = YuNetDetector::new(options).unwrap();
    for picture in pictures {
        picture.known = detector.detect(&picture.frame(), 10.0).unwrap();
    }
}

/// Whether eyes and mouth lie in the box, and that is 1.3 to 4.5 times the distance of the eyes.
pub(super) fn matches(face: &Detection, landmarks: &Landmarks) -> bool {
    let [left, right, _, mouth] = *landmarks;
    let eyes = (left.0 - right.0).hypot(left.1 - right.1);
    let r = face.rect;
    let inside = |(x, y): (f32, f32)| x > r.x && x < r.right() && y > r.y && y < r.bottom();
    [left, right, mouth].into_iter().all(inside) && (1.3..4.5).contains(&(r.w / eyes))
}
