//! Why a stream has no pipeline.

use gst::glib;

/// Why a pipeline cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// GStreamer has no such element here.
    #[error("there is no element `{factory}`: its plugin is not installed{}", package(factory))]
    Missing {
        /// The element's kind.
        factory: String,
    },
    /// A fragment in gst-launch-1.0's syntax is wrong.
    #[error("`{text}`: {reason}")]
    Fragment {
        /// As the file says it.
        text: String,
        /// What GStreamer said.
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

/// The Debian and Ubuntu package of an element.
fn package(factory: &str) -> String {
    let package = match factory {
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "uridecodebin" | "videoconvert" | "videoscale" | "tee" | "queue" => {
            "gstreamer1.0-plugins-base"
        }
        "v4l2src" | "mp4mux" | "matroskamux" | "webmmux" | "vp8enc" | "rtspsrc" | "videoflip"
        | "jpegenc" | "pngenc" | "rtph264pay" | "splitmuxsink" | "autovideosink" => {
            "gstreamer1.0-plugins-good"
        }
        "mpegtsmux" | "h264parse" => "gstreamer1.0-plugins-bad",
        _ => return String::new(),
    };
    format!(" (Debian and Ubuntu: {package})")
}
