//! What is made of a stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Faces, Hls, Restream, Span};

/// What is made of a stream: exactly one of these. An output that fails stops alone; with the last one
/// the stream ends.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// The video on the screen.
    Window(Window),
    /// The video in a file.
    Video(Video),
    /// The metadata, one line of JSON a frame.
    Json(Json),
    /// The newest frame as a picture, again and again.
    Snapshot(Snapshot),
    /// Pictures of faces whose stable emotion changes.
    Faces(Faces),
    /// The video for players on the network, as a camera's.
    Rtsp(Restream),
    /// The video for browsers, as a playlist and its segments.
    Hls(Hls),
    /// Any elements in gst-launch-1.0's syntax; they get raw video with its metadata.
    Gst(Fragment),
}

/// What is done to faces in an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overlay {
    /// Boxes, labels and probabilities are drawn.
    #[default]
    Draw,
    /// Faces are blurred. Frames then wait for the analysis, and each of them is looked at as a whole,
    /// unless `analysis`, `inference-interval` and `scan-interval` say otherwise.
    Blur,
    /// Faces are made of large pixels; else as blurred.
    Pixelate,
    /// Nothing.
    None,
}

/// What happens to a file that is already there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// It is an error.
    #[default]
    Refuse,
    /// The new file takes its place.
    Replace,
    /// What is new goes after what is there.
    Continue,
}

/// The video on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Window {
    /// What is done to faces.
    pub overlay: Overlay,
}

/// The video in a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Video {
    /// The file; its ending says the container: mp4, mkv or webm. `{stream}` is the stream's name;
    /// strftime's codes are filled in when the file is opened.
    #[schemars(regex(pattern = "\\.(mp4|mkv|webm)$"))]
    pub file: String,
    /// What is done to faces.
    #[serde(default)]
    pub overlay: Overlay,
    /// Who encodes.
    #[serde(default)]
    pub encoder: Encoder,
    /// When a new file is begun: with the first key frame after, for which the encoder is asked. Not of a
    /// `file`, whose sound is one piece.
    pub rotate: Option<Rotate>,
    /// What happens to a file of that name; with `rotate`, and `refuse`, the next free one is taken.
    #[serde(default)]
    #[schemars(extend("enum" = ["refuse", "replace"]))]
    pub existing: Existing,
}

/// Who encodes video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoder {
    /// Hardware where there is some.
    #[default]
    Auto,
    /// The processor.
    Software,
}

/// The metadata, one line of JSON a frame: to exactly one of `file`, `stdout`, `tcp-server`, `udp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Json {
    /// The file; `{stream}` is the stream's name, and strftime's codes are filled in when the file
    /// is opened. One whose name holds a date and no time is left for the next day's at midnight.
    #[schemars(length(min = 1))]
    pub file: Option<String>,
    /// To the standard output.
    #[serde(default)]
    pub stdout: bool,
    /// To whoever connects to this address, as in 127.0.0.1:5000.
    pub tcp_server: Option<String>,
    /// In packets to this address, as in 127.0.0.1:5000.
    pub udp: Option<String>,
    /// When a new file is begun.
    pub rotate: Option<Rotate>,
    /// What happens to a file of that name.
    #[serde(default)]
    pub existing: Existing,
    /// Whether frames without faces and events get no line.
    #[serde(default)]
    pub skip_empty: bool,
}

/// When a new file is begun: at whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Rotate {
    /// Size of a file, in bytes or with k, M or G, as in 100M.
    pub size: Option<Amount>,
    /// Time in a file, in s, min, h or d, as in 1h.
    pub time: Option<Span>,
}

/// The newest frame as a picture, written whole, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Snapshot {
    /// The file, jpg or png; `{stream}` is the stream's name.
    #[schemars(regex(pattern = "\\.(jpe?g|png)$"))]
    pub file: String,
    /// How often, in s, min, h or d, as in 5s.
    #[serde(default = "second")]
    pub every: Span,
    /// What is done to faces.
    #[serde(default)]
    pub overlay: Overlay,
}

/// Any elements in gst-launch-1.0's syntax.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fragment {
    /// The elements; the last one is a sink.
    #[schemars(length(min = 1))]
    pub pipeline: String,
    /// What is done to faces.
    #[serde(default)]
    pub overlay: Overlay,
}

fn second() -> Span {
    Span(std::time::Duration::from_secs(1))
}

impl Output {
    /// What is done to faces, in outputs that show them.
    pub fn overlay(&self) -> Option<Overlay> {
        match self {
            Self::Window(window) => Some(window.overlay),
            Self::Video(video) => Some(video.overlay),
            Self::Snapshot(snapshot) => Some(snapshot.overlay),
            Self::Rtsp(restream) => Some(restream.overlay),
            Self::Hls(hls) => Some(hls.overlay),
            Self::Gst(fragment) => Some(fragment.overlay),
            Self::Json(_) | Self::Faces(_) => None,
        }
    }

    /// The key that the file names it by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Window(_) => "window",
            Self::Video(_) => "video",
            Self::Json(_) => "json",
            Self::Snapshot(_) => "snapshot",
            Self::Faces(_) => "faces",
            Self::Rtsp(_) => "rtsp",
            Self::Hls(_) => "hls",
            Self::Gst(_) => "gst",
        }
    }

    /// Where it goes, as the file says it: no two outputs may go to the same place.
    pub fn target(&self) -> Option<String> {
        match self {
            Self::Video(video) => Some(video.file.clone()),
            Self::Snapshot(snapshot) => Some(snapshot.file.clone()),
            Self::Faces(faces) => Some(faces.folder.clone()),
            Self::Rtsp(restream) => Some(restream.url()),
            Self::Hls(hls) => Some(hls.folder.clone()),
            Self::Json(json) => match (&json.file, &json.tcp_server) {
                (Some(file), _) => Some(file.clone()),
                (None, Some(address)) => Some(format!("tcp://{address}")),
                (None, None) => json.stdout.then(|| "stdout".to_owned()),
            },
            Self::Window(_) | Self::Gst(_) => None,
        }
    }
}
