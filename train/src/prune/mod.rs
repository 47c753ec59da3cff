//! A trained VGG with fewer channels: a start for a small network that need not learn all anew.
//!
//! Layer by layer, from the input on, those channels are taken out that the next layer misses
//! least, and its other weights stand in for them: after each it gives what the whole network's
//! layer gives, as nearly as it can. What is lost nevertheless comes back by further training
//! (`fer-train distill --weights`).

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

/// Images at once.
const BATCH: i64 = 25;
/// Places of each image at which a convolution is looked at.
const PLACES: i64 = 36;
/// So many images for a convolution, whose places make rows enough.
const IMAGES: usize = 500;
/// So many for the dense layers, to which an image is one row.
const IMAGES_FOR_DENSE: usize = 16_000;

/// Why a network is not made smaller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// It is no chain of layers.
    #[error("the network is no `vgg`; expected one, as its layers follow one another")]
    NotAChain,
    /// Another number of layers was asked for.
    #[error("{what}: {found} numbers; expected {expected}, one for each {each}")]
    Count {
        /// The option.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
        /// What each is for.
        each: &'static str,
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
    /// The images cannot be brought into the network's shape.
    #[error(transparent)]
    Images(#[from] DatasetError),
    /// There is nothing to look at.
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

/// What became of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// The layer that has fewer outputs.
    pub layer: String,
    /// Outputs it had.
    pub from: i64,
    /// Outputs it has.
    pub to: i64,
    /// The part of the variance of what the next layer gives that is lost up to there.
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
    let recipe = narrowed(&progress.recipe.model, widths)?;
    if images.is_empty() {
        return Err(PruneError::NoImages);
    }
    let ModelRecipe::Vgg { convolutions, .. } = recipe else {
        return Err(PruneError::NotAChain);
    };
    let keep = widths.stages.iter().flat_map(|&width| std::iter::repeat_n(width, convolutions));
    let keep: Vec<i64> = keep.chain(widths.dense.iter().copied()).collect();
    tch::manual_seed(progress.recipe.seed);
    let shape = progress.recipe.input.image_shape();
    let images = spread(images, IMAGES_FOR_DENSE);
    let images = images.resampled(shape).map_err(DatasetError::from)?;
    let bytes = DeviceImages::new(&images, 0.0, Device::Cpu).bytes;
    let order = Tensor::randperm(bytes.size()[0], (Kind::Int64, Device::Cpu));
    let input = &progress.recipe.input;
    let look = |start: i64, length: i64| {
        normalise(&bytes.index_select(0, &order.narrow(0, start, length)), input)
    };
    let whole =
        Chain::of_vgg(model.tensors(), widths.stages.len(), convolutions, widths.dense.len());
    let mut small = no_grad(|| whole.duplicate());
    no_grad(|| {
        for (index, &to) in keep.iter().enumerate() {
            let from = whole.tensor(&whole.links[index].weights()).size()[0];
            if to == from {
                continue;
            }
            let next = index + 1;
            let (moments, size) = moments(&whole, &small, next, from, bytes.size()[0], look);
            let cut = moments.prune(size, to as usize);
            let layer = whole.links[index].name().to_owned();
            done(Pruned { layer, from, to, lost: cut.lost });
            narrow(&mut small, index, &cut);
        }
    });
    let mut tensors: Named = small.tensors.into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, recipe))
}

/// `model` with these widths.
fn narrowed(model: &ModelRecipe, widths: &Widths) -> Result<ModelRecipe, PruneError> {
    let ModelRecipe::Vgg { widths: stages, convolutions, dense, dropout } = model else {
        return Err(PruneError::NotAChain);
    };
    for (what, each, asked, there) in [
        ("--widths", "stage", &widths.stages, stages),
        ("--dense", "dense layer", &widths.dense, dense),
    ] {
        if asked.len() != there.len() {
            let (found, expected) = (asked.len(), there.len());
            return Err(PruneError::Count { what, found, expected, each });
        }
        for (&found, &most) in asked.iter().zip(there) {
            if !(1..=most).contains(&found) {
                return Err(PruneError::Width { what, found, most });
            }
        }
    }
    Ok(ModelRecipe::Vgg {
        widths: widths.stages.clone(),
        convolutions: *convolutions,
        dense: widths.dense.clone(),
        dropout: *dropout,
    })
}

/// At most `count` images, spread over all.
fn spread(images: &Images, count: usize) -> Images {
    let step = images.len().div_ceil(count).max(1);
    let mut index = 0;
    images.filtered(|_| {
        index += 1;
        (index - 1) % step == 0
    })
}

/// What layer `next` of the small network sees and that of the whole one gives, and how many inputs
/// a channel is.
fn moments(
    whole: &Chain,
    small: &Chain,
    next: usize,
    channels: i64,
    images: i64,
    look: impl Fn(i64, i64) -> Tensor,
) -> (Moments, i64) {
    let link = &small.links[next];
    let weights = small.tensor(&link.weights());
    let weights = weights.reshape([weights.size()[0], -1]);
    let bias = match link {
        Link::Convolution { .. } => Tensor::zeros([weights.size()[0]], (Kind::Float, Device::Cpu)),
        Link::Dense { name } => small.tensor(&format!("{name}.bias")).shallow_clone(),
    };
    let size = weights.size()[1] / channels;
    let mut moments = Moments::new(&Tensor::cat(&[weights, bias.unsqueeze(1)], 1));
    let images = match link {
        Link::Convolution { .. } => images.min(IMAGES as i64),
        Link::Dense { .. } => images,
    };
    for start in (0..images).step_by(BATCH as usize) {
        let x = look(start, BATCH.min(images - start));
        let seen = small.input(&x, next);
        let made = whole.product(link, &whole.input(&x, next));
        let (inputs, wanted) = Chain::rows(link, &seen, &made, PLACES);
        moments.see(&inputs, &wanted);
    }
    (moments, size)
}

/// Takes the channels that are not in `cut` from layer `index`, and from what the next one sees.
fn narrow(chain: &mut Chain, index: usize, cut: &Cut) {
    let alive = Tensor::from_slice(&cut.alive);
    let (link, next) = (chain.links[index].clone(), chain.links[index + 1].clone());
    let mut names = link.vectors();
    names.push(link.weights());
    for name in names {
        let fewer = chain.tensor(&name).index_select(0, &alive);
        chain.tensors.insert(name, fewer);
    }
    let float = |tensor: &Tensor| tensor.to_kind(Kind::Float);
    let mut size = chain.tensor(&next.weights()).size();
    size[1] = cut.weights.size()[1] / size[2..].iter().product::<i64>();
    chain.tensors.insert(next.weights(), float(&cut.weights).reshape(size.as_slice()));
    match &next {
        Link::Dense { name } => {
            chain.tensors.insert(format!("{name}.bias"), float(&cut.bias));
        }
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
        chain.tensors.insert(format!("{name}.norm.{part}"), values.to_kind(Kind::Float));
    }
}
