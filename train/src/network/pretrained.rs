//! Weights that were learnt elsewhere: a safetensors file with the network's tensor names, which
//! for [`ModelRecipe::Torchvision`](crate::recipe::ModelRecipe::Torchvision) are torchvision's; or
//! a checkpoint of our own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fer_core::manifest::sha256_hex;
use safetensors::tensor::{SafeTensors, TensorView};
use tch::{Kind, Tensor};

use super::{Model, Named, head};
use crate::checkpoint::stored_tensor;
use crate::recipe::Recipe;

/// What the averaged weights of our own checkpoints are named with.
const OWN_PREFIX: &str = "average.";
/// A count that PyTorch's batch norm keeps and that nothing here reads.
const IGNORED: &str = "num_batches_tracked";

/// Why weights cannot be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// The recipe wants weights and got none.
    #[error("the recipe has `pretrained`, but no weights were given; pass --weights FILE")]
    NoFile,
    /// The file could not be read.
    #[error("cannot read the weights `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not safetensors.
    #[error(
        "the weights `{path}` are not a safetensors file ({source}); a .pth file of PyTorch can be \
         turned into one: safetensors.torch.save_file(torch.load(FILE), OUT)"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: safetensors::SafeTensorError,
    },
    /// Tensors are missing, superfluous or have another shape than the recipe's network; all are
    /// listed.
    #[error("weights `{path}` do not fit the network:\n  {}", .problems.join("\n  "))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// One line a tensor.
        problems: Vec<String>,
    },
}

/// What came of a file of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The file's SHA-256.
    pub sha256: String,
    /// Tensors of the last layer that keep their fresh random values, because the file's is for
    /// another number of classes, or not there.
    pub fresh: Vec<String>,
}

/// Copies the weights of a file into `model`, as `F32`, `F16` or `BF16`.
///
/// A first convolution over red, green and blue is summed over them for a network that sees grey:
/// a grey image is one whose channels are equal, so the sum of the products is the product with
/// the sum. That is exact where the three channels were normalised alike, and close where, as for
/// ImageNet, their means and deviations differ by some per cent.
///
/// # Errors
///
/// [`PretrainedError`]; then nothing was copied.
pub fn load(model: &Model, recipe: &Recipe, path: &Path) -> Result<Loaded, PretrainedError> {
    let data = std::fs::read(path)
        .map_err(|source| PretrainedError::Io { path: path.to_owned(), source })?;
    let file = SafeTensors::deserialize(&data)
        .map_err(|source| PretrainedError::Format { path: path.to_owned(), source })?;
    let mut stored = usable(&file);
    let head = format!("{}.", head(&recipe.model));
    let headless = !stored.keys().any(|name| name.starts_with(&head));
    let (mut copies, mut fresh, mut problems) = (Named::new(), Vec::new(), Vec::new());
    for (name, target) in model.tensors() {
        let view = stored.remove(&name);
        let is_head = name.starts_with(&head);
        match view {
            None if is_head && headless => fresh.push(name),
            Some(view) if is_head && other_classes(&view, &target) => fresh.push(name),
            None => problems.push(format!("`{name}` is missing")),
            Some(view) => match fitted(&view, &target) {
                Ok(values) => copies.push((name, values)),
                Err(problem) => problems.push(format!("`{name}` {problem}")),
            },
        }
    }
    problems.extend(stored.keys().map(|name| format!("`{name}` is not in the network")));
    if !problems.is_empty() {
        return Err(PretrainedError::Tensors { path: path.to_owned(), problems });
    }
    copy(&copies, model);
    Ok(Loaded { sha256: sha256_hex(&data), fresh })
}

/// SHA-256 of a file of weights.
///
/// # Errors
///
/// [`PretrainedError::Io`].
pub fn sha256(path: &Path) -> Result<String, PretrainedError> {
    let io = |source| PretrainedError::Io { path: path.to_owned(), source };
    Ok(sha256_hex(&std::fs::read(path).map_err(io)?))
}

/// The tensors of a file under the network's names.
fn usable<'data>(file: &SafeTensors<'data>) -> BTreeMap<String, TensorView<'data>> {
    let own = file.names().iter().any(|name| name.starts_with(OWN_PREFIX));
    let tensors = file.tensors().into_iter().filter(|(name, _)| !name.ends_with(IGNORED));
    if !own {
        return tensors.collect();
    }
    tensors
        .filter_map(|(name, view)| Some((name.strip_prefix(OWN_PREFIX)?.to_owned(), view)))
        .collect()
}

fn size(view: &TensorView<'_>) -> Vec<i64> {
    view.shape().iter().map(|&side| side as i64).collect()
}

/// Whether a tensor of the last layer differs from `target` in the number of classes only.
fn other_classes(view: &TensorView<'_>, target: &Tensor) -> bool {
    let (found, wanted) = (size(view), target.size());
    found.len() == wanted.len() && found.first() != wanted.first() && found[1..] == wanted[1..]
}

/// The stored values in the shape of `target`, or what is wrong with them.
fn fitted(view: &TensorView<'_>, target: &Tensor) -> Result<Tensor, String> {
    let (found, wanted) = (size(view), target.size());
    let values = stored_tensor(view)?;
    match (found.as_slice(), wanted.as_slice()) {
        (found, wanted) if found == wanted => Ok(values),
        (&[outputs, 3, height, width], wanted) if *wanted == [outputs, 1, height, width] => {
            Ok(values.sum_dim_intlist([1_i64].as_slice(), true, Kind::Float))
        }
        _ => Err(format!("is {found:?}; expected {wanted:?}")),
    }
}

fn copy(copies: &Named, model: &Model) {
    let mut targets = model.store.variables();
    tch::no_grad(|| {
        for (name, values) in copies {
            if let Some(target) = targets.get_mut(name) {
                target.copy_(values);
            }
        }
    });
}
