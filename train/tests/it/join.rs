//! Several networks as one: their mean, checked against themselves, on floats and on 8-bit numbers.

use std::path::{Path, PathBuf};

use fer_core::manifest::Manifest;
use fer_train::classes::Classes;
use fer_train::evaluate::Scored;
use fer_train::export::{Description, Member, TOLERANCE, export, join, write};

use crate::networks::description;
use crate::tiny;

/// An exported network of random weights in `folder`, alike for each call but for its head.
fn written(folder: &Path, name: &str, factor: f64, described: Description) -> PathBuf {
    let recipe = tiny::recipe(tiny::RESNET, 16);
    let model = tiny::model(&recipe);
    let head = &model.store.variables()["head.weight"];
    let _ = head.shallow_clone().g_mul_scalar_(factor);
    let validation = tiny::dataset(recipe.input.image_shape(), 140, 70).validation;
    let path = folder.join(format!("{name}.onnx"));
    let file = Path::new(path.file_name().unwrap());
    let described = Description { name: name.to_owned(), ..described };
    let exported =
        export(&model, &tiny::progress(&recipe, Classes::fer2013()), &validation, file, &described)
            .unwrap();
    write(&exported, &path).unwrap().unwrap()
}

#[test]
fn networks_are_joined_to_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let one = written(folder.path(), "one", 4.0, description());
    let other = written(folder.path(), "other", -2.0, description());
    let dataset = tiny::dataset(tiny::recipe(tiny::RESNET, 16).input.image_shape(), 140, 70);
    // By its manifest, and by its ONNX file.
    let members =
        [Member::open(&one).unwrap(), Member::open(&other.with_extension("onnx")).unwrap()];
    let joined = join(&members, &dataset, Path::new("both.onnx"), "both").unwrap();
    assert!(joined.float.difference <= TOLERANCE);
    assert!(joined.int8.difference > 0.0 && joined.int8.difference < 0.05);

    let outputs = |path: &Path| {
        let mut scored = Scored::open(path).unwrap();
        scored.outputs(&dataset.validation, &mut fer_train::evaluate::whole).unwrap()
    };
    let (a, b) = (outputs(&one), outputs(&other));
    assert!(a.iter().zip(&b).any(|(a, b)| (a - b).abs() > 0.1), "they are to differ");
    for (exported, limit) in [(&joined.float, 1e-5), (&joined.int8, 0.05)] {
        let manifest = write(exported, &folder.path().join("both.onnx")).unwrap().unwrap();
        let read = Manifest::load(&manifest).unwrap().0;
        assert_eq!(read, exported.manifest);
        assert_eq!((read.name.as_str(), read.metrics.len()), ("both", 0));
        assert_eq!(read.source, "mean of 2: a test; a test");
        for ((mean, a), b) in outputs(&manifest).iter().zip(&a).zip(&b) {
            assert!((mean - (a + b) / 2.0).abs() < limit, "{mean} is not the mean of {a} and {b}");
        }
    }
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = tiny::dataset(tiny::recipe(tiny::RESNET, 16).input.image_shape(), 140, 70);
    let one = written(folder.path(), "one", 1.0, description());
    let mut elsewhere = description();
    elsewhere.crop.margin += 0.1;
    elsewhere.licence = "another".to_owned();
    let other = written(folder.path(), "other", 1.0, elsewhere);
    let file = Path::new("both.onnx");
    let told = |paths: &[&PathBuf]| {
        let members: Vec<Member> = paths.iter().map(|path| Member::open(path).unwrap()).collect();
        join(&members, &dataset, file, "both").unwrap_err().to_string()
    };
    let differing = told(&[&one, &other]);
    assert!(differing.contains("other.yaml`: its manifest says something else of input, licence"));
    assert_eq!(told(&[&one]), "1 networks to join; expected at least two");

    let members = [Member::open(&one).unwrap(), Member::open(&one).unwrap()];
    let joined = join(&members, &dataset, file, "both").unwrap();
    let whole = write(&joined.int8, &folder.path().join("both.onnx")).unwrap().unwrap();
    let whole = Member::open(&whole).unwrap_err().to_string();
    assert!(whole.contains("both.yaml`: has weights that are no floats"), "{whole}");
    let missing = Member::open(Path::new("nothing.onnx")).unwrap_err().to_string();
    assert!(missing.contains("nothing.yaml"), "{missing}");
}
