//! A recipe and `--set`: any bytes are a run whose numbers have bounds, or an error that names what is wrong.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fer_train::recipe::{ModelRecipe, Recipe, RecipeError};

use super::file::with_file;

/// How many were accepted: refusals alone would say little.
pub static ACCEPTED: AtomicUsize = AtomicUsize::new(0);

/// Reads `data` as a recipe, and assignments that zeros part from it and from each other.
pub fn run(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let assignments: Vec<String> =
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let recipe = match with_file(text, |path| Recipe::read_with(path, &assignments)) {
        Ok(recipe) => recipe,
        Err(error) => return check_error(&error, text, &assignments),
    };
    ACCEPTED.fetch_add(1, Relaxed);
    check_bounds(&recipe);
    // Written out and read again it is the same.
    let text = recipe.to_yaml().unwrap_or_else(|error| panic!("{error}\n{recipe:?}"));
    let again = with_file(text.as_bytes(), Recipe::read);
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}\n{text}")), recipe);
}

fn check_error(error: &RecipeError, text: &[u8], assignments: &[String]) {
    let message = error.to_string();
    match error {
        RecipeError::Io { .. } => {
            assert!(message.contains("input") && std::str::from_utf8(text).is_err(), "{message}");
        }
        RecipeError::Syntax { source, .. } => {
            assert!(message.contains("input"), "{message}");
            assert!(source.location().is_some(), "{message}");
        }
        RecipeError::Assignment { assignment, problem } => {
            assert!(assignments.contains(assignment) && !problem.is_empty(), "{message}");
            assert!(message.contains(assignment), "{message}");
        }
        RecipeError::Range(problems) => {
            let is_whole = |it: &String| it.contains(": ") && it.contains("; expected ");
            assert!(!problems.is_empty() && problems.iter().all(is_whole), "{message}");
        }
        _ => panic!("an error of a new kind: {message}"),
    }
}

/// What a network, a batch and a step are made of.
fn check_bounds(recipe: &Recipe) {
    let (input, optimiser) = (&recipe.input, &recipe.optimiser);
    assert!((8..=1024).contains(&input.size));
    let channels = input.colour.channels();
    assert_eq!((input.mean.len(), input.std.len()), (channels, channels));
    assert!(input.mean.iter().chain(&input.std).all(|value| (0.0..=1.0).contains(value)));
    assert!(input.std.iter().all(|std| *std > 0.0));
    assert!((1..=1024).contains(&recipe.threads));
    assert!((1..=100_000).contains(&optimiser.epochs) && (2..=65_536).contains(&optimiser.batch));
    assert!(optimiser.learning_rate > 0.0 && optimiser.learning_rate <= 100.0);
    let lists = match &recipe.model {
        ModelRecipe::SourceCnn { filters, dense, .. } => vec![filters, dense],
        ModelRecipe::Vgg { widths, dense, .. } => vec![widths, dense],
        ModelRecipe::Resnet { widths, .. } | ModelRecipe::Mobilenet { widths, .. } => vec![widths],
        ModelRecipe::Torchvision { .. } => vec![],
    };
    for list in lists {
        assert!(list.len() <= 8 && list.iter().all(|size| (1..=8192).contains(size)), "{list:?}");
    }
}
