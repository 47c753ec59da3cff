//! The fuzz targets of this crate on their corpora, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]
#![allow(unreachable_pub, reason = "what is included here is public in fuzz")]

use std::sync::atomic::Ordering::Relaxed;

#[path = "../../fuzz/src/fer2013.rs"]
mod fer2013;
#[path = "../../fuzz/src/file.rs"]
mod file;
#[path = "../../fuzz/guard.rs"]
mod guard;
#[path = "../../fuzz/src/recipe.rs"]
mod recipe;

use guard::guard;

#[test]
fn any_bytes_are_a_recipe_or_an_error() {
    guard("recipe", 20_000, recipe::run);
    let accepted = recipe::ACCEPTED.load(Relaxed);
    assert!(accepted > 50, "{accepted}");
}

#[test]
fn any_bytes_are_fer2013_or_an_error() {
    guard("fer2013", 5_000, fer2013::run);
    let images = fer2013::IMAGES.load(Relaxed);
    assert!(images > 25, "{images}");
}
