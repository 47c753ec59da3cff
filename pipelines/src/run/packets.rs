//! Lines in UDP packets to one address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crate::speech::tell;

/// A socket for packets to an address, which takes none from anybody else.
#[derive(Debug)]
pub(super) struct Packets {
    /// None while the address is not known: its name may be known later, as after a power cut.
    socket: Option<UdpSocket>,
    /// When the address was last looked up.
    tried: Instant,
    address: String,
    stream: String,
    /// How many could not be sent since that was last told.
    lost: u64,
    told: Option<Instant>,
}

/// How often an address is looked up that cannot be reached. That may take seconds.
const LOOK_UP: Duration = Duration::from_secs(30);
/// How often it is told that lines are lost, at most.
const SELDOM: Duration = Duration::from_secs(60);

impl Packets {
    pub(super) fn to(address: &str, stream: &str) -> Self {
        let (address, stream) = (address.to_owned(), stream.to_owned());
        let mut packets =
            Self { socket: None, tried: Instant::now(), address, stream, lost: 0, told: None };
        if let Err(error) = packets.look_up() {
            packets.complain(&format!("no line can be sent yet: {error}"));
        }
        packets
    }

    /// Sends a line. Networks come back, and packets may be lost in any: what cannot be sent is told
    /// and left out.
    pub(super) fn send(&mut self, line: &[u8]) {
        let sent = match &self.socket {
            Some(socket) => socket.send(line).map(|_| ()),
            None if self.tried.elapsed() < LOOK_UP => Err(io::ErrorKind::AddrNotAvailable.into()),
            None => self.look_up().and_then(|socket| socket.send(line).map(|_| ())),
        };
        match sent {
            Ok(()) => {}
            // Nobody listens: that is no failure of ours.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                self.lost += 1;
                if self.told.is_none_or(|told| told.elapsed() > SELDOM) {
                    let (lost, bytes) = (self.lost, line.len());
                    self.complain(&format!(
                        "{lost} lines not sent, the last of {bytes} bytes: {error}"
                    ));
                    self.lost = 0;
                }
            }
        }
    }

    fn look_up(&mut self) -> io::Result<&UdpSocket> {
        self.tried = Instant::now();
        let socket = connect(&self.address)?;
        Ok(self.socket.insert(socket))
    }

    fn complain(&mut self, what: &str) {
        tell(&format!("{}: warning: {}: {what}", self.stream, self.address));
        self.told = Some(Instant::now());
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
            let mut packets = Packets::to(&reader.local_addr().unwrap().to_string(), "s");
            packets.send(b"{}\n");
            let mut line = [0; 8];
            let (length, from) = reader.recv_from(&mut line).unwrap();
            assert_eq!(&line[..length], b"{}\n");
            let socket = packets.socket.unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            // Refused outright, or taken and thrown away.
            let _ = UdpSocket::bind(local).unwrap().send_to(b"x", from);
            assert!(socket.recv(&mut line).is_err(), "{local}");
        }
    }

    #[test]
    fn an_address_that_is_not_known_yet_is_looked_up_again() {
        let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packets = Packets::to("no-such-host.invalid:9", "s");
        packets.send(b"1\n");
        assert!(packets.socket.is_none() && packets.lost == 1 && packets.told.is_some());
        packets.address = reader.local_addr().unwrap().to_string();
        packets.send(b"2\n");
        assert!(packets.socket.is_none(), "not at once");
        packets.tried -= 2 * LOOK_UP;
        packets.send(b"3\n");
        let mut line = [0; 8];
        let length = reader.recv(&mut line).unwrap();
        assert_eq!(&line[..length], b"3\n");
    }

    #[test]
    fn a_line_that_fits_into_no_packet_is_left_out_and_the_next_one_comes() {
        let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packets = Packets::to(&reader.local_addr().unwrap().to_string(), "s");
        for lost in [0, 1, 2] {
            packets.send(&vec![b'x'; 70_000]);
            // Told at once, then seldom.
            assert!(packets.told.is_some() && packets.lost == lost);
        }
        packets.send(b"{}\n");
        assert_eq!(reader.recv(&mut [0; 8]).unwrap(), 3);
    }
}
