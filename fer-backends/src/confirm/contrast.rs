//! Contrast as the network learnt it, for faces that have less.

use fer_core::detect::FAINT;
use fer_core::preprocess::Normalisation;

/// What luma of the faces that the network learnt from deviates by, about.
const USUAL: f32 = 50.0;
/// Differences are enlarged at most by this much, as cascades see them.
const MOST: f32 = 12.0;

/// Enlarges differences of luma around their middle where a face is faint; its values are as `normalisation`
/// makes them.
pub(super) fn enhance(values: &mut [f32], normalisation: &Normalisation) {
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>();
    let level = normalisation.apply(1.0, 0) - normalisation.apply(0.0, 0);
    let deviation = (squares / count).sqrt() / level;
    if !FAINT.contains(&deviation) {
        return;
    }
    let gain = (USUAL / deviation).min(MOST);
    let [least, middle, most] = [0.0, 128.0, 255.0].map(|pixel| normalisation.apply(pixel, 0));
    for value in values {
        *value = (middle + gain * (*value - mean)).clamp(least, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of luma that is `deviation` more and less than `mean` by turns.
    fn enhanced(mean: f32, deviation: f32) -> [f32; 2] {
        let normalisation = Normalisation { scale: 255.0, mean: vec![0.5], std: vec![0.25] };
        let mut values = Vec::new();
        for pixel in [mean - deviation, mean + deviation].repeat(100) {
            values.push(normalisation.apply(pixel, 0));
        }
        enhance(&mut values, &normalisation);
        [values[0], values[1]].map(|value| (255.0 * (0.25 * value + 0.5)).round())
    }

    #[test]
    fn faint_faces_have_the_usual_contrast_and_others_their_own() {
        assert_eq!(enhanced(60.0, 25.0), [35.0, 85.0]);
        for (mean, deviation) in [(30.0, 5.0), (230.0, 19.0), (100.0, 5.0)] {
            assert_eq!(enhanced(mean, deviation), [78.0, 178.0], "{mean} ± {deviation}");
        }
        // Noise on a wall stays noise.
        assert_eq!(enhanced(100.0, 2.0), [104.0, 152.0]);
        assert_eq!(enhanced(100.0, 0.0), [100.0, 100.0]);
    }
}
