//! Images on their way into device memory, and what a network makes of them.

use sha2::{Digest, Sha256};
use tch::{Device, Tensor};

use super::error::TrainingError;
use crate::augment::normalise;
use crate::checkpoint::DataSummary;
use crate::classes::Classes;
use crate::dataset::{Dataset, DatasetError, Images, Removed, Split};
use crate::loss::soft_targets;
use crate::network::Model;
use crate::onnx::graph::floats;
use crate::recipe::{BalanceRecipe, DataRecipe, InputRecipe, Precision, Recipe};
use crate::smote;
use crate::votes::expected_labels;

/// Images in one step of evaluation; larger ones only cost memory.
const EVALUATION_BATCH: i64 = 256;

/// What a run learns from and selects on.
#[derive(Debug, Clone)]
pub struct Data {
    /// The data set's name.
    pub name: String,
    /// The name of the split that is selected on.
    pub validation_name: String,
    /// The classes.
    pub classes: Classes,
    /// What is learnt from.
    pub training: Images,
    /// What is selected on.
    pub validation: Images,
    /// What was left out of the training split.
    pub removed: Removed,
}

/// [`Data`] in the network's shape, filled up by SMOTE if the recipe asks for it.
pub(super) struct Prepared {
    pub(super) classes: Classes,
    pub(super) training: Images,
    pub(super) validation: Images,
    pub(super) summary: DataSummary,
}

impl Data {
    /// The splits of a data set, cleaned as a recipe asks for; what is not needed is let go.
    ///
    /// # Errors
    ///
    /// [`DatasetError::EmptySplit`] or [`DatasetError::EmptyClasses`].
    pub fn of(dataset: Dataset, recipe: &DataRecipe) -> Result<Self, DatasetError> {
        let (training, removed) =
            dataset.clean_training(recipe.drop_twins, recipe.drop_constant)?;
        let classes = dataset.classes.empty(&training.class_counts());
        if !classes.is_empty() {
            let split = dataset.split_name(Split::Training);
            return Err(DatasetError::EmptyClasses { split, classes });
        }
        let validation_name = dataset.split_name(Split::Validation);
        if dataset.validation.is_empty() {
            return Err(DatasetError::EmptySplit { split: validation_name });
        }
        Ok(Self {
            name: dataset.name,
            validation_name: validation_name.to_owned(),
            classes: dataset.classes,
            training,
            validation: dataset.validation,
            removed,
        })
    }

    /// `known` is the data's SHA-256 in the checkpoint that is gone on with, if any.
    pub(super) fn prepared(
        self,
        recipe: &Recipe,
        known: Option<&str>,
    ) -> Result<Prepared, TrainingError> {
        if recipe.data.ferplus > 0.0 && self.training.votes().is_none() {
            let reason = "there are no FER+ votes (`ferplus_votes.csv` or `fer2013new.csv` beside \
                          the CSV of FER2013)";
            let asked = recipe.data.ferplus;
            return Err(TrainingError::Votes { asked, reason: reason.to_owned() });
        }
        let sha256 = learnt_sha256(&self.training, &self.validation, &recipe.data, known);
        let class_counts = self.training.class_counts();
        let shape = recipe.input.image_shape();
        let mut training = self.training.resampled(shape).map_err(DatasetError::from)?;
        let validation = self.validation.resampled(shape).map_err(DatasetError::from)?;
        let mut synthetic = 0;
        if let BalanceRecipe::Smote { k } = recipe.balance {
            tch::manual_seed(recipe.seed);
            let grown = smote::synthetic(&training, &self.classes, k)?;
            synthetic = grown.len();
            training.extend(&grown);
        }
        let summary = DataSummary {
            name: self.name,
            validation: self.validation_name,
            sha256,
            removed: self.removed,
            class_counts,
            synthetic,
            validation_images: validation.len(),
        };
        Ok(Prepared { classes: self.classes, training, validation, summary })
    }
}

/// SHA-256 of what a run by `recipe` learns from and selects on: pixels, labels and, where they
/// have a say, votes. Earlier versions took in votes in any case: where `known`, from a checkpoint,
/// is of the same data in that way, it is returned.
pub(crate) fn learnt_sha256(
    training: &Images,
    validation: &Images,
    recipe: &DataRecipe,
    known: Option<&str>,
) -> String {
    let with = |votes: bool| images_sha256(&[training, validation], votes);
    let sha256 = with(recipe.ferplus > 0.0);
    match known {
        Some(known) if known != sha256 && known == with(true) => known.to_owned(),
        _ => sha256,
    }
}

/// SHA-256 over pixels, labels and perhaps votes, as hexadecimal text.
pub(crate) fn images_sha256(sets: &[&Images], votes: bool) -> String {
    let mut hasher = Sha256::new();
    for images in sets {
        hasher.update((images.len() as u64).to_le_bytes());
        hasher.update(images.pixels());
        for &label in images.labels() {
            hasher.update((label as u64).to_le_bytes());
        }
        for vote in images.votes().filter(|_| votes).unwrap_or_default() {
            hasher.update(vote.to_le_bytes());
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The device of that name.
///
/// # Errors
///
/// [`TrainingError::Device`] where it is not there.
pub fn device(name: &str) -> Result<Device, TrainingError> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let missing = |reason: String| TrainingError::Device { device: name.to_owned(), reason };
    let index: usize = match name.strip_prefix("cuda:").map(str::parse) {
        None => 0,
        Some(Ok(index)) => index,
        Some(Err(_)) => return Err(missing("the part after `cuda:` is no number".to_owned())),
    };
    let count =
        if tch::Cuda::is_available() { tch::Cuda::device_count().max(0) as usize } else { 0 };
    if index >= count {
        return Err(missing(format!(
            "libtorch sees {count} CUDA devices here (its CUDA half has to be loaded: \
             LD_PRELOAD=libtorch_cuda.so)"
        )));
    }
    // Batches have one shape, so that trying out cuDNN's ways pays.
    tch::Cuda::cudnn_set_benchmark(true);
    Ok(Device::Cuda(index))
}

/// Images, labels and targets in device memory.
#[derive(Debug)]
pub struct DeviceImages {
    /// Bytes `[n, channels, h, w]`.
    pub bytes: Tensor,
    /// Class indices `[n]`.
    pub labels: Tensor,
    /// Distributions over the classes `[n, classes]`.
    pub targets: Tensor,
}

impl DeviceImages {
    /// Copies images to a device. `votes` is how much of a target is what an image's votes say of
    /// its label, where it has any.
    pub fn new(images: &Images, votes: f64, device: Device) -> Self {
        let shape = images.shape();
        let sides = [shape.channels, shape.height, shape.width].map(|side| side as i64);
        let bytes = Tensor::from_slice(images.pixels()).view([-1, sides[0], sides[1], sides[2]]);
        let labels: Vec<i64> = images.labels().iter().map(|&label| label as i64).collect();
        let labels = Tensor::from_slice(&labels);
        let mut targets = soft_targets(&labels, images.classes(), 0.0);
        if let Some(all) = images.votes().filter(|_| votes > 0.0) {
            let all = Tensor::from_slice(all).view([-1, images.classes() as i64]);
            targets = targets * (1.0 - votes) + expected_labels(&all, &labels) * votes;
        }
        Self {
            bytes: bytes.to_device(device),
            labels: labels.to_device(device),
            targets: targets.to_device(device),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Logits `[n, classes]` of `bytes` `[n, channels, h, w]`, unaugmented.
pub fn logits_of(
    model: &Model,
    bytes: &Tensor,
    input: &InputRecipe,
    precision: Precision,
) -> Vec<f32> {
    // Read at the end: a GPU that has to answer after each batch stands still in between.
    let all: Vec<Tensor> = tch::no_grad(|| {
        let starts = (0..bytes.size()[0]).step_by(EVALUATION_BATCH as usize);
        let logits = starts.map(|start| {
            let length = EVALUATION_BATCH.min(bytes.size()[0] - start);
            let x = normalise(&bytes.narrow(0, start, length), input).to_kind(precision.kind());
            model.network.forward(&x, false, 0)
        });
        logits.collect()
    });
    if all.is_empty() { Vec::new() } else { floats(&Tensor::cat(&all, 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ImageShape;

    #[test]
    fn votes_soften_the_targets_of_images_that_have_any() {
        let mut images = Images::new(ImageShape::grey(1), 2);
        images.push(&[0], 0);
        images.push(&[0], 1);
        images.push(&[0], 1);
        images.set_votes(vec![0.4, 0.6, 0.4, 0.6, 0.0, 0.0]);
        let target = |votes| {
            Vec::<f32>::try_from(
                DeviceImages::new(&images, votes, Device::Cpu).targets.flatten(0, -1),
            )
        };
        assert_eq!(target(0.0).unwrap(), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        // Such votes go with both labels alike: ½·1 + ½·½. The third image has none.
        let half = target(0.5).unwrap();
        for (found, expected) in half.iter().zip([0.75, 0.25, 0.25, 0.75, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-3, "{half:?}");
        }
    }

    #[test]
    fn votes_are_part_of_the_data_where_they_have_a_say() {
        let mut images = Images::new(ImageShape::grey(1), 2);
        images.push(&[0], 0);
        let mut voted = images.clone();
        voted.set_votes(vec![0.4, 0.6]);
        let sha256 = |images: &Images, ferplus: f64, known: Option<&str>| {
            learnt_sha256(images, images, &DataRecipe { ferplus, ..DataRecipe::default() }, known)
        };
        let without = sha256(&images, 0.0, None);
        let with = sha256(&voted, 0.4, None);
        assert_eq!(sha256(&voted, 0.0, None), without);
        assert_ne!(with, without);
        // What an earlier version noted of the same data.
        assert_eq!(sha256(&voted, 0.0, Some(&with)), with);
        assert_eq!(sha256(&images, 0.0, Some(&with)), without);
        assert_eq!(sha256(&voted, 0.4, Some(&without)), with);
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        assert_eq!(device("cpu").unwrap(), Device::Cpu);
        let error = device("cuda:99").unwrap_err().to_string();
        assert!(error.contains("cuda:99") && error.contains("CUDA devices"), "{error}");
    }
}
