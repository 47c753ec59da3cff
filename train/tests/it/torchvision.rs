//! The standard networks are torchvision's, tensor by tensor and number by number.
//!
//! The expected values were computed with torchvision 0.26 and PyTorch 2.11 in `f32`, on weights
//! that follow from each tensor's name.

use fer_core::manifest::sha256_hex;
use fer_train::export::TOLERANCE;
use fer_train::network::Model;
use fer_train::onnx::cost::multiply_adds;
use fer_train::onnx::graph::{Graph, floats};
use fer_train::recipe::Recipe;
use tch::{Device, Kind, Tensor};

use crate::{networks, tiny};

/// The values repeat after so many.
const PERIOD: i64 = 1009;

/// From −0.5 to 0.5: (31 i² + 7919 i + 104729 s) mod 1009, s being the sum of the name's bytes.
fn ramp(name: &str, count: i64) -> Tensor {
    let sum: i64 = name.bytes().map(i64::from).sum();
    let value = |i: i64| {
        let whole = (i * i * 31 + i * 7919 + sum * 104_729) % PERIOD;
        whole as f64 / (PERIOD - 1) as f64 - 0.5
    };
    let values: Vec<f64> = (0..PERIOD.min(count)).map(value).collect();
    Tensor::from_slice(&values).repeat([(count + PERIOD - 1) / PERIOD]).narrow(0, 0, count)
}

fn weights(name: &str, target: &Tensor) -> Tensor {
    let values = ramp(name, target.numel() as i64).view(target.size().as_slice());
    let is_vector = target.dim() == 1;
    let values = match name.rsplit('.').next() {
        Some("running_var") => values * 0.5 + 1.0,
        Some("weight") if is_vector => values * 0.2 + 1.0,
        _ if is_vector => values * 0.2,
        _ => values * (24.0 / target.get(0).numel() as f64).sqrt(),
    };
    values.to_kind(Kind::Float)
}

fn recipe(architecture: &str, size: usize) -> Recipe {
    let model = format!("torchvision: {{ architecture: {architecture} }}");
    tiny::coloured(tiny::recipe(&model, size))
}

/// Compares names and shapes by the SHA-256 of a line `name [sides]` each, sorted, and logits.
fn check(architecture: &str, names: &str, expected: [[f32; 7]; 2]) -> Model {
    let recipe = recipe(architecture, 32);
    let mut model = Model::new(&recipe.model, &recipe.input, 7, Device::Cpu);
    model.store.freeze();
    let mut lines = String::new();
    for (name, tensor) in model.tensors() {
        lines += &format!("{name} {:?}\n", tensor.size());
        tensor.shallow_clone().copy_(&weights(&name, &tensor));
    }
    assert_eq!(sha256_hex(lines.as_bytes()), names, "{lines}");
    let x = ramp("input", 2 * 3 * 32 * 32).to_kind(Kind::Float) * 4.0;
    let found = floats(&model.network.forward(&x.view([2, 3, 32, 32]), false, 0));
    let largest = expected.as_flattened().iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for (found, expected) in found.iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-4 * largest, "{found} is not {expected}");
    }
    model
}

#[test]
fn resnet18() {
    check(
        "resnet18",
        "8cd77419a27f4a6f07d2a045f2c4cd83300e686c43aa52817c782017a3fd87f0",
        [
            [6.38025, 76.4808, -38.5098, -44.4265, 104.77, 17.0354, -89.0887],
            [6.02088, 59.8499, -31.7848, -39.5338, 89.3521, 19.4333, -76.8544],
        ],
    );
}

#[test]
fn resnet50() {
    check(
        "resnet50",
        "0a6223bba8e9352f3076a3a0cfe3f8acaca697092f81a9570333b613cb20e4f0",
        [
            [-20.5815, -190.772, 167.43, 17.6249, 117.558, 136.036, 397.736],
            [-53.3274, -192.844, 157.693, -13.3816, 114.473, 126.675, 356.635],
        ],
    );
}

#[test]
fn vgg19() {
    let model = check(
        "vgg19",
        "71ef1909a19d62c51e15b10524c8a122f87810fce724b63dac0350bb1696a6ca",
        [
            [-0.358643, -0.137073, -0.111491, 0.0914728, -0.00316457, -0.135449, 0.0661789],
            [-0.358907, -0.137115, -0.111553, 0.0918055, -0.00239288, -0.136726, 0.0660518],
        ],
    );
    let exported = networks::exported(&recipe("vgg19", 32), &model);
    assert!(exported.difference <= TOLERANCE && exported.difference > 0.0);
}

#[test]
fn mobilenet_v2() {
    check(
        "mobilenet_v2",
        "83f3c5006bf0b4ef33b25de291759c718569b7ad94cc4b990de0ea017db0ef81",
        [
            [1.59153, 0.18884, 0.294831, -0.270089, -1.51683, -2.11441, 0.511848],
            [0.153171, 0.385334, -0.384202, 0.336805, 0.725743, -1.90101, 1.73975],
        ],
    );
}

#[test]
fn efficientnet_b0() {
    check(
        "efficientnet_b0",
        "db457b311ae9d5afe1ce8f4bd9b1830d2e74824675e0528c99ff749ce4dd2fe1",
        [
            [-1.16911, 0.139223, 0.0400625, 0.0212691, 0.107151, -0.263811, -0.0911049],
            [-1.1691, 0.138873, 0.0405418, 0.0224459, 0.107634, -0.2634, -0.0918208],
        ],
    );
}

/// Parameters and billions of multiply-adds as torchvision's documentation gives them for 224
/// pixels and 1,000 classes.
#[test]
fn size_and_cost_are_as_published() {
    for (architecture, parameters, billions) in [
        ("resnet18", 11_689_512, 1.814),
        ("resnet50", 25_557_032, 4.089),
        ("mobilenet_v2", 3_504_872, 0.301),
        ("efficientnet_b0", 5_288_548, 0.386),
    ] {
        let recipe = recipe(architecture, 224);
        let model = Model::new(&recipe.model, &recipe.input, 1000, Device::Cpu);
        assert_eq!(model.parameters(), parameters, "{architecture}");
        let mut graph = Graph::default();
        model.network.export(&mut graph, "x");
        let found = multiply_adds(&graph, "x", [3, 224, 224]) as f64 / 1e9;
        // Published to the third decimal; some count a few operations more.
        assert!((found - billions).abs() < 0.0011, "{architecture}: {found}");
    }
}
