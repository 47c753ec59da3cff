//! GStreamer and its plugins.

use std::collections::BTreeSet;

use super::Check;
use crate::graph::{HARDWARE, package};
use crate::run::display::Display;

/// The oldest GStreamer that works.
const OLDEST: (u32, u32) = (1, 22);

/// What every stream is made of.
const EVERYWHERE: [&str; 13] = [
    "queue",
    "tee",
    "capsfilter",
    "fakesink",
    "filesink",
    "clocksync",
    "uridecodebin",
    "decodebin",
    "videoconvert",
    "videoscale",
    "appsrc",
    "appsink",
    "videoflip",
];

/// What only some need, and what for.
const SOMEWHERE: [(&str, &[&str]); 8] = [
    ("webcams", &["v4l2src", "jpegdec"]),
    ("RTSP cameras", &["rtspsrc"]),
    ("HTTP sources", &["souphttpsrc"]),
    ("H.264 and H.265 decoding", &["avdec_h264", "avdec_h265"]),
    ("MP4 and Matroska files", &["mp4mux", "matroskamux", "h264parse"]),
    ("WebM files", &["webmmux", "vp8enc"]),
    ("snapshots", &["jpegenc", "pngenc"]),
    ("windows", &["autovideosink"]),
];

pub(super) fn version() -> Check {
    let (major, minor, ..) = gst::version();
    let found = gst::version_string().to_string();
    if (major, minor) >= OLDEST {
        Check::ok("GStreamer", found)
    } else {
        let (major, minor) = OLDEST;
        let mend = format!("install {major}.{minor} or newer (Debian 12, Ubuntu 24.04 have it)");
        Check::failed("GStreamer", found, Some(mend))
    }
}

pub(super) fn elements() -> Vec<Check> {
    let missing = missing(&EVERYWHERE);
    let every = if missing.is_empty() {
        Check::ok("elements of every stream", format!("all {}", EVERYWHERE.len()))
    } else {
        let found = format!("missing: {}", missing.join(", "));
        Check::failed("elements of every stream", found, Some(install(&missing)))
    };
    std::iter::once(every).chain(SOMEWHERE.iter().map(some)).collect()
}

fn some((purpose, factories): &(&str, &[&str])) -> Check {
    let missing = missing(factories);
    if missing.is_empty() {
        Check::ok(purpose, factories.join(", "))
    } else {
        Check::warning(purpose, format!("missing: {}", missing.join(", ")), install(&missing))
    }
}

fn missing<'a>(factories: &[&'a str]) -> Vec<&'a str> {
    factories.iter().copied().filter(|name| gst::ElementFactory::find(name).is_none()).collect()
}

fn install(factories: &[&str]) -> String {
    let packages: BTreeSet<&str> = factories.iter().filter_map(|name| package(name)).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    format!("Debian and Ubuntu: apt-get install {}", packages.join(" "))
}

/// The encoder that `video` outputs take, in the order in which they try them.
pub(super) fn encoder() -> Check {
    let there = |name: &&str| gst::ElementFactory::make(name).build().is_ok();
    match HARDWARE.iter().find(|name| there(name)) {
        Some(name) => Check::ok("H.264 encoder", format!("{name}, in hardware")),
        None if there(&"x264enc") => Check::ok("H.264 encoder", "x264enc, in software"),
        None => Check::warning(
            "H.264 encoder",
            "none: no MP4 or Matroska output works, WebM does",
            install(&["x264enc"]),
        ),
    }
}

pub(super) fn display() -> Check {
    match Display::open() {
        Ok(display) => Check::ok("display", display.name()),
        Err(reason) => Check::warning(
            "display",
            format!("{reason}: `window` outputs do not start, everything else works"),
            "start it in a graphical session, or set DISPLAY or WAYLAND_DISPLAY to one",
        ),
    }
}
