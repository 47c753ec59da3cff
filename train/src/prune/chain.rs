//! A VGG as layers one after the other, each of which can be asked for alone.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use crate::network::Named;
use crate::network::layers::NormConfig;

/// What is added to a variance.
pub(super) const EPSILON: f64 = NormConfig::TORCH.epsilon;

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

    /// The tensors, sorted by name.
    pub(super) fn into_tensors(self) -> Named {
        let mut tensors: Named = self.tensors.into_iter().collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        tensors
    }

    /// A tensor; every name comes from a link.
    pub(super) fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Replaces a tensor.
    pub(super) fn set(&mut self, name: &str, values: &Tensor) {
        self.tensors.insert(name.to_owned(), values.to_kind(Kind::Float));
    }

    /// Number of a layer's outputs.
    pub(super) fn outputs(&self, link: &Link) -> i64 {
        self.tensor(&link.weights()).size()[0]
    }

    /// A layer's weights `[outputs, inputs + 1]`, the bias last; 0 for a convolution, whose is its
    /// batch norm's.
    pub(super) fn matrix(&self, link: &Link) -> Tensor {
        let weights = self.tensor(&link.weights()).flatten(1, -1);
        let bias = match link {
            Link::Convolution { .. } => weights.select(1, 0).zeros_like(),
            Link::Dense { name } => self.tensor(&format!("{name}.bias")).shallow_clone(),
        };
        Tensor::cat(&[weights, bias.unsqueeze(1)], 1)
    }

    /// How much a squared error of each output of a layer's weights counts: as batch norm scales
    /// it, where there is one.
    pub(super) fn importance(&self, link: &Link) -> Tensor {
        match link {
            Link::Convolution { name, .. } => self.factor(name).square(),
            Link::Dense { name } => self.tensor(&format!("{name}.bias")).ones_like(),
        }
    }

    /// What batch norm multiplies by.
    fn factor(&self, name: &str) -> Tensor {
        let part = |part: &str| self.tensor(&format!("{name}.norm.{part}"));
        part("weight") / (part("running_var") + EPSILON).sqrt()
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
        let each = |vector: &Tensor| vector.view([1, -1, 1, 1]);
        let centred = product - each(part("running_mean"));
        let active = (centred * each(&self.factor(name)) + each(part("bias"))).relu();
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

#[cfg(test)]
mod tests {
    use tch::{Device, no_grad};

    use super::*;
    use crate::network::Model;
    use crate::recipe::{InputRecipe, ModelRecipe};

    #[test]
    fn layer_by_layer_it_is_the_network() {
        for (convolutions, dense) in [(2, vec![6, 5]), (1, Vec::new())] {
            tch::manual_seed(5);
            let widths = vec![3, 4];
            let vgg = ModelRecipe::Vgg { widths, convolutions, dense: dense.clone(), dropout: 0.5 };
            let input = InputRecipe { size: 16, ..InputRecipe::default() };
            let mut model = Model::new(&vgg, &input, 7, Device::Cpu);
            model.store.freeze();
            let x = Tensor::randn([5, 1, 16, 16], (Kind::Float, Device::Cpu));
            no_grad(|| {
                // Statistics and scales that matter.
                for (name, tensor) in model.tensors() {
                    if name.contains("norm") {
                        let _ = tensor.shallow_clone().g_add_(&(tensor.rand_like() * 0.5));
                    }
                }
                let chain = Chain::of_vgg(model.tensors(), 2, convolutions, dense.len());
                let last = chain.links.len() - 1;
                let logits = chain.product(&chain.links[last], &chain.input(&x, last));
                let expected = model.network.forward(&x, false, 0);
                let furthest = (logits - &expected).abs().max().double_value(&[]);
                assert!(furthest < 1e-5 * expected.abs().max().double_value(&[]), "{furthest}");
            });
        }
    }
}
