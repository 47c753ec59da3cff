//! What goes out beside the video: bus messages and region-of-interest metas.

use fer_core::detect::{Detection, SAME_FACE};
use fer_core::emotion::label_name;
use fer_core::event::{Event, EventKind};
use fer_core::geometry::{PixelRect, Rect};
use fer_core::report::{FaceReport, FrameReport};
use gst_video::VideoRegionOfInterestMeta;

/// The name of our messages' structure, and of our parameters on a region of interest.
const NAME: &str = "ferdetect";
/// The type of region that means a face, here as in upstream's `facedetect`.
pub(super) const FACE: &str = "face";

/// The bus message of one event.
pub(super) fn message(
    element: &super::FerDetect,
    event: &Event,
    report: &FrameReport,
) -> gst::Message {
    let mut structure = gst::Structure::builder(NAME)
        .field("event", event.kind.name())
        .field("stream-id", &report.stream_id)
        .field("frame", report.frame)
        .field("time", report.time.nanos())
        .field("id", event.track)
        .build();
    if let EventKind::EmotionChanged { from, to } = event.kind {
        structure.set("from", label_name(from));
        structure.set("to", label_name(to));
    }
    if let Some(face) = report.faces.iter().find(|face| face.track == event.track) {
        structure.set("x", face.rect.x);
        structure.set("y", face.rect.y);
        structure.set("w", face.rect.w);
        structure.set("h", face.rect.h);
        if let Some(emotion) = &face.emotion {
            structure.set("confidence", emotion.top().1);
        }
    }
    gst::message::Element::builder(structure).src(element).build()
}

/// The faces that an earlier element attached, in pixels: as regions of interest and, with the feature
/// `v1_24`, as GstAnalytics detections; what is there as both is one.
pub(super) fn upstream_faces(buffer: &gst::BufferRef) -> Vec<Detection> {
    let faces = regions(buffer);
    #[cfg(feature = "v1_24")]
    let faces = super::analytics::with_detections(faces, buffer);
    faces
}

fn regions(buffer: &gst::BufferRef) -> Vec<Detection> {
    buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|roi| roi.roi_type() == FACE)
        .map(|roi| {
            let (x, y, w, h) = roi.rect();
            let rect = Rect::new(x as f32, y as f32, w as f32, h as f32);
            let confidence = roi
                .param("detection")
                .and_then(|detection| detection.get::<f64>("confidence").ok());
            Detection { rect, confidence: confidence.map_or(1.0, |c| c as f32) }
        })
        .collect()
}

/// Attaches a region of interest for every face, for elements that know nothing of our meta.
pub(super) fn attach_regions(
    buffer: &mut gst::BufferRef,
    report: &FrameReport,
    width: u32,
    height: u32,
) {
    for face in &report.faces {
        let Some(PixelRect { x, y, w, h }) = pixels(face, width, height) else { continue };
        let mut roi = VideoRegionOfInterestMeta::add(buffer, FACE, (x, y, w, h));
        let id = i32::try_from(face.track).unwrap_or(i32::MAX);
        roi.set_id(id);
        roi.add_param(detection_param(face));
        // Where DL Streamer looks for it.
        roi.add_param(gst::Structure::builder("object_id").field("id", id).build());
        roi_emotion(face).into_iter().for_each(|param| roi.add_param(param));
    }
}

/// Adds what faces show to the regions of an earlier element.
pub(super) fn complete_regions(
    buffer: &mut gst::BufferRef,
    report: &FrameReport,
    width: u32,
    height: u32,
) {
    for mut roi in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>() {
        if roi.roi_type() != FACE {
            continue;
        }
        let (x, y, w, h) = roi.rect();
        let place = Rect::new(x as f32, y as f32, w as f32, h as f32);
        let place = place.scaled(1.0 / width as f32, 1.0 / height as f32);
        let overlap = |face: &&FaceReport| face.rect.iou(&place);
        let nearest = report.faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        if let Some(face) = nearest.filter(|face| overlap(face) > SAME_FACE) {
            roi_emotion(face).into_iter().for_each(|param| roi.add_param(param));
        }
    }
}

fn roi_emotion(face: &FaceReport) -> Option<gst::Structure> {
    let emotion = face.emotion.as_ref()?;
    let (label, confidence) = emotion.top();
    let param = gst::Structure::builder(NAME)
        .field("label", label.name())
        .field("confidence", f64::from(confidence))
        .field("stable", label_name(emotion.stable));
    Some(param.build())
}

/// In the form of DL Streamer, whose consumers read it.
fn detection_param(face: &FaceReport) -> gst::Structure {
    gst::Structure::builder("detection")
        .field("confidence", f64::from(face.confidence))
        .field("label_id", 0i32)
        .field("x_min", f64::from(face.rect.x))
        .field("y_min", f64::from(face.rect.y))
        .field("x_max", f64::from(face.rect.right()))
        .field("y_max", f64::from(face.rect.bottom()))
        .build()
}

/// The pixels of a face that lie in the frame.
pub(super) fn pixels(face: &FaceReport, width: u32, height: u32) -> Option<PixelRect> {
    face.rect.scaled(width as f32, height as f32).covered_pixels(width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_of_an_earlier_element_are_read_and_others_not() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        VideoRegionOfInterestMeta::add(buffer, "face", (1, 2, 30, 40));
        VideoRegionOfInterestMeta::add(buffer, "car", (5, 6, 70, 80));
        let faces = upstream_faces(buffer);
        assert_eq!(faces.len(), 1);
        assert_eq!(faces[0].rect, Rect::new(1., 2., 30., 40.));
    }
}
