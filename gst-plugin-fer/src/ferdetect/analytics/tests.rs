//! What is written for a report that is known, and what is read again.

use std::time::Duration;

use fer_core::emotion::{Probabilities, StableLabel};
use fer_core::event::Event;
use gst_analytics::{AnalyticsClassificationMtd, AnalyticsMtdRef};
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};

use super::super::analysis::upstream_faces;
use super::*;

const WEIGHTS: [f32; 7] = [1., 2., 3., 6., 5., 4., 7.];

fn info() -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(VideoFormat::Gray8, 200, 100).build().unwrap()
}

fn emotion(stable: StableLabel) -> FaceEmotion {
    let smoothed = Probabilities::from_weights(WEIGHTS).unwrap();
    FaceEmotion {
        stable,
        since: MediaTime::default(),
        smoothed,
        raw: smoothed,
        model: "m".into(),
        inferred: true,
        age: Duration::ZERO,
    }
}

fn face(track: u64, rect: Rect, emotion: Option<FaceEmotion>) -> FaceReport {
    FaceReport { track, rect, confidence: 0.75, detected: true, emotion }
}

fn report(millis: u64, faces: Vec<FaceReport>) -> FrameReport {
    FrameReport { time: MediaTime::from_millis(millis), faces, ..FrameReport::default() }
}

/// A buffer of one report.
fn written(report: &FrameReport) -> gst::Buffer {
    let info = info();
    let mut buffer = gst::Buffer::new();
    Analytics::default().write(buffer.get_mut().unwrap(), report, &info, false).unwrap();
    buffer
}

fn meta(buffer: &gst::Buffer) -> gst::MetaRef<'_, AnalyticsRelationMeta> {
    buffer.meta().unwrap()
}

/// Name and probability, in their order.
fn classes(mtd: &AnalyticsMtdRef<'_, AnalyticsClassificationMtd>) -> Vec<(String, f32)> {
    mtd.iterate().map(|(name, level)| (name.as_str().to_string(), level)).collect()
}

fn related<T: gst_analytics::AnalyticsMtd>(
    buffer: &gst::Buffer,
    id: u32,
    by: RelTypes,
) -> Vec<u32> {
    meta(buffer).iter_direct_related::<T>(id, by).map(|mtd| mtd.id()).collect()
}

#[test]
fn a_face_has_a_detection_a_track_and_seven_probabilities_with_the_label_first() {
    let rect = Rect::new(0.1, 0.2, 0.3, 0.4);
    let label = Some(Emotion::Sadness);
    let buffer = written(&report(40, vec![face(7, rect, Some(emotion(label)))]));
    let meta = meta(&buffer);
    assert_eq!(meta.len(), 3);
    let detection = meta.iter::<AnalyticsODMtd>().next().unwrap();
    assert_eq!(detection.obj_type().unwrap().as_str(), "face");
    let place = detection.location().unwrap();
    assert_eq!((place.x, place.y, place.w, place.h), (20, 20, 60, 40));
    assert_eq!(place.loc_conf_lvl, 0.75);

    let track = meta.iter::<AnalyticsTrackingMtd>().next().unwrap();
    let time = gst::ClockTime::from_mseconds(40);
    assert_eq!(track.info(), (7, time, time, false));
    assert_eq!(meta.relation(detection.id(), track.id()), RelTypes::RELATE_TO);
    assert_eq!(meta.relation(track.id(), detection.id()), RelTypes::RELATE_TO);

    let classification = meta.iter::<AnalyticsClassificationMtd>().next().unwrap();
    let (ours, theirs) = (detection.id(), classification.id());
    assert_eq!(meta.relation(ours, theirs), RelTypes::CONTAIN | RelTypes::RELATE_TO);
    assert_eq!(meta.relation(theirs, ours), RelTypes::IS_PART_OF);
    // The weights sum to 28.
    let expected = [
        ("sadness", 5.),
        ("neutral", 7.),
        ("happiness", 6.),
        ("surprise", 4.),
        ("fear", 3.),
        ("disgust", 2.),
        ("anger", 1.),
    ];
    let classes = classes(&classification);
    assert_eq!(classes.len(), 7);
    for ((name, level), (expected, weight)) in classes.iter().zip(expected) {
        assert_eq!(name, expected);
        assert!((level - weight / 28.).abs() < 1e-6, "{name}: {level}");
    }
    assert!((classes.iter().map(|class| class.1).sum::<f32>() - 1.).abs() < 1e-6);
}

#[test]
fn an_uncertain_label_is_contained_but_not_related_to() {
    let buffer = written(&report(0, vec![face(1, Rect::UNIT, Some(emotion(None)))]));
    let meta = meta(&buffer);
    let detection = meta.iter::<AnalyticsODMtd>().next().unwrap().id();
    let related = |by| related::<AnalyticsClassificationMtd>(&buffer, detection, by).len();
    assert_eq!((related(RelTypes::CONTAIN), related(RelTypes::RELATE_TO)), (1, 0));
    let classification = meta.iter::<AnalyticsClassificationMtd>().next().unwrap();
    let names: Vec<String> = classes(&classification).into_iter().map(|class| class.0).collect();
    assert_eq!(names[..3], ["neutral", "happiness", "sadness"]);
}

#[test]
fn a_face_that_was_not_classified_has_no_classification() {
    let buffer = written(&report(0, vec![face(1, Rect::UNIT, None)]));
    assert_eq!(meta(&buffer).len(), 2);
    assert_eq!(meta(&buffer).iter::<AnalyticsClassificationMtd>().count(), 0);
}

#[test]
fn nobody_leaves_an_empty_meta_and_what_is_outside_nothing() {
    assert!(meta(&written(&report(0, Vec::new()))).is_empty());
    let outside = face(1, Rect::new(1.1, 0., 0.2, 0.2), None);
    assert!(meta(&written(&report(0, vec![outside]))).is_empty());
}

#[test]
fn a_track_keeps_the_time_at_which_it_was_first_seen() {
    let info = info();
    let mut analytics = Analytics::default();
    let mut times = |report: &FrameReport| {
        let mut buffer = gst::Buffer::new();
        analytics.write(buffer.get_mut().unwrap(), report, &info, false).unwrap();
        let meta = meta(&buffer);
        meta.iter::<AnalyticsTrackingMtd>()
            .map(|track| {
                let (id, first, last, lost) = track.info();
                assert!(!lost);
                (id, first.mseconds(), last.mseconds())
            })
            .collect::<Vec<_>>()
    };
    let known = |track| face(track, Rect::new(0., 0., 0.5, 0.5), None);
    assert_eq!(times(&report(100, vec![known(1)])), [(1, 100, 100)]);
    assert_eq!(times(&report(140, vec![known(1), known(2)])), [(1, 100, 140), (2, 140, 140)]);
    assert_eq!(times(&report(180, vec![known(2)])), [(2, 140, 180)]);
    assert_eq!(
        times(&report(900, vec![known(1), known(2)])),
        [(1, 100, 900), (2, 140, 900)],
        "hidden"
    );
    let lost = Event { track: 1, kind: EventKind::FaceLost };
    assert_eq!(times(&FrameReport { events: vec![lost], ..report(940, Vec::new()) }), []);
    assert_eq!(analytics.first_seen.keys().copied().collect::<Vec<_>>(), [2]);
}

/// Relations that somebody else has made: a car, a face at (20, 20, 60, 40) with an age.
fn of_others() -> gst::Buffer {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    let mut meta = AnalyticsRelationMeta::add(buffer.get_mut().unwrap());
    let kind = glib::Quark::from_str;
    meta.add_od_mtd(kind("car"), 20, 20, 60, 40, 0.5).unwrap();
    let face = meta.add_od_mtd(kind("face"), 20, 20, 60, 40, 0.25).unwrap().id();
    let age = meta.add_one_cls_mtd(0.5, kind("adult")).unwrap().id();
    meta.set_relation(RelTypes::RELATE_TO, face, age).unwrap();
    buffer
}

#[test]
fn what_others_have_attached_stays() {
    let (info, mut buffer) = (info(), of_others());
    let faces = vec![face(3, Rect::new(0.1, 0.2, 0.3, 0.4), Some(emotion(Some(Emotion::Fear))))];
    let report = report(0, faces);
    Analytics::default().write(buffer.get_mut().unwrap(), &report, &info, false).unwrap();
    assert_eq!(buffer.iter_meta::<AnalyticsRelationMeta>().count(), 1);
    let meta = meta(&buffer);
    assert_eq!(meta.len(), 6);
    let kinds: Vec<_> =
        meta.iter::<AnalyticsODMtd>().map(|od| od.obj_type().unwrap().as_str()).collect();
    assert_eq!(kinds, ["car", "face", "face"]);
    assert_eq!(meta.relation(1, 2), RelTypes::RELATE_TO);
    assert!(related::<AnalyticsTrackingMtd>(&buffer, 1, RelTypes::ANY).is_empty());
    assert_eq!(related::<AnalyticsTrackingMtd>(&buffer, 3, RelTypes::RELATE_TO), [4]);
}

#[test]
fn a_face_of_an_earlier_element_keeps_its_detection() {
    let (info, mut buffer) = (info(), of_others());
    let faces = vec![
        // Beside it, as boxes are steadied.
        face(3, Rect::new(0.12, 0.2, 0.3, 0.4), Some(emotion(Some(Emotion::Fear)))),
        face(4, Rect::new(0.7, 0.2, 0.2, 0.4), None),
    ];
    let report = report(0, faces);
    Analytics::default().write(buffer.get_mut().unwrap(), &report, &info, true).unwrap();
    let meta = meta(&buffer);
    assert_eq!(meta.iter::<AnalyticsODMtd>().count(), 3, "a car, theirs, and one that is new");
    let place = meta.mtd::<AnalyticsODMtd>(1).unwrap().location().unwrap();
    assert_eq!((place.x, place.w, place.loc_conf_lvl), (20, 60, 0.25));
    let tracks = related::<AnalyticsTrackingMtd>(&buffer, 1, RelTypes::RELATE_TO);
    assert_eq!(meta.mtd::<AnalyticsTrackingMtd>(tracks[0]).unwrap().info().0, 3);
    let classes = related::<AnalyticsClassificationMtd>(&buffer, 1, RelTypes::RELATE_TO);
    assert_eq!(classes.len(), 2, "their age, and our emotion");
}

#[test]
fn hundreds_of_faces_are_more_than_are_attached() {
    let faces = (1..=2000).map(|track| face(track, Rect::UNIT, Some(emotion(None)))).collect();
    let report = report(0, faces);
    let mut buffer = of_others();
    Analytics::default().write(buffer.get_mut().unwrap(), &report, &info(), true).unwrap();
    for buffer in [buffer, written(&report)] {
        assert_eq!(meta(&buffer).iter::<AnalyticsTrackingMtd>().count(), MOST_FACES);
        let copy = buffer.copy_deep().unwrap();
        assert_eq!(meta(&copy).len(), meta(&buffer).len());
    }
}

#[test]
fn faces_are_read_from_detections_and_regions_without_doubles() {
    let mut buffer = of_others();
    let faces = |buffer: &gst::Buffer| {
        upstream_faces(buffer)
            .iter()
            .map(|face| (face.rect.x as i32, face.confidence))
            .collect::<Vec<_>>()
    };
    assert_eq!(faces(&buffer), [(20, 0.25)], "a car is none");
    let buffer_ref = buffer.get_mut().unwrap();
    VideoRegionOfInterestMeta::add(buffer_ref, "face", (21, 20, 60, 40));
    VideoRegionOfInterestMeta::add(buffer_ref, "face", (120, 20, 60, 40));
    let mut meta = AnalyticsRelationMeta::add(buffer_ref);
    meta.add_od_mtd(glib::Quark::from_str("face"), 0, 60, 20, 20, 0.5).unwrap();
    assert_eq!(faces(&buffer), [(21, 1.0), (120, 1.0), (0, 0.5)]);
}

#[test]
fn what_overlaps_most_is_the_same_and_nothing_is_two() {
    let rect = |x: f32| Rect::new(x, 0., 100., 100.);
    let detection = |x: f32| Detection { rect: rect(x), confidence: 1.0 };
    // The first box lies on both: 80/120 and 90/110 of the union; the second only on the first.
    let boxes = [rect(20.), rect(0.)];
    let found = same(&boxes, &[(5, detection(0.)), (9, detection(30.))]);
    assert_eq!(found, BTreeMap::from([(0, 9), (1, 5)]));
    let found = same(&boxes, &[(5, detection(10.))]);
    assert_eq!(found.len(), 1);
    // 45/155 is too little.
    assert!(same(&[rect(0.)], &[(1, detection(55.))]).is_empty());
}
