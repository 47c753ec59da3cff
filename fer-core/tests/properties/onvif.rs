use std::time::Duration;

use fer_core::emotion::{Emotion, Probabilities};
use fer_core::event::{Event, EventKind};
use fer_core::geometry::Rect;
use fer_core::onvif::document;
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use proptest::prelude::*;
use roxmltree::Document;

use crate::support::{any_number, cases, distribution};

fn any_face() -> impl Strategy<Value = FaceReport> {
    let rect = [any_number(), any_number(), any_number(), any_number()]
        .prop_map(|[x, y, w, h]| Rect::new(x, y, w, h));
    let stable = prop::option::of(prop::sample::select(Emotion::ALL.to_vec()));
    let emotion =
        prop::option::of((stable, distribution()).prop_map(|(stable, smoothed)| FaceEmotion {
            stable,
            since: MediaTime::ZERO,
            smoothed,
            raw: Probabilities::UNIFORM,
            model: "net".into(),
            inferred: true,
            age: Duration::ZERO,
        }));
    (any::<u64>(), rect, any_number(), emotion).prop_map(|(track, rect, confidence, emotion)| {
        FaceReport { track, rect, confidence, detected: true, emotion }
    })
}

fn any_report() -> impl Strategy<Value = FrameReport> {
    let kinds = prop::sample::select(vec![EventKind::FaceAppeared, EventKind::FaceLost]);
    let event = (any::<u64>(), kinds).prop_map(|(track, kind)| Event { track, kind });
    (any::<String>(), prop::collection::vec(any_face(), 0..4), prop::collection::vec(event, 0..4))
        .prop_map(|(stream_id, faces, events)| FrameReport {
            stream_id,
            faces,
            events,
            ..FrameReport::default()
        })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn every_report_is_a_sound_document_on_one_line(
        report in any_report(),
        utc in any::<u64>(),
        source in prop::option::of(any::<String>()),
    ) {
        let text = String::from_utf8(document(&report, utc, source.as_deref()).unwrap()).unwrap();
        prop_assert_eq!(text.find('\n'), Some(text.len() - 1));
        let document = Document::parse(&text).unwrap();
        let count = |name| {
            document.descendants().filter(|node| node.tag_name().name() == name).count()
        };
        let lost = report.events.iter().filter(|event| event.kind == EventKind::FaceLost).count();
        prop_assert_eq!((count("Object"), count("Delete")), (report.faces.len(), lost));
        for shape in document.descendants().filter(|node| node.tag_name().name() == "BoundingBox") {
            let side = |name| shape.attribute(name).unwrap().parse::<f64>().unwrap();
            let (left, top, right, bottom) =
                (side("left"), side("top"), side("right"), side("bottom"));
            for side in [left, top, right, bottom] {
                prop_assert!((-1.0..=1.0).contains(&side), "{}", text);
            }
        }
    }
}
