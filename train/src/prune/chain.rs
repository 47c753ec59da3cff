//! A VGG as layers one after the other, each of which can be asked for alone.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use crate::network::Named;

/// Batch norm's constant, PyTorch's.
pub(super) const EPSILON: f64 = 1e-5;

/// A layer, by the name of its tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// 3×3 with batch norm; whether pooling follows.
    Convolution { name: String, pooled: bool },
    /// Of all features.
    Dense { name: String },
}

impl Link {
    /// The name of its weights.
    pub(super) fn weights(&self) -> String {
        match self {
            Self::Convolution { name, .. } => format!("{name}.conv.weight"),
            Self::Dense { name } => format!("{name}.weight"),
        }
    }

    /// The names of all its tensors that have a value for each output.
    pub(super) fn vectors(&self) -> Vec<String> {
        match self {
            Self::Convolution { name, .. } => ["weight", "bias", "running_mean", "running_var"]
                .map(|part| format!("{name}.norm.{part}"))
                .to_vec(),
            Self::Dense { name } => vec![format!("{name}.bias")],
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Convolution { name, .. } | Self::Dense { name } => name,
        }
    }
}

/// The layers and their tensors; the last is the last layer.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    pub(super) tensors: HashMap<String, Tensor>,
}

impl Chain {
    /// Of a VGG of `stages` of `convolutions`, and so many dense layers before the last.
    pub(super) fn of_vgg(tensors: Named, stages: usize, convolutions: usize, dense: usize) -> Self {
        let mut links = Vec::new();
        for stage in 0..stages {
            for index in 0..convolutions {
                let name = format!("stage{stage}.conv{index}");
                links.push(Link::Convolution { name, pooled: index + 1 == convolutions });
            }
        }
        links.extend((0..dense).map(|index| Link::Dense { name: format!("dense{index}") }));
        links.push(Link::Dense { name: "head".to_owned() });
        Self { links, tensors: tensors.into_iter().collect() }
    }

    /// A copy that can be changed without changing this one.
    pub(super) fn duplicate(&self) -> Self {
        let copies = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.copy()));
        Self { links: self.links.clone(), tensors: copies.collect() }
    }

    /// A tensor; every name comes from a link.
    pub(super) fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// What layer number `index` sees of normalised images.
    pub(super) fn input(&self, images: &Tensor, index: usize) -> Tensor {
        self.links[..index].iter().fold(images.shallow_clone(), |x, link| self.forward(link, &x))
    }

    /// Weights times inputs, before batch norm where there is one.
    pub(super) fn product(&self, link: &Link, x: &Tensor) -> Tensor {
        let weights = self.tensor(&link.weights());
        match link {
            Link::Convolution { .. } => x.conv2d(weights, None::<&Tensor>, 1, 1, 1, 1),
            Link::Dense { name } => {
                x.flatten(1, -1).linear(weights, Some(self.tensor(&format!("{name}.bias"))))
            }
        }
    }

    fn forward(&self, link: &Link, x: &Tensor) -> Tensor {
        let product = self.product(link, x);
        let Link::Convolution { name, pooled } = link else { return product.relu() };
        let part = |part: &str| self.tensor(&format!("{name}.norm.{part}"));
        let factor = part("weight") / (part("running_var") + EPSILON).sqrt();
        let each = |vector: &Tensor| vector.view([1, -1, 1, 1]);
        let centred = product - each(part("running_mean"));
        let active = (centred * each(&factor) + each(part("bias"))).relu();
        if *pooled { active.max_pool2d(2, 2, 0, 1, false) } else { active }
    }

    /// Rows of what a layer sees, `[n, channels · size]`, and of what it makes of them, `[n,
    /// outputs]`; of a convolution's places `places`, drawn at random, the same of each image.
    pub(super) fn rows(link: &Link, seen: &Tensor, made: &Tensor, places: i64) -> (Tensor, Tensor) {
        match link {
            Link::Dense { .. } => (seen.flatten(1, -1), made.shallow_clone()),
            Link::Convolution { .. } => {
                let columns = seen.im2col([3, 3], [1, 1], [1, 1], [1, 1]);
                let all = columns.size()[2];
                let chosen = Tensor::randperm(all, (Kind::Int64, seen.device()));
                let chosen = chosen.narrow(0, 0, places.min(all));
                let rows = |tensor: &Tensor| {
                    let taken = tensor.index_select(2, &chosen).transpose(1, 2);
                    let width = taken.size()[2];
                    taken.reshape([-1, width])
                };
                (rows(&columns), rows(&made.flatten(2, -1)))
            }
        }
    }
}
