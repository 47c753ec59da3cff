//! `fer run`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pipelines::run::{self, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The pipeline file.
    file: PathBuf,
    /// Change a value, for instance `streams.door.source.rtsp.latency=50`.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    sets: Vec<String>,
    /// Serve Prometheus metrics and /healthz there, for instance 127.0.0.1:9100.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    metrics: Option<SocketAddr>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|error| error.to_string());
    let first = found.and_then(|mut found| found.next().ok_or_else(|| "no such host".to_owned()));
    first.map_err(|reason| format!("{reason}; expected HOST:PORT, as in 127.0.0.1:9100"))
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    crate::memory::give_frames_back();
    super::init()?;
    let Arguments { file, sets, metrics } = arguments;
    let options = Options { file: file.clone(), sets: sets.clone(), metrics: *metrics };
    let well = run::run(&options)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
