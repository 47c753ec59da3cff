//! Heads held to a side.

use super::*;

const FACE: Rect = Rect::new(20., 20., 40., 40.);

/// Sees a face that is upright at first, and tilted from some look on, until it is gone.
struct Head {
    looks: u32,
    tilted: Arc<Mutex<Vec<usize>>>,
}

const TILTS_AT: u32 = 5;
const GOES_AT: u32 = 20;

impl FaceDetector for Head {
    fn detect(&mut self, _: &Frame<'_>, _: f32) -> Result<Vec<Detection>, BackendError> {
        let is_upright = self.looks < TILTS_AT;
        Ok(is_upright.then_some(Detection { rect: FACE, confidence: 0.9 }).into_iter().collect())
    }

    fn detect_near(
        &mut self,
        frame: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        self.looks += 1;
        if places.is_empty() { Ok(Some(Vec::new())) } else { self.detect(frame, 0.0).map(Some) }
    }

    fn detect_tilted(
        &mut self,
        _: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Vec<Detection>, BackendError> {
        self.tilted.lock().unwrap().push(places.len());
        let is_there = self.looks < GOES_AT;
        Ok(is_there.then_some(Detection { rect: FACE, confidence: 0.5 }).into_iter().collect())
    }
}

#[test]
fn a_known_face_is_looked_for_tilted_where_it_is_not_found_upright() {
    let tilted = Arc::default();
    let head = Head { looks: 0, tilted: Arc::clone(&tilted) };
    let source = FaceSource::Detector(Box::new(head));
    let mut analyzer = Analyzer::new(Config::default(), source, None).unwrap();
    let mut lost_at = None;
    for look in 1..60 {
        let report = analyzer.analyze(&frame(), at(100 * u64::from(look)), &[]).unwrap();
        let is_found = report.faces.iter().any(|face| face.track == 1 && face.detected);
        assert_eq!(is_found, look < GOES_AT, "look {look}");
        let looks = tilted.lock().unwrap().len();
        assert_eq!(looks > 0, look >= TILTS_AT, "look {look}");
        lost_at = lost_at.or(kinds(&report).contains(&EventKind::FaceLost).then_some(look));
    }
    // 1.2 s after it was seen last; then nobody is known, and nobody is looked for.
    assert_eq!(lost_at, Some(GOES_AT + 11));
    assert_eq!(tilted.lock().unwrap().len() as u32, GOES_AT + 12 - TILTS_AT);
    assert!(tilted.lock().unwrap().iter().all(|places| *places == 1));
}
