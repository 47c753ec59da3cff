//! Several exported networks as one, whose logits are the mean of theirs.
//!
//! On what one net is unsure about, others that began or learnt otherwise are often right; and on
//! whole numbers of 8 bits several small nets take no more time and room than one of floats.

use std::path::{Path, PathBuf};

use fer_core::manifest::{Manifest, OutputKind, sha256_hex};

use super::int8::on_whole_numbers;
use super::{ExportError, Exported, INPUT, OUTPUT, compare, largest_difference};
use crate::classes::Classes;
use crate::dataset::Dataset;
use crate::evaluate::classes_of;
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
        let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
        let beside = if is_onnx { path.with_extension("yaml") } else { path.to_owned() };
        let (manifest, onnx) = Manifest::load(&beside).map_err(|e| refused(e.to_string()))?;
        if manifest.output.kind != OutputKind::Logits {
            return Err(refused("gives probabilities; expected logits".to_owned()));
        }
        let (graph, logits) = Graph::parse(&onnx).map_err(refused)?;
        Ok(Self { path: path.to_owned(), manifest, onnx, graph, logits })
    }

    /// The emotions that it tells apart.
    pub fn classes(&self) -> Classes {
        classes_of(&self.manifest)
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it sees and tells what `first` does.
    fn agrees(&self, first: &Self) -> Result<(), ExportError> {
        let (own, other) = (&self.manifest, &first.manifest);
        let differing = [
            ("input", own.input == other.input),
            ("output.labels", own.output.labels == other.output.labels),
            ("output.prior", own.output.prior == other.output.prior),
            ("licence", own.licence == other.licence),
        ];
        let differing: Vec<&str> =
            differing.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "its manifest says something else of {} than `{}`; expected the same",
            differing.join(", "),
            first.path.display()
        );
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

/// Several networks as one.
#[derive(Debug)]
pub struct Joined {
    /// On floats; its logits are within [`TOLERANCE`](super::TOLERANCE) of the members' mean.
    pub float: Exported,
    /// On whole numbers of 8 bits, quantised as [`quantised`](super::quantised) does.
    pub int8: Exported,
}

/// Joins `members`, at least two, under the name `name`; the temperature is fitted on the
/// validation images. `file` is the ONNX file's name beside the manifest.
///
/// # Errors
///
/// [`ExportError`]; above all a member that sees or tells something else than the first.
pub fn join(
    members: &[Member],
    dataset: &Dataset,
    file: &Path,
    name: &str,
) -> Result<Joined, ExportError> {
    let [first, others @ ..] = members else { return Err(ExportError::TooFew(0)) };
    if others.is_empty() {
        return Err(ExportError::TooFew(1));
    }
    others.iter().try_for_each(|other| other.agrees(first))?;
    for (split, images) in [("training", &dataset.training), ("validation", &dataset.validation)] {
        if images.is_empty() {
            return Err(ExportError::NoImages(split));
        }
    }
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

    let described = |onnx: Vec<u8>| described(first, members, file, name, onnx);
    let mut float = described(graph.clone().finish(&logits, &signature));
    let found = float.logits(file, &dataset.validation)?;
    float.difference = compare(&expected, &found, classes)?;
    let normalisation = &first.manifest.input.normalisation;
    let seen = (shape, normalisation);
    let mut int8 =
        described(on_whole_numbers(&graph, &logits, &signature, seen, &dataset.training)?);
    let whole = int8.logits(file, &dataset.validation)?;
    int8.difference = largest_difference(&expected, &whole);
    let labels = dataset.validation.labels();
    for (exported, logits) in [(&mut float, found), (&mut int8, whole)] {
        exported.manifest.output.temperature = fit_temperature(&logits, classes, labels) as f32;
    }
    Ok(Joined { float, int8 })
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
    let sources: Vec<&str> = members.iter().map(|m| m.manifest.source.as_str()).collect();
    let source = format!("mean of {}: {}", members.len(), sources.join("; "));
    let mut manifest = first.manifest.clone();
    manifest.metrics.clear();
    let (name, file) = (name.to_owned(), file.to_owned());
    let manifest = Manifest { name, file, sha256: sha256_hex(&onnx), source, ..manifest };
    Exported { onnx, manifest, unusable: None, difference: 0.0 }
}
