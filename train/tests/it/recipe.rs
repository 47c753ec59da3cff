//! The recipe's closed schema.

use std::path::{Path, PathBuf};

use fer_train::recipe::{BalanceRecipe, ModelRecipe, Recipe, ScheduleRecipe};

use crate::support;

fn with(from: &str, to: &str) -> (tempfile::TempDir, PathBuf) {
    let text = std::fs::read_to_string(support::small_recipe()).unwrap();
    assert!(text.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    (folder, path)
}

fn refusal(from: &str, to: &str) -> String {
    let (_folder, path) = with(from, to);
    Recipe::read(&path).unwrap_err().to_string()
}

/// Every recipe that ships.
fn shipped() -> Vec<PathBuf> {
    let mut folders = vec![support::recipes()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_recipe = path.extension().is_some_and(|extension| extension == "yaml")
                && !path.ends_with("reference.yaml");
            if path.is_dir() {
                folders.push(path);
            } else if is_recipe {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn the_shipped_recipes_are_valid_and_have_names_of_their_own() {
    let mut names = std::collections::HashSet::new();
    for path in shipped() {
        let recipe = Recipe::read(&path).unwrap();
        assert!(names.insert(recipe.name.clone()), "{} is there twice", recipe.name);
        // Written out and read again it is the same.
        let folder = tempfile::tempdir().unwrap();
        let again = folder.path().join("recipe.yaml");
        std::fs::write(&again, recipe.to_yaml().unwrap()).unwrap();
        assert_eq!(Recipe::read(&again).unwrap(), recipe);
    }
    assert!(names.len() >= 7, "{names:?}");
}

#[test]
fn the_six_source_runs_differ_in_what_their_names_say_alone() {
    let read = |name: &str| Recipe::read(&support::recipes().join("source").join(name)).unwrap();
    let plain = read("relu.yaml");
    for (activation, stem) in [("Relu", "relu"), ("Elu", "elu")] {
        for (suffix, balance) in [
            ("", BalanceRecipe::None),
            ("-weights", BalanceRecipe::ClassWeights { power: 1.0 }),
            ("-smote", BalanceRecipe::Smote { k: 6 }),
        ] {
            let recipe = read(&format!("{stem}{suffix}.yaml"));
            assert_eq!(recipe.balance, balance);
            let ModelRecipe::SourceCnn { activation: found, .. } = &recipe.model else {
                panic!("{:?}", recipe.model);
            };
            assert_eq!(format!("{found:?}"), activation);
            let (name, model) = (plain.name.clone(), plain.model.clone());
            assert_eq!(Recipe { name, model, balance: plain.balance, ..recipe }, plain);
        }
    }
    assert!(matches!(plain.schedule, ScheduleRecipe::Plateau { patience: 7, .. }));
    assert_eq!(plain.early_stopping.unwrap().patience, 11);
    assert_eq!((plain.optimiser.epochs, plain.optimiser.batch), (50, 32));
}

#[test]
fn unknown_and_missing_keys_are_named_with_their_line() {
    let error = refusal("  batch: 128", "  batches: 128");
    assert!(error.contains("batches") && error.contains("line"), "{error}");
    // Inside of what is chosen by a name, too.
    let error = refusal("    blocks: 1", "    block: 1");
    assert!(error.contains("`block`") && error.contains("line"), "{error}");
    let error = refusal("  class-weights:", "  class-wights:");
    assert!(error.contains("class-wights") && error.contains("class-weights"), "{error}");
    assert!(error.contains("line"), "{error}");
    let error = refusal("seed: 7\n", "");
    assert!(error.contains("seed"), "{error}");
    let error = refusal("seed: 7\n", "seed: seven\n");
    assert!(error.contains("seed") && error.contains("line"), "{error}");
}

#[test]
fn all_values_out_of_range_are_listed() {
    let error = refusal(
        "sgd: { momentum: 0.9 }",
        "sgd: { momentum: 2 }\n  clip_norm: -1\n  sam_radius: 11\n  # the rest as it is",
    );
    for part in [
        "optimiser.kind.sgd.momentum: 2; expected 0 to 0.9999",
        "optimiser.clip_norm: -1",
        "optimiser.sam_radius: 11; expected 0 to 10",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = refusal("scale: [0.85, 1.15]", "scale: [1.2, 1.1]");
    assert!(error.contains("augment.scale"), "{error}");
    let error = refusal("mean: [0.5]", "mean: [0.5, 0.5, 0.5]");
    assert!(error.contains("input.mean: 3 values; expected 1"), "{error}");
    for seed in ["4294967296", "-1"] {
        let error = refusal("seed: 7\n", &format!("seed: {seed}\n"));
        assert!(error.contains(&format!("seed: {seed}; expected 0 to 4294967295")), "{error}");
    }
    let error = refusal("threads: 1", "device: gpu");
    assert!(error.contains("device: `gpu`; expected cpu, cuda or cuda:N"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Recipe::read(Path::new("nowhere.yaml")).unwrap_err().to_string();
    assert!(error.contains("nowhere.yaml"), "{error}");
}

#[test]
fn values_are_set_by_their_path() {
    let read = |assignments: &[&str]| {
        let assignments: Vec<String> = assignments.iter().map(|&a| a.to_owned()).collect();
        Recipe::read_with(&support::small_recipe(), &assignments)
    };
    let recipe = read(&[
        "optimiser.epochs=3",
        "balance=none",
        "model.resnet.widths=[8, 16]",
        "early_stopping={monitor: accuracy, patience: 2}",
    ])
    .unwrap();
    assert_eq!(recipe.optimiser.epochs, 3);
    assert_eq!(recipe.balance, BalanceRecipe::None);
    assert_eq!(recipe.early_stopping.unwrap().patience, 2);
    for (assignment, parts) in [
        ("optimiser.epoch=3", &["`epoch`", "epochs"][..]),
        ("optimiser.epochs", &["key.path=value"]),
        ("distill.weight=.5", &["`distill` is null", "'distill={weight: 0.5}'"]),
        ("distill.a.b=1", &["'distill={a: {b: 1}}'"]),
        ("device.cuda=1", &["`device` is cpu, with nothing below it"]),
        ("balance=class-weights", &["'balance={class-weights: {}}'"]),
        ("optimiser.epochs=many", &["optimiser.epochs=many", "many"]),
        ("optimiser.epochs=0", &["optimiser.epochs: 0; expected 1"]),
    ] {
        let error = read(&[assignment]).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{assignment}: {error}");
        }
    }
}
