//! Video for players on the network.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Encoder, Existing, Overlay, Secret};

/// An IPv4 address, or what has the shape of an IPv6 one.
const ADDRESS: &str = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|([0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]*)$";

/// The video as a network camera's, for any number of players: H.264 over RTSP. It is encoded only
/// while somebody watches. Outputs may share a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Restream {
    /// The address of this machine that players reach; 0.0.0.0 for all of them.
    #[serde(default = "loopback")]
    #[schemars(regex(pattern = ADDRESS))]
    pub address: std::net::IpAddr,
    /// The port.
    #[serde(default = "port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The path; `{stream}` is the stream's name.
    #[serde(default = "path")]
    #[schemars(regex(pattern = "^/[A-Za-z0-9_./{}-]*[A-Za-z0-9_.{}-]$"))]
    pub path: String,
    /// Who may watch; everybody, if not given.
    pub user: Option<String>,
    /// The password, best taken from the environment: `${NAME}`.
    pub password: Option<Secret>,
    /// A file that holds only the password.
    pub password_file: Option<PathBuf>,
    /// What is done to faces.
    #[serde(default)]
    pub overlay: Overlay,
    /// Who encodes.
    #[serde(default)]
    pub encoder: Encoder,
}

/// The video as a folder that a web server offers to browsers: segments, and a playlist
/// `index.m3u8` of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hls {
    /// The folder; `{stream}` is the stream's name.
    #[schemars(length(min = 1))]
    pub folder: String,
    /// Seconds in a segment: players are late by about three of them.
    #[serde(default = "segment")]
    #[schemars(range(min = 1, max = 3600))]
    pub segment: u32,
    /// How many segments the playlist names; older ones are deleted. Everything, if not given.
    #[schemars(range(min = 3))]
    pub keep: Option<usize>,
    /// What happens to a playlist in that folder, and its segments.
    #[serde(default)]
    #[schemars(extend("enum" = ["refuse", "replace"]))]
    pub existing: Existing,
    /// What is done to faces.
    #[serde(default)]
    pub overlay: Overlay,
    /// Who encodes.
    #[serde(default)]
    pub encoder: Encoder,
}

impl Restream {
    /// The address of the server, and the path on it, as players write them.
    pub fn url(&self) -> String {
        let Self { address, port, path, .. } = self;
        format!("rtsp://{}{path}", std::net::SocketAddr::new(*address, *port))
    }
}

fn loopback() -> std::net::IpAddr {
    std::net::Ipv4Addr::LOCALHOST.into()
}

fn segment() -> u32 {
    4
}

fn port() -> u16 {
    8554
}

fn path() -> String {
    "/{stream}".to_owned()
}
