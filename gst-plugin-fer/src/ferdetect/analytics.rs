//! Faces as `GstAnalyticsRelationMeta`: what GStreamer's own elements, as `objectdetectionoverlay`, and
//! those of others read and write from GStreamer 1.24 on.
//!
//! A face is an object detection of type `face`, in pixels. It relates to a tracking, and contains a
//! classification with the seven filtered probabilities, the stable label first and the others by
//! falling probability, as overlays draw what comes first. While the label is `uncertain`, the likeliest
//! class comes first, and the detection only contains the classification: overlays follow the relation,
//! and draw `face`. A face that was not classified yet has no classification.

use std::collections::BTreeMap;

use fer_core::detect::{Detection, SAME_FACE};
use fer_core::emotion::Emotion;
use fer_core::event::EventKind;
use fer_core::geometry::{PixelRect, Rect};
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst::glib;
use gst_analytics::prelude::*;
use gst_analytics::{
    AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsRelationMetaInitParams, AnalyticsTrackingMtd,
    RelTypes,
};
use gst_video::VideoInfo;

use crate::regions::{FACE, pixels};

/// The relations' matrix grows by the square: those beyond are in our own meta alone.
const MOST_FACES: usize = 256;
/// Entries of a face, and more bytes than they take.
const ENTRIES: usize = 3;
const BYTES: usize = 512;

type Relations<'a> = gst::MetaRefMut<'a, AnalyticsRelationMeta, gst::meta::Standalone>;

/// What is remembered from frame to frame.
#[derive(Default)]
pub(super) struct Analytics {
    first_seen: BTreeMap<u64, MediaTime>,
}

impl Analytics {
    /// Adds the faces of a report to the buffer's meta, which is made where there is none, also when
    /// nobody is in the picture: an overlay would go on drawing what it drew last. With `upstream`,
    /// a face that is there already keeps its detection.
    ///
    /// # Errors
    /// GStreamer takes no more; the sentence is for the user.
    pub(super) fn write(
        &mut self,
        buffer: &mut gst::BufferRef,
        report: &FrameReport,
        info: &VideoInfo,
        upstream: bool,
    ) -> Result<(), String> {
        self.remember(report);
        self.add(buffer, report, (info.width(), info.height()), upstream)
            .map_err(|error| format!("GstAnalytics metadata: {error}; the report is there"))
    }

    fn add(
        &self,
        buffer: &mut gst::BufferRef,
        report: &FrameReport,
        (width, height): (u32, u32),
        upstream: bool,
    ) -> Result<(), glib::BoolError> {
        let visible = |face| pixels(face, width, height).map(|pixels| (face, pixels));
        let faces: Vec<(&FaceReport, PixelRect)> =
            report.faces.iter().filter_map(visible).take(MOST_FACES).collect();
        let boxes: Vec<Rect> =
            faces.iter().map(|(face, _)| face.rect.scaled(width as f32, height as f32)).collect();
        let known = if upstream { same(&boxes, &detections(buffer)) } else { BTreeMap::new() };
        let mut tracks = Vec::new();
        let mut meta = relations(buffer, faces.len());
        for (index, (face, pixels)) in faces.iter().enumerate() {
            let detection = match known.get(&index) {
                Some(detection) => *detection,
                None => add_detection(&mut meta, face, *pixels)?,
            };
            let first = self.first_seen.get(&face.track).copied().unwrap_or(report.time);
            let track = meta.add_tracking_mtd(face.track, clock_time(first))?.id();
            meta.set_relation(RelTypes::RELATE_TO, detection, track)?;
            meta.set_relation(RelTypes::RELATE_TO, track, detection)?;
            tracks.push(track);
            if let Some(emotion) = &face.emotion {
                classify(&mut meta, emotion, detection)?;
            }
        }
        for track in tracks {
            let Some(mut meta) = buffer.meta_mut::<AnalyticsRelationMeta>() else { continue };
            if let Some(mut track) = meta.mtd_mut::<AnalyticsTrackingMtd>(track) {
                track.update_last_seen(clock_time(report.time))?;
            }
        }
        Ok(())
    }

    /// The stream has ended: no report tells of the loss of its faces.
    pub(super) fn forget(&mut self) {
        self.first_seen.clear();
    }

    /// A face that is hidden for a while is in no report, and lost only when one says so.
    fn remember(&mut self, report: &FrameReport) {
        for event in report.events.iter().filter(|event| event.kind == EventKind::FaceLost) {
            self.first_seen.remove(&event.track);
        }
        for face in &report.faces {
            self.first_seen.entry(face.track).or_insert(report.time);
        }
    }
}

/// The buffer's relations; made, with room for so many faces, where there are none.
fn relations(buffer: &mut gst::BufferRef, faces: usize) -> Relations<'_> {
    let room = AnalyticsRelationMetaInitParams::new(faces * ENTRIES + 1, (faces + 1) * BYTES);
    AnalyticsRelationMeta::add_full(buffer, &room)
}

fn add_detection(
    meta: &mut Relations<'_>,
    face: &FaceReport,
    pixels: PixelRect,
) -> Result<u32, glib::BoolError> {
    let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let [x, y, w, h] = [pixels.x, pixels.y, pixels.w, pixels.h].map(whole);
    let kind = glib::Quark::from_str(FACE);
    Ok(meta.add_od_mtd(kind, x, y, w, h, face.confidence)?.id())
}

fn classify(
    meta: &mut Relations<'_>,
    emotion: &FaceEmotion,
    detection: u32,
) -> Result<(), glib::BoolError> {
    let mut classes = Emotion::ALL;
    let probability = |class: Emotion| emotion.smoothed.of(class);
    classes.sort_by(|a, b| probability(*b).total_cmp(&probability(*a)));
    // Stable: the others keep their order.
    classes.sort_by_key(|class| Some(*class) != emotion.stable);
    let levels = classes.map(probability);
    let names = classes.map(|class| glib::Quark::from_str(class.name()));
    let classification = meta.add_cls_mtd(&levels, &names)?.id();
    let contains = match emotion.stable {
        Some(_) => RelTypes::CONTAIN | RelTypes::RELATE_TO,
        None => RelTypes::CONTAIN,
    };
    meta.set_relation(contains, detection, classification)?;
    meta.set_relation(RelTypes::IS_PART_OF, classification, detection)
}

/// The faces among a buffer's detections, with their ids.
fn detections(buffer: &gst::BufferRef) -> Vec<(u32, Detection)> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    let face = glib::Quark::from_str(FACE);
    meta.iter::<AnalyticsODMtd>()
        .filter(|detection| detection.obj_type() == Some(face))
        .filter_map(|detection| {
            let place = detection.location().ok()?;
            let rect = Rect::new(place.x as f32, place.y as f32, place.w as f32, place.h as f32);
            Some((detection.id(), Detection { rect, confidence: place.loc_conf_lvl }))
        })
        .collect()
}

/// Adds the faces among a buffer's detections to those regions of interest that are others.
pub(super) fn with_detections(regions: Vec<Detection>, buffer: &gst::BufferRef) -> Vec<Detection> {
    let detections = detections(buffer);
    let boxes: Vec<Rect> = regions.iter().map(|region| region.rect).collect();
    let known = same(&boxes, &detections);
    let is_new = |id: &u32| !known.values().any(|known| known == id);
    let others = detections.iter().filter(|(id, _)| is_new(id)).map(|(_, face)| *face);
    regions.iter().copied().chain(others).collect()
}

/// Which detection each box is, by its index: pairs that overlap most come first, and nothing is in
/// two of them.
fn same(boxes: &[Rect], detections: &[(u32, Detection)]) -> BTreeMap<usize, u32> {
    let mut pairs = Vec::new();
    for (index, rect) in boxes.iter().enumerate() {
        for (id, detection) in detections {
            let overlap = rect.iou(&detection.rect);
            if overlap > SAME_FACE {
                pairs.push((overlap, index, *id));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut taken) = (BTreeMap::new(), std::collections::BTreeSet::new());
    for (_, index, id) in pairs {
        if !found.contains_key(&index) && taken.insert(id) {
            found.insert(index, id);
        }
    }
    found
}

/// The greatest number means "none" to GStreamer.
fn clock_time(time: MediaTime) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.nanos().min(u64::MAX - 1))
}

#[cfg(test)]
mod tests;
