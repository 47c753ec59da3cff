//! `fer.yaml`: any bytes are a manifest or an error that says why not.

use fer_core::manifest::Manifest;

/// Reads `data` as a manifest, and uses one that is accepted.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let manifest = match Manifest::from_yaml(text, "fuzz") {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(error.to_string().starts_with("fuzz: "), "{error}");
            return;
        }
    };
    assert!((64..=3 * 1024 * 1024).contains(&manifest.shape().len()));
    let columns = manifest.output.labels.len();
    for value in [0.25, 0.0, -1.0, f32::MAX, f32::MIN, f32::NAN] {
        let mut row = vec![0.25; columns];
        row[columns / 2] = value;
        if let Ok(p) = manifest.probabilities(&row) {
            assert!((p.values().iter().sum::<f32>() - 1.0).abs() < 1e-4, "{p:?} of {row:?}");
        }
        if let Some(p) = manifest.face_probability(&row) {
            assert!((0.0..=1.0).contains(&p), "{p} of {row:?}");
        }
    }
    assert!((manifest.prior().values().iter().sum::<f32>() - 1.0).abs() < 1e-4);
    let _ = manifest.verify(data, "fuzz").is_ok();
}
