//! What an output must not be: a class of a data set, or something else that would be lost.

use std::path::Path;

use anyhow::ensure;
use fer_core::manifest::Manifest;
use fer_train::files::resolved;

/// An option, and the file or folder that it names, if it was given.
pub(crate) type Output<'a> = (&'a str, Option<&'a Path>);

/// Refuses outputs in a data set's folder, whose folders are its classes: pictures there would be one
/// more. A data set that is a file is not to be replaced.
///
/// # Errors
///
/// The option, its value, and where else it may lead.
pub(crate) fn refuse_in_data(data: &Path, outputs: &[Output<'_>]) -> anyhow::Result<()> {
    let whole = resolved(data);
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        ensure!(
            !resolved(path).starts_with(&whole),
            "{option} is `{}`, which lies in the data `{}`, where a folder is a class or a split; \
             expected a place outside of it",
            path.display(),
            data.display()
        );
    }
    Ok(())
}

/// Refuses an output that is one of the inputs, by whatever path.
///
/// # Errors
///
/// The output's path, and what to do.
pub(crate) fn refuse_input<'a>(
    out: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    let whole = resolved(out);
    for input in inputs {
        ensure!(
            resolved(input) != whole,
            "`{}` would replace `{}`, which it is made of; expected another name: --out FILE",
            out.display(),
            input.display()
        );
    }
    Ok(())
}

/// Refuses to put a manifest in the place of a file that is none, as of a recipe of the same name.
///
/// # Errors
///
/// The file's path, and what to do.
pub(crate) fn refuse_foreign_manifest(onnx: &Path) -> anyhow::Result<()> {
    let beside = onnx.with_extension("yaml");
    if !beside.is_file() {
        return Ok(());
    }
    let origin = beside.display().to_string();
    let text = std::fs::read_to_string(&beside).unwrap_or_default();
    ensure!(
        Manifest::from_yaml(&text, &origin).is_ok(),
        "the manifest of `{}` would replace `{origin}`, which is no manifest; move that file, or \
         give --out another name",
        onnx.display()
    );
    Ok(())
}
