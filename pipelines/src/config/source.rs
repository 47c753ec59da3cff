//! Where a stream's video comes from.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Files, Secret};

/// Where the video comes from: exactly one of these.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A camera at this machine.
    Webcam(Webcam),
    /// A network camera.
    Rtsp(Rtsp),
    /// A recording.
    File(File),
    /// Recordings, one after another, as one stream.
    Files(Files),
    /// A recording or live stream on a web server, HLS included.
    Http(Http),
    /// A test pattern.
    Test(Test),
    /// Any source in gst-launch-1.0's syntax; its last element gives raw video.
    Gst(String),
}

/// A camera at this machine.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Webcam {
    /// Which camera; `fer devices` lists them.
    pub device: PathBuf,
    /// Width and height in pixels; the camera's nearest size is taken, its best if not given.
    #[schemars(inner(range(min = 1, max = 16384)))]
    pub size: Option<[u32; 2]>,
    /// Frames per second; the camera's nearest rate is taken, its highest if not given.
    #[schemars(range(min = 1, max = 1000))]
    pub rate: Option<u32>,
}

impl Default for Webcam {
    fn default() -> Self {
        Self { device: "/dev/video0".into(), size: None, rate: None }
    }
}

/// A network camera.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rtsp {
    /// Its address.
    #[schemars(regex(pattern = "^rtsps?://."))]
    pub url: String,
    /// Who logs in; nobody, if not given.
    pub user: Option<String>,
    /// The password, best taken from the environment: `${NAME}`.
    pub password: Option<Secret>,
    /// A file that holds only the password.
    pub password_file: Option<PathBuf>,
    /// How packets come.
    #[serde(default)]
    pub transport: Transport,
    /// Milliseconds that packets may be late or out of order; the picture is late by as much.
    #[serde(default = "latency")]
    #[schemars(range(max = 60_000))]
    pub latency: u32,
    /// When the camera counts as lost, and how it is reached again.
    #[serde(default)]
    pub reconnect: Reconnect,
}

/// When a live source counts as lost, and how it is reached again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Reconnect {
    /// Milliseconds without a frame after which the source counts as lost. If not given 5000, and 30000
    /// for `http`, where live streams come in segments of many seconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub timeout: Option<u32>,
    /// Milliseconds before the first try to reach it again; the pauses double …
    #[schemars(range(min = 100, max = 600_000))]
    pub after: u32,
    /// … up to this many milliseconds, and there is no last try.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub at_most: u32,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self { timeout: None, after: 500, at_most: 4000 }
    }
}

/// How RTP packets come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// UDP, then TCP if nothing arrives.
    #[default]
    Auto,
    /// In the RTSP connection: nothing is lost, and firewalls let it through.
    Tcp,
    /// One packet each.
    Udp,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct File {
    /// Anything that GStreamer decodes.
    pub path: PathBuf,
    /// Whether it is played at its own speed, as for a window, or as fast as possible.
    #[serde(default)]
    pub realtime: bool,
}

/// A recording or live stream on a web server. Where the server states no length it is live: when it
/// ends, it is reached again.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Http {
    /// Its address.
    #[schemars(regex(pattern = "^https?://."))]
    pub url: String,
    /// Who logs in; nobody, if not given.
    pub user: Option<String>,
    /// The password, best taken from the environment: `${NAME}`.
    pub password: Option<Secret>,
    /// A file that holds only the password.
    pub password_file: Option<PathBuf>,
    /// When the source counts as lost, and how it is reached again.
    #[serde(default)]
    pub reconnect: Reconnect,
}

/// A test pattern at its own speed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Test {
    /// What is shown.
    pub pattern: Pattern,
    /// Width and height in pixels.
    #[schemars(inner(range(min = 1, max = 16384)))]
    pub size: [u32; 2],
    /// Frames per second.
    #[schemars(range(min = 1, max = 1000))]
    pub rate: u32,
    /// After how many frames it ends; never, if not given.
    #[schemars(range(min = 1))]
    pub frames: Option<u32>,
}

impl Default for Test {
    fn default() -> Self {
        Self { pattern: Pattern::Smpte, size: [640, 480], rate: 25, frames: None }
    }
}

/// A test pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Colour bars.
    Smpte,
    /// A moving ball.
    Ball,
    /// Nothing.
    Black,
    /// A portrait, panned and zoomed: there is a face in it.
    Face,
}

fn latency() -> u32 {
    200
}
