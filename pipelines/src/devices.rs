//! The cameras of this machine.

use gst::prelude::*;
use serde::Serialize;

use crate::graph::is_in_main_memory;

/// A camera, as GStreamer knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Camera {
    /// Its name for people.
    pub name: String,
    /// The device file to give to `webcam`, where it has one.
    pub device: Option<String>,
    /// What it offers, by encoding, the largest size first.
    pub formats: Vec<Format>,
}

/// One size of one encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Format {
    /// `YUY2`, `NV12`, … for raw video, else the media type.
    pub encoding: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second, the fastest first, as the camera states them: `30`, `15/2`.
    pub rates: Vec<String>,
}

impl std::fmt::Display for Format {
    /// `1280×720@30,15 YUY2`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { encoding, width, height, rates } = self;
        let at = if rates.is_empty() { "" } else { "@" };
        write!(f, "{width}×{height}{at}{} {encoding}", rates.join(","))
    }
}

/// Lists the cameras.
///
/// # Errors
///
/// GStreamer has nothing here that finds cameras.
pub fn cameras() -> Result<Vec<Camera>, gst::glib::BoolError> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.start()?;
    let cameras = monitor.devices().iter().map(camera).collect();
    monitor.stop();
    Ok(cameras)
}

fn camera(device: &gst::Device) -> Camera {
    let path = device.properties().and_then(|properties| {
        let path = |key| properties.get::<String>(key).ok();
        ["device.path", "api.v4l2.path"].into_iter().find_map(path)
    });
    Camera {
        name: device.display_name().to_string(),
        device: path,
        formats: device.caps().map(|caps| formats(&caps)).unwrap_or_default(),
    }
}

fn formats(caps: &gst::Caps) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    let readable = caps.iter_with_features().filter(|(_, features)| is_in_main_memory(features));
    for (structure, _) in readable {
        let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
        let (Some(width), Some(height)) = (side("width"), side("height")) else { continue };
        let encoding = structure.get::<&str>("format").unwrap_or(structure.name()).to_owned();
        let rates = structure.value("framerate").map(rates).unwrap_or_default();
        let format = Format { encoding, width, height, rates };
        // Colorimetries of one size are one format to whoever chooses.
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    let area = |format: &Format| u64::from(format.width) * u64::from(format.height);
    formats.sort_by(|a, b| a.encoding.cmp(&b.encoding).then(area(b).cmp(&area(a))));
    formats
}

/// Single rates, lists, and both ends of ranges.
fn rates(value: &gst::glib::SendValue) -> Vec<String> {
    let mut rates = if let Ok(rate) = value.get::<gst::Fraction>() {
        vec![rate]
    } else if let Ok(list) = value.get::<gst::List>() {
        list.iter().filter_map(|rate| rate.get().ok()).collect()
    } else if let Ok(range) = value.get::<gst::FractionRange>() {
        vec![range.min(), range.max()]
    } else {
        Vec::new()
    };
    rates.sort();
    rates.reverse();
    let text = |rate: gst::Fraction| match rate.denom() {
        1 => rate.numer().to_string(),
        denominator => format!("{}/{denominator}", rate.numer()),
    };
    rates.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_camera_offers_is_told_in_short() {
        gst::init().unwrap();
        let caps: gst::Caps = "video/x-raw,format=YUY2,width=640,height=480,framerate={15/1,30/1};\
             video/x-raw,format=YUY2,width=1280,height=720,framerate=15/2;\
             video/x-raw(memory:DMABuf),format=DMA_DRM,width=4096,height=2160,framerate=2/1;\
             video/x-raw,format=YUY2,width=1280,height=720,framerate=15/2,colorimetry=bt709;\
             image/jpeg,width=1920,height=1080,framerate=[1/1,60/1];\
             image/jpeg,width=[16,64],height=48"
            .parse()
            .unwrap();
        let told: Vec<String> = formats(&caps).iter().map(Format::to_string).collect();
        let expected = ["1280×720@15/2 YUY2", "640×480@30,15 YUY2", "1920×1080@60,1 image/jpeg"];
        assert_eq!(told, expected);
    }
}
