//! Lines in UDP packets to one address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crate::speech::tell;

/// A socket for packets to an address, which takes none from anybody else.
#[derive(Debug)]
pub(super) struct Packets {
    socket: UdpSocket,
    address: String,
    stream: String,
    /// How many could not be sent since that was last told.
    lost: u64,
    told: Option<Instant>,
}

/// How often it is told that lines are lost, at most.
const SELDOM: Duration = Duration::from_secs(60);

impl Packets {
    pub(super) fn to(address: &str, stream: &str) -> Result<Self, String> {
        let socket = connect(address).map_err(|error| format!("{address}: {error}"))?;
        let (address, stream) = (address.to_owned(), stream.to_owned());
        Ok(Self { socket, address, stream, lost: 0, told: None })
    }

    /// Sends a line. Networks come back, and packets may be lost in any: what cannot be sent is told
    /// and left out.
    pub(super) fn send(&mut self, line: &[u8]) {
        match self.socket.send(line) {
            Ok(_) => {}
            // Nobody listens: that is no failure of ours.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                self.lost += 1;
                if self.told.is_none_or(|told| told.elapsed() > SELDOM) {
                    let Self { stream, address, lost, .. } = self;
                    let bytes = line.len();
                    tell(&format!(
                        "{stream}: warning: {address}: {lost} lines not sent, the last of {bytes} \
                         bytes: {error}"
                    ));
                    (self.lost, self.told) = (0, Some(Instant::now()));
                }
            }
        }
    }
}

fn connect(address: &str) -> io::Result<UdpSocket> {
    let found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    // A name may have both; most listen to this one.
    let to = found.iter().find(|to| to.is_ipv4()).or(found.first());
    let to = to.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    let any: IpAddr =
        if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strangers' packets would fill a socket that everybody reaches.
    #[test]
    fn packets_go_to_one_address_of_either_kind_and_come_from_nowhere_else() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(reader) = UdpSocket::bind(local) else {
                eprintln!("skipped: this machine has no {local}");
                continue;
            };
            let mut packets = Packets::to(&reader.local_addr().unwrap().to_string(), "s").unwrap();
            packets.send(b"{}\n");
            let mut line = [0; 8];
            let (length, from) = reader.recv_from(&mut line).unwrap();
            assert_eq!(&line[..length], b"{}\n");
            packets.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            // Refused outright, or taken and thrown away.
            let _ = UdpSocket::bind(local).unwrap().send_to(b"x", from);
            assert!(packets.socket.recv(&mut line).is_err(), "{local}");
        }
    }

    #[test]
    fn a_line_that_fits_into_no_packet_is_left_out_and_the_next_one_comes() {
        let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packets = Packets::to(&reader.local_addr().unwrap().to_string(), "s").unwrap();
        for lost in [0, 1, 2] {
            packets.send(&vec![b'x'; 70_000]);
            // Told at once, then seldom.
            assert!(packets.told.is_some() && packets.lost == lost);
        }
        packets.send(b"{}\n");
        assert_eq!(reader.recv(&mut [0; 8]).unwrap(), 3);
    }
}
