//! The ONNX classifier against good and bad files. Needs an ONNX Runtime library, as `./fer` sets
//! up; without one every test but those of the search fails and says where it looked.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]

use std::path::{Path, PathBuf};

use fer_backends::onnx::{ExecutionProvider, OnnxClassifier, Options};
use fer_core::classify::{EmotionClassifier, Scratch, classify};
use fer_core::detect::BackendError;
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::manifest::{Manifest, sha256_hex};

const MEAN: &[u8] = include_bytes!("fixtures/mean.onnx");

const YAML: &str = "
schema-version: 1
name: mean
file: mean.onnx
sha256: SUM
input:
  tensor: input
  width: 8
  height: 8
  colour: grey
  normalisation: { scale: 1, mean: [0], std: [1] }
  crop: { margin: 0, square: false }
output:
  tensor: logits
  kind: logits
  labels: [anger, disgust, fear, happiness, sadness, surprise, neutral]
licence: none needed
source: make_models.py
";

fn yaml_for(model: &[u8]) -> String {
    YAML.replace("SUM", &sha256_hex(model))
}

fn load(model: &[u8], from: &str, to: &str) -> Result<OnnxClassifier, BackendError> {
    let yaml = yaml_for(model);
    assert!(yaml.contains(from), "{from}");
    let manifest = Manifest::from_yaml(&yaml.replace(from, to), "test.yaml").unwrap();
    OnnxClassifier::from_memory(manifest, model, "test.onnx", &Options::default())
}

fn refused(result: Result<OnnxClassifier, BackendError>, parts: &[&str]) {
    let error = result.unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

/// Column i of the fixtures' output is the mean of the face plus i.
fn expected(means: &[f32]) -> Vec<f32> {
    means.iter().flat_map(|mean| (0..7).map(move |i| mean + i as f32)).collect()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

#[test]
fn a_batch_gives_a_row_a_face() {
    let mut model = load(MEAN, "name: mean", "name: mean").unwrap();
    let batch: Vec<f32> = [vec![1.0; 64], vec![5.0; 64], vec![-2.0; 64]].concat();
    let output = model.run(&batch, 3).unwrap();
    assert!(close(&output, &expected(&[1.0, 5.0, -2.0])), "{output:?}");
    assert!(model.run(&[], 0).unwrap().is_empty());
    let error = model.run(&batch, 2).unwrap_err().to_string();
    assert!(error.contains("192 values") && error.contains("2 faces"), "{error}");
}

/// More classifiers of one model than there are processors, all at work at once: each with a session
/// while it needs one, and, with two threads a run, in batches.
#[test]
fn streams_share_what_runs_their_model_and_get_their_own_results() {
    let work = |thread: usize, intra_threads: usize| {
        let manifest = Manifest::from_yaml(&yaml_for(MEAN), "test.yaml").unwrap();
        let options = Options { intra_threads, ..Options::default() };
        let model = OnnxClassifier::from_memory(manifest, MEAN, "test.onnx", &options).unwrap();
        let mut model = model.among_streams().unwrap();
        for round in 0..50 {
            let value = (100 * thread + round) as f32;
            let output = model.run(&[value; 64], 1).unwrap();
            assert!(close(&output, &expected(&[value])), "{thread} {round}: {output:?}");
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..32 {
            scope.spawn(move || work(thread, 1 + thread % 2));
        }
    });
}

#[test]
fn a_network_of_batch_1_runs_once_a_face() {
    let one = include_bytes!("fixtures/mean_batch_1.onnx");
    let manifest = Manifest::from_yaml(&yaml_for(one), "test.yaml").unwrap();
    let batch: Vec<f32> = [vec![1.0; 64], vec![5.0; 64]].concat();
    // With two threads batches would be quicker, but for this network there are none.
    for intra_threads in [1, 2] {
        let options = Options { intra_threads, ..Options::default() };
        let model = OnnxClassifier::from_memory(manifest.clone(), one, "test.onnx", &options);
        let output = model.unwrap().among_streams().unwrap().run(&batch, 2).unwrap();
        assert!(close(&output, &expected(&[1.0, 5.0])), "{output:?}");
    }
}

#[test]
fn pixels_go_all_the_way_to_probabilities() {
    let mut model = load(MEAN, "kind: logits", "kind: logits\n  temperature: 0.5").unwrap();
    let pixels = [9u8; 64 * 64];
    let frame = Frame::grey(64, 64, &pixels).unwrap();
    let face = Rect::new(10.0, 10.0, 16.0, 16.0);
    let mut scratch = Scratch::default();
    let found = classify(&mut model, &frame, &[face, face], &mut scratch).unwrap();
    // Logits m, m + 1, … at temperature 1/2: each is e² times the one before.
    let values = found[0].values();
    assert_eq!(found[0], found[1]);
    assert!((values[6] / values[5] - 1f32.exp().powi(2)).abs() < 1e-3, "{values:?}");
}

#[test]
fn files_that_are_no_model_are_refused() {
    refused(load(&[], "name: mean", "name: mean"), &["test.onnx", "empty"]);
    refused(load(&MEAN[..900], "name: mean", "name: mean"), &["test.onnx", "damaged"]);
    refused(load(b"GIF89a, surely", "name: mean", "name: mean"), &["test.onnx", "no ONNX model"]);
    refused(load(&[0; 4096], "name: mean", "name: mean"), &["test.onnx"]);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let manifest = Manifest::from_yaml(&yaml_for(b"other"), "test.yaml").unwrap();
    refused(
        OnnxClassifier::from_memory(manifest, MEAN, "test.onnx", &Options::default()),
        &["test.onnx", "sha256"],
    );
}

#[test]
fn a_tensor_that_disagrees_is_named_with_the_manifests_field() {
    let cases: [(&str, &str, &[&str]); 7] = [
        ("tensor: input", "tensor: image", &["input.tensor", "\"image\"", "model has: input"]),
        ("tensor: logits", "tensor: probs", &["output.tensor", "\"probs\"", "model has: logits"]),
        ("width: 8", "width: 48", &["input.width is 48", "model has 8", "[n, 1, 8, 8]"]),
        ("height: 8", "height: 9", &["input.height is 9", "model has 8"]),
        ("sadness, ", "", &["output.labels has 6", "[n, 7]"]),
        ("neutral]", "neutral, ignore]", &["output.labels has 8", "[n, 7]"]),
        (
            "colour: grey\n  normalisation: { scale: 1, mean: [0], std: [1] }",
            "colour: rgb\n  normalisation: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] }",
            &["input.colour is rgb", "needs 3", "model has 1"],
        ),
    ];
    for (from, to, parts) in cases {
        refused(load(MEAN, from, to), parts);
    }
}

#[test]
fn shapes_and_types_that_cannot_work_are_refused() {
    let refuse =
        |model: &[u8], parts: &[&str]| refused(load(model, "name: mean", "name: mean"), parts);
    refuse(include_bytes!("fixtures/mean_batch_2.onnx"), &["first dimension is 2", "[2, 1, 8, 8]"]);
    refuse(
        include_bytes!("fixtures/mean_bytes.onnx"),
        &["input.tensor", "Tensor<u8>", "only Tensor<f32>"],
    );
    refuse(include_bytes!("fixtures/mean_two_inputs.onnx"), &["2 inputs", "1 is needed"]);
    refuse(include_bytes!("fixtures/mean_rank_2.onnx"), &["4 dimensions", "[n, 64]"]);
}

/// What no shape in the file tells, and no first run on zeros.
#[test]
fn an_output_that_changes_its_shape_fails_that_run_alone() {
    let grows = include_bytes!("fixtures/grows.onnx");
    let mut model = load(grows, "name: mean", "name: mean").unwrap();
    let face = |value: f32| vec![value; 64];
    for _ in 0..2 {
        let output = model.run(&[face(1.0), face(2.0)].concat(), 2).unwrap();
        assert!(close(&output, &expected(&[1.0, 2.0])), "{output:?}");
        for batch in [face(101.0), [face(1.0), face(101.0)].concat()] {
            let error = model.run(&batch, batch.len() / 64).unwrap_err().to_string();
            assert!(error.contains("[2, 7] for 1 faces"), "{error}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| OnnxClassifier::load(&folder.path().join(name), &Options::default());
    refused(load("none.yaml"), &["none.yaml"]);
    refused(load("none.onnx"), &["none.onnx", "no such file"]);
    std::fs::write(folder.path().join("mean.yaml"), yaml_for(MEAN)).unwrap();
    refused(load("mean.yaml"), &["mean.onnx"]);
    std::fs::write(folder.path().join("alone.onnx"), MEAN).unwrap();
    refused(load("alone.onnx"), &["alone.yaml", "manifest"]);
    std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    refused(load("folder.yaml"), &["folder.yaml"]);
    std::fs::write(folder.path().join("mean.onnx"), &MEAN[..100]).unwrap();
    refused(load("mean.yaml"), &["mean.yaml", "sha256"]);
    std::fs::write(folder.path().join("mean.onnx"), MEAN).unwrap();
    load("mean.yaml").unwrap();
    load("mean.onnx").unwrap();
}

#[test]
fn providers_are_known_by_name_and_never_replaced_in_silence() {
    assert_eq!("cpu".parse::<ExecutionProvider>().unwrap(), ExecutionProvider::Cpu);
    let error = "gpu".parse::<ExecutionProvider>().unwrap_err().to_string();
    assert!(error.contains("execution-provider is \"gpu\"") && error.contains("cuda"), "{error}");
    let manifest = Manifest::from_yaml(&yaml_for(MEAN), "test.yaml").unwrap();
    for provider in [ExecutionProvider::CoreMl, ExecutionProvider::DirectMl] {
        let options = Options { execution_provider: provider, ..Options::default() };
        refused(
            OnnxClassifier::from_memory(manifest.clone(), MEAN, "test.onnx", &options),
            &["execution-provider", provider.name(), "cpu", "ONNX Runtime 1."],
        );
    }
    let options = Options { intra_threads: 0, ..Options::default() };
    refused(
        OnnxClassifier::from_memory(manifest, MEAN, "test.onnx", &options),
        &["intra-threads is 0", "1 to 64"],
    );
}

#[test]
fn models_can_load_from_many_threads_at_once() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut model = load(MEAN, "name: mean", "name: mean").unwrap();
                assert!(close(&model.run(&[3.0; 64], 1).unwrap(), &expected(&[3.0])));
            });
        }
    });
}

/// The example manifests against the real weights, which lie outside the project.
#[test]
fn example_manifests_fit_their_models() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let peers = root.join("../shared/peers");
    for name in ["mini_xception", "faceapi_expression"] {
        let yaml = std::fs::read(root.join(format!("models/examples/{name}.yaml"))).unwrap();
        let manifest = Manifest::from_yaml(std::str::from_utf8(&yaml).unwrap(), name).unwrap();
        let Ok(weights) = std::fs::read(peers.join(&manifest.file)) else {
            println!("skipped {name}: no {}", peers.join(&manifest.file).display());
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let at =
            |extension: &str| -> PathBuf { folder.path().join(name).with_extension(extension) };
        std::fs::write(at("yaml"), yaml).unwrap();
        std::fs::write(at("onnx"), weights).unwrap();
        let mut model = OnnxClassifier::load(&at("yaml"), &Options::default()).unwrap();
        let pixels: Vec<u8> = (0..200 * 200).map(|i| (i % 251) as u8).collect();
        let frame = Frame::grey(200, 200, &pixels).unwrap();
        let mut scratch = Scratch::default();
        let faces = [Rect::new(20., 20., 100., 100.), Rect::new(-30., 90., 150., 150.)];
        let found = classify(&mut model, &frame, &faces, &mut scratch).unwrap();
        assert_eq!(found.len(), 2);
        assert_ne!(found[0], found[1]);
    }
}
