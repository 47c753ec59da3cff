//! Faces by YuNet, a small network that finds more than Haar cascades do, in less time.
//!
//! The model file is the user's: `face_detection_yunet_2023mar.onnx` of OpenCV's model zoo (MIT),
//! which `fer models get yunet` fetches.
//! It runs in ONNX Runtime and not in OpenCV's `FaceDetectorYN`, whose network module refuses this
//! file in the OpenCV 4.6 of Debian 12.

mod decode;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fer_core::detect::{BackendError, Detection, FaceDetector, suppress};
use fer_core::frame::Frame;
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;

use crate::session::{self, dimensions, open, shown};
use decode::Level;

/// The network's file, as OpenCV's model zoo names it.
pub const FILE: &str = "face_detection_yunet_2023mar.onnx";

/// Where the file is looked for when no path is given:
/// `${XDG_DATA_HOME:-$HOME/.local/share}/gst-plugin-fer/`. `None` where neither variable is set.
pub fn usual_place() -> Option<PathBuf> {
    place(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

fn place(data: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // Relative paths are to be ignored there, by the XDG Base Directory Specification.
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data =
        data.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/share")))?;
    Some(data.join("gst-plugin-fer").join(FILE))
}

/// The network's file: the given one, else the one that has been fetched.
///
/// # Errors
/// None is given, and none lies in the [usual place](usual_place).
pub fn find_model(given: Option<&Path>) -> Result<PathBuf, BackendError> {
    find(given, usual_place())
}

fn find(given: Option<&Path>, usual: Option<PathBuf>) -> Result<PathBuf, BackendError> {
    let fetched = || usual.filter(|path| path.is_file());
    given.map(Path::to_owned).or_else(fetched).ok_or_else(|| BackendError::Option {
        option: "detector-model",
        value: "unset".to_owned(),
        accepted:
            "the path of YuNet's ONNX file, which detector=yunet needs; it may be unset once \
                   `fer models get yunet` has fetched that"
                .to_owned(),
    })
}

/// How the network is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The ONNX file.
    pub model: PathBuf,
    /// Faces that score less are dropped, 0.1 to 1.
    pub score_threshold: f32,
    /// Of faces that overlap by more than this (intersection over union, 0 to 1), the best stays.
    pub nms_threshold: f32,
    /// How the runtime runs it.
    pub session: session::Options,
}

impl Options {
    /// The usual thresholds for the network in `model`.
    pub fn new(model: PathBuf) -> Self {
        let session = session::Options::default();
        Self { model, score_threshold: 0.6, nms_threshold: 0.3, session }
    }

    fn check(&self) -> Result<(), BackendError> {
        for (option, value, range) in [
            ("score-threshold", self.score_threshold, 0.1..=1.0),
            ("nms-threshold", self.nms_threshold, 0.0..=1.0),
        ] {
            if !range.contains(&value) {
                let accepted = format!("{} to {}", range.start(), range.end());
                return Err(BackendError::Option { option, value: value.to_string(), accepted });
            }
        }
        Ok(())
    }
}

/// The grids on which the network looks for faces.
const STRIDES: [usize; 3] = [8, 16, 32];

/// The smallest wanted face is scaled to this height in the network's input, in pixels, as far as
/// the frame fits. It was trained for faces of 10 to 300 pixels; measured, more than this finds no
/// more, and costs more.
const SMALLEST: f32 = 32.0;

/// The longer side of the input of a network that takes any size.
const LONGEST: f32 = 640.0;

/// YuNet, ready to run.
#[derive(Debug)]
pub struct YuNetDetector {
    session: Session,
    input: String,
    options: Options,
    /// Width and height of the input, if the network fixes them.
    fixed: Option<(usize, usize)>,
    tensor: Vec<f32>,
}

impl YuNetDetector {
    /// Loads the network.
    ///
    /// # Errors
    /// An option is out of range, the file is missing, damaged or another network's, or ONNX
    /// Runtime or the execution provider isn't there.
    pub fn new(options: Options) -> Result<Self, BackendError> {
        options.check()?;
        let origin = options.model.display().to_string();
        let model = read(&options.model)?;
        let session = open(&model, &origin, &options.session)?;
        let (input, fixed) = check_input(&session, &origin)?;
        for stride in STRIDES {
            for kind in ["cls", "obj", "bbox"] {
                let name = format!("{kind}_{stride}");
                dimensions(session.outputs(), &name, "YuNet's output", &origin)?;
            }
        }
        let mut detector = Self { session, input, options, fixed, tensor: Vec::new() };
        let grey = [128; 64];
        let frame = Frame::grey(8, 8, &grey).map_err(|e| BackendError::Load(e.to_string()))?;
        detector.detect(&frame, 8.0).map_err(|error| {
            BackendError::Load(format!("{origin}: a first run of the model failed: {error}"))
        })?;
        Ok(detector)
    }

    /// Width and height of the network's input, and what the frame is multiplied by to fit in, once
    /// its pixels are squares.
    fn input_size(&self, frame: &Frame<'_>, min_face: f32) -> (usize, usize, f32) {
        let (w, h) = (frame.width() as f32 * frame.pixel_aspect(), frame.height() as f32);
        let wanted = SMALLEST / min_face.max(1.0);
        match self.fixed {
            Some((width, height)) => {
                (width, height, wanted.min(width as f32 / w).min(height as f32 / h))
            }
            None => {
                let scale = wanted.min(LONGEST / w.max(h));
                let cells = |side: f32| ((side * scale / 32.0).ceil() as usize).max(1) * 32;
                (cells(w), cells(h), scale)
            }
        }
    }

    fn run(&mut self, width: usize, height: usize) -> Result<Vec<Detection>, ort::Error> {
        let tensor = TensorRef::from_array_view(([1, 3, height, width], self.tensor.as_slice()))?;
        let outputs = self.session.run(ort::inputs![self.input.as_str() => tensor])?;
        let mut found = Vec::new();
        for stride in STRIDES {
            let level = Level {
                stride,
                columns: width / stride,
                class: values(&outputs, "cls", stride)?,
                object: values(&outputs, "obj", stride)?,
                boxes: values(&outputs, "bbox", stride)?,
            };
            level.decode(self.options.score_threshold, &mut found);
        }
        suppress(&mut found, self.options.nms_threshold);
        Ok(found)
    }
}

impl FaceDetector for YuNetDetector {
    fn detect(&mut self, frame: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        let (width, height, scale) = self.input_size(frame, min_face);
        let scale = (scale * frame.pixel_aspect(), scale);
        fill(frame, scale, (width, height), &mut self.tensor);
        let mut found = self
            .run(width, height)
            .map_err(|error| BackendError::Run(format!("YuNet failed: {error}")))?;
        for face in &mut found {
            face.rect = face.rect.scaled(1.0 / scale.0, 1.0 / scale.1);
        }
        found.retain(|face| face.rect.h >= min_face);
        Ok(found)
    }
}

fn values<'a>(
    outputs: &'a SessionOutputs<'_>,
    kind: &str,
    stride: usize,
) -> Result<&'a [f32], ort::Error> {
    let (_, values) = outputs[format!("{kind}_{stride}")].try_extract_tensor::<f32>()?;
    Ok(values)
}

/// The frame times `scale`, across and down, in the top left corner of a tensor [3, height, width]
/// of blue, green and red on 0..=255; the rest is zero. Bilinear, as OpenCV resizes for this network.
fn fill(
    frame: &Frame<'_>,
    (across, down): (f32, f32),
    (width, height): (usize, usize),
    tensor: &mut Vec<f32>,
) {
    tensor.clear();
    tensor.resize(3 * width * height, 0.0);
    let covered =
        |side: usize, scale: f32, limit: usize| ((side as f32 * scale).round() as usize).min(limit);
    let columns: Vec<_> = (0..covered(frame.width(), across, width))
        .map(|x| neighbours(x, across, frame.width()))
        .collect();
    for y in 0..covered(frame.height(), down, height) {
        let (top, bottom, down) = neighbours(y, down, frame.height());
        for (x, &(left, right, across)) in columns.iter().enumerate() {
            let corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
                .map(|(x, y)| frame.rgb(x, y));
            for channel in 0..3 {
                let [a, b, c, d] = corners.map(|rgb| f32::from(rgb[2 - channel]));
                let above = a + (b - a) * across;
                let below = c + (d - c) * across;
                tensor[(channel * height + y) * width + x] = above + (below - above) * down;
            }
        }
    }
}

/// The two source samples around the target sample `index`, and how far it lies between them.
fn neighbours(index: usize, scale: f32, source: usize) -> (usize, usize, f32) {
    let position = ((index as f32 + 0.5) / scale - 0.5).clamp(0.0, (source - 1) as f32);
    let first = position as usize;
    (first, (first + 1).min(source - 1), position - first as f32)
}

fn read(path: &Path) -> Result<Vec<u8>, BackendError> {
    std::fs::read(path).map_err(|error| {
        BackendError::Load(format!(
            "{}: {error}. Give the file {FILE} of OpenCV's model zoo, which `fer models get yunet` \
             fetches",
            path.display()
        ))
    })
}

/// The input's name, and its width and height where the network fixes them.
fn check_input(
    session: &Session,
    origin: &str,
) -> Result<(String, Option<(usize, usize)>), BackendError> {
    let name = session.inputs().first().map_or("input", |input| input.name()).to_owned();
    let found = dimensions(session.inputs(), &name, "YuNet's input", origin)?;
    let side = |value: i64| usize::try_from(value).ok().filter(|side| side % 32 == 0 && *side > 0);
    match *found {
        [..=1, 3, ..0, ..0] => Ok((name, None)),
        [..=1, 3, height, width] if side(height).is_some() && side(width).is_some() => {
            Ok((name, side(width).zip(side(height))))
        }
        _ => Err(BackendError::Load(format!(
            "{origin}: not a YuNet face detector: it takes [1, 3, height, width] with sides that \
             are multiples of 32, but this model's input {name:?} is {}",
            shown(found)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place_follows_the_xdg_specification() {
        let place = |data: Option<&str>, home: Option<&str>| {
            place(data.map(OsString::from), home.map(OsString::from))
        };
        let at = |folder: &str| Some(Path::new(folder).join("gst-plugin-fer").join(FILE));
        assert_eq!(place(Some("/data"), Some("/home/u")), at("/data"));
        for unusable in [None, Some(""), Some("data")] {
            assert_eq!(place(unusable, Some("/home/u")), at("/home/u/.local/share"));
            assert_eq!(place(unusable, None), None);
        }
    }

    #[test]
    fn a_given_file_comes_before_the_fetched_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fetched = Some(file.path().to_owned());
        let given = Path::new("/nowhere/y.onnx");
        assert_eq!(find(Some(given), fetched.clone()).unwrap(), given);
        assert_eq!(find(None, fetched).unwrap(), file.path());
        for absent in [None, Some(given.to_owned())] {
            let told = find(None, absent).unwrap_err().to_string();
            assert!(told.starts_with("detector-model is unset, accepted:"), "{told}");
            assert!(told.contains("`fer models get yunet`"), "{told}");
        }
    }
}
