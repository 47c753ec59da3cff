//! From a trained network to an ONNX file with its manifest, checked against the trainer itself.

mod figures;
mod int8;
mod join;
mod manifest;

use std::path::{Path, PathBuf};

use fer_backends::onnx::OnnxClassifier;
use fer_core::detect::BackendError;
use fer_core::manifest::Manifest;
use fer_core::preprocess::Crop;

pub use self::figures::Figures;
pub use self::int8::{CALIBRATION_IMAGES, quantised};
pub use self::join::{Joined, Member, join};
pub use self::manifest::write_manifest;
use crate::checkpoint::Progress;
use crate::dataset::Images;
use crate::evaluate::{ScoreError, checkpoint_logits, raw_outputs, single_thread, whole};
use crate::files::write_atomically;
use crate::metrics::fit_temperature;
use crate::network::Model;
use crate::onnx::graph::{Graph, Signature};

/// Largest difference that is accepted between a logit of the ONNX file and of the trainer, as far as
/// logits are small.
pub const TOLERANCE: f32 = 1e-4;
/// What is accepted besides, as a part of the image's largest logit: sums of large numbers in another
/// order differ by more. A hundred roundings of `f32`.
const RELATIVE: f32 = 1e-5;
/// Names of the input and the output tensor.
const INPUT: &str = "input";
const OUTPUT: &str = "logits";

/// What can stop an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// ONNX Runtime is missing or refuses the file.
    #[error("the exported network does not run: {0}")]
    Runtime(#[from] BackendError),
    /// The exported network cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The file does not compute what the trainer, or the mean of the joined networks, computes.
    #[error(
        "image {image}: the written network's logits differ by {difference:e} from those of what it \
         was made of; expected at most {allowed:e}; nothing was written"
    )]
    Parity {
        /// Position of the image in the split that was compared.
        image: usize,
        /// Largest difference.
        difference: f32,
        /// What is accepted of logits of that size.
        allowed: f32,
    },
    /// There is no image to compare and calibrate on.
    #[error("no {0} image to check and calibrate the export on; expected at least one")]
    NoImages(&'static str),
    /// A network cannot be one of several.
    #[error("`{path}`: {reason}")]
    Member {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Too few networks to join.
    #[error("{0} networks to join; expected at least two")]
    TooFew(usize),
    /// A file could not be written.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest could not be put into YAML.
    #[error("cannot write the manifest `{path}`: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What the writer said.
        source: serde_yaml::Error,
    },
}

/// What a manifest says that a checkpoint does not know.
#[derive(Debug, Clone)]
pub struct Description {
    /// The model's name.
    pub name: String,
    /// The licence of weights and data.
    pub licence: String,
    /// Where the model comes from.
    pub source: String,
    /// What is cut out around a detected face.
    pub crop: Crop,
}

/// A network in memory, checked, with its manifest.
#[derive(Debug)]
pub struct Exported {
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// Its manifest, without metrics. Classes that are no emotions are called `ignore`.
    pub manifest: Manifest,
    /// Why the engine could not use the manifest, so that none is written; if so.
    pub unusable: Option<String>,
    /// Largest difference found between its logits and those of what it was made of: the trainer's
    /// network, or several exported ones.
    pub difference: f32,
}

impl Exported {
    /// The network in the runtime, on one thread; `file` names it in errors.
    fn open(&self, file: &Path) -> Result<OnnxClassifier, BackendError> {
        let origin = file.display().to_string();
        OnnxClassifier::from_memory(self.manifest.clone(), &self.onnx, &origin, &single_thread())
    }

    /// Its logits of `images`.
    fn logits(&self, file: &Path, images: &Images) -> Result<Vec<f32>, ScoreError> {
        raw_outputs(&mut self.open(file)?, images, &mut whole)
    }
}

/// Exports `model`, calibrates it on `validation` and compares it with the trainer on the same
/// images.
///
/// `file` is the ONNX file's name beside the manifest.
///
/// # Errors
///
/// [`ExportError`]; above all a difference of more than [`TOLERANCE`].
pub fn export(
    model: &Model,
    progress: &Progress,
    validation: &Images,
    file: &Path,
    description: &Description,
) -> Result<Exported, ExportError> {
    if validation.is_empty() {
        return Err(ExportError::NoImages("validation"));
    }
    let classes = progress.classes.len();
    let expected =
        checkpoint_logits(model, progress, validation, &mut whole).map_err(ScoreError::from)?;
    let onnx = onnx_file(model, progress, &description.name);
    let mut manifest = manifest::of(progress, file, description, &onnx);
    manifest.output.temperature = fit_temperature(&expected, classes, validation.labels()) as f32;
    let unusable = manifest::unusable(&progress.classes);
    let mut exported = Exported { onnx, manifest, unusable, difference: 0.0 };
    let found = exported.logits(file, validation)?;
    exported.difference = compare(&expected, &found, classes)?;
    Ok(exported)
}

/// The largest difference between rows of logits.
fn compare(expected: &[f32], found: &[f32], classes: usize) -> Result<f32, ExportError> {
    let mut largest = 0.0_f32;
    let rows = expected.chunks(classes).zip(found.chunks(classes));
    for (image, (expected, found)) in rows.enumerate() {
        let highest = expected.iter().fold(0.0_f32, |highest, logit| highest.max(logit.abs()));
        let allowed = TOLERANCE + RELATIVE * highest;
        for (a, b) in expected.iter().zip(found) {
            let difference = (a - b).abs();
            // Written so that NaN and infinity are refused too.
            let is_accepted = difference <= allowed && allowed.is_finite();
            if !is_accepted {
                return Err(ExportError::Parity { image, difference, allowed });
            }
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

fn largest_difference(expected: &[f32], found: &[f32]) -> f32 {
    expected.iter().zip(found).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

/// Writes the ONNX file to `path` and its manifest beside it, with the extension `.yaml`; returns
/// where the manifest is, if the network has a usable one.
///
/// # Errors
///
/// [`ExportError::Io`] or [`ExportError::Manifest`].
pub fn write(exported: &Exported, path: &Path) -> Result<Option<PathBuf>, ExportError> {
    write_atomically(path, &exported.onnx)
        .map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
    if exported.unusable.is_some() {
        return Ok(None);
    }
    let beside = path.with_extension("yaml");
    write_manifest(&exported.manifest, &beside)?;
    Ok(Some(beside))
}

/// The bytes of an ONNX file that computes what `model` computes when it does not train.
pub fn onnx_file(model: &Model, progress: &Progress, name: &str) -> Vec<u8> {
    let (graph, logits) = graph(model);
    graph.finish(&logits, &signature(progress, name))
}

/// What `model` computes when it does not train, and the name of its logits.
fn graph(model: &Model) -> (Graph, String) {
    let mut graph = Graph::default();
    let logits = model.network.export(&mut graph, INPUT);
    (graph, logits)
}

/// Channels, height and width of the input.
fn sides(progress: &Progress) -> [i64; 3] {
    let input = &progress.recipe.input;
    [input.channels(), input.size as i64, input.size as i64]
}

fn signature<'a>(progress: &'a Progress, name: &'a str) -> Signature<'a> {
    let labels = progress.classes.names();
    Signature { name, input: INPUT, sides: sides(progress), output: OUTPUT, labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_grows_with_the_logits() {
        let refused = |expected: &[f32], found: &[f32]| match compare(expected, found, 2) {
            Err(ExportError::Parity { image, .. }) => Some(image),
            _ => None,
        };
        assert_eq!(refused(&[0.0, 1.0], &[0.0, 1.0001]), None);
        assert_eq!(refused(&[0.0, 1.0], &[0.0, 1.0002]), Some(0));
        // 1e-4 + 1e-5 · 1000 = 0.0101, of the small logit beside the large one, too.
        assert_eq!(refused(&[1.0, 1000.0], &[1.01, 1000.01]), None);
        assert_eq!(refused(&[0.0, 0.0, 1.0, 1000.0], &[0.0, 0.0, 1.02, 1000.0]), Some(1));
        for wrong in [f32::NAN, f32::INFINITY] {
            assert_eq!(refused(&[0.0, 1.0], &[wrong, 1.0]), Some(0));
            assert_eq!(refused(&[wrong, 1.0], &[0.0, 1.0]), Some(0));
        }
    }
}
