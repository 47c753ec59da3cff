//! Widths for which libtorch's convolutions are picky about memory.

use fer_train::network::Model;
use fer_train::recipe::{InputRecipe, ModelRecipe};
use tch::{Device, Kind, Tensor};

use crate::support;

/// With channels that do not fill vectors of eight oneDNN once wrote beyond its memory, which
/// ended the process.
#[test]
fn odd_widths_train() {
    let _turn = support::turn();
    for widths in [vec![4, 8], vec![5, 7], vec![8, 12], vec![8, 16]] {
        let recipe = ModelRecipe::Resnet { widths, blocks: 1, stem_stride: 2, dropout: 0.0 };
        let model = Model::new(&recipe, &InputRecipe::default(), 7, Device::Cpu);
        let x = Tensor::randn([14, 1, 48, 48], (Kind::Float, Device::Cpu));
        for _ in 0..20 {
            model.network.forward(&x, true, 0).square().mean(Kind::Float).backward();
        }
    }
}
