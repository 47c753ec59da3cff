//! Where the video was cut.

use std::time::Duration;

use crate::frame::Frame;
use crate::thumbnail::Thumbnail;
use crate::time::MediaTime;
use crate::time::is_due;

/// Another scene has another picture: the difference of thumbnails at which two frames correlate by
/// about one half.
const CUT: f32 = 0.8;
/// Noise and flicker are no scenes.
const SHORTEST_SCENE: Duration = Duration::from_millis(500);

/// Notices where the video was cut.
#[derive(Clone, Debug, Default)]
pub struct CutDetector {
    last: Option<Thumbnail>,
    /// The last of the scene before.
    before: Option<Thumbnail>,
    last_cut: Option<MediaTime>,
}

impl CutDetector {
    /// Whether a new scene begins with the next frame.
    pub fn is_cut(&mut self, frame: &Frame<'_>, now: MediaTime) -> bool {
        let seen = Thumbnail::of_frame(frame);
        // Between two scenes there may be black, white or fog: what comes after is compared with what
        // was before.
        if seen.is_blank() || self.last.as_ref().is_some_and(|last| seen.is_blank_beside(last)) {
            return false;
        }
        let differs = |last: &Thumbnail| last.difference_without_bars(&seen) >= CUT;
        let is_other = self.last.as_ref().is_some_and(differs);
        if is_other && !is_due(self.last_cut, SHORTEST_SCENE, now) {
            // What was cut to was a flash, if what was before is back. If it is a third scene, it is one
            // when it has lasted.
            let is_back = self.before.as_ref().is_some_and(|before| !differs(before));
            if is_back {
                self.last = Some(seen);
            }
            return false;
        }
        if is_other {
            self.before = self.last.take();
            self.last_cut = Some(now);
        }
        self.last = Some(seen);
        is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn another_scene_is_a_cut_and_movement_or_light_is_none() {
        let bars = |brightness: u8, shift: usize, width: usize| -> Vec<u8> {
            let bar = |i: usize| u8::from(((i % 64 + shift) / width).is_multiple_of(2));
            (0..64 * 64).map(|i| brightness + 100 * bar(i)).collect()
        };
        let mut cuts = CutDetector::default();
        let mut is_cut =
            |millis: u64, data: &[u8]| cuts.is_cut(&Frame::grey(64, 64, data).unwrap(), at(millis));
        assert!(!is_cut(0, &bars(20, 0, 20)), "the first frame");
        assert!(!is_cut(40, &bars(20, 2, 20)), "movement");
        assert!(!is_cut(80, &bars(90, 2, 20)), "light");
        assert!(is_cut(120, &bars(90, 20, 20)), "the opposite");
        assert!(!is_cut(160, &bars(90, 0, 20)), "a flash is too soon for another scene");
        assert!(!is_cut(200, &bars(90, 20, 20)), "it is over");
        assert!(!is_cut(240, &bars(90, 0, 20)), "too soon");
        assert!(!is_cut(600, &bars(90, 0, 20)), "too soon");
        // It is the scene before the cut: that one was the flash.
        assert!(!is_cut(640, &bars(90, 0, 20)), "nothing new");
        // Upright bars, lying ones, and other lying ones.
        let lying = |shift: usize| -> Vec<u8> {
            let bar = |i: usize| u8::from(((i / 64 + shift) / 20).is_multiple_of(2));
            (0..64 * 64).map(|i| 90 + 100 * bar(i)).collect()
        };
        assert!(is_cut(2000, &lying(0)));
        assert!(!is_cut(2200, &lying(20)), "too soon for a third scene");
        assert!(!is_cut(2480, &lying(20)), "too soon");
        assert!(is_cut(2520, &lying(20)), "but it has lasted");
    }

    #[test]
    fn a_scene_that_begins_from_black_is_another_and_the_same_one_is_not() {
        let faded = |percent: u32, bar: usize| -> Vec<u8> {
            let part = |byte: u8| u8::try_from(u32::from(byte) * percent / 100).unwrap();
            picture(20, bar).into_iter().map(part).collect()
        };
        for (next, expected) in [(2, 1), (1, 0)] {
            let mut cuts = CutDetector::default();
            let scenes = [(1, [100, 50, 20, 0, 0, 0]), (next, [0, 20, 50, 100, 100, 100])];
            let frames =
                scenes.iter().flat_map(|(bar, light)| light.map(|percent| (percent, *bar)));
            let found = frames.enumerate().filter(|(index, (percent, bar))| {
                let data = faded(*percent, *bar);
                cuts.is_cut(&Frame::grey(64, 64, &data).unwrap(), at(1000 + 40 * *index as u64))
            });
            assert_eq!(found.count(), expected);
        }
    }

    #[test]
    fn a_cut_between_upright_pictures_with_bars_beside_them_is_one() {
        // 9:16 in 16:9, and what codecs make of the bars.
        let scene = |shift: usize| -> Vec<u8> {
            let pixel = |x: usize, y: usize| match x {
                44..84 => 60 + 100 * u8::from(((y + shift) / 18).is_multiple_of(2)),
                _ => 16 + (x % 2) as u8,
            };
            (0..128 * 72).map(|i| pixel(i % 128, i / 128)).collect()
        };
        let mut cuts = CutDetector::default();
        let mut is_cut = |millis: u64, data: &[u8]| {
            cuts.is_cut(&Frame::grey(128, 72, data).unwrap(), at(millis))
        };
        assert!(!is_cut(0, &scene(0)));
        assert!(!is_cut(40, &scene(2)), "movement");
        assert!(is_cut(80, &scene(18)), "the opposite");
    }

    #[test]
    fn noise_in_the_dark_is_no_cut() {
        // Deviations of 6 grey levels each: the scene's, in stripes, and that of the camera's noise.
        let mut random = 1_u32;
        let mut noise = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24) * 20.8 - 10.4
        };
        let mut cuts = CutDetector::default();
        for frame in 0..200 {
            let stripe = |i: usize| if (i % 256 / 64).is_multiple_of(2) { 36.0 } else { 24.0 };
            let data: Vec<u8> = (0..256 * 144).map(|i| (stripe(i) + noise()) as u8).collect();
            let frame_data = Frame::grey(256, 144, &data).unwrap();
            assert!(!cuts.is_cut(&frame_data, at(40 * frame)), "frame {frame}");
        }
    }

    #[test]
    fn one_odd_frame_is_one_cut_and_white_between_bars_is_none() {
        let scene = |shift: usize, light: Option<u8>| -> Vec<u8> {
            let pixel = |x: usize, y: usize| match (x, light) {
                (44..84, Some(light)) => light,
                (44..84, None) => 60 + 100 * u8::from(((y + shift) / 18).is_multiple_of(2)),
                _ => 16,
            };
            (0..128 * 72).map(|i| pixel(i % 128, i / 128)).collect()
        };
        for (odd, expected) in [(scene(18, None), vec![1000]), (scene(0, Some(235)), vec![])] {
            let mut cuts = CutDetector::default();
            let found: Vec<u64> = (0..3000)
                .step_by(40)
                .filter(|&millis| {
                    let data = if millis == 1000 { odd.clone() } else { scene(0, None) };
                    cuts.is_cut(&Frame::grey(128, 72, &data).unwrap(), at(millis))
                })
                .collect();
            assert_eq!(found, expected);
        }
    }

    fn picture(brightness: u8, bar: usize) -> Vec<u8> {
        (0..64 * 64).map(|i| brightness + if (i % 64) / 16 == bar { 100 } else { 0 }).collect()
    }
}
