//! The manifest beside an exported network.

use std::path::Path;

use fer_core::emotion::Emotion;
use fer_core::manifest::{Input, Manifest, Output, OutputKind, SCHEMA_VERSION, sha256_hex};

use super::{Description, ExportError, INPUT, OUTPUT};
use crate::balance::learnt_frequencies;
use crate::checkpoint::Progress;
use crate::classes::{Classes, FACE};
use crate::files::write_atomically;

/// Written above every manifest that this program writes.
const HEADER: &str = "\
# Written by `fer-train`; the metrics by `fer-train evaluate --write-manifest`.
# Do not edit figures by hand: run the command again.
";

/// The manifest of a network in the file `file` with the bytes `onnx`.
pub(super) fn of(
    progress: &Progress,
    file: &Path,
    description: &Description,
    onnx: &[u8],
) -> Manifest {
    let input = &progress.recipe.input;
    Manifest {
        schema_version: SCHEMA_VERSION,
        name: description.name.clone(),
        file: file.to_owned(),
        sha256: sha256_hex(onnx),
        input: Input {
            tensor: INPUT.to_owned(),
            width: input.size,
            height: input.size,
            colour: input.colour,
            normalisation: input.normalisation(),
            crop: description.crop,
        },
        output: Output {
            tensor: OUTPUT.to_owned(),
            kind: OutputKind::Logits,
            temperature: 1.0,
            labels: progress.classes.labels(),
            prior: prior(progress),
        },
        licence: description.licence.clone(),
        source: description.source.clone(),
        metrics: Vec::new(),
    }
}

/// How frequent each class was in what the network learnt, to four decimals; `None` where one was not
/// in it at all.
fn prior(progress: &Progress) -> Option<Vec<f32>> {
    let learnt = learnt_frequencies(&progress.data.class_counts, &progress.recipe.balance);
    let rounded: Vec<f32> = learnt.iter().map(|f| ((f * 1e4).round() / 1e4) as f32).collect();
    rounded.iter().all(|frequency| *frequency > 0.0).then_some(rounded)
}

/// Why the engine, which finds faces and shows emotions, could not use a network for `classes`; if
/// so.
pub(super) fn unusable(classes: &Classes) -> Option<String> {
    let emotions: Vec<Emotion> = classes.emotions().into_iter().flatten().collect();
    if emotions.is_empty() && classes.names().iter().any(|name| name == FACE) {
        return None;
    }
    let twice = emotions.iter().find(|one| emotions.iter().filter(|e| e == one).count() > 1);
    if let Some(emotion) = twice {
        return Some(format!("two of its classes mean {emotion}"));
    }
    (emotions.len() < 2).then(|| {
        let names = classes.names().join(", ");
        format!("{} of its classes ({names}) mean emotions, and it takes 2", emotions.len())
    })
}

/// Writes a manifest.
///
/// # Errors
///
/// [`ExportError::Io`] or [`ExportError::Manifest`].
pub fn write_manifest(manifest: &Manifest, path: &Path) -> Result<(), ExportError> {
    let yaml = serde_yaml::to_string(manifest)
        .map_err(|source| ExportError::Manifest { path: path.to_owned(), source })?;
    write_atomically(path, format!("{HEADER}{yaml}").as_bytes())
        .map_err(|source| ExportError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Classes {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Classes::from_names(&names).0
    }

    #[test]
    fn classes_that_are_no_emotions_are_ignored() {
        let mixed = classes(&["sad", "happy", "contempt"]);
        assert_eq!(mixed.labels(), ["ignore", "happiness", "sadness"]);
        assert_eq!(unusable(&mixed), None);
        let faces = classes(&["other", "face"]);
        assert_eq!(faces.labels(), ["face", "ignore"]);
        assert_eq!(unusable(&faces), None);
    }

    #[test]
    fn a_network_without_two_emotions_has_no_manifest() {
        let reason = unusable(&classes(&["cat", "happy", "dog"])).unwrap();
        assert!(reason.contains("1 of its classes (cat, dog, happy)"), "{reason}");
        let reason = unusable(&classes(&["joy", "happy", "sad"])).unwrap();
        assert!(reason.contains("two of its classes mean happiness"), "{reason}");
    }
}
