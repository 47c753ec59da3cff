use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::config::Config;
use fer_core::detect::Detection;
use fer_core::emotion::Emotion;
use fer_core::fake::{FnClassifier, FnDetector, logits};
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::registry::{smoothers, trackers};
use fer_core::report::FrameReport;
use fer_core::time::MediaTime;
use proptest::prelude::*;

use crate::frame::picture;
use crate::support::{any_detection, cases, origin, step};

const SIZE: (usize, usize) = (96, 64);

/// A frame of a stream: how long after the last one, what is to be seen, what is found in it.
#[derive(Clone, Debug)]
struct Scene {
    step: Duration,
    luma: u8,
    faces: Vec<Detection>,
    expression: Emotion,
}

fn scene() -> impl Strategy<Value = Scene> {
    let usual = (0..3_usize, -4.0..4.0_f32).prop_map(|(place, shift)| Detection {
        rect: Rect::new(30.0 * place as f32 + shift, 20.0 + shift, 24.0, 24.0),
        confidence: 0.9,
    });
    let face = prop_oneof![5 => usual, 1 => any_detection()];
    let emotion = prop::sample::select(Emotion::ALL.to_vec());
    (step(), any::<u8>(), prop::collection::vec(face, 0..4), emotion)
        .prop_map(|(step, luma, faces, expression)| Scene { step, luma, faces, expression })
}

fn scenes() -> impl Strategy<Value = Vec<Scene>> {
    // A scene that lasts, so that labels have the time to change.
    let spell = (scene(), 1..8_usize).prop_map(|(scene, frames)| vec![scene; frames]);
    prop::collection::vec(spell, 1..10).prop_map(|spells| spells.concat())
}

fn config() -> impl Strategy<Value = Config> {
    let millis = || (0..400_u64).prop_map(Duration::from_millis);
    let names = (
        prop::sample::select(trackers().names().collect::<Vec<_>>()),
        prop::sample::select(smoothers().names().collect::<Vec<_>>()),
    );
    (names, [millis(), millis(), millis(), millis()]).prop_map(
        |((tracker, smoothing), [inference_interval, scan_interval, smoothing_time, hold])| {
            let mut config = Config {
                tracker: tracker.to_owned(),
                smoothing: smoothing.to_owned(),
                inference_interval,
                scan_interval,
                smoothing_time,
                ..Config::default()
            };
            config.debounce.hold = hold;
            config
        },
    )
}

/// An analyser that finds and names what the scene on show says.
struct Stream {
    analyzer: Analyzer,
    on_show: Arc<Mutex<Option<Scene>>>,
    start: MediaTime,
    now: MediaTime,
}

impl Stream {
    fn new(config: Config, origin: Duration, upstream: bool) -> Self {
        let on_show: Arc<Mutex<Option<Scene>>> = Arc::default();
        let (found, named) = (Arc::clone(&on_show), Arc::clone(&on_show));
        let detector = FnDetector(move |_: &Frame<'_>| {
            Ok(found.lock().unwrap().as_ref().map_or_else(Vec::new, |scene| scene.faces.clone()))
        });
        let classifier = FnClassifier::new(move |pixels: &[f32]| {
            assert!(pixels.iter().all(|pixel| (-1e-5..=1.00001).contains(pixel)), "{pixels:?}");
            let scene = named.lock().unwrap();
            logits(scene.as_ref().map_or(Emotion::Neutral, |scene| scene.expression), 3.0)
        });
        let source =
            if upstream { FaceSource::Upstream } else { FaceSource::Detector(Box::new(detector)) };
        let analyzer = Analyzer::new(config, source, Some(Box::new(classifier))).unwrap();
        let start = MediaTime::ZERO + origin;
        Self { analyzer, on_show, start, now: start }
    }

    fn show(&mut self, scene: &Scene) -> FrameReport {
        let bytes: Vec<u8> = (0..SIZE.0 * SIZE.1).map(|i| (i % 251) as u8 ^ scene.luma).collect();
        let frame = Frame::grey(SIZE.0, SIZE.1, &bytes).unwrap();
        self.show_in(scene, &frame)
    }

    fn show_in(&mut self, scene: &Scene, frame: &Frame<'_>) -> FrameReport {
        *self.on_show.lock().unwrap() = Some(scene.clone());
        self.now = self.now + scene.step;
        let report = self.analyzer.analyze(frame, self.now, &scene.faces).unwrap();
        check(&report, self.now);
        report
    }

    /// What a report says, its times counted from the stream's beginning.
    fn told(&mut self, scene: &Scene) -> String {
        let mut report = self.show(scene);
        let start = self.start;
        let relative = |time: MediaTime| MediaTime::ZERO + time.since(start);
        report.time = relative(report.time);
        for emotion in report.faces.iter_mut().filter_map(|face| face.emotion.as_mut()) {
            emotion.since = relative(emotion.since);
        }
        format!("{report:?}")
    }
}

/// What every report promises.
fn check(report: &FrameReport, now: MediaTime) {
    assert_eq!(report.time, now);
    assert!(report.faces.is_sorted_by(|a, b| a.track < b.track), "{report:?}");
    for face in &report.faces {
        assert!(face.rect.is_valid(), "{face:?}");
        if let Some(emotion) = &face.emotion {
            assert!(emotion.since <= now, "{face:?}");
            for p in [emotion.raw, emotion.smoothed] {
                assert!((p.values().iter().sum::<f32>() - 1.0).abs() <= 1e-4, "{face:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_origin_of_time_changes_nothing(
        config in config(), scenes in scenes(), origin in origin(), upstream in any::<bool>(),
    ) {
        let run = |origin: Duration| -> Vec<String> {
            let mut stream = Stream::new(config.clone(), origin, upstream);
            scenes.iter().map(|scene| stream.told(scene)).collect()
        };
        prop_assert_eq!(run(Duration::ZERO), run(origin));
    }

    #[test]
    fn streams_do_not_feel_each_other(
        configs in [config(), config()], scenes in [scenes(), scenes()],
        turns in prop::collection::vec(0..2_usize, 100),
    ) {
        let stream = |index: usize| Stream::new(configs[index].clone(), Duration::ZERO, false);
        let alone: [Vec<String>; 2] = [0, 1].map(|index| {
            let mut stream = stream(index);
            scenes[index].iter().map(|scene| stream.told(scene)).collect()
        });
        let (mut streams, mut together) = ([stream(0), stream(1)], [Vec::new(), Vec::new()]);
        for turn in turns.into_iter().chain([0; 80]).chain([1; 80]) {
            if let Some(scene) = scenes[turn].get(together[turn].len()) {
                together[turn].push(streams[turn].told(scene));
            }
        }
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn each_face_is_told_of_from_its_first_frame_to_its_loss(
        config in config(), scenes in scenes(), upstream in any::<bool>(),
    ) {
        use fer_core::event::{Event, EventKind};
        let mut stream = Stream::new(config, Duration::ZERO, upstream);
        let (mut known, mut appeared) = (BTreeSet::new(), BTreeSet::new());
        let mut follow = |events: &[Event]| {
            for event in events {
                let fine = match event.kind {
                    EventKind::FaceAppeared => {
                        // None comes back under its number.
                        appeared.insert(event.track) && known.insert(event.track)
                    }
                    EventKind::FaceLost => known.remove(&event.track),
                    EventKind::EmotionChanged { from, to } => {
                        from != to && known.contains(&event.track)
                    }
                };
                assert!(fine, "{event:?} of {known:?}");
            }
            known.clone()
        };
        for scene in &scenes {
            let report = stream.show(scene);
            let known = follow(&report.events);
            assert!(report.faces.iter().all(|face| known.contains(&face.track)), "{report:?}");
        }
        prop_assert!(follow(&stream.analyzer.finish()).is_empty());
    }

    #[test]
    fn a_frame_of_any_size_and_layout_is_analysed(
        pictures in prop::collection::vec(picture(), 1..6),
        faces in prop::collection::vec(any_detection(), 0..5),
        steps in prop::collection::vec(step(), 6),
        upstream in any::<bool>(), tracker in prop::sample::select(vec!["none", "iou"]),
    ) {
        let config = Config {
            inference_interval: Duration::ZERO,
            // From here to four times as long pictures are compared, whatever their sizes.
            scan_interval: Duration::from_millis(40),
            tracker: tracker.to_owned(),
            ..Config::default()
        };
        let mut stream = Stream::new(config, Duration::ZERO, upstream);
        for (picture, step) in pictures.iter().zip(steps) {
            let bytes = picture.bytes();
            let mut faces = faces.clone();
            let whole = Rect::new(0.0, 0.0, picture.width as f32, picture.height as f32);
            faces.push(Detection { rect: whole, confidence: 0.9 });
            let scene = Scene { step, luma: 0, faces, expression: Emotion::Fear };
            let report = stream.show_in(&scene, &picture.frame(&bytes));
            prop_assert!(!report.faces.is_empty(), "the whole frame is a face");
        }
    }
}
