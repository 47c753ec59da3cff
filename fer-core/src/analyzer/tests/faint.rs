//! Faces of little contrast.

use super::*;

const FACE: Rect = Rect::new(20., 20., 60., 60.);

/// A look in the whole frame from a size on, for faint faces from a size on, or near so many places.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Everywhere(f32),
    Faint(f32),
    Near(usize),
}
use Look::{Everywhere, Faint, Near};

/// Sees a face in looks for faint ones and near its place only, if it is there.
struct InTheDark {
    is_there: bool,
    looks: Arc<Mutex<Vec<Look>>>,
}

impl InTheDark {
    fn look(&self, look: Look, sees: bool) -> Vec<Detection> {
        self.looks.lock().unwrap().push(look);
        let face = Detection { rect: FACE, confidence: 0.9 };
        (sees && self.is_there).then_some(face).into_iter().collect()
    }
}

impl FaceDetector for InTheDark {
    fn detect(&mut self, _: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        Ok(self.look(Everywhere(min_face), false))
    }

    fn detect_faint(
        &mut self,
        _: &Frame<'_>,
        min_face: f32,
    ) -> Result<Vec<Detection>, BackendError> {
        Ok(self.look(Faint(min_face), true))
    }

    fn detect_near(
        &mut self,
        _: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        if places.is_empty() {
            return Ok(Some(Vec::new()));
        }
        Ok(Some(self.look(Near(places.len()), true)))
    }
}

/// The looks, with their times, at 200 × 200 pixels of low contrast that change in every second frame, and
/// in how many of them a face is found.
fn looks(is_there: bool, millis: impl Iterator<Item = u64>) -> (Vec<(u64, Vec<Look>)>, usize) {
    let looks = Arc::default();
    let detector = InTheDark { is_there, looks: Arc::clone(&looks) };
    let source = FaceSource::Detector(Box::new(detector));
    let mut analyzer = Analyzer::new(Config::default(), source, None).unwrap();
    let (mut all, mut found) = (Vec::new(), 0);
    for (index, millis) in millis.enumerate() {
        let light = if index % 2 == 0 { 30 } else { 50 };
        let luma: Vec<u8> = (0..200 * 200).map(|pixel| light + 8 * (pixel % 2) as u8).collect();
        let frame = Frame::grey(200, 200, &luma).unwrap();
        let report = analyzer.analyze(&frame, at(millis), &[]).unwrap();
        found += report.faces.iter().filter(|face| face.detected).count();
        all.push((millis, std::mem::take(&mut *looks.lock().unwrap())));
    }
    (all, found)
}

#[test]
fn where_nobody_is_found_faint_faces_are_looked_for_each_second() {
    let (all, found) = looks(false, (0..=2000).step_by(100));
    assert_eq!(found, 0);
    for (millis, looks) in all {
        let expected: &[Look] = match millis {
            // Those that are large, too, in a picture of their own.
            0 | 2000 => &[Everywhere(12.0), Faint(12.0), Faint(24.0)],
            1000 => &[Everywhere(24.0), Faint(24.0)],
            _ => &[Everywhere(24.0)],
        };
        assert_eq!(looks, expected, "at {millis}");
    }
}

#[test]
fn a_faint_face_that_is_known_is_looked_for_near_its_place_in_every_look() {
    let (all, found) = looks(true, (0..=4000).step_by(100));
    assert_eq!(found, all.len());
    assert_eq!(all[0].1, [Everywhere(12.0), Faint(12.0)]);
    for (millis, looks) in &all[1..] {
        assert_eq!(looks[0], Near(1), "at {millis}");
        assert!(!looks.iter().any(|look| matches!(look, Faint(_))), "at {millis}");
    }
    let everywhere =
        all.iter().filter(|(_, looks)| looks.iter().any(|it| matches!(it, Everywhere(_))));
    assert_eq!(everywhere.count(), 9, "each half second");
}
