//! `fer-train export`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use fer_core::preprocess::Crop;
use fer_train::checkpoint::Progress;
use fer_train::dataset::{Dataset, Images};
use fer_train::evaluate;
use fer_train::export::{self, CALIBRATION_IMAGES, Description, Exported, Figures};

use super::outputs::{refuse_foreign_manifest, refuse_in_data};
use super::speech::{print, tell};
use super::{read_data, warn_of_bound, warn_of_other_data};

/// What the manifest says of weights that were learnt from FER2013 alone.
const LICENCE: &str = "weights: MIT OR Apache-2.0; trained on FER2013, which came without a \
                       licence file and was distributed for research by Kaggle's challenge page";
/// Loss of accuracy by quantisation above which there is a warning.
const WORTH_A_WARNING: f64 = 0.01;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The checkpoint (.safetensors).
    checkpoint: PathBuf,
    /// The data set: its validation split calibrates the model and checks the export.
    #[arg(long)]
    data: PathBuf,
    /// The ONNX file to write; its manifest goes beside it with the extension .yaml.
    #[arg(long)]
    out: PathBuf,
    /// The model's name; if not given, `fer-` and the recipe's.
    #[arg(long, value_parser = words)]
    name: Option<String>,
    /// The licence of weights and data, for the manifest; must be given unless the weights were
    /// learnt from FER2013 alone.
    #[arg(long, value_name = "TEXT", value_parser = words)]
    licence: Option<String>,
    /// Margin around a detected face, as a fraction of its size, -0.4 to 1.
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true, value_parser = margin)]
    crop_margin: f32,
    /// Also write a network on 8-bit numbers, in .int8.onnx, and show what that costs.
    #[arg(long)]
    int8: bool,
}

/// A text that says something.
pub(super) fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("expected a few words".to_owned()) } else { Ok(text.to_owned()) }
}

/// A margin that a manifest accepts.
fn margin(text: &str) -> Result<f32, String> {
    let margin: f32 = text.parse().map_err(|error| format!("{error}"))?;
    let range = -0.4..=1.0;
    if range.contains(&margin) { Ok(margin) } else { Err("expected -0.4 to 1".to_owned()) }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = file_name(&arguments.out)?;
    refuse_in_data(&arguments.data, &[("--out", Some(&arguments.out))])?;
    refuse_foreign_manifest(&arguments.out)?;
    let int8 = arguments.int8.then(|| arguments.out.with_extension("int8.onnx"));
    int8.iter().try_for_each(|path| refuse_foreign_manifest(path))?;
    let (model, progress) = evaluate::averaged_model(&arguments.checkpoint)?;
    let recipe = &progress.recipe;
    let description = Description {
        name: arguments.name.clone().unwrap_or_else(|| format!("fer-{}", recipe.name)),
        licence: licence(arguments, &progress)?,
        source: source(&progress),
        crop: Crop { margin: arguments.crop_margin, square: true },
    };
    let dataset = read_data(&arguments.data, recipe.input.image_shape())?;
    ensure!(
        dataset.classes == progress.classes,
        "`{}` has the classes {}; expected the data set's, {}",
        arguments.checkpoint.display(),
        progress.classes.names().join(", "),
        dataset.classes.names().join(", ")
    );
    let used = "that its temperature is fitted on and its export checked on";
    warn_of_other_data(&arguments.checkpoint, &progress, &dataset, used);
    let validation = &dataset.validation;
    let exported = export::export(&model, &progress, validation, file, &description)?;
    write(&exported, &arguments.out)?;
    tell(&format!(
        "{} parameters; logits within {:.1e} of the trainer's on {} images",
        model.parameters(),
        exported.difference,
        validation.len()
    ));
    if let Some(path) = int8 {
        let file = file_name(&path)?;
        let name = format!("{}-int8", description.name);
        let description = Description { name, ..description };
        let calibration = calibration(&dataset)?;
        let int8 =
            export::quantised(&model, &progress, validation, &calibration, file, &description)?;
        write(&int8, &path)?;
        tell(&format!(
            "calibrated on {} training images; logits within {:.1e} of the trainer's",
            calibration.len().min(CALIBRATION_IMAGES),
            int8.difference
        ));
        let measured = |exported| Figures::measured(exported, file, validation, &dataset.classes);
        show_cost(&measured(&exported)?, &measured(&int8)?)?;
    }
    Ok(())
}

/// What the ranges of a quantised network are taken from: what a network may learn from.
pub(super) fn calibration(dataset: &Dataset) -> anyhow::Result<Images> {
    Ok(dataset.clean_training(true, true)?.0)
}

/// The name of a network's file.
pub(super) fn file_name(path: &Path) -> anyhow::Result<&Path> {
    ensure!(
        path.extension().is_some_and(|extension| extension == "onnx"),
        "--out is `{}`; expected a file name in .onnx",
        path.display()
    );
    path.file_name().map(Path::new).with_context(|| format!("`{}` names no file", path.display()))
}

/// The licence that was given, or the known one.
fn licence(arguments: &Arguments, progress: &Progress) -> anyhow::Result<String> {
    if let Some(licence) = &arguments.licence {
        return Ok(licence.clone());
    }
    let others = match (&progress.initial_weights, progress.teachers.len()) {
        (None, 0) => "",
        (Some(_), _) => ", starting from weights that were learnt elsewhere",
        (None, _) => ", following other networks",
    };
    if progress.data.is_fer2013() && others.is_empty() {
        return Ok(LICENCE.to_owned());
    }
    bail!(
        "--licence is missing: the network learnt from `{}`{others}; expected the licence of \
         weights and data in a few words, which the manifest tells to users",
        progress.data.name
    )
}

/// Where the weights come from.
fn source(progress: &Progress) -> String {
    let (recipe, seed) = (&progress.recipe.name, progress.recipe.seed);
    let start = match &progress.initial_weights {
        None => "trained from scratch".to_owned(),
        Some(sha256) => format!("fine-tuned from weights of SHA-256 {sha256}"),
    };
    let teachers = match progress.teachers.len() {
        0 => String::new(),
        count => format!(", following {count} teachers"),
    };
    format!("{start} by fer-train, recipe `{recipe}`, seed {seed}{teachers}")
}

/// Writes a network and says so, and why where it has no manifest.
pub(super) fn write(exported: &Exported, path: &Path) -> anyhow::Result<()> {
    let manifest = export::write(exported, path)?;
    let (path, bytes) = (path.display(), exported.onnx.len());
    let temperature = exported.manifest.output.temperature;
    match (manifest, &exported.unusable) {
        (Some(manifest), _) => tell(&format!(
            "{path} ({bytes} bytes) and {}: temperature {temperature:.3}",
            manifest.display()
        )),
        (None, reason) => tell(&format!(
            "{path} ({bytes} bytes), temperature {temperature:.3}, without a manifest for the \
             engine: {}",
            reason.as_deref().unwrap_or_default()
        )),
    }
    warn_of_bound(&exported.manifest.name, f64::from(temperature));
    Ok(())
}

/// Shows both networks side by side on the validation split.
pub(super) fn show_cost(float: &Figures, int8: &Figures) -> anyhow::Result<()> {
    let mut out = String::new();
    writeln!(out, "validation split      float       int8")?;
    writeln!(out, "accuracy         {:>10.4} {:>10.4}", float.accuracy, int8.accuracy)?;
    writeln!(out, "macro-F1         {:>10.4} {:>10.4}", float.macro_f1, int8.macro_f1)?;
    writeln!(out, "bytes            {:>10} {:>10}", float.bytes, int8.bytes)?;
    writeln!(out, "ms a face        {:>10.3} {:>10.3}", float.median_ms, int8.median_ms)?;
    print(&out)?;
    let lost = float.accuracy - int8.accuracy;
    if lost > WORTH_A_WARNING {
        tell(&format!(
            "warning: 8-bit numbers cost {:.1} points of accuracy; prefer the float network",
            lost * 100.0
        ));
    }
    Ok(())
}
