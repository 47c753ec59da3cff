//! A trained VGG with fewer channels (structured pruning): a start for a small network that need not
//! learn all anew.
//!
//! Layer by layer, from the input on, those channels are taken out that the next layer misses
//! least, and its other weights stand in for them: it gives what the whole network's layer gives,
//! as nearly as it can on calibration images. What is lost nevertheless comes back by further
//! training (`fer-train distill --weights`).

mod chain;
mod surgeon;

use tch::{Device, Kind, Tensor, no_grad};

use self::chain::{Chain, EPSILON, Link};
use self::surgeon::{Cut, Moments};
use crate::augment::normalise;
use crate::checkpoint::Progress;
use crate::dataset::{DatasetError, Images};
use crate::network::{Model, Named};
use crate::recipe::ModelRecipe;
use crate::training::DeviceImages;

/// Places of each calibration image at which a convolution is looked at.
const PLACES: i64 = 36;
/// Rows for each input of a layer, and images, where there are enough.
const ROWS_AN_INPUT: i64 = 10;
/// See [`ROWS_AN_INPUT`].
const LEAST_IMAGES: i64 = 500;
/// Rows that are taken in at once, about.
const ROWS_AT_ONCE: i64 = 1000;
/// The largest number of a layer's inputs: their second moments take up its square.
const MOST_INPUTS: i64 = 20_000;

/// Why a network is not pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// It is no chain of layers.
    #[error(
        "the recipe's `model` is no `vgg`; expected one, whose layers follow one another: train \
         another network from the start, with fewer channels"
    )]
    NotAChain,
    /// Another number of layers was asked for.
    #[error("{what}: {found:?}; expected {} numbers, as the network has {there:?}", there.len())]
    Count {
        /// The option.
        what: &'static str,
        /// What was asked for.
        found: Vec<i64>,
        /// The network's.
        there: Vec<i64>,
    },
    /// More channels than there are, or none.
    #[error("{what}: {found}; expected 1 to {most}, what the network has")]
    Width {
        /// The option.
        what: &'static str,
        /// What was asked for.
        found: i64,
        /// What there is.
        most: i64,
    },
    /// It has these widths.
    #[error("the network has these widths; expected a smaller number in --widths or --dense")]
    Same,
    /// The second moments of a layer's inputs would not fit into memory.
    #[error("layer `{layer}` has {inputs} inputs; expected at most {MOST_INPUTS}")]
    TooWide {
        /// The layer.
        layer: String,
        /// Its inputs.
        inputs: i64,
    },
    /// The images cannot be brought into the network's shape.
    #[error(transparent)]
    Images(#[from] DatasetError),
    /// There is nothing to calibrate on.
    #[error("the training split has no image; expected at least one")]
    NoImages,
}

/// How wide a pruned VGG is.
#[derive(Debug, Clone)]
pub struct Widths {
    /// Channels of each stage.
    pub stages: Vec<i64>,
    /// Outputs of each dense layer before the last.
    pub dense: Vec<i64>,
}

impl Widths {
    /// The recipe of `model` with these widths.
    ///
    /// # Errors
    ///
    /// [`PruneError`] where it has none such, or they are not smaller.
    pub fn of(&self, model: &ModelRecipe) -> Result<ModelRecipe, PruneError> {
        let ModelRecipe::Vgg { widths, convolutions, dense, dropout } = model else {
            return Err(PruneError::NotAChain);
        };
        for (what, asked, there) in
            [("--widths", &self.stages, widths), ("--dense", &self.dense, dense)]
        {
            if asked.len() != there.len() {
                let (found, there) = (asked.clone(), there.clone());
                return Err(PruneError::Count { what, found, there });
            }
            for (&found, &most) in asked.iter().zip(there) {
                if !(1..=most).contains(&found) {
                    return Err(PruneError::Width { what, found, most });
                }
            }
        }
        if (&self.stages, &self.dense) == (widths, dense) {
            return Err(PruneError::Same);
        }
        Ok(ModelRecipe::Vgg {
            widths: self.stages.clone(),
            convolutions: *convolutions,
            dense: self.dense.clone(),
            dropout: *dropout,
        })
    }
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// The layer that has fewer outputs.
    pub layer: String,
    /// Outputs it had.
    pub from: i64,
    /// Outputs it has.
    pub to: i64,
    /// The reconstruction error of the next layer on the calibration images: the part of its
    /// outputs' variance that is lost up to there, each as batch norm scales it.
    pub lost: f64,
}

/// The tensors of `model` with fewer channels, and the network's recipe. `images` is what it has
/// learnt from; each layer is told of as it is done.
///
/// # Errors
///
/// [`PruneError`].
pub fn prune(
    model: &Model,
    progress: &Progress,
    images: &Images,
    widths: &Widths,
    mut done: impl FnMut(Pruned),
) -> Result<(Named, ModelRecipe), PruneError> {
    let recipe = widths.of(&progress.recipe.model)?;
    let ModelRecipe::Vgg { convolutions, .. } = recipe else {
        return Err(PruneError::NotAChain);
    };
    let calibration = Calibration::of(images, progress)?;
    let keep = widths.stages.iter().flat_map(|&width| std::iter::repeat_n(width, convolutions));
    let keep: Vec<i64> = keep.chain(widths.dense.iter().copied()).collect();
    let (stages, dense) = (widths.stages.len(), widths.dense.len());
    let whole = Chain::of_vgg(model.tensors(), stages, convolutions, dense);
    no_grad(|| {
        let mut small = whole.duplicate();
        let mut changed = false;
        for (index, &to) in keep.iter().enumerate() {
            let from = whole.outputs(&whole.links[index]);
            changed |= to < from;
            // One that keeps its width sees other inputs than before, once one before it has not.
            if !changed {
                continue;
            }
            let (moments, size) = calibration.moments(&whole, &small, index + 1, from)?;
            let cut = moments.prune(size, to as usize);
            let layer = whole.links[index].name().to_owned();
            done(Pruned { layer, from, to, lost: cut.lost });
            narrow(&mut small, index, &cut);
        }
        Ok((small.into_tensors(), recipe))
    })
}

/// Images in the network's shape, in random order.
struct Calibration<'a> {
    bytes: Tensor,
    progress: &'a Progress,
}

impl<'a> Calibration<'a> {
    fn of(images: &Images, progress: &'a Progress) -> Result<Self, PruneError> {
        if images.is_empty() {
            return Err(PruneError::NoImages);
        }
        tch::manual_seed(progress.recipe.seed);
        let shape = progress.recipe.input.image_shape();
        let most = (ROWS_AN_INPUT * MOST_INPUTS) as usize;
        let images = images.evenly_chosen(most).resampled(shape).map_err(DatasetError::from)?;
        let bytes = DeviceImages::new(&images, 0.0, Device::Cpu).bytes;
        let order = Tensor::randperm(bytes.size()[0], (Kind::Int64, Device::Cpu));
        Ok(Self { bytes: bytes.index_select(0, &order), progress })
    }

    /// What layer `next` of the small network sees and that of the whole one gives, and how many
    /// of its inputs come from one channel.
    fn moments(
        &self,
        whole: &Chain,
        small: &Chain,
        next: usize,
        channels: i64,
    ) -> Result<(Moments, i64), PruneError> {
        let link = &small.links[next];
        let weights = small.matrix(link);
        let inputs = weights.size()[1] - 1;
        if inputs > MOST_INPUTS {
            return Err(PruneError::TooWide { layer: link.name().to_owned(), inputs });
        }
        let mut moments = Moments::new(&weights, &whole.importance(link));
        let places = match link {
            Link::Convolution { .. } => {
                let one = small.input(&self.batch(0, 1), next);
                one.flatten(2, -1).size()[2].min(PLACES)
            }
            Link::Dense { .. } => 1,
        };
        let images = (ROWS_AN_INPUT * inputs / places).max(LEAST_IMAGES).min(self.bytes.size()[0]);
        let batch = ROWS_AT_ONCE / places;
        for start in (0..images).step_by(batch as usize) {
            let x = self.batch(start, batch.min(images - start));
            let seen = small.input(&x, next);
            let wanted = whole.product(link, &whole.input(&x, next));
            let (inputs, wanted) = Chain::rows(link, &seen, &wanted, places);
            moments.add(&inputs, &wanted);
        }
        Ok((moments, inputs / channels))
    }

    fn batch(&self, start: i64, length: i64) -> Tensor {
        normalise(&self.bytes.narrow(0, start, length), &self.progress.recipe.input)
    }
}

/// Takes the channels that are not in `cut` from layer `index`, and from what the next one sees.
fn narrow(chain: &mut Chain, index: usize, cut: &Cut) {
    let alive = Tensor::from_slice(&cut.alive);
    let (link, next) = (chain.links[index].clone(), chain.links[index + 1].clone());
    let mut names = link.vectors();
    names.push(link.weights());
    for name in names {
        chain.set(&name, &chain.tensor(&name).index_select(0, &alive));
    }
    let mut size = chain.tensor(&next.weights()).size();
    size[1] = cut.weights.size()[1] / size[2..].iter().product::<i64>();
    chain.set(&next.weights(), &cut.weights.reshape(size.as_slice()));
    match &next {
        Link::Dense { name } => chain.set(&format!("{name}.bias"), &cut.bias),
        Link::Convolution { name, .. } => rebase(chain, name, cut),
    }
}

/// Gives a batch norm the statistics of what it sees now, and the factors by which it gives what
/// the old ones gave of it, so that it is the same function in training and after.
fn rebase(chain: &mut Chain, name: &str, cut: &Cut) {
    let double = |part: &str| chain.tensor(&format!("{name}.norm.{part}")).to_kind(Kind::Double);
    let factor = double("weight") / (double("running_var") + EPSILON).sqrt();
    // A convolution has no bias of its own: the statistics are those without it.
    let bias = double("bias") + &factor * (&cut.mean - double("running_mean"));
    let weight = factor * (&cut.variance + EPSILON).sqrt();
    let mean = &cut.mean - &cut.bias;
    let parts = [
        ("weight", weight),
        ("bias", bias),
        ("running_mean", mean),
        ("running_var", cut.variance.shallow_clone()),
    ];
    for (part, values) in parts {
        chain.set(&format!("{name}.norm.{part}"), &values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebased_norm_gives_of_the_bare_product_what_the_old_gave_of_all() {
        let vector = |values: &[f64]| Tensor::from_slice(values);
        let part = |part: &str, values: &[f64]| (format!("a.norm.{part}"), vector(values));
        let mut chain = Chain {
            links: Vec::new(),
            tensors: [
                part("weight", &[0.5, 2.0]),
                part("bias", &[0.1, -1.0]),
                part("running_mean", &[3.0, -2.0]),
                part("running_var", &[4.0, 0.25]),
            ]
            .into(),
        };
        let given = |chain: &Chain, z: &Tensor| {
            let part = |part: &str| chain.tensor(&format!("a.norm.{part}")).to_kind(Kind::Double);
            let spread = (part("running_var") + EPSILON).sqrt();
            (z - part("running_mean")) / spread * part("weight") + part("bias")
        };
        let (product, bias) = (vector(&[1.5, 0.3]), vector(&[0.7, -0.2]));
        let before = given(&chain, &(&product + &bias));
        let cut = Cut {
            weights: Tensor::zeros([2, 1], (Kind::Double, Device::Cpu)),
            bias,
            mean: vector(&[2.5, -1.0]),
            variance: vector(&[9.0, 0.01]),
            lost: 0.0,
            alive: vec![0],
        };
        rebase(&mut chain, "a", &cut);
        let after = given(&chain, &product);
        assert!((before - after).abs().max().double_value(&[]) < 1e-5);
        // A batch's own statistics are those that are kept.
        let kept = chain.tensor("a.norm.running_mean").double_value(&[0]);
        assert!((kept - 1.8).abs() < 1e-6, "{kept}");
    }
}
