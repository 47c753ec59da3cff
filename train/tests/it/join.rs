//! Several networks as one: their mean, checked against themselves, on floats and on 8-bit numbers.

use std::path::{Path, PathBuf};

use fer_core::manifest::Manifest;
use fer_train::classes::Classes;
use fer_train::dataset::Dataset;
use fer_train::evaluate::Scored;
use fer_train::export::{Description, Member, TOLERANCE, export, join, write};

use crate::networks::description;
use crate::tiny;

/// An exported network of random weights in `folder`, whose last layer is multiplied by `factor`.
fn written(
    folder: &Path,
    name: &str,
    (net, factor): (&str, f64),
    described: Description,
) -> PathBuf {
    let recipe = tiny::recipe(net, 16);
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

const NARROW: (&str, f64) = ("resnet: { widths: [8], blocks: 1 }", 4.0);
const WIDE: (&str, f64) = ("resnet: { widths: [8, 16], blocks: 1 }", -3.0);
const OTHER: (&str, f64) = ("vgg: { widths: [4, 8], dense: [16] }", 2.0);

#[test]
fn networks_are_joined_to_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("narrow", NARROW), ("wide", WIDE), ("other", OTHER)]
        .map(|(name, net)| written(folder.path(), name, net, description()));
    let dataset = tiny::dataset(tiny::recipe(NARROW.0, 16).input.image_shape(), 140, 70);
    // By manifests, and by an ONNX file.
    let members = [&paths[0], &paths[1], &paths[2].with_extension("onnx")]
        .map(|path| Member::open(path).unwrap());
    let file = Path::new("all.onnx");
    let joined = join(&members, &dataset, file, "all", Some(&dataset.training)).unwrap();
    let int8 = joined.int8.unwrap();
    assert!(joined.float.difference <= TOLERANCE);
    assert!(int8.difference > 0.0 && int8.difference < 0.05, "{}", int8.difference);

    let outputs = |path: &Path| {
        let mut scored = Scored::open(path).unwrap();
        scored.outputs(&dataset.validation, &mut fer_train::evaluate::whole).unwrap()
    };
    let each = paths.each_ref().map(|path| outputs(path));
    let mean = |index: usize| each.iter().map(|own| own[index]).sum::<f32>() / 3.0;
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let apart = each[a].iter().zip(&each[b]).any(|(a, b)| (a - b).abs() > 0.1);
        assert!(apart, "they are to differ");
    }
    for (exported, limit) in [(&joined.float, 1e-5), (&int8, 0.05)] {
        let manifest = write(exported, &folder.path().join(file)).unwrap().unwrap();
        let read = Manifest::load(&manifest).unwrap().0;
        assert_eq!(read, exported.manifest);
        assert_eq!((read.name.as_str(), read.metrics.len()), ("all", 0));
        assert!(read.source.starts_with("mean of 3: narrow (sha256 "), "{}", read.source);
        for (index, found) in outputs(&manifest).into_iter().enumerate() {
            let expected = mean(index);
            assert!((found - expected).abs() < limit, "{index}: {found} is not {expected}");
        }
    }

    // What was joined can be joined: both halves count alike.
    let path = write(&joined.float, &folder.path().join(file)).unwrap().unwrap();
    let members = [Member::open(&path).unwrap(), Member::open(&paths[0]).unwrap()];
    let again = join(&members, &dataset, Path::new("again.onnx"), "again", None).unwrap();
    assert!(again.int8.is_none());
    let path = write(&again.float, &folder.path().join("again.onnx")).unwrap().unwrap();
    for (index, found) in outputs(&path).into_iter().enumerate() {
        assert!((found - f32::midpoint(mean(index), each[0][index])).abs() < 1e-5);
    }
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = tiny::dataset(tiny::recipe(NARROW.0, 16).input.image_shape(), 140, 70);
    let one = written(folder.path(), "one", NARROW, description());
    let elsewhere = Description { licence: "another".to_owned(), ..description() };
    let other = written(folder.path(), "other", NARROW, elsewhere);
    let file = Path::new("both.onnx");
    let told = |paths: &[&PathBuf], dataset: &Dataset| {
        let members: Vec<Member> = paths.iter().map(|path| Member::open(path).unwrap()).collect();
        join(&members, dataset, file, "both", None).unwrap_err().to_string()
    };
    let differing = told(&[&one, &other], &dataset);
    assert!(differing.contains("other.yaml`: differs from `"), "{differing}");
    assert!(differing.ends_with("one.yaml`: licence is another; expected none"), "{differing}");
    assert_eq!(told(&[&one], &dataset), "1 networks to join; expected at least two");
    let names = ["happy", "sad"].map(str::to_owned);
    let few = Dataset { classes: Classes::from_names(&names).0, ..dataset.clone() };
    let classes = told(&[&one, &one], &few);
    assert!(classes.ends_with("expected the data set's, happiness, sadness"), "{classes}");

    let members = [Member::open(&one).unwrap(), Member::open(&one).unwrap()];
    let joined = join(&members, &dataset, file, "both", Some(&dataset.training)).unwrap();
    let whole = write(&joined.int8.unwrap(), &folder.path().join(file)).unwrap().unwrap();
    let whole = Member::open(&whole).unwrap_err().to_string();
    assert!(whole.contains("both.yaml`: has weights that are no floats"), "{whole}");
    let missing = Member::open(Path::new("nothing.onnx")).unwrap_err().to_string();
    assert!(missing.contains("nothing.yaml"), "{missing}");
}

#[test]
fn a_network_is_not_replaced_by_what_it_is_joined_to() {
    let folder = tempfile::tempdir().unwrap();
    let one = written(folder.path(), "one", NARROW, description());
    let two = written(folder.path(), "two", WIDE, description());
    // A manifest whose network has another name.
    let named = folder.path().join("named.yaml");
    std::fs::rename(&two, &named).unwrap();
    let before: Vec<_> = [&one, &named].map(|path| std::fs::read(path).unwrap()).into();
    for out in ["one.onnx", "./two.onnx", "named.onnx"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fer-train"))
            .args(["join", "one.onnx", "named.yaml", "--data", "none.csv", "--name", "both"])
            .args(["--out", out])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains("which it is made of"), "{told}");
    }
    let after: Vec<_> = [&one, &named].map(|path| std::fs::read(path).unwrap()).into();
    assert!(before == after);
}
