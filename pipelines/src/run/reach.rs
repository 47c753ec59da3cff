//! Why a camera's address does not answer: elements say no more than that they could not open it.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use ureq::http::Uri;

use crate::config::Source;

/// How long an address is waited for; meanwhile its stream obeys no order.
const PATIENCE: Duration = Duration::from_secs(2);

/// Host and port that a camera is reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// That of a source on the network, as far as it can be told.
    pub(super) fn of(source: &Source) -> Option<Self> {
        let url = match source {
            Source::Rtsp(rtsp) => &rtsp.url,
            Source::Http(http) => &http.url,
            _ => return None,
        };
        let uri: Uri = url.parse().ok()?;
        let usual = match uri.scheme_str()? {
            "http" => 80,
            "https" => 443,
            "rtsps" => 322,
            _ => 554,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        Some(Self { host, port: uri.port_u16().unwrap_or(usual) })
    }

    /// What is in the way, if nobody answers there or it is known soon that the name is nobody's.
    pub(super) fn obstacle(&self) -> Option<String> {
        let (tell, told) = mpsc::channel();
        let address = self.clone();
        // A name server may keep it for much longer; whoever waits has gone by then.
        let look = move || {
            let _ = tell.send(address.look());
        };
        std::thread::Builder::new().spawn(look).ok()?;
        told.recv_timeout(PATIENCE).ok()?
    }

    fn look(&self) -> Option<String> {
        let Self { host, port } = self;
        let found = match (host.as_str(), *port).to_socket_addrs() {
            Ok(found) => found,
            Err(error) => return Some(format!("{host}: {error}")),
        };
        let mut obstacle = None;
        for address in found {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(_) => return None,
                Err(error) => obstacle = Some(format!("{host}:{port}: {error}")),
            }
        }
        obstacle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(source: &str) -> Option<Address> {
        let text = format!("version: 1\nstreams: {{ a: {{ source: {source} }} }}");
        let file = crate::config::PipelineFile::parse(&text, &[], &|_| None).unwrap();
        Address::of(&file.streams["a"].source)
    }

    #[test]
    fn addresses() {
        gst::init().unwrap();
        let at = |host: &str, port| Some(Address { host: host.to_owned(), port });
        assert_eq!(address("{ rtsp: { url: 'rtsp://me:key@door/1' } }"), at("door", 554));
        assert_eq!(address("{ rtsp: { url: 'rtsps://door:8554/1' } }"), at("door", 8554));
        assert_eq!(address("{ http: { url: 'https://door/1' } }"), at("door", 443));
        assert_eq!(address("{ rtsp: { url: 'rtsp://[::1]:8554/1' } }"), at("::1", 8554));
        assert_eq!(address("{ test: {} }"), None);
    }

    #[test]
    fn who_refuses_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address { host: "127.0.0.1".to_owned(), port };
        assert_eq!(address.obstacle(), None);
        drop(listener);
        let told = address.obstacle().unwrap();
        assert!(told.starts_with(&format!("127.0.0.1:{port}: Connection refused")), "{told}");
    }
}
