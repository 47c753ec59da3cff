//! A camera at this machine: the format that comes nearest to what is asked for.

use gst::prelude::*;

use super::{GraphError, element, link_decoded};
use crate::config::Webcam;

/// `v4l2src`, held to one of the camera's own formats, and a decoder.
pub(super) fn source(camera: &Webcam) -> Result<gst::Element, GraphError> {
    let source = element("v4l2src")?;
    source.set_property("device", camera.device.to_string_lossy().as_ref());
    let device = camera.device.display();
    // What the camera offers is known once it is open.
    source.set_state(gst::State::Ready).map_err(|_| {
        let hint = "is it there, free, and may this user open it? (`fer devices` lists cameras)";
        GraphError::Camera(format!("the camera {device} cannot be opened: {hint}"))
    })?;
    let offered = source.static_pad("src").map(|pad| pad.query_caps(None));
    let offered = offered.unwrap_or_else(gst::Caps::new_empty);
    let bin = nearest(&offered, camera.size, camera.rate)
        .ok_or_else(|| {
            GraphError::Camera(format!("the camera {device} offers neither raw video nor JPEG"))
        })
        .and_then(|caps| decoded(&source, caps));
    if bin.is_err() {
        // It is not left open: the next try would find it busy.
        let _ = source.set_state(gst::State::Null);
    }
    bin
}

fn decoded(source: &gst::Element, caps: gst::Caps) -> Result<gst::Element, GraphError> {
    let filter = element("capsfilter")?;
    filter.set_property("caps", caps);
    let decoder = element("decodebin")?;
    let convert = element("videoconvert")?;
    let bin = gst::Bin::with_name("webcam");
    bin.add_many([source, &filter, &decoder, &convert])?;
    gst::Element::link_many([source, &filter, &decoder])?;
    link_decoded(&decoder, &convert, None);
    if let Some(pad) = convert.static_pad("src") {
        bin.add_pad(&gst::GhostPad::with_target(&pad)?)?;
    }
    Ok(bin.upcast())
}

/// What is too slow for video: the largest pictures of many cameras are stills, two a second.
const FLUENT: u32 = 15;

/// Of the offered formats the one whose size, then rate, is nearest to what is asked for. Where no size
/// is, the largest of those that are fast enough: as fast as is asked for, else [`FLUENT`]. Raw video
/// goes before JPEG.
fn nearest(offered: &gst::Caps, size: Option<[u32; 2]>, rate: Option<u32>) -> Option<gst::Caps> {
    let (_, features, format) = offered
        .iter_with_features()
        .filter(|(_, features)| is_in_main_memory(features))
        .filter(|(format, _)| matches!(format.name().as_str(), "video/x-raw" | "image/jpeg"))
        .filter_map(|(format, features)| {
            let (off, format) = fixed(format, size, rate)?;
            Some((off, features, format))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(gst::Caps::builder_full().structure_with_features(format, features.to_owned()).build())
}

/// Whether anybody can read the frames: from GStreamer 1.26 on cameras offer them in a card's memory
/// first.
pub(crate) fn is_in_main_memory(features: &gst::CapsFeaturesRef) -> bool {
    let main = gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY.as_str();
    features.iter().all(|feature| feature == main || !feature.starts_with("memory:"))
}

/// A format with its size and rate settled, and how far it is from what is asked for.
fn fixed(
    format: &gst::StructureRef,
    size: Option<[u32; 2]>,
    rate: Option<u32>,
) -> Option<(f64, gst::Structure)> {
    let mut format = format.to_owned();
    let goal = size.unwrap_or([u32::MAX >> 1, u32::MAX >> 1]).map(|side| side as i32);
    format.fixate_field_nearest_int("width", goal[0]);
    format.fixate_field_nearest_int("height", goal[1]);
    let most = gst::Fraction::new(rate.map_or(i32::MAX, |rate| rate as i32), 1);
    format.fixate_field_nearest_fraction("framerate", most);
    let side = |name: &str| format.get::<i32>(name).ok().map(f64::from);
    let found = [side("width")?, side("height")?];
    let fps = format
        .get::<gst::Fraction>("framerate")
        .map_or(0.0, |rate| f64::from(rate.numer()) / f64::from(rate.denom()));
    let size_off = match size {
        Some(size) => (found[0] - f64::from(size[0])).abs() + (found[1] - f64::from(size[1])).abs(),
        None => {
            // 30 000/1001 is as good as 30.
            let missing = (f64::from(rate.unwrap_or(FLUENT)) - fps.round()).max(0.0);
            missing * 1e10 - found[0] * found[1]
        }
    };
    let rate_off = rate.map_or(-fps, |rate| (fps - f64::from(rate)).abs());
    let compressed = if format.name() == "image/jpeg" { 0.1 } else { 0.0 };
    // Sizes differ by whole pixels: they decide before rates, and rates before the encoding.
    Some((size_off * 1e4 + rate_off + compressed, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_format_is_taken() {
        gst::init().unwrap();
        let offered: gst::Caps = "video/x-raw,format=YUY2,width=640,height=480,framerate=30/1;\
             video/x-raw,format=YUY2,width=1280,height=720,framerate=10/1;\
             image/jpeg,width=1280,height=720,framerate={30/1,15/1};\
             image/jpeg,width=1920,height=1080,framerate=30/1;\
             video/x-h264,width=4096,height=2160,framerate=30/1"
            .parse()
            .unwrap();
        let chosen = |size, rate| nearest(&offered, size, rate).unwrap().to_string();
        for (size, rate, parts) in [
            (Some([640, 480]), Some(30), ["video/x-raw", "width=(int)640", "30/1"]),
            // At this size JPEG alone is fast enough.
            (Some([1280, 720]), Some(30), ["image/jpeg", "width=(int)1280", "30/1"]),
            (Some([1280, 720]), Some(10), ["video/x-raw", "width=(int)1280", "10/1"]),
            (Some([1200, 700]), Some(14), ["image/jpeg", "width=(int)1280", "15/1"]),
            (None, None, ["image/jpeg", "width=(int)1920", "30/1"]),
            (None, Some(60), ["image/jpeg", "width=(int)1920", "30/1"]),
        ] {
            let found = chosen(size, rate);
            assert!(parts.iter().all(|part| found.contains(part)), "{size:?} {rate:?}: {found}");
        }
        assert!(nearest(&"video/x-h264,width=1,height=1".parse().unwrap(), None, None).is_none());
    }

    #[test]
    fn stills_are_no_video_and_a_cards_memory_is_of_no_use() {
        gst::init().unwrap();
        let offered: gst::Caps = "\
             video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=YUYV,width=2304,height=1536,\
             framerate=30/1;\
             video/x-raw,format=YUY2,width=640,height=480,framerate=30/1;\
             video/x-raw,format=YUY2,width=2304,height=1536,framerate=2/1;\
             image/jpeg,width=1920,height=1080,framerate=30000/1001;\
             video/x-raw(memory:SystemMemory),format=YUY2,width=800,height=600,framerate=24/1"
            .parse()
            .unwrap();
        for (size, rate, part) in [
            (None, None, "image/jpeg, width=(int)1920"),
            (None, Some(30), "image/jpeg, width=(int)1920"),
            (None, Some(60), "image/jpeg, width=(int)1920"),
            (None, Some(2), "width=(int)2304"),
            (Some([800, 600]), None, "format=(string)YUY2, width=(int)800"),
            (Some([2304, 1536]), None, "format=(string)YUY2, width=(int)2304"),
        ] {
            let found = nearest(&offered, size, rate).unwrap().to_string();
            assert!(found.contains(part), "{size:?} {rate:?}: {found}");
        }
    }
}
