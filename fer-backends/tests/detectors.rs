//! The detectors on a real face, on odd frames, and on bad files.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]

use std::path::{Path, PathBuf};

use fer_backends::confirm::{Confirmed, FaceNet};
use fer_backends::haar::{self, HaarDetector, Profile};
use fer_backends::onnx::Options as Session;
use fer_backends::yunet::{self, YuNetDetector};
use fer_core::detect::{BackendError, Detection, FaceDetector};
use fer_core::frame::{Component, Frame, Pixels};
use fer_core::geometry::Rect;
use fer_core::manifest::Manifest;

const SIDE: usize = 80;

/// The face in the fixture, by eye.
const FACE: Rect = Rect::new(19.0, 22.0, 48.0, 52.0);

/// A grey canvas with the portrait on it, enlarged.
struct Scene {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Scene {
    fn new(width: usize, height: usize, left: usize, top: usize, zoom: usize) -> Self {
        let file = include_bytes!("fixtures/astronaut.ppm");
        let portrait = &file[file.len() - 3 * SIDE * SIDE..];
        let mut rgb = vec![150; 3 * width * height];
        for y in 0..(SIDE * zoom).min(height - top) {
            for x in 0..(SIDE * zoom).min(width - left) {
                let from = 3 * (y / zoom * SIDE + x / zoom);
                let to = 3 * ((y + top) * width + x + left);
                rgb[to..to + 3].copy_from_slice(&portrait[from..from + 3]);
            }
        }
        Self { width, height, rgb }
    }

    fn frame(&self) -> Frame<'_> {
        let at = |offset: usize| Component::new(&self.rgb[offset..], 3 * self.width, 3, 0, 0);
        let pixels = Pixels::Rgb { r: at(0), g: at(1), b: at(2) };
        Frame::new(self.width, self.height, pixels).unwrap()
    }

    /// The same in pixels that are `aspect` times as wide as high.
    fn squeezed(&self, aspect: f32) -> Self {
        let width = (self.width as f32 / aspect).round() as usize;
        let column = |x: usize| (((x as f32 + 0.5) * aspect) as usize).min(self.width - 1);
        let rows = self.rgb.chunks_exact(3 * self.width);
        let rgb = rows
            .flat_map(|row| (0..width).flat_map(move |x| row[3 * column(x)..][..3].iter().copied()))
            .collect();
        Self { width, height: self.height, rgb }
    }

    /// The same with what makes up a pixel mapped.
    fn mapped(mut self, value: impl Fn(f32) -> f32) -> Self {
        self.rgb.iter_mut().for_each(|it| *it = value(f32::from(*it)) as u8);
        self
    }

    /// The same turned clockwise around a place.
    fn turned(mut self, degrees: f32, (cx, cy): (f32, f32)) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let rgb = self.rgb.clone();
        for (pixel, to) in self.rgb.chunks_exact_mut(3).enumerate() {
            let (dx, dy) = ((pixel % self.width) as f32 - cx, (pixel / self.width) as f32 - cy);
            let (x, y) = (cx + cos * dx + sin * dy, cy - sin * dx + cos * dy);
            let x = (x.max(0.0) as usize).min(self.width - 1);
            let y = (y.max(0.0) as usize).min(self.height - 1);
            to.copy_from_slice(&rgb[3 * (y * self.width + x)..][..3]);
        }
        self
    }

    /// The same outside of a part of it in one grey.
    fn before(mut self, grey: u8, left: usize, top: usize, side: usize) -> Self {
        let inside = |pixel: usize| {
            let (x, y) = (pixel % self.width, pixel / self.width);
            (left..left + side).contains(&x) && (top..top + side).contains(&y)
        };
        let outside = self.rgb.chunks_exact_mut(3).enumerate().filter(|(pixel, _)| !inside(*pixel));
        outside.for_each(|(_, rgb)| rgb.fill(grey));
        self
    }

    fn luma(&self) -> Vec<u8> {
        let frame = self.frame();
        let pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        pixels.map(|(x, y)| frame.luma(x, y)).collect()
    }

    fn face(left: usize, top: usize, zoom: usize) -> Rect {
        let zoom = zoom as f32;
        let face = FACE.scaled(zoom, zoom);
        Rect::new(face.x + left as f32, face.y + top as f32, face.w, face.h)
    }
}

fn assert_one(found: &[Detection], expected: Rect) {
    assert_eq!(found.len(), 1, "{found:?}");
    let overlap = found[0].rect.iou(&expected);
    assert!(overlap > 0.5, "IoU {overlap}: {found:?}, expected {expected:?}");
    assert!((0.0..=1.0).contains(&found[0].confidence));
}

fn haar() -> HaarDetector {
    HaarDetector::new(haar::Options::default()).unwrap()
}

fn assert_parts(error: &dyn std::fmt::Display, parts: &[&str]) {
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn a_known_face_is_found_again_near_its_place() {
    let scene = Scene::new(1280, 720, 500, 100, 2);
    let face = Scene::face(500, 100, 2);
    let mut haar = haar();
    let shifted = |dx: f32, dy: f32, size: f32| {
        let (x, y) = face.center();
        Rect::from_center(x + dx * face.w, y + dy * face.h, size * face.w, size * face.h)
    };
    // As it was, moved by a quarter of its size, and of another size.
    for place in [face, shifted(0.25, -0.2, 1.0), shifted(0.0, 0.0, 0.8), shifted(0.0, 0.1, 1.2)] {
        let found = haar.detect_near(&scene.frame(), &[place]).unwrap().unwrap();
        assert_one(&found, face);
    }
    let luma = scene.luma();
    let grey = Frame::grey(1280, 720, &luma).unwrap();
    assert_one(&haar.detect_near(&grey, &[face]).unwrap().unwrap(), face);
    // Where none is, at the border, and beyond it.
    for (x, y) in [(0., 0.), (1250., 700.), (-50., -50.), (4000., 10.)] {
        let place = Rect::new(x, y, face.w, face.h);
        assert_eq!(haar.detect_near(&grey, &[place]).unwrap(), Some(Vec::new()), "{place:?}");
    }
}

/// Wide PAL, and pixels that are narrow.
const ASPECTS: [f32; 2] = [64.0 / 45.0, 0.7];

/// Finds the face whether its pixels are square or not, in the shape that it has where it is shown.
fn assert_true_to_shape(detector: &mut dyn FaceDetector, aspect: f32) -> Rect {
    let scene = Scene::new(800, 600, 300, 100, 4).squeezed(aspect);
    let expected = Scene::face(300, 100, 4).scaled(aspect.recip(), 1.0);
    let frame = scene.frame().with_pixel_aspect(aspect);
    let found = detector.detect(&frame, 100.0).unwrap();
    assert_one(&found, expected);
    if let Some(near) = detector.detect_near(&frame, &[expected]).unwrap() {
        assert_one(&near, expected);
    }
    found[0].rect
}

#[test]
fn a_face_of_pixels_that_are_not_square_has_its_true_shape() {
    for aspect in ASPECTS {
        let face = assert_true_to_shape(&mut haar(), aspect);
        // Cascades find squares.
        let shape = aspect * face.w / face.h;
        assert!((shape - 1.0).abs() < 0.03, "{face:?}: {shape} × as wide as high");

        let scene = Scene::new(640, 480, 200, 50, 4).squeezed(aspect);
        let face = Scene::face(200, 50, 4).scaled(aspect.recip(), 1.0);
        let frame = scene.frame().with_pixel_aspect(aspect);
        let probability = face_net().probabilities(&frame, &[face]).unwrap()[0];
        assert!(probability > 0.5, "{aspect}: {probability}");
    }
}

#[test]
fn haar_finds_a_face_at_every_size_and_maps_it_back() {
    for (zoom, min_face) in [(1, 30.0), (2, 40.0), (5, 60.0), (5, 150.0)] {
        let scene = Scene::new(800, 600, 300, 100, zoom);
        let found = haar().detect(&scene.frame(), min_face).unwrap();
        assert_one(&found, Scene::face(300, 100, zoom));
        assert!(found[0].rect.h >= min_face * 0.99, "{found:?}");
    }
}

#[test]
fn a_thorough_search_finds_a_face_once_and_a_mirrored_one_as_well() {
    let options = haar::Options { profile: Profile::Thorough, ..haar::Options::default() };
    let mut detector = HaarDetector::new(options).unwrap();
    let scene = Scene::new(800, 600, 300, 100, 4);
    let luma = scene.luma();
    let mirrored: Vec<u8> =
        luma.chunks_exact(800).flat_map(|row| row.iter().rev().copied()).collect();
    let face = Scene::face(300, 100, 4);
    let other = Rect::new(800.0 - face.right(), face.y, face.w, face.h);
    for (pixels, expected) in [(&luma, face), (&mirrored, other)] {
        let frame = Frame::grey(800, 600, pixels).unwrap();
        let found = detector.detect(&frame, 100.0).unwrap();
        assert_one(&found, expected);
        assert_eq!(detector.detect(&frame, 100.0).unwrap(), found);
        assert_one(&detector.detect_near(&frame, &[expected]).unwrap().unwrap(), expected);
    }
    assert_parts(&"deep".parse::<Profile>().unwrap_err(), &["\"deep\"", "fast, thorough"]);
}

fn face_net() -> FaceNet {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/face.yaml");
    let (manifest, model) = Manifest::load(&path).unwrap();
    FaceNet::from_memory(manifest, &model, "face.onnx", &Session::default()).unwrap()
}

/// A detector that invents.
struct Told(Vec<Rect>);

impl FaceDetector for Told {
    fn detect(&mut self, _: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        Ok(self.0.iter().map(|&rect| Detection { rect, confidence: 1.0 }).collect())
    }
}

#[test]
fn a_second_opinion_keeps_the_face_and_turns_the_rest_away() {
    let scene = Scene::new(640, 480, 200, 50, 4);
    let face = Scene::face(200, 50, 4);
    let shifted = Rect::new(face.x + 6.0, face.y, face.w, face.h);
    let hair = Rect::new(face.x - 50.0, face.y + 1.4 * face.h, face.w / 2.0, face.h / 2.0);
    let wall = Rect::new(10.0, 10.0, 100.0, 100.0);
    let beyond = Rect::new(-900.0, 5000.0, 100.0, 100.0);
    let told = || Told(vec![wall, hair, face, shifted, beyond]);
    let found = Confirmed::new(told(), face_net(), 0.5).detect(&scene.frame(), 0.0).unwrap();
    assert_one(&found, face);
    // One at a time says the same as all together.
    let together = face_net().probabilities(&scene.frame(), &told().0).unwrap();
    for (rect, &probability) in told().0.iter().zip(&together) {
        let alone = face_net().probabilities(&scene.frame(), &[*rect]).unwrap();
        assert!((alone[0] - probability).abs() < 1e-5, "{rect:?}: {alone:?}, {probability}");
    }
    assert_eq!(
        Confirmed::new(Told(vec![]), face_net(), 0.5).detect(&scene.frame(), 0.0).unwrap(),
        []
    );
}

#[test]
fn a_faint_face_is_found_by_another_look_and_near_its_place() {
    let face = Scene::face(200, 50, 4);
    let under = |least: f32| Scene::new(640, 480, 200, 50, 4).mapped(|it| 0.1 * it + least);
    let against_light = under(10.0).before(230, 200, 50, 320);
    for (name, scene) in
        [("dark", under(16.0)), ("haze", under(180.0)), ("against the light", against_light)]
    {
        let mut detector = Confirmed::new(haar(), face_net(), 0.9);
        let luma = scene.luma();
        let grey = Frame::grey(scene.width, scene.height, &luma).unwrap();
        for frame in [scene.frame(), grey] {
            println!("{name}");
            assert_eq!(detector.detect(&frame, 60.0).unwrap(), []);
            assert_one(&detector.detect_faint(&frame, 60.0).unwrap(), face);
            assert_one(&detector.detect_near(&frame, &[face]).unwrap().unwrap(), face);
        }
    }
}

#[test]
fn a_tilted_head_is_found_near_its_place_in_an_upright_box() {
    let face = Scene::face(200, 50, 4);
    // Upright she holds her head to one side a little.
    for degrees in [-35.0, -30.0, -25.0, 25.0] {
        let scene = Scene::new(640, 480, 200, 50, 4).turned(degrees, face.center());
        println!("{degrees}");
        assert_eq!(haar().detect_near(&scene.frame(), &[face]).unwrap(), Some(Vec::new()));
        assert_one(&haar().detect_tilted(&scene.frame(), &[face]).unwrap(), face);
    }
    let elsewhere = Rect::new(5.0, 5.0, face.w, face.h);
    let scene = Scene::new(640, 480, 420, 250, 4);
    let mut detector = Confirmed::new(haar(), face_net(), 0.9);
    assert_eq!(detector.detect_tilted(&scene.frame(), &[elsewhere]).unwrap(), []);
    let beyond = Rect::new(900.0, 5.0, face.w, face.h);
    assert_eq!(detector.detect_tilted(&scene.frame(), &[beyond]).unwrap(), []);
}

#[test]
fn another_look_finds_neither_what_is_plain_nor_anything_in_a_blank_picture() {
    let scene = Scene::new(640, 480, 200, 50, 4);
    assert_eq!(haar().detect_faint(&scene.frame(), 60.0).unwrap(), []);
    let nothing = Scene::new(640, 480, 200, 50, 4).mapped(|_| 16.0);
    assert_eq!(haar().detect_faint(&nothing.frame(), 60.0).unwrap(), []);
    let small = Scene::new(80, 40, 0, 0, 1);
    assert_eq!(haar().detect_faint(&small.frame(), 60.0).unwrap(), []);
}

#[test]
fn a_network_that_names_emotions_gives_no_second_opinion() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/fer-tiny.yaml");
    let (manifest, model) = Manifest::load(&path).unwrap();
    let error = FaceNet::from_memory(manifest, &model, "fer-tiny.onnx", &Session::default());
    assert_parts(&error.unwrap_err(), &["fer-tiny.onnx", "anger", "no `face`"]);
}

#[test]
fn haar_sees_the_same_in_every_layout_of_the_same_luma() {
    let scene = Scene::new(321, 243, 80, 41, 2);
    let luma = scene.luma();
    let (width, height) = (scene.width, scene.height);
    let mut detector = haar();
    let mut detect = |component: Component<'_>| {
        let frame = Frame::new(width, height, Pixels::Grey(component)).unwrap();
        detector.detect(&frame, 48.0).unwrap()
    };
    let plain = detect(Component::new(&luma, width, 1, 0, 0));
    assert_one(&plain, Scene::face(80, 41, 2));

    let rows = luma.chunks_exact(width);
    let padded: Vec<u8> = rows.clone().flat_map(|row| [row, &[0; 31]].concat()).collect();
    assert_eq!(detect(Component::new(&padded, width + 31, 1, 0, 0)), plain);
    // The last row's padding is not there.
    let short = &padded[..padded.len() - 31];
    assert_eq!(detect(Component::new(short, width + 31, 1, 0, 0)), plain);
    // YUY2.
    let packed: Vec<u8> = luma.iter().flat_map(|&y| [y, 128]).collect();
    assert_eq!(detect(Component::new(&packed, 2 * width, 2, 0, 0)), plain);
    assert_eq!(haar().detect(&scene.frame(), 48.0).unwrap(), plain);
}

#[test]
fn haar_gives_the_same_in_the_same_order_each_time() {
    let options = haar::Options { min_neighbors: 0, ..haar::Options::default() };
    let mut detector = HaarDetector::new(options).unwrap();
    let scene = Scene::new(640, 480, 200, 50, 4);
    let first = detector.detect(&scene.frame(), 48.0).unwrap();
    assert!(first.len() > 5, "{first:?}");
    for _ in 0..5 {
        assert_eq!(detector.detect(&scene.frame(), 48.0).unwrap(), first);
    }
}

#[test]
fn frames_without_room_for_a_face_have_none() {
    let mut detector = haar();
    for (width, height) in [(1, 1), (16, 16), (23, 400), (4096, 1)] {
        let pixels = vec![90; width * height];
        let frame = Frame::grey(width, height, &pixels).unwrap();
        for min_face in [0.0, 1.0, 24.0, 1e9, f32::NAN, f32::INFINITY, -5.0] {
            assert_eq!(
                detector.detect(&frame, min_face).unwrap(),
                [],
                "{width}×{height} {min_face}"
            );
            assert_eq!(detector.detect_faint(&frame, min_face).unwrap(), []);
        }
    }
}

#[test]
fn haar_options_out_of_range_are_refused_with_the_range() {
    let new = |scale_factor, min_neighbors| {
        HaarDetector::new(haar::Options { scale_factor, min_neighbors, ..haar::Options::default() })
            .unwrap_err()
    };
    assert_parts(&new(1.0, 3), &["scale-factor is 1,", "1.01 to 2"]);
    assert_parts(&new(f64::NAN, 3), &["scale-factor is NaN"]);
    assert_parts(&new(1.1, 21), &["min-neighbors is 21", "0 to 20"]);
}

#[test]
fn broken_cascades_are_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(haar::find_cascade(None).unwrap()).unwrap();
    let cases: [(&str, &[u8]); 6] = [
        ("empty.xml", b""),
        ("text.xml", b"no cascade, only words"),
        ("binary.xml", &[0xff; 4096]),
        ("other.xml", b"<?xml version=\"1.0\"?><opencv_storage><a>1</a></opencv_storage>"),
        ("nothing.xml", b"<?xml version=\"1.0\"?><opencv_storage></opencv_storage>"),
        ("truncated.xml", &whole[..whole.len() / 2]),
    ];
    let refuse = |path: PathBuf, parts: &[&str]| {
        let name = path.display().to_string();
        let options = haar::Options { cascade: Some(path), ..haar::Options::default() };
        let error = HaarDetector::new(options).unwrap_err();
        assert_parts(&error, &[&name]);
        assert_parts(&error, parts);
    };
    for (name, content) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        refuse(path, &["cascade", "haarcascade_frontalface_default.xml"]);
    }
    refuse(folder.path().join("missing.xml"), &["No such file"]);
    refuse(folder.path().to_owned(), &["directory"]);
}

#[test]
fn other_networks_are_no_yunet() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let refuse = |options: yunet::Options, parts: &[&str]| {
        assert_parts(&YuNetDetector::new(options).unwrap_err(), parts);
    };
    let named = |name: &str| yunet::Options::new(fixtures.join(name));
    refuse(named("mean.onnx"), &["mean.onnx", "not a YuNet", "[n, 1, 8, 8]"]);
    refuse(named("none.onnx"), &["none.onnx", "face_detection_yunet_2023mar.onnx"]);
    refuse(named("astronaut.ppm"), &["astronaut.ppm", "no ONNX model"]);
    refuse(named(""), &["fixtures", "directory"]);
    let options = yunet::Options { score_threshold: 0.0, ..named("mean.onnx") };
    refuse(options, &["score-threshold is 0", "0.1 to 1"]);
    let options = yunet::Options { nms_threshold: 1.5, ..named("mean.onnx") };
    refuse(options, &["nms-threshold is 1.5", "0 to 1"]);
}

/// The model lies outside the project.
#[test]
fn yunet_finds_faces_of_all_sizes_in_colour_and_grey() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers/yunet_2023mar.onnx");
    if !model.is_file() {
        println!("skipped: no {}", model.display());
        return;
    }
    let mut detector = YuNetDetector::new(yunet::Options::new(model)).unwrap();
    for (zoom, min_face) in [(1, 20.0), (2, 40.0), (5, 100.0)] {
        let scene = Scene::new(800, 600, 300, 100, zoom);
        let found = detector.detect(&scene.frame(), min_face).unwrap();
        assert_one(&found, Scene::face(300, 100, zoom));
        assert_eq!(detector.detect(&scene.frame(), min_face).unwrap(), found);
        let luma = scene.luma();
        let grey = Frame::grey(scene.width, scene.height, &luma).unwrap();
        assert_one(&detector.detect(&grey, min_face).unwrap(), Scene::face(300, 100, zoom));
        assert_eq!(detector.detect(&scene.frame(), 590.0).unwrap(), []);
    }
    for aspect in ASPECTS {
        assert_true_to_shape(&mut detector, aspect);
    }
    for (width, height) in [(1, 1), (3, 2000)] {
        let pixels = vec![90; width * height];
        let frame = Frame::grey(width, height, &pixels).unwrap();
        for min_face in [0.0, 40.0, 1e9, f32::NAN, f32::INFINITY] {
            assert_eq!(
                detector.detect(&frame, min_face).unwrap(),
                [],
                "{width}×{height} {min_face}"
            );
        }
    }
}
