//! Tiny data and tiny recipes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fer_core::emotion::Emotion;
use fer_train::classes::Classes;
use fer_train::dataset::{Dataset, ImageShape, Images, Origin};
use fer_train::recipe::{
    AugmentRecipe, LossRecipe, ModelRecipe, OptimiserKind, OptimiserRecipe, Recipe, ScheduleRecipe,
};
use fer_train::training::{Data, Start, Trainer};

/// libtorch's random generator and thread count are the process's: tests that train take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `count` images of 48×48 in seven classes; the class shows as the period of vertical stripes,
/// over noise.
pub(crate) fn images(count: usize, seed: u32) -> Images {
    let mut images = Images::new(ImageShape::grey(48), Emotion::COUNT);
    for index in 0..count {
        let label = index % Emotion::COUNT;
        images.push(&image(label, seed.wrapping_add(index as u32)), label);
    }
    images
}

/// One image of class `label`.
pub(crate) fn image(label: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let pixel = |position: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 26) as u8;
        let period = 2 * label + 4;
        let bright = position % 48 % period < period / 2;
        noise + if bright { 150 } else { 40 }
    };
    (0..48 * 48).map(pixel).collect()
}

/// A data set of such images: 70 to learn from, 28 to select on, 28 to score.
pub(crate) fn dataset() -> Dataset {
    let classes = Classes::fer2013();
    Dataset {
        training: images(70, 1),
        validation: images(28, 2000),
        test: images(28, 3000),
        ..Dataset::empty("generated", Origin::Fer2013, classes, ImageShape::grey(48))
    }
}

/// What a run learns from [`dataset`].
pub(crate) fn data() -> Data {
    Data::of(dataset(), &recipe(1).data).unwrap()
}

/// A network of some hundred parameters.
pub(crate) fn model() -> ModelRecipe {
    ModelRecipe::Resnet { widths: vec![4, 8], blocks: 1, stem_stride: 2, dropout: 0.1 }
}

/// A recipe that trains [`model`] in seconds.
pub(crate) fn recipe(epochs: usize) -> Recipe {
    let mut recipe = Recipe::read(&small_recipe()).unwrap();
    recipe.name = "tiny".into();
    recipe.seed = 3;
    recipe.precision = fer_train::recipe::Precision::F32;
    recipe.input.mean = vec![0.45];
    recipe.input.std = vec![0.23];
    recipe.model = model();
    recipe.augment = AugmentRecipe {
        flip: true,
        rotation: 5.0,
        scale: [0.95, 1.05],
        shift: 0.02,
        brightness: 0.1,
        contrast: 0.1,
        erase: 0.2,
        erase_side: 0.2,
        mixup: 0.3,
        ..AugmentRecipe::default()
    };
    recipe.loss = LossRecipe { label_smoothing: 0.05, l1: 0.0 };
    recipe.optimiser = OptimiserRecipe {
        epochs,
        batch: 14,
        kind: OptimiserKind::Sgd { momentum: 0.9 },
        learning_rate: 0.1,
        weight_decay: 5e-4,
        clip_norm: 0.0,
        sam_radius: 0.0,
        ema_decay: 0.9,
    };
    recipe.schedule = ScheduleRecipe::Cosine { warmup_epochs: 0.5, final_fraction: 0.01 };
    recipe
}

/// The best checkpoint of a run of one epoch in `folder`.
pub(crate) fn trained(folder: &Path) -> PathBuf {
    let mut trainer = Trainer::new(recipe(1), data(), folder, &Start::default()).unwrap();
    trainer.run(&mut ()).unwrap();
    folder.join(fer_train::run::BEST)
}

/// The folder of recipes that ship.
pub(crate) fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// A small recipe without teachers.
pub(crate) fn small_recipe() -> PathBuf {
    recipes().join("small.yaml")
}

/// A file of the material that lies beside the project, or `None` with a printed reason.
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: `../shared/{file}` is not there");
    None
}
