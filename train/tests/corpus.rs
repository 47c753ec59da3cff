//! What is read of others, a recipe and FER2013's CSV, given the corpora in `fuzz/corpus` and
//! mutations of them, as the fuzz targets of the other crates. A fuzzer cannot be linked here as easily:
//! the crate needs libtorch.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]
#![allow(unreachable_pub, reason = "what is included here is public in fuzz")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fer_train::dataset::{Dataset, ImageShape, Split};
use fer_train::recipe::Recipe;

#[path = "../../fuzz/guard.rs"]
mod guard;

use guard::guard;

/// What was accepted: refusals alone would say little.
static RECIPES: AtomicUsize = AtomicUsize::new(0);
static IMAGES: AtomicUsize = AtomicUsize::new(0);

/// Gives `work` a file with these bytes.
fn with_file<T>(bytes: &[u8], work: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FOLDER: (tempfile::TempDir, PathBuf) = {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("input");
            (folder, path)
        };
    }
    FOLDER.with(|(_, path)| {
        std::fs::write(path, bytes).unwrap();
        work(path)
    })
}

/// A recipe, and assignments that zeros part from it and from each other.
fn recipe(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let assignments: Vec<String> =
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let recipe = match with_file(text, |path| Recipe::read_with(path, &assignments)) {
        Ok(recipe) => recipe,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    RECIPES.fetch_add(1, Relaxed);
    assert!((8..=1024).contains(&recipe.input.size) && recipe.optimiser.batch > 0);
    assert!(recipe.optimiser.learning_rate.is_finite());
    // Written out and read again it is the same.
    let text = recipe.to_yaml().unwrap();
    let again = with_file(text.as_bytes(), Recipe::read);
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}\n{text}")), recipe);
}

/// CSV in which `@` stands for all pixels of an image but the first, or a compressed file.
fn fer2013(data: &[u8]) {
    let is_compressed = data.starts_with(&[0x1f, 0x8b]) || data.starts_with(&[0x28, 0xb5]);
    let rest = " 7".repeat(48 * 48 - 1);
    let pieces = data.chunk_by(|a, b| *a != b'@' && *b != b'@');
    let csv: Vec<u8> = match is_compressed {
        true => data.to_vec(),
        false => {
            pieces.flat_map(|it| if it == b"@" { rest.as_bytes() } else { it }).copied().collect()
        }
    };
    let dataset = match with_file(&csv, |path| Dataset::read(path, ImageShape::grey(48))) {
        Ok(dataset) => dataset,
        Err(error) => {
            assert!(error.to_string().contains("input"), "{error}");
            return;
        }
    };
    let images = Split::ALL.map(|split| dataset.images(split));
    let count: usize = images.iter().map(|images| images.len()).sum();
    IMAGES.fetch_add(count, Relaxed);
    if !is_compressed {
        let rows = csv.split(|byte| *byte == b'\n').skip(1);
        assert_eq!(count, rows.filter(|row| !row.trim_ascii_end().is_empty()).count());
    }
    for images in images {
        assert_eq!(images.pixels().len(), images.len() * 48 * 48);
        assert!(images.labels().iter().all(|label| *label < 7));
    }
}

#[test]
fn any_bytes_are_a_recipe_or_an_error() {
    guard("recipe", 20_000, recipe);
    assert!(RECIPES.load(Relaxed) > 50, "{RECIPES:?}");
}

#[test]
fn any_bytes_are_fer2013_or_an_error() {
    guard("fer2013", 5_000, fer2013);
    assert!(IMAGES.load(Relaxed) > 25, "{IMAGES:?}");
}
