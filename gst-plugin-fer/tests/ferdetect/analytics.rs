//! GstAnalytics metadata: what `ferdetect` reads of others, and what it attaches for them.

use fer_core::emotion::Emotion;
use gst::glib;
use gst_analytics::prelude::*;
use gst_analytics::{
    AnalyticsClassificationMtd, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsTrackingMtd,
    RelTypes,
};

use super::*;

const FACE: (i32, i32, i32, i32) = (40, 20, 64, 64);

/// A frame with one thing that an earlier element found.
fn with_detection(info: &VideoInfo, index: u64, kind: &str) -> gst::Buffer {
    let mut buffer = padded(info, 0, index);
    let mut meta = AnalyticsRelationMeta::add(buffer.get_mut().unwrap());
    let (x, y, w, h) = FACE;
    meta.add_od_mtd(glib::Quark::from_str(kind), x, y, w, h, 0.75).unwrap();
    buffer
}

fn upstream(info: &VideoInfo) -> Harness {
    let (mut harness, _bus) = harness(&element("upstream"));
    harness.set_src_caps(info.to_caps().unwrap());
    harness
}

#[test]
fn detections_of_an_earlier_element_are_followed_named_and_related_to() {
    let info = info(VideoFormat::I420, 160, 120);
    let mut harness = upstream(&info);
    for index in 0..5 {
        harness.push(with_detection(&info, index, "face")).unwrap();
        let buffer = harness.pull().unwrap();
        let report = gstfer::meta::read(&buffer).unwrap();
        assert_eq!(report.faces.len(), 1);
        let face = &report.faces[0];
        assert_eq!((face.track, face.confidence), (1, 0.75));
        assert!((face.rect.x - 0.25).abs() < 1e-6 && (face.rect.w - 0.4).abs() < 1e-6);

        let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        assert_eq!(meta.len(), 3, "theirs, a track and a classification");
        let detection = meta.iter::<AnalyticsODMtd>().next().unwrap().id();
        let track = meta
            .iter_direct_related::<AnalyticsTrackingMtd>(detection, RelTypes::RELATE_TO)
            .next()
            .unwrap();
        assert_eq!(track.info(), (1, gst::ClockTime::ZERO, FRAME * index, false));
        let classes = meta
            .iter_direct_related::<AnalyticsClassificationMtd>(detection, RelTypes::CONTAIN)
            .next()
            .unwrap();
        let emotion = face.emotion.as_ref().unwrap();
        let mut sum = 0.0;
        for (name, level) in classes.iterate() {
            let class = Emotion::from_name(name.as_str()).unwrap();
            assert_eq!(level, emotion.smoothed.of(class), "{class}");
            sum += level;
        }
        assert_eq!(classes.len(), 7);
        assert!((sum - 1.0_f32).abs() < 1e-5, "{sum}");
        let label = emotion.stable.unwrap_or(emotion.top().0);
        assert_eq!(classes.quark(0).as_str(), label.name());
        let relates = meta.relation(detection, classes.id()).contains(RelTypes::RELATE_TO);
        assert_eq!(relates, emotion.stable.is_some());
    }
}

#[test]
fn a_face_that_is_there_as_detection_and_region_is_one() {
    let info = info(VideoFormat::Gray8, 160, 120);
    let mut harness = upstream(&info);
    let mut buffer = with_detection(&info, 0, "face");
    let (x, y, w, h) = FACE;
    let region = (x as u32 + 1, y as u32, w as u32, h as u32);
    VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", region);
    harness.push(buffer).unwrap();
    let buffer = harness.pull().unwrap();
    assert_eq!(gstfer::meta::read(&buffer).unwrap().faces.len(), 1);
    assert_eq!(buffer.iter_meta::<VideoRegionOfInterestMeta>().count(), 1);
    let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
    assert_eq!(meta.iter::<AnalyticsODMtd>().count(), 1);
}

#[test]
fn other_things_are_no_faces_and_a_region_gets_a_detection() {
    let info = info(VideoFormat::Gray8, 160, 120);
    let mut harness = upstream(&info);
    harness.push(with_detection(&info, 0, "car")).unwrap();
    let buffer = harness.pull().unwrap();
    assert!(gstfer::meta::read(&buffer).unwrap().faces.is_empty());
    assert_eq!(buffer.meta::<AnalyticsRelationMeta>().unwrap().len(), 1);

    harness.push(with_face(&info, 1)).unwrap();
    let buffer = harness.pull().unwrap();
    let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
    let place = meta.iter::<AnalyticsODMtd>().next().unwrap().location().unwrap();
    assert_eq!((place.x, place.y, place.w, place.h), FACE);
}

#[test]
fn a_frame_in_which_nobody_is_carries_an_empty_meta() {
    let info = info(VideoFormat::Gray8, 64, 64);
    let (mut harness, _bus) = harness(&element("none"));
    harness.set_src_caps(info.to_caps().unwrap());
    harness.push(padded(&info, 0, 0)).unwrap();
    assert!(harness.pull().unwrap().meta::<AnalyticsRelationMeta>().unwrap().is_empty());
}
