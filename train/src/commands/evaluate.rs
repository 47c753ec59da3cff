//! `fer-train evaluate`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use fer_core::manifest::Manifest;
use fer_train::evaluate::{self, EvaluateError, Scored};
use fer_train::export;

use super::scoring::{Scoring, image_shape};
use super::{read_data, write_file};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A checkpoint (.safetensors), a manifest (.yaml), or an ONNX file with its manifest beside.
    #[arg(long)]
    model: PathBuf,
    #[command(flatten)]
    scoring: Scoring,
    /// Put the printed figures into a model card (Markdown), at its marks for the split.
    #[arg(long)]
    write_card: Option<PathBuf>,
    /// Put the figures into the model's manifest.
    #[arg(long)]
    write_manifest: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.scoring.check_outputs()?;
    let mut scored = Scored::open(&arguments.model)?;
    if arguments.write_manifest && matches!(scored, Scored::Checkpoint { .. }) {
        bail!(
            "--write-manifest: `{}` is a checkpoint, which has no manifest; export it first",
            arguments.model.display()
        );
    }
    let options = arguments.scoring.options();
    if arguments.write_manifest && !options.is_plain() {
        return Err(EvaluateError::NotPlain.into());
    }
    let shape = image_shape(std::slice::from_ref(&scored));
    let dataset = read_data(&arguments.scoring.data, shape)?;
    let evaluation = evaluate::evaluate(&mut scored, &dataset, options)?;
    let json = evaluate::json_path(&arguments.model, &evaluation.file_name());
    arguments.scoring.hand_out(&evaluation, &json)?;
    if let Some(card) = &arguments.write_card {
        let text = std::fs::read_to_string(card)
            .with_context(|| format!("cannot read `{}`", card.display()))?;
        write_file(card, evaluation.put_into_card(&text)?.as_bytes())?;
    }
    if arguments.write_manifest {
        // A model is named by its manifest, or by the ONNX file that has one of its name beside it.
        let is_onnx = arguments.model.extension().is_some_and(|ending| ending == "onnx");
        let path = match is_onnx {
            true => arguments.model.with_extension("yaml"),
            false => arguments.model.clone(),
        };
        let (mut manifest, _) = Manifest::load(&path)?;
        evaluation.put_into(&mut manifest)?;
        export::write_manifest(&manifest, &path)?;
    }
    Ok(())
}
