//! A model's tensors side by side in one block of memory.
//!
//! A step of an optimiser is then a few operations on the block, where it was a few on each of
//! some sixty tensors: a GPU spends more time on starting those than on computing them.

use tch::nn::VarStore;
use tch::{Tensor, no_grad};

/// The block, and which part of it is which tensor's.
#[derive(Debug)]
pub struct Memory {
    block: Tensor,
    parts: Vec<Part>,
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct Part {
    /// The tensor's name.
    pub name: String,
    /// Where it starts.
    pub start: i64,
    /// How many values it has.
    pub length: i64,
    /// Its shape.
    size: Vec<i64>,
}

impl Part {
    /// Whether it is a matrix or a kernel. Biases and batch norm's scales are vectors: a penalty
    /// on them only hurts.
    pub fn is_penalised(&self) -> bool {
        self.size.len() > 1
    }

    /// Where it ends.
    pub fn end(&self) -> i64 {
        self.start + self.length
    }

    /// This tensor's view of a block, which may be shorter than the model's.
    ///
    /// A convolution's kernels lie with their input channels side by side: about a fifth faster in
    /// training on a CPU, and what a GPU's tensor cores want.
    pub fn view(&self, block: &Tensor) -> Tensor {
        let values = block.narrow(0, self.start, self.length);
        match self.size[..] {
            [outputs, inputs, height, width] => {
                values.view([outputs, height, width, inputs]).permute([0, 3, 1, 2])
            }
            _ => values.view(self.size.as_slice()),
        }
    }
}

/// The values of a tensor in the order in which they lie in a block.
pub fn in_order(tensor: &Tensor) -> Tensor {
    let tensor =
        if tensor.dim() == 4 { tensor.permute([0, 2, 3, 1]) } else { tensor.shallow_clone() };
    tensor.reshape([-1])
}

impl Memory {
    /// Moves the tensors of `store` into a block: what is learnt first, of that what has more than
    /// one dimension first; each in the order of the names.
    pub fn of(store: &VarStore) -> Self {
        let mut tensors: Vec<(String, Tensor)> = store.variables().into_iter().collect();
        let place = |tensor: &Tensor| (!tensor.requires_grad(), tensor.dim() < 2);
        tensors.sort_by(|(a, s), (b, t)| (place(s), a).cmp(&(place(t), b)));
        let mut parts = Vec::new();
        let mut start = 0;
        for (name, tensor) in &tensors {
            let length = tensor.numel() as i64;
            parts.push(Part { name: name.clone(), start, length, size: tensor.size() });
            start += length;
        }
        let block = no_grad(|| {
            let values: Vec<Tensor> = tensors.iter().map(|(_, t)| in_order(t)).collect();
            let block = Tensor::cat(&values, 0);
            for (part, (_, tensor)) in parts.iter().zip(&mut tensors) {
                tensor.set_data(&part.view(&block));
            }
            block
        });
        Self { block, parts }
    }

    /// Whether all values are finite numbers.
    pub fn is_finite(&self) -> bool {
        self.block.isfinite().all().int64_value(&[]) != 0
    }

    /// All values.
    pub fn block(&self) -> &Tensor {
        &self.block
    }

    /// Every tensor's part, in the order in which they lie.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn};

    use super::*;

    #[test]
    fn tensors_are_views_of_one_block() {
        let store = nn::VarStore::new(Device::Cpu);
        let root = store.root();
        let still = root.zeros_no_train("a", &[2]);
        let vector = root.var("b", &[3], nn::Init::Const(1.0));
        let kernels = root.var("c", &[2, 3, 1, 2], nn::Init::Const(0.0));
        no_grad(|| {
            let count = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([2, 3, 1, 2]);
            kernels.shallow_clone().copy_(&count);
        });
        let memory = Memory::of(&store);
        let places: Vec<(&str, i64, i64)> =
            memory.parts().iter().map(|p| (p.name.as_str(), p.start, p.length)).collect();
        assert_eq!(places, [("c", 0, 12), ("b", 12, 3), ("a", 15, 2)]);
        // Output 0, both columns: input channels 0, 1, 2 side by side.
        let block = |index| memory.block().double_value(&[index]);
        assert_eq!([0, 1, 2, 3, 4, 5].map(block), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        assert_eq!(kernels.double_value(&[1, 2, 0, 1]), 11.0);
        assert!(kernels.requires_grad() && vector.requires_grad() && !still.requires_grad());
        // What happens to the block happens to the tensors, and the other way round.
        no_grad(|| {
            let _ = memory.block().shallow_clone().g_add_scalar_(1.0);
            let _ = still.shallow_clone().g_add_scalar_(5.0);
        });
        assert_eq!(vector.double_value(&[2]), 2.0);
        assert_eq!(kernels.double_value(&[0, 1, 0, 0]), 3.0);
        assert_eq!(block(16), 6.0);
        assert_eq!(in_order(&kernels).double_value(&[1]), 3.0);
    }
}
