//! The benchmark of a recipe.

use std::time::Duration;

use fer_train::training::throughput;

use crate::tiny;

#[test]
fn a_recipe_is_timed_without_data() {
    let mut recipe = tiny::recipe(tiny::RESNET, 16);
    recipe.balance = fer_train::recipe::BalanceRecipe::Smote { k: 6 };
    recipe.data.ferplus = 0.5;
    let found = throughput(&recipe, 3, Duration::from_millis(50)).unwrap();
    assert!(found.training > 0.0 && found.inference > 0.0, "{found:?}");
    // Stem 9·4 + 8; stage 0: 2·(9·4·4 + 8); stage 1: 9·4·8 + 16, 9·8·8 + 16, 4·8 + 16; head 8·3 + 3.
    assert_eq!(found.parameters, 44 + 304 + 304 + 592 + 48 + 27);
    // Without batch norms and biases, times the pixels: 16² for the first two, 8² for the third.
    assert_eq!(found.multiply_adds, (36 + 288) * 256 + (288 + 576 + 32) * 64 + 24);
}
