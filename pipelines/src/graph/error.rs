//! Why a stream has no pipeline.

use gst::glib;

/// Why a pipeline cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// GStreamer has no such element here.
    #[error("there is no element `{factory}`: its plugin is not installed{}", hint(factory))]
    Missing {
        /// The element's kind.
        factory: String,
    },
    /// A fragment in gst-launch-1.0's syntax is wrong.
    #[error("the fragment cannot be built: {reason}")]
    Fragment {
        /// What GStreamer said. The text itself may hold passwords.
        reason: String,
    },
    /// GStreamer refuses to put the parts together.
    #[error("the pipeline does not fit together: {0}")]
    Link(#[from] glib::BoolError),
    /// A file that the settings name cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A camera has nothing to offer that could be used.
    #[error("{0}")]
    Camera(String),
    /// The bundled portrait is broken.
    #[error("the bundled portrait: {0}")]
    Portrait(String),
}

/// What an error of GStreamer's means to whoever has chosen what is played.
pub fn reason(error: &glib::Error) -> String {
    if error.matches(gst::CoreError::MissingPlugin) {
        return format!("there is no video in it that can be decoded here ({error})");
    }
    error.to_string()
}

fn hint(factory: &str) -> String {
    package(factory).map(|package| format!(" (Debian and Ubuntu: {package})")).unwrap_or_default()
}

/// The Debian and Ubuntu package of an element, of those that this program uses.
pub fn package(factory: &str) -> Option<&'static str> {
    Some(match factory {
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "tee" | "queue" | "capsfilter" | "fakesink" | "filesink" | "clocksync" => {
            "libgstreamer1.0-0"
        }
        "uridecodebin" | "decodebin" | "videoconvert" | "videoscale" | "videotestsrc"
        | "appsink" | "appsrc" | "audioconvert" | "audioresample" | "opusenc" => {
            "gstreamer1.0-plugins-base"
        }
        "v4l2src" | "mp4mux" | "matroskamux" | "webmmux" | "vp8enc" | "rtspsrc" | "videoflip"
        | "jpegenc" | "jpegdec" | "pngenc" | "autovideosink" | "souphttpsrc" | "rtph264pay"
        | "splitmuxsink" | "aacparse" | "mpegaudioparse" | "ac3parse" => {
            "gstreamer1.0-plugins-good"
        }
        "mpegtsmux" | "h264parse" | "opusparse" => "gstreamer1.0-plugins-bad",
        "avdec_h264" | "avdec_h265" => "gstreamer1.0-libav",
        _ => return None,
    })
}
