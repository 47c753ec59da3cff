//! Tiny data and tiny recipes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fer_core::emotion::Emotion;
use fer_train::dataset::{Images, PIXELS};
use fer_train::recipe::{
    AugmentRecipe, DataRecipe, InputRecipe, LossRecipe, ModelRecipe, OptimiserRecipe, Precision,
    Recipe,
};

/// libtorch's random generator and thread count are the process's: tests that train take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `count` images; the class shows as the period of vertical stripes, over noise.
pub(crate) fn images(count: usize, seed: u32) -> Images {
    let mut images = Images::default();
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for index in 0..count {
        let label = Emotion::ALL[index % Emotion::COUNT];
        let pixels: Vec<u8> = (0..PIXELS)
            .map(|position| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 26) as u8;
                let period = 2 * label.index() + 4;
                let bright = position % 48 % period < period / 2;
                noise + if bright { 150 } else { 40 }
            })
            .collect();
        images.push(&pixels, label);
    }
    images
}

/// A recipe that trains a net of some hundred parameters in seconds.
pub(crate) fn recipe(epochs: usize) -> Recipe {
    Recipe {
        name: "tiny".into(),
        seed: 3,
        threads: 1,
        precision: Precision::F32,
        data: DataRecipe { drop_twins: true, drop_constant: true },
        input: InputRecipe { mean: 0.45, std: 0.23 },
        model: ModelRecipe::Resnet { widths: vec![4, 8], blocks: 1, stem_stride: 2, dropout: 0.1 },
        augment: AugmentRecipe {
            flip: true,
            rotation: 5.0,
            scale: [0.95, 1.05],
            shift: 0.02,
            brightness: 0.1,
            contrast: 0.1,
            erase: 0.2,
            erase_side: 0.2,
            mixup: 0.3,
            mixup_alpha: 0.4,
        },
        loss: LossRecipe { label_smoothing: 0.05, class_weight_power: 0.25 },
        optimiser: OptimiserRecipe {
            epochs,
            batch: 14,
            learning_rate: 0.1,
            warmup_epochs: 0.5,
            final_fraction: 0.01,
            momentum: 0.9,
            weight_decay: 5e-4,
            ema_decay: 0.9,
        },
    }
}

/// The recipe that ships.
pub(crate) fn small_recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/small.yaml")
}

/// A file of the material that lies beside the project, or `None` with a printed reason.
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: `../shared/{file}` is not there");
    None
}
