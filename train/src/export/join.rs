//! Several exported networks as one, whose logits are the mean of theirs.
//!
//! On what one net is unsure about, others that began or learnt otherwise are often right. On whole
//! numbers of 8 bits three take no more room than one of floats, and on processors with dot products
//! of such numbers about the same time.

use std::path::{Path, PathBuf};

use fer_core::manifest::{Manifest, OutputKind, sha256_hex};

use super::int8::on_whole_numbers;
use super::{ExportError, Exported, INPUT, OUTPUT, compare, largest_difference};
use crate::dataset::{Dataset, Images};
use crate::metrics::fit_temperature;
use crate::onnx::graph::{Graph, Signature};

/// One of the networks: floats, as [`export`](super::export()) writes them.
#[derive(Debug)]
pub struct Member {
    path: PathBuf,
    manifest: Manifest,
    onnx: Vec<u8>,
    graph: Graph,
    /// The graph's name of the logits.
    logits: String,
}

impl Member {
    /// Opens a manifest, or an ONNX file with its manifest beside it.
    ///
    /// # Errors
    ///
    /// [`ExportError::Member`]: unreadable, or not what this program writes.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let refused = |reason| ExportError::Member { path: path.to_owned(), reason };
        let (manifest, onnx) = Manifest::load(&beside(path)).map_err(|e| refused(e.to_string()))?;
        if manifest.output.kind != OutputKind::Logits {
            return Err(refused("gives probabilities; expected logits".to_owned()));
        }
        let (graph, logits) = Graph::parse(&onnx).map_err(refused)?;
        Ok(Self { path: path.to_owned(), manifest, onnx, graph, logits })
    }

    /// Its ONNX file and its manifest.
    pub fn files(&self) -> [PathBuf; 2] {
        let manifest = beside(&self.path);
        [manifest.with_file_name("").join(&self.manifest.file), manifest]
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether its manifest says the same as `first`'s of what it sees and tells.
    fn agrees(&self, first: &Self) -> Result<(), ExportError> {
        let (own, other) = (&self.manifest, &first.manifest);
        let parts = [
            ("input", format!("{:?}", own.input), format!("{:?}", other.input)),
            ("output.labels", own.output.labels.join(", "), other.output.labels.join(", ")),
            (
                "output.prior",
                format!("{:?}", own.output.prior),
                format!("{:?}", other.output.prior),
            ),
            ("licence", own.licence.clone(), other.licence.clone()),
        ];
        let differing: Vec<String> = parts
            .iter()
            .filter(|(_, found, expected)| found != expected)
            .map(|(part, found, expected)| format!("{part} is {found}; expected {expected}"))
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        let first = first.path.display();
        let reason = format!("differs from `{first}`: {}", differing.join("; "));
        Err(ExportError::Member { path: self.path.clone(), reason })
    }

    fn exported(&self) -> Exported {
        Exported {
            onnx: self.onnx.clone(),
            manifest: self.manifest.clone(),
            unusable: None,
            difference: 0.0,
        }
    }
}

/// The manifest of a network that is named by it, or by its ONNX file.
fn beside(path: &Path) -> PathBuf {
    let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
    if is_onnx { path.with_extension("yaml") } else { path.to_owned() }
}

/// Several networks as one.
#[derive(Debug)]
pub struct Joined {
    /// On floats; its logits are within [`TOLERANCE`](super::TOLERANCE) of the members' mean.
    pub float: Exported,
    /// On whole numbers of 8 bits, quantised as [`quantised`](super::quantised) does, if asked for.
    pub int8: Option<Exported>,
}

/// Joins `members`, at least two, under the name `name`; the temperature is fitted on the
/// validation images. `file` is the ONNX file's name beside the manifest. With `calibration`, images
/// that ranges of activations are taken from, on whole numbers too.
///
/// The members' own temperatures have no say: the mean is that of the logits as they are.
///
/// # Errors
///
/// [`ExportError`]; above all a member that sees or tells something else than the first.
pub fn join(
    members: &[Member],
    dataset: &Dataset,
    file: &Path,
    name: &str,
    calibration: Option<&Images>,
) -> Result<Joined, ExportError> {
    let [first, others @ ..] = members else { return Err(ExportError::TooFew(0)) };
    if others.is_empty() {
        return Err(ExportError::TooFew(1));
    }
    others.iter().try_for_each(|other| other.agrees(first))?;
    check(first, dataset)?;
    let (graph, logits) = mean_of(members);
    let shape = first.manifest.shape();
    let signature = Signature {
        name,
        input: INPUT,
        sides: [shape.colour.channels(), shape.height, shape.width].map(|side| side as i64),
        output: OUTPUT,
        labels: &first.manifest.output.labels,
    };
    let classes = first.manifest.output.labels.len();
    let expected = mean_logits(members, dataset)?;
    let temperature =
        |found: &[f32]| fit_temperature(found, classes, dataset.validation.labels()) as f32;

    let described = |onnx: Vec<u8>| described(first, members, file, name, onnx);
    let mut float = described(graph.clone().finish(&logits, &signature));
    let found = float.logits(file, &dataset.validation)?;
    float.difference = compare(&expected, &found, classes)?;
    float.manifest.output.temperature = temperature(&found);
    let Some(images) = calibration else { return Ok(Joined { float, int8: None }) };

    let seen = (shape, &first.manifest.input.normalisation);
    let mut int8 = described(on_whole_numbers(&graph, &logits, &signature, seen, images)?);
    let found = int8.logits(file, &dataset.validation)?;
    int8.difference = largest_difference(&expected, &found);
    int8.manifest.output.temperature = temperature(&found);
    Ok(Joined { float, int8: Some(int8) })
}

/// Whether a network tells the data set's classes apart, and there are images to check it on.
fn check(first: &Member, dataset: &Dataset) -> Result<(), ExportError> {
    let (found, expected) = (&first.manifest.output.labels, dataset.classes.labels());
    if *found != expected {
        let (found, expected) = (found.join(", "), expected.join(", "));
        let reason = format!("has the classes {found}; expected the data set's, {expected}");
        return Err(ExportError::Member { path: first.path.clone(), reason });
    }
    if dataset.validation.is_empty() {
        return Err(ExportError::NoImages("validation"));
    }
    Ok(())
}

/// All members in one graph, and its name of the mean of their logits.
fn mean_of(members: &[Member]) -> (Graph, String) {
    let mut graph = Graph::default();
    let logits: Vec<String> = members
        .iter()
        .map(|member| {
            let input = &member.manifest.input.tensor;
            graph.add(member.graph.clone(), input, &member.logits)
        })
        .collect();
    let names: Vec<&str> = logits.iter().map(String::as_str).collect();
    let mean = graph.node("Mean", &names, |node| node);
    (graph, mean)
}

/// The mean of the members' logits of the validation images.
fn mean_logits(members: &[Member], dataset: &Dataset) -> Result<Vec<f32>, ExportError> {
    let mut sum: Vec<f32> = Vec::new();
    for member in members {
        let logits = member.exported().logits(&member.path, &dataset.validation)?;
        sum.resize(logits.len(), 0.0);
        sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += logit);
    }
    Ok(sum.into_iter().map(|sum| sum / members.len() as f32).collect())
}

fn described(
    first: &Member,
    members: &[Member],
    file: &Path,
    name: &str,
    onnx: Vec<u8>,
) -> Exported {
    let told = |member: &Member| {
        let Manifest { name, source, sha256, .. } = &member.manifest;
        format!("{name} (sha256 {sha256}), {source}")
    };
    let sources: Vec<String> = members.iter().map(told).collect();
    let source = format!("mean of {}: {}", members.len(), sources.join("; "));
    let mut manifest = first.manifest.clone();
    manifest.metrics.clear();
    let (name, file) = (name.to_owned(), file.to_owned());
    let manifest = Manifest { name, file, sha256: sha256_hex(&onnx), source, ..manifest };
    Exported { onnx, manifest, unusable: None, difference: 0.0 }
}
