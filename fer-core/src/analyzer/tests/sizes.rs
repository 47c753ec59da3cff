//! Large faces and small ones.

use super::*;

/// A frame held upright, 200 × 400: faces are small below 2 · 1.25 · .06 · 200 = 30 pixels.
static UPRIGHT: [[u8; 200 * 400]; 2] = [[128; 200 * 400], [90; 200 * 400]];
const LARGE_FACE: Rect = Rect::new(20., 20., 60., 60.);
const SMALL_FACE: Rect = Rect::new(120., 300., 16., 16.);

/// A look everywhere from a size on, or near places.
#[derive(Clone, Debug, PartialEq)]
enum Look {
    Everywhere(f32),
    Near(Vec<Rect>),
}

/// Finds what is there and large enough, or near enough, and notes how it looked.
struct Sized {
    there: Arc<Mutex<Vec<Rect>>>,
    looks: Arc<Mutex<Vec<Look>>>,
    confidence: f32,
}

impl Sized {
    fn find(&self, wanted: impl Fn(&Rect) -> bool) -> Vec<Detection> {
        let there = self.there.lock().unwrap();
        let found = there.iter().filter(|rect| wanted(rect));
        found.map(|rect| Detection { rect: *rect, confidence: self.confidence }).collect()
    }
}

impl FaceDetector for Sized {
    fn detect(&mut self, _: &Frame<'_>, min_face: f32) -> Result<Vec<Detection>, BackendError> {
        self.looks.lock().unwrap().push(Look::Everywhere(min_face));
        Ok(self.find(|rect| rect.h >= min_face))
    }

    fn detect_near(
        &mut self,
        _: &Frame<'_>,
        places: &[Rect],
    ) -> Result<Option<Vec<Detection>>, BackendError> {
        if !places.is_empty() {
            self.looks.lock().unwrap().push(Look::Near(places.to_vec()));
        }
        Ok(Some(self.find(|rect| places.iter().any(|place| place.iou(rect) > 0.5))))
    }
}

type Shared<T> = Arc<Mutex<Vec<T>>>;

fn analyzer(config: Config, confidence: f32) -> (Analyzer, Shared<Rect>, Shared<Look>) {
    let (there, looks) = (Shared::default(), Shared::default());
    let detector = Sized { there: Arc::clone(&there), looks: Arc::clone(&looks), confidence };
    let source = FaceSource::Detector(Box::new(detector));
    (Analyzer::new(config, source, None).unwrap(), there, looks)
}

/// Heights of the faces that are told of in a picture that stands still.
fn heights(analyzer: &mut Analyzer, millis: u64) -> Vec<f32> {
    heights_in(0, analyzer, millis)
}

fn heights_in(picture: usize, analyzer: &mut Analyzer, millis: u64) -> Vec<f32> {
    let frame = Frame::grey(200, 400, &UPRIGHT[picture]).unwrap();
    let report = analyzer.analyze(&frame, at(millis), &[]).unwrap();
    report.faces.iter().map(|face| (face.rect.h * 400.0).round()).collect()
}

#[test]
fn the_shorter_side_counts_and_a_small_face_is_found_when_small_ones_are_looked_for() {
    let (mut analyzer, there, looks) = analyzer(Config::default(), 0.9);
    there.lock().unwrap().extend([LARGE_FACE, SMALL_FACE]);
    assert_eq!(heights(&mut analyzer, 0), [60.0, 16.0]);
    assert_eq!(*looks.lock().unwrap(), [Look::Everywhere(12.0)]);
    looks.lock().unwrap().clear();
    for millis in (100..=2000).step_by(100) {
        assert_eq!(heights(&mut analyzer, millis), [60.0, 16.0], "at {millis}");
    }
    // Nothing moves: 19 looks near both, then one everywhere for large faces, and near the small one.
    let looks = looks.lock().unwrap();
    assert_eq!(looks.len(), 21);
    let [Look::Near(both), .., Look::Near(small), Look::Everywhere(size)] = &looks[..] else {
        panic!("{looks:?}");
    };
    assert_eq!((both.len(), small.len(), *size), (2, 1, 24.0));
    assert!(small[0].iou(&SMALL_FACE) > 0.9);
}

#[test]
fn a_faint_small_face_is_confirmed_by_the_second_look_however_far_that_is() {
    let half = Duration::from_millis(500);
    let config = Config { inference_interval: half, scan_interval: half, ..Config::default() };
    let (mut analyzer, there, looks) = analyzer(config, 0.3);
    there.lock().unwrap().push(SMALL_FACE);
    assert_eq!(heights(&mut analyzer, 0), [] as [f32; 0]);
    // Something has moved: a look for large faces everywhere.
    assert_eq!(heights_in(1, &mut analyzer, 500), [16.0]);
    assert_eq!(looks.lock().unwrap().last(), Some(&Look::Everywhere(24.0)));
}

#[test]
fn a_face_that_leaves_its_place_is_looked_for_in_the_same_frame() {
    let (mut analyzer, there, looks) = analyzer(Config::default(), 0.9);
    there.lock().unwrap().push(LARGE_FACE);
    for millis in [0, 100, 200] {
        assert_eq!(heights(&mut analyzer, millis), [60.0]);
    }
    looks.lock().unwrap().clear();
    let away = Rect { x: LARGE_FACE.x + 65.0, ..LARGE_FACE };
    there.lock().unwrap()[0] = away;
    let frame = Frame::grey(200, 400, &UPRIGHT[0]).unwrap();
    let report = analyzer.analyze(&frame, at(300), &[]).unwrap();
    let [Look::Near(_), Look::Everywhere(24.0)] = looks.lock().unwrap()[..] else {
        panic!("{looks:?}");
    };
    let [face] = &report.faces[..] else { panic!("{report:?}") };
    assert_eq!((face.track, face.detected), (1, true));
    // Where it is not found either, it is looked for everywhere in every second scan: as it is missed,
    // and no more in the very frames.
    there.lock().unwrap().clear();
    (400..=900).step_by(100).for_each(|millis| drop(heights(&mut analyzer, millis)));
    let everywhere = |look: &&Look| matches!(look, Look::Everywhere(_));
    assert_eq!(looks.lock().unwrap().iter().filter(everywhere).count(), 1 + 3);
}

#[test]
fn who_goes_is_looked_for_among_those_of_the_size() {
    for (gone, expected) in [(SMALL_FACE, 12.0), (LARGE_FACE, 24.0)] {
        let (mut analyzer, there, looks) = analyzer(Config::default(), 0.9);
        there.lock().unwrap().extend([LARGE_FACE, SMALL_FACE]);
        heights(&mut analyzer, 0);
        there.lock().unwrap().retain(|face| *face != gone);
        heights(&mut analyzer, 100);
        assert_eq!(looks.lock().unwrap().last(), Some(&Look::Everywhere(expected)), "{gone:?}");
    }
}

#[test]
fn where_every_look_is_everywhere_known_faces_are_looked_for_more_closely_too() {
    let zero = Duration::ZERO;
    let config = Config { inference_interval: zero, scan_interval: zero, ..Config::default() };
    let (mut analyzer, there, looks) = analyzer(config, 0.9);
    there.lock().unwrap().extend([LARGE_FACE, SMALL_FACE]);
    heights(&mut analyzer, 0);
    looks.lock().unwrap().clear();
    assert_eq!(heights(&mut analyzer, 40), [60.0, 16.0]);
    let looks = looks.lock().unwrap();
    let [Look::Near(near), Look::Everywhere(12.0)] = &looks[..] else { panic!("{looks:?}") };
    assert_eq!(near.len(), 2);
}

#[test]
fn at_a_frame_a_second_known_faces_are_looked_for_more_closely_too() {
    let (mut analyzer, there, looks) = analyzer(Config::default(), 0.9);
    there.lock().unwrap().extend([LARGE_FACE, SMALL_FACE]);
    heights(&mut analyzer, 0);
    for second in 1..=5 {
        looks.lock().unwrap().clear();
        // Something moves, so that each look is everywhere.
        assert_eq!(heights_in(second % 2, &mut analyzer, 1000 * second as u64), [60.0, 16.0]);
        let looks = looks.lock().unwrap();
        let [Look::Near(near), Look::Everywhere(_)] = &looks[..] else { panic!("{looks:?}") };
        assert!(near[0].iou(&LARGE_FACE) > 0.9 && near[1].iou(&SMALL_FACE) > 0.9, "{near:?}");
    }
}

#[test]
fn large_faces_fit_into_the_frame_whatever_the_smallest() {
    let frame = Frame::grey(200, 400, &UPRIGHT[0]).unwrap();
    for (min_face, small, large) in
        [(0.06, 12., 24.), (0.25, 50., 100.), (0.375, 75., 100.), (0.75, 150., 150.)]
    {
        let sizes = Sizes::new(min_face, &frame);
        assert_eq!((sizes.small, sizes.large), (small, large), "{min_face}");
    }
    // A look for large faces finds one that fills the frame.
    let (mut analyzer, there, looks) =
        analyzer(Config { min_face: 0.75, ..Config::default() }, 0.9);
    heights(&mut analyzer, 0);
    there.lock().unwrap().push(Rect::new(20., 20., 160., 160.));
    assert_eq!(heights_in(1, &mut analyzer, 500), [160.0]);
    assert_eq!(looks.lock().unwrap().last(), Some(&Look::Everywhere(150.0)));
}
