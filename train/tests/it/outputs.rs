//! Outputs that would become part of the data, or replace what they are made of or somebody's own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::evaluate::write_csv;
use crate::support;

/// What `fer-train` says, having refused.
fn refused<S: AsRef<OsStr>>(arguments: &[S], home: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(arguments)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// Everything in a folder, with what is in the files.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn nothing_is_written_into_data() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    for class in ["happy", "sad"] {
        std::fs::create_dir_all(home.join("faces").join(class)).unwrap();
        let image = image::GrayImage::from_pixel(4, 4, [9].into());
        image.save(home.join("faces").join(class).join("1.png")).unwrap();
    }
    std::fs::create_dir(home.join("elsewhere")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.join("faces"), home.join("link")).unwrap();
    let before = contents(home);
    for (line, option) in [
        ("inspect faces --out faces/plots", "--out is `faces/plots`"),
        ("inspect faces --json ./faces/happy/figures.json", "--json is"),
        ("inspect faces --out elsewhere/../faces/a/b", "--out is"),
        #[cfg(unix)]
        ("inspect faces --out link/plots", "--out is"),
        // Before any other thing that is wrong is looked at.
        ("evaluate --model none.yaml --data faces --plots faces/plots", "--plots is"),
        ("ensemble a.yaml b.yaml --data faces --json faces/x.json", "--json is"),
        ("steadiness --model a.yaml --data faces --json faces/x.json", "--json is"),
        ("train none.yaml --data faces --out faces/run", "--out is `faces/run`"),
        ("distill none.yaml --data faces --teacher a --out faces", "--out is `faces`"),
        ("export a.safetensors --data faces --out faces/a.onnx", "--out is"),
        ("join a.yaml b.yaml --data faces --name n --out faces/a.onnx", "--out is"),
        ("prune a.safetensors --widths 1 --data faces --out faces/b.safetensors", "--out is"),
    ] {
        let told = refused(&line.split(' ').collect::<Vec<_>>(), home);
        assert!(told.contains(option), "{line}: {told}");
        assert!(told.contains("lies in the data `faces`") && told.contains("outside"), "{told}");
    }
    assert!(contents(home) == before, "something was written");
    // A folder whose name only begins alike is another one.
    let arguments = ["inspect", "faces", "--out", "faces2"];
    let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(arguments)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_that_is_no_manifest_is_not_replaced_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let recipe = support::recipe(1).to_yaml().unwrap();
    for name in ["happy.yaml", "small.int8.yaml"] {
        std::fs::write(home.join(name), &recipe).unwrap();
    }
    let before = contents(home);
    for (line, file) in [
        ("export none.safetensors --data d.csv --out happy.onnx", "`happy.yaml`"),
        ("export none.safetensors --data d.csv --out small.onnx --int8", "`small.int8.yaml`"),
        ("join a.yaml b.yaml --data d.csv --name n --out happy.onnx", "`happy.yaml`"),
    ] {
        let told = refused(&line.split(' ').collect::<Vec<_>>(), home);
        assert!(told.contains(&format!("would replace {file}, which is no manifest")), "{told}");
    }
    assert!(contents(home) == before, "something was written");
}

#[test]
fn pruning_leaves_what_it_starts_from() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::create_dir(home.join("run")).unwrap();
    std::fs::write(home.join("run/best.safetensors"), "x").unwrap();
    for out in ["run/best.safetensors", "./run/best.safetensors", "run/../run/best.safetensors"] {
        let line = ["prune", "run/best.safetensors", "--data", "d.csv", "--widths", "1"];
        let told = refused(&[&line[..], &["--out", out]].concat(), home);
        assert!(told.contains("would replace `run/best.safetensors`"), "{told}");
    }
}

#[test]
fn a_run_leaves_a_recipe_that_no_run_wrote() {
    let (_turn, folder) = (support::turn(), tempfile::tempdir().unwrap());
    let home = folder.path();
    let (own, csv) = (home.join("my/recipe.yaml"), home.join("data.csv"));
    write_csv(&support::dataset(), &csv);
    std::fs::create_dir(home.join("my")).unwrap();
    let written = support::recipe(1).to_yaml().unwrap();
    let commented = format!("# Mine.\n{written}");
    std::fs::write(&own, &commented).unwrap();
    let line = ["train", "my/recipe.yaml", "--data", "data.csv", "--out", "./my"];
    let told = refused(&line, home);
    assert!(told.contains("would replace `./my/recipe.yaml`, which no run wrote"), "{told}");
    assert_eq!(std::fs::read_to_string(&own).unwrap(), commented);
    // One that a run wrote which was killed before its first checkpoint is the run's.
    std::fs::write(&own, &written).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fer-train"))
        .args(line)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(&own).unwrap(), written);
}
