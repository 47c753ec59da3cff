//! The manifest (`fer.yaml`) that travels with a classifier: everything a file of weights doesn't
//! say about itself. A mismatch is refused, naming the field.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::emotion::{Emotion, Probabilities, ProbabilityError};
use crate::preprocess::{Colour, Crop, Normalisation, Shape};

/// The schema version that this code reads and writes.
pub const SCHEMA_VERSION: u32 = 1;

/// What pixels may be divided by: less or more is a slip, and leads to infinity.
const DIVISORS: RangeInclusive<f32> = 1e-4..=1e5;
/// With less than that nothing is left of seven probabilities that are alike.
const TEMPERATURES: RangeInclusive<f32> = 0.05..=100.0;

/// A classifier's description. One YAML file beside the ONNX file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model's name, as shown in metadata.
    pub name: String,
    /// The ONNX file, relative to the manifest.
    pub file: PathBuf,
    /// SHA-256 of the ONNX file, 64 hexadecimal digits.
    pub sha256: String,
    /// The input tensor.
    pub input: Input,
    /// The output tensor.
    pub output: Output,
    /// The licence of the weights, and of the data as far as it is known.
    pub licence: String,
    /// Where the model comes from.
    pub source: String,
    /// Measured quality, each with its data set and split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metrics>,
}

/// The input tensor `[n, channels, height, width]` of `f32`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// Its name in the ONNX graph.
    pub tensor: String,
    /// Pixels across, 8 to 1024.
    pub width: usize,
    /// Pixels down, 8 to 1024.
    pub height: usize,
    /// What the channels hold.
    pub colour: Colour,
    /// From pixels to numbers.
    pub normalisation: Normalisation,
    /// What is cut out around a detected face.
    pub crop: Crop,
}

/// The output tensor `[n, labels]` of `f32`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Output {
    /// Its name in the ONNX graph.
    pub tensor: String,
    /// Whether a softmax is still to be applied.
    pub kind: OutputKind,
    /// Divisor of the logits that calibrates the probabilities, above 0. 1 changes nothing.
    #[serde(default = "one")]
    pub temperature: f32,
    /// The meaning of each column: an emotion's name or a usual synonym (`happy`, `angry`, …), or
    /// `ignore` for a class that this project doesn't have. Emotions not listed get probability 0.
    /// A network that tells faces from other things has a column `face` and no emotions.
    pub labels: Vec<String>,
    /// How frequent each label was among what the network learnt from, as its loss weighed it: above
    /// 0, one a label, in their order, of any sum. Not given: all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Vec<f32>>,
}

/// What the numbers of the output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// Unnormalised scores.
    Logits,
    /// Values ≥ 0 that sum to 1.
    Probabilities,
}

/// Quality on one split of one data set, as an evaluation printed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metrics {
    /// For instance `FER2013`.
    pub dataset: String,
    /// For instance `PrivateTest`.
    pub split: String,
    /// How many images were scored.
    pub images: usize,
    /// Fraction labelled right, 0 to 1.
    pub accuracy: f64,
    /// Mean of the classes' F1, 0 to 1.
    pub macro_f1: f64,
    /// Expected calibration error over 15 bins, 0 to 1.
    pub ece: f64,
}

/// The parser quotes what it could not use, which may be a whole file.
fn brief(error: &serde_yaml::Error) -> String {
    const LIMIT: usize = 200;
    let text = error.to_string();
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

fn one() -> f32 {
    1.0
}

/// Why a manifest or its model can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Not YAML, or not of the manifest's form.
    #[error("{origin}: {} (a manifest's fields are documented in models/README.md)", brief(error))]
    Syntax {
        /// The file, or what else the text is.
        origin: String,
        /// The parser's reason, with line and column.
        error: serde_yaml::Error,
    },
    /// Fields with values out of range: all of them.
    #[error("{origin}: {}", problems.join("; "))]
    Fields {
        /// The file, or what else the text is.
        origin: String,
        /// One sentence a field.
        problems: Vec<String>,
    },
    /// The weights aren't those that the manifest describes.
    #[error(
        "{origin}: sha256 of the model is {actual}, but the manifest's field `sha256` says \
         {expected}: the file is damaged or not the one described"
    )]
    Checksum {
        /// The manifest.
        origin: String,
        /// Of the file.
        actual: String,
        /// In the manifest.
        expected: String,
    },
}

impl Manifest {
    /// Reads a manifest from YAML; `origin` names it in errors.
    ///
    /// # Errors
    /// Not YAML, an unknown or missing field, or values out of range (all are listed).
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let manifest: Self = serde_yaml::from_str(text)
            .map_err(|error| ManifestError::Syntax { origin: origin.to_owned(), error })?;
        let problems = manifest.problems();
        if problems.is_empty() {
            Ok(manifest)
        } else {
            Err(ManifestError::Fields { origin: origin.to_owned(), problems })
        }
    }

    /// Reads the manifest at `path` and the model file that it names, and checks the checksum.
    ///
    /// # Errors
    /// As [`from_yaml`](Self::from_yaml), or a file can't be read, or the checksum differs.
    pub fn load(path: &Path) -> Result<(Self, Vec<u8>), ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ManifestError::Read { path: path.to_owned(), error })?;
        let origin = path.display().to_string();
        let manifest = Self::from_yaml(&text, &origin)?;
        let model = path.parent().unwrap_or(Path::new("")).join(&manifest.file);
        let bytes =
            std::fs::read(&model).map_err(|error| ManifestError::Read { path: model, error })?;
        manifest.verify(&bytes, &origin)?;
        Ok((manifest, bytes))
    }

    /// Checks that `model` is the file that this manifest describes.
    ///
    /// # Errors
    /// The checksum differs.
    pub fn verify(&self, model: &[u8], origin: &str) -> Result<(), ManifestError> {
        let actual = sha256_hex(model);
        if actual.eq_ignore_ascii_case(&self.sha256) {
            return Ok(());
        }
        Err(ManifestError::Checksum {
            origin: origin.to_owned(),
            actual,
            expected: self.sha256.clone(),
        })
    }

    /// The size and kind of the input.
    pub const fn shape(&self) -> Shape {
        Shape { width: self.input.width, height: self.input.height, colour: self.input.colour }
    }

    /// One row of the output tensor as calibrated probabilities in our order.
    ///
    /// # Errors
    /// The row holds NaN or infinity, or (for `kind: probabilities`) is no distribution.
    pub fn probabilities(&self, row: &[f32]) -> Result<Probabilities, ProbabilityError> {
        let mut logits = [f32::NEG_INFINITY; Emotion::COUNT];
        let mut weights = [0.0; Emotion::COUNT];
        for (label, &value) in self.output.labels.iter().zip(row) {
            let Some(Column::Emotion(emotion)) = Column::parse(label) else { continue };
            if !value.is_finite() {
                return Err(ProbabilityError::Value { emotion, value });
            }
            logits[emotion.index()] = value;
            weights[emotion.index()] = value;
        }
        match self.output.kind {
            OutputKind::Probabilities if self.output.temperature == 1.0 => {
                Probabilities::from_weights(weights)
            }
            OutputKind::Probabilities => Probabilities::from_weights(
                weights.map(|weight| weight.powf(1.0 / self.output.temperature)),
            ),
            OutputKind::Logits => Probabilities::from_logits(logits, self.output.temperature),
        }
    }

    /// The probability, 0 to 1, that a row of the output gives to the column `face`: a softmax over
    /// all columns for `kind: logits`, else the column itself. `None` if there is no such column, or
    /// a value is not finite.
    pub fn face_probability(&self, row: &[f32]) -> Option<f32> {
        let is_face = |label: &String| Column::parse(label) == Some(Column::Face);
        let face = *row.get(self.output.labels.iter().position(is_face)?)?;
        if row.iter().any(|value| !value.is_finite()) {
            return None;
        }
        match self.output.kind {
            OutputKind::Probabilities => Some(face.clamp(0.0, 1.0)),
            OutputKind::Logits => {
                let weight = |value: &f32| ((value - face) / self.output.temperature).exp();
                Some(1.0 / row.iter().map(weight).sum::<f32>())
            }
        }
    }

    /// How frequent each emotion was among what the network learnt from; all alike if not known.
    pub fn prior(&self) -> Probabilities {
        let Some(prior) = &self.output.prior else { return Probabilities::UNIFORM };
        let mut weights = [0.0; Emotion::COUNT];
        for (label, &weight) in self.output.labels.iter().zip(prior) {
            if let Some(emotion) = emotion_of_label(label) {
                weights[emotion.index()] = weight;
            }
        }
        Probabilities::from_weights(weights).unwrap_or(Probabilities::UNIFORM)
    }

    /// Whether any column is an emotion.
    pub fn has_emotions(&self) -> bool {
        self.output.labels.iter().any(|label| emotion_of_label(label).is_some())
    }

    /// What is wrong with the fields' values, a sentence each.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |ok: bool, problem: String| {
            if !ok {
                problems.push(problem);
            }
        };
        let input = &self.input;
        let channels = input.colour.channels();
        require(
            self.schema_version == SCHEMA_VERSION,
            format!(
                "schema-version is {}, this version reads {SCHEMA_VERSION}",
                self.schema_version
            ),
        );
        require(
            self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit()),
            format!("sha256 is {:?}, 64 hexadecimal digits are needed", self.sha256),
        );
        for (name, side) in [("input.width", input.width), ("input.height", input.height)] {
            require((8..=1024).contains(&side), format!("{name} is {side}, accepted: 8 to 1024"));
        }
        let divisors = format!("{} to {}", DIVISORS.start(), DIVISORS.end());
        let scale = input.normalisation.scale;
        require(
            DIVISORS.contains(&scale),
            format!("input.normalisation.scale is {scale}, accepted: {divisors}"),
        );
        let moments = [("mean", &input.normalisation.mean), ("std", &input.normalisation.std)];
        for (name, values) in moments {
            require(
                values.len() == channels,
                format!(
                    "input.normalisation.{name} has {} values, colour needs {channels}",
                    values.len()
                ),
            );
            let fine = |v: &f32| match name {
                "std" => DIVISORS.contains(v),
                _ => v.abs() <= *DIVISORS.end(),
            };
            require(
                values.iter().all(fine),
                format!(
                    "input.normalisation.{name} is {values:?}, accepted: {divisors} (mean: also \
                     0 and below)"
                ),
            );
        }
        require(
            (-0.4..=1.0).contains(&input.crop.margin),
            format!("input.crop.margin is {}, accepted: -0.4 to 1", input.crop.margin),
        );
        let temperature = self.output.temperature;
        require(
            TEMPERATURES.contains(&temperature),
            format!(
                "output.temperature is {temperature}, accepted: {} to {}",
                TEMPERATURES.start(),
                TEMPERATURES.end()
            ),
        );
        let labels = self.output.labels.len();
        if let Some(prior) = &self.output.prior {
            require(
                prior.len() == labels && prior.iter().all(|p| p.is_finite() && *p > 0.0),
                format!(
                    "output.prior is {prior:?}, {labels} numbers above 0 are needed, one a label"
                ),
            );
        }
        problems.extend(label_problems(&self.output.labels));
        problems
    }
}

/// The emotion that a label means: its name or a usual synonym (`happy`, `angry`, …), in any case.
pub fn emotion_of_label(label: &str) -> Option<Emotion> {
    match Column::parse(label) {
        Some(Column::Emotion(emotion)) => Some(emotion),
        Some(Column::Face | Column::Ignored) | None => None,
    }
}

/// What one column of the output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Emotion(Emotion),
    Face,
    Ignored,
}

impl Column {
    fn parse(label: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(label));
        if is(&["ignore"]) {
            return Some(Self::Ignored);
        }
        if is(&["face"]) {
            return Some(Self::Face);
        }
        let named = NAMES.iter().find(|(_, names)| is(names));
        named.map(|(emotion, _)| Self::Emotion(*emotion))
    }
}

/// What manifests may call the classes.
const NAMES: [(Emotion, &[&str]); Emotion::COUNT] = [
    (Emotion::Anger, &["anger", "angry"]),
    (Emotion::Disgust, &["disgust", "disgusted"]),
    (Emotion::Fear, &["fear", "fearful", "afraid", "scared"]),
    (Emotion::Happiness, &["happiness", "happy", "joy"]),
    (Emotion::Sadness, &["sadness", "sad"]),
    (Emotion::Surprise, &["surprise", "surprised"]),
    (Emotion::Neutral, &["neutral"]),
];

fn label_problems(labels: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: Vec<Emotion> = Vec::new();
    let mut faces = 0;
    for label in labels {
        match Column::parse(label) {
            None => problems.push(format!(
                "output.labels has {label:?}; accepted: {}, `face`, or `ignore`",
                Emotion::ALL.map(Emotion::name).join(", ")
            )),
            Some(Column::Emotion(emotion)) if seen.contains(&emotion) => {
                problems.push(format!("output.labels names {emotion} twice"));
            }
            Some(Column::Emotion(emotion)) => seen.push(emotion),
            Some(Column::Face) => faces += 1,
            Some(Column::Ignored) => {}
        }
    }
    // Either a classifier of expressions, or one that tells faces from anything else.
    let tells_faces = faces == 1 && seen.is_empty() && labels.len() >= 2;
    if !tells_faces && (faces > 0 || seen.len() < 2) {
        problems.push(format!(
            "output.labels names {} emotions and {faces} times `face`; needed are at least 2 \
             emotions and no `face`, or one `face` beside `ignore`",
            seen.len()
        ));
    }
    problems
}

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_tells_faces_has_a_column_for_them_and_no_emotions() {
        let with = |labels: &str| {
            let labels_at = YAML.find("labels:").unwrap();
            let end = YAML[labels_at..].find('\n').map_or(YAML.len(), |end| labels_at + end);
            let yaml = format!("{}labels: {labels}{}", &YAML[..labels_at], &YAML[end..]);
            Manifest::from_yaml(&yaml, "test")
        };
        let faces = with("[face, ignore]").unwrap();
        assert!(!faces.has_emotions());
        // 1 / (1 + e^(0 − 2)).
        assert!((faces.face_probability(&[2.0, 0.0]).unwrap() - 0.8808).abs() < 1e-4);
        assert_eq!(faces.face_probability(&[f32::NAN, 0.0]), None);
        assert_eq!(with("[happy, sad]").unwrap().face_probability(&[2.0, 0.0]), None);
        for wrong in ["[face]", "[face, happy]", "[face, face]", "[ignore, ignore]"] {
            let error = with(wrong).unwrap_err().to_string();
            assert!(error.contains("one `face` beside `ignore`"), "{wrong}: {error}");
        }
    }

    pub(crate) const YAML: &str = "
schema-version: 1
name: test
file: test.onnx
sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
input:
  tensor: input
  width: 48
  height: 48
  colour: grey
  normalisation: { scale: 255, mean: [0.5], std: [0.25] }
  crop: { margin: 0.1, square: true }
output:
  tensor: logits
  kind: logits
  labels: [angry, disgust, fear, happy, sad, surprise, neutral]
licence: MIT
source: a test
";

    fn manifest(from: &str, to: &str) -> Result<Manifest, ManifestError> {
        assert!(YAML.contains(from));
        Manifest::from_yaml(&YAML.replace(from, to), "test.yaml")
    }

    #[test]
    fn what_is_written_is_read() {
        let read = Manifest::from_yaml(YAML, "test.yaml").unwrap();
        let again = serde_yaml::to_string(&read).unwrap();
        assert_eq!(Manifest::from_yaml(&again, "again").unwrap(), read);
        assert_eq!(read.output.temperature, 1.0);
        // SHA-256 of the empty string (FIPS 180-4 example).
        read.verify(b"", "test.yaml").unwrap();
    }

    #[test]
    fn every_problem_is_reported_with_its_field() {
        let bad = YAML
            .replace("width: 48", "width: 4")
            .replace("mean: [0.5]", "mean: [0.5, 0.5]")
            .replace("sad,", "sadd,")
            .replace("fear,", "happy,");
        let error = Manifest::from_yaml(&bad, "bad.yaml").unwrap_err().to_string();
        for part in
            ["bad.yaml", "input.width is 4", "normalisation.mean has 2", "\"sadd\"", "twice"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn what_divides_is_neither_next_to_nothing_nor_boundless() {
        let logits = "kind: logits";
        for (from, to, key) in [
            (logits, "kind: logits\n  temperature: 0.01", "output.temperature"),
            (logits, "kind: logits\n  temperature: .inf", "output.temperature"),
            ("scale: 255", "scale: 1e-12", "input.normalisation.scale"),
            ("scale: 255", "scale: 0", "input.normalisation.scale"),
            ("std: [0.25]", "std: [1e-20]", "input.normalisation.std"),
            ("mean: [0.5]", "mean: [1e30]", "input.normalisation.mean"),
            ("mean: [0.5]", "mean: [.nan]", "input.normalisation.mean"),
        ] {
            let error = manifest(from, to).unwrap_err().to_string();
            let range = if from == logits { "0.05 to 100" } else { "0.0001 to 100000" };
            assert!(error.contains(key) && error.contains(range), "{to}: {error}");
        }
        assert!(manifest("mean: [0.5]", "mean: [-1]").is_ok());
    }

    #[test]
    fn unknown_keys_and_wrong_sums_are_refused() {
        let error = manifest("licence:", "license:").unwrap_err().to_string();
        assert!(error.contains("license"), "{error}");
        let read = Manifest::from_yaml(YAML, "test.yaml").unwrap();
        let error = read.verify(b"other", "test.yaml").unwrap_err().to_string();
        assert!(error.contains("`sha256` says e3b0"), "{error}");
    }

    #[test]
    fn a_file_that_is_something_else_is_not_quoted_whole() {
        let error = Manifest::from_yaml(&"word ".repeat(5000), "x").unwrap_err().to_string();
        assert!(error.len() < 400 && error.contains('…'), "{error}");
    }

    #[test]
    fn columns_are_put_into_our_order() {
        // Reversed order, one foreign class.
        let labels = "[neutral, surprise, sad, happy, contempt, fear, disgust, angry]"
            .replace("contempt", "ignore");
        let model =
            manifest("[angry, disgust, fear, happy, sad, surprise, neutral]", &labels).unwrap();
        let p = model.probabilities(&[0., 0., 0., 4f32.ln(), 50., 0., 0., 0.]).unwrap();
        assert!((p.of(Emotion::Happiness) - 0.4).abs() < 1e-6);
        assert!((p.of(Emotion::Anger) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn a_prior_is_put_into_our_order_and_needs_a_number_a_label() {
        assert_eq!(Manifest::from_yaml(YAML, "test").unwrap().prior(), Probabilities::UNIFORM);
        let given = |prior: &str| {
            manifest(
                "labels: [angry, disgust, fear, happy, sad, surprise, neutral]",
                &format!("labels: [happy, ignore, sad]\n  prior: {prior}"),
            )
        };
        // 3 : 1 of the two emotions; what is ignored doesn't count.
        let prior = given("[0.6, 0.2, 0.2]").unwrap().prior();
        assert!((prior.of(Emotion::Happiness) - 0.75).abs() < 1e-6);
        assert!((prior.of(Emotion::Sadness) - 0.25).abs() < 1e-6);
        assert_eq!(prior.of(Emotion::Anger), 0.0);
        for wrong in ["[0.6, 0.4]", "[0.6, 0.4, 0.0]", "[0.6, .nan, 0.2]"] {
            let error = given(wrong).unwrap_err().to_string();
            assert!(error.contains("3 numbers above 0 are needed"), "{wrong}: {error}");
        }
    }

    #[test]
    fn fewer_classes_leave_zeros() {
        let mut model = manifest("kind: logits", "kind: probabilities").unwrap();
        model.output.labels = vec!["neutral".into(), "happy".into()];
        let p = model.probabilities(&[0.25, 0.75]).unwrap();
        assert_eq!(p.of(Emotion::Happiness), 0.75);
        assert_eq!(p.of(Emotion::Anger), 0.0);
    }

    #[test]
    fn nan_is_an_error() {
        let model = Manifest::from_yaml(YAML, "test.yaml").unwrap();
        let row = [0., 0., f32::NAN, 0., 0., 0., 0.];
        assert!(matches!(
            model.probabilities(&row),
            Err(ProbabilityError::Value { emotion: Emotion::Fear, .. })
        ));
    }

    #[test]
    fn a_model_that_is_missing_is_named() {
        let error = Manifest::load(Path::new("nowhere/fer.yaml")).unwrap_err().to_string();
        assert!(error.contains("nowhere/fer.yaml"), "{error}");
    }
}
