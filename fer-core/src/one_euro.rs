//! The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): steady at rest, quick in motion.

use std::f32::consts::TAU;

use crate::geometry::Rect;
use crate::time::MediaTime;

/// Of a face's centre. On recordings of talking heads boxes tremble by half as much, and are as near to
/// where the face is as they were; at a face size a second they are half a hundredth of it further behind.
const PLACE: Tuning = Tuning { min_cutoff: 1.0, beta: 30.0 };
/// Of its size: a face comes nearer more slowly than it moves aside, and its size is measured less surely.
const SIZE: Tuning = Tuning { min_cutoff: 0.5, beta: 1.0 };
/// Cutoff of the speed itself, the paper's own.
const SPEED_CUTOFF: f32 = 1.0;

/// The filter's two numbers.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    /// Cutoff at rest, in hertz.
    min_cutoff: f32,
    /// By how much the cutoff rises, in hertz, with a speed of one face size a second.
    beta: f32,
}

/// Steadies the box of one face, so that what is drawn does not tremble.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxFilter {
    /// Centre and size.
    values: [OneEuro; 4],
    last: Option<MediaTime>,
}

impl BoxFilter {
    /// The box to show at `now` where the face is measured to be at `rect`; the first one as it is.
    pub fn update(&mut self, rect: &Rect, now: MediaTime) -> Rect {
        let seconds = self.last.map(|last| now.since(last).as_secs_f32());
        self.last = Some(now);
        let (cx, cy) = rect.center();
        let size = rect.w.max(rect.h);
        let measured = [(cx, PLACE), (cy, PLACE), (rect.w, SIZE), (rect.h, SIZE)];
        for (filter, (value, tuning)) in self.values.iter_mut().zip(measured) {
            match seconds {
                Some(seconds) => filter.update(value, seconds, size, tuning),
                None => *filter = OneEuro { value, speed: 0.0 },
            }
        }
        let [cx, cy, w, h] = self.values.map(|filter| filter.value);
        Rect::from_center(cx, cy, w, h)
    }
}

/// A number that is filtered, and how fast it changes, a second.
#[derive(Clone, Copy, Debug, Default)]
struct OneEuro {
    value: f32,
    speed: f32,
}

impl OneEuro {
    /// Takes a value `seconds` after the last; speeds are relative to `size`.
    fn update(&mut self, measured: f32, seconds: f32, size: f32, tuning: Tuning) {
        if seconds <= 0.0 {
            return;
        }
        let residual = measured - self.value;
        self.speed += share(SPEED_CUTOFF, seconds) * (residual / seconds - self.speed);
        let cutoff = tuning.min_cutoff + tuning.beta * self.speed.abs() / size;
        self.value += share(cutoff, seconds) * residual;
    }
}

/// The share of a residual that a low-pass filter of the first order takes in.
fn share(cutoff: f32, seconds: f32) -> f32 {
    1.0 / (1.0 + 1.0 / (TAU * cutoff * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Detection;
    use crate::track::{IouTracker, TrackOptions, Tracker};

    #[test]
    fn a_step_taken_in_by_hand() {
        // 2π · .5 · .1 = .31416, of which .31416 / 1.31416 = .23906; 2π · .1 gives .38587.
        assert!((share(0.5, 0.1) - 0.23906).abs() < 1e-5);
        let mut at_rest = OneEuro::default();
        at_rest.update(1.0, 0.1, 1.0, Tuning { min_cutoff: 0.5, beta: 0.0 });
        assert!((at_rest.value - 0.23906).abs() < 1e-5);
        // Speed .38587 · 10, half of it in sizes of 2; cutoff .5 + 2 · 1.92935; 2π · 4.3587 · .1 = 2.73866, of which .73252.
        let mut moving = OneEuro::default();
        let tuning = Tuning { min_cutoff: 0.5, beta: 2.0 };
        moving.update(1.0, 0.1, 2.0, tuning);
        assert!((moving.speed - 3.8587).abs() < 1e-4 && (moving.value - 0.73252).abs() < 1e-5);
        let before = moving;
        moving.update(9.0, 0.0, 2.0, tuning);
        assert_eq!(
            (moving.value, moving.speed),
            (before.value, before.speed),
            "no time has passed"
        );
    }

    #[test]
    fn boxes_are_filtered_relative_to_their_size() {
        let boxes = |scale: f32| {
            let mut filter = BoxFilter::default();
            let first =
                filter.update(&Rect::new(0., 0., 10. * scale, 10. * scale), MediaTime::ZERO);
            let next = Rect::new(2. * scale, scale, 11. * scale, 11. * scale);
            (first, filter.update(&next, MediaTime::from_millis(40)))
        };
        let ((small, small_next), (large, large_next)) = (boxes(1.), boxes(8.));
        assert_eq!(small, Rect::new(0., 0., 10., 10.), "the first one as it is");
        assert!(small.scaled(8., 8.).iou(&large) > 0.9999);
        assert!(small_next.scaled(8., 8.).iou(&large_next) > 0.9999);
    }

    /// Left edges of the track's box and of the filtered one, less the true one, in face sizes: 40 s at
    /// 25 frames a second of a face that moves by `speed` sizes a second and is looked for in each third
    /// frame, with 2 % of noise in its place and 3 % in its size.
    fn errors(speed: f32) -> (Vec<f32>, Vec<f32>) {
        const SIDE: f32 = 100.0;
        let mut state = 1_u32;
        // Sums of four uniform numbers are close to normal; their deviation is √(4/12).
        let mut noise = |deviation: f32| {
            let sum: f32 = (0..4)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 24) as f32 - 0.5
                })
                .sum();
            deviation * sum / (1.0_f32 / 3.0).sqrt()
        };
        let mut tracker = IouTracker::new(TrackOptions::default());
        let mut filter = BoxFilter::default();
        let (mut tracked, mut filtered) = (Vec::new(), Vec::new());
        for frame in 0..1000_u64 {
            let now = MediaTime::from_millis(40 * frame);
            let center = SIDE * speed * now.since(MediaTime::ZERO).as_secs_f32();
            tracker.predict(now);
            if frame.is_multiple_of(3) {
                let (x, size) = (center + SIDE * noise(0.02), SIDE * (1.0 + noise(0.03)));
                let rect = Rect::from_center(x, 0.0, size, size);
                tracker.update(&[Detection { rect, confidence: 0.9 }], now);
            }
            let rect = tracker.tracks()[0].rect;
            let smooth = filter.update(&rect, now);
            if frame >= 100 {
                let error = |rect: Rect| (rect.x - (center - SIDE / 2.0)) / SIDE;
                tracked.push(error(rect));
                filtered.push(error(smooth));
            }
        }
        (tracked, filtered)
    }

    fn mean(values: &[f32]) -> f32 {
        values.iter().sum::<f32>() / values.len() as f32
    }

    fn deviation(values: &[f32]) -> f32 {
        let mean = mean(values);
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32)
            .sqrt()
    }

    /// From one frame to the next.
    fn trembling(values: &[f32]) -> f32 {
        values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum::<f32>() / values.len() as f32
    }

    #[test]
    fn boxes_tremble_less_at_rest_and_hardly_lag_in_motion() {
        let (tracked, filtered) = errors(0.0);
        assert!(deviation(&filtered) < 0.9 * deviation(&tracked));
        assert!(trembling(&filtered) < 0.8 * trembling(&tracked));
        let (tracked, filtered) = errors(1.0);
        // The box is behind a face that moves to the right.
        assert!(mean(&filtered) > mean(&tracked) - 0.006);
    }
}
