//! Faces as `GstVideoRegionOfInterestMeta`, for elements that know nothing of our meta.
//!
//! A region that we attach or complete has a parameter `ferdetect`: `id` (uint64), the track; `upstream`
//! (boolean), whether an earlier element attached the region; and once the face has been classified `label`,
//! `confidence` (double) and `stable`. What an earlier `ferdetect` said is replaced.

use fer_core::detect::{Detection, SAME_FACE};
use fer_core::emotion::label_name;
use fer_core::geometry::{PixelRect, Rect};
use fer_core::report::{FaceReport, FrameReport};
use gst::glib::Quark;
use gst::glib::translate::IntoGlib;
use gst_video::VideoRegionOfInterestMeta;

mod earlier;

pub(crate) use earlier::forget;

/// The name of our parameter on a region.
const NAME: &str = "ferdetect";
/// Where DL Streamer looks for a track's id.
const OBJECT_ID: &str = "object_id";
/// The type of region that means a face, here as in upstream's `facedetect`.
pub(crate) const FACE: &str = "face";

/// Whether a region is a face. The binding's `roi_type` reads the name of a type that is not there from
/// address 0, and takes one that is not UTF-8 for a `str`.
fn is_face(region: &VideoRegionOfInterestMeta) -> bool {
    let region: *const VideoRegionOfInterestMeta = region;
    // SAFETY: the binding is a transparent wrapper of this structure, which lives as long as the reference.
    let kind = unsafe { (*region.cast::<gst_video::ffi::GstVideoRegionOfInterestMeta>()).roi_type };
    kind == Quark::from_str(FACE).into_glib()
}

/// The regions that are faces, in pixels.
pub(crate) fn faces(buffer: &gst::BufferRef) -> Vec<Detection> {
    buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|region| is_face(region))
        .map(|region| {
            let confidence = region
                .param("detection")
                .and_then(|detection| detection.get::<f64>("confidence").ok());
            Detection { rect: place(&region), confidence: confidence.map_or(1.0, |c| c as f32) }
        })
        .collect()
}

fn place(region: &VideoRegionOfInterestMeta) -> Rect {
    let (x, y, w, h) = region.rect();
    Rect::new(x as f32, y as f32, w as f32, h as f32)
}

/// Attaches a region for every face.
pub(crate) fn attach(buffer: &mut gst::BufferRef, report: &FrameReport, width: u32, height: u32) {
    for face in &report.faces {
        let Some(PixelRect { x, y, w, h }) = pixels(face, width, height) else { continue };
        let mut region = VideoRegionOfInterestMeta::add(buffer, FACE, (x, y, w, h));
        region.set_id(object_id(face.track));
        region.add_param(detection_param(face));
        region.add_param(object_id_param(face));
        region.add_param(own_param(face, false));
    }
}

/// Adds who faces are and what they show to the regions of an earlier element.
pub(crate) fn complete(buffer: &mut gst::BufferRef, report: &FrameReport, width: u32, height: u32) {
    for mut region in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>() {
        if !is_face(&region) {
            continue;
        }
        let place = place(&region).scaled(1.0 / width as f32, 1.0 / height as f32);
        let overlap = |face: &&FaceReport| face.rect.iou(&place);
        let nearest = report.faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        if let Some(face) = nearest.filter(|face| overlap(face) > SAME_FACE) {
            if region.param(OBJECT_ID).is_none() {
                region.add_param(object_id_param(face));
            }
            region.add_param(own_param(face, true));
        }
    }
}

fn own_param(face: &FaceReport, upstream: bool) -> gst::Structure {
    let param = gst::Structure::builder(NAME).field("id", face.track).field("upstream", upstream);
    let mut param = param.build();
    if let Some(emotion) = &face.emotion {
        let (label, confidence) = emotion.top();
        param.set("label", label.name());
        param.set("confidence", f64::from(confidence));
        param.set("stable", label_name(emotion.stable));
    }
    param
}

fn object_id(track: u64) -> i32 {
    i32::try_from(track).unwrap_or(i32::MAX)
}

fn object_id_param(face: &FaceReport) -> gst::Structure {
    gst::Structure::builder(OBJECT_ID).field("id", object_id(face.track)).build()
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
pub(crate) fn pixels(face: &FaceReport, width: u32, height: u32) -> Option<PixelRect> {
    face.rect.scaled(width as f32, height as f32).covered_pixels(width, height)
}

#[cfg(test)]
mod tests;
