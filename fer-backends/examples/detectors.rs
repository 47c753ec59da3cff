//! Compares detectors and their settings on a folder of photos (JPEG or PNG).
//!
//! ```sh
//! cargo run --release -p fer-backends --example detectors -- PHOTOS yunet.onnx [models/face.yaml] [SMALLEST] [validation|test]
//! ```
//!
//! Annotated faces are those of a `ground_truth.txt` beside the photos, in the form of Caltech 10k
//! Web Faces: a line `name left-eye right-eye nose mouth` (x and y each) a face. Recall counts faces
//! whose eyes and mouth lie in a box of 1.3 to 4.5 times the distance of the eyes. Not every face is
//! annotated there, so boxes beyond the annotated faces are checked against YuNet (score ≥ 0.5):
//! "false" are those that neither knows, a picture. With `validation` or `test` only those pictures are
//! looked at that `face_crops` leaves to that. SMALLEST is the least height of a face, in pixels.
//! Times are of one thread, on the processor.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool")]

mod caltech;

use caltech::{Picture, judge, matches, pictures};
use fer_backends::confirm::{Confirmed, FaceNet};
use fer_backends::haar::{HaarDetector, Options as Haar, Profile};
use fer_backends::onnx::Options as Session;
use fer_backends::yunet::{Options as YuNet, YuNetDetector};
use fer_core::detect::FaceDetector;
use fer_core::manifest::Manifest;

/// Smallest faces looked for, in pixels, if no number is given.
const SMALLEST: f32 = 20.0;

/// Seconds that this thread has run.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn measure(label: &str, detector: &mut dyn FaceDetector, pictures: &[Picture], smallest: f32) {
    let (mut faces, mut hits, mut boxes, mut wrong) = (0, 0, 0, 0);
    let start = processor_time();
    for picture in pictures {
        let found = detector.detect(&picture.frame(), smallest).unwrap();
        let annotated = &picture.annotated;
        faces += annotated.len();
        hits += annotated.iter().filter(|face| found.iter().any(|f| matches(f, face))).count();
        boxes += found.len();
        wrong += found
            .iter()
            .filter(|face| !annotated.iter().any(|landmarks| matches(face, landmarks)))
            .filter(|face| picture.known.iter().all(|known| face.rect.iou(&known.rect) < 0.3))
            .count();
    }
    let count = pictures.len() as f64;
    let ms = (processor_time() - start) * 1e3 / count;
    println!(
        "{label:40} recall {:.3} ({hits}/{faces})  false {:.3}  boxes {boxes:4}  {ms:6.1} ms",
        hits as f64 / faces as f64,
        wrong as f64 / count,
    );
}

fn haar(profile: Profile, scale_factor: f64, min_neighbors: u32) -> HaarDetector {
    let options = Haar { profile, scale_factor, min_neighbors, ..Haar::default() };
    HaarDetector::new(options).unwrap()
}

fn net(path: &str) -> FaceNet {
    let (manifest, model) = Manifest::load(path.as_ref()).unwrap();
    FaceNet::from_memory(manifest, &model, path, &Session::default()).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let find = |end: &str| arguments.iter().find(|argument| argument.ends_with(end));
    let smallest = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(SMALLEST);
    let mut pictures = pictures(&arguments[0]);
    let split = arguments.last().map(String::as_str);
    if let Some(fifth) =
        [("validation", 3), ("test", 4)].iter().find(|(name, _)| split == Some(name))
    {
        let mut place = 0..;
        pictures.retain(|_| place.next().unwrap() % 5 == fifth.1);
    }
    opencv::core::set_num_threads(1).unwrap();
    let yunet = find(".onnx").unwrap();
    judge(&mut pictures, yunet, 0.5);
    measure(
        "yunet",
        &mut YuNetDetector::new(YuNet::new(yunet.into())).unwrap(),
        &pictures,
        smallest,
    );
    for profile in Profile::ALL {
        for (scale_factor, neighbors) in [(1.2, 1), (1.2, 2), (1.2, 4), (1.1, 1), (1.1, 5)] {
            let label = format!("{} {scale_factor} {neighbors}", profile.name());
            measure(&label, &mut haar(profile, scale_factor, neighbors), &pictures, smallest);
            for threshold in [0.5, 0.8, 0.9, 0.92] {
                let Some(manifest) = find(".yaml") else { continue };
                let inner = haar(profile, scale_factor, neighbors);
                let mut detector = Confirmed::new(inner, net(manifest), threshold);
                measure(
                    &format!("{label}, confirmed {threshold}"),
                    &mut detector,
                    &pictures,
                    smallest,
                );
            }
        }
    }
}
