//! Lines in UDP packets to one address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::speech::tell;

/// A socket for packets to an address, which takes none from anybody else.
#[derive(Debug)]
pub(super) struct Packets {
    /// None while the address is not known: its name may be known later, as after a power cut.
    socket: Option<UdpSocket>,
    /// A look-up that is under way. That may take many seconds, for which no frame can wait.
    pending: Option<Receiver<io::Result<UdpSocket>>>,
    /// When the address was last looked up.
    tried: Instant,
    address: String,
    stream: String,
    /// How many could not be sent since that was last told.
    lost: u64,
    told: Option<Instant>,
}

/// How often an address is looked up that cannot be reached, and how long the first time is waited for.
const LOOK_UP: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is told that lines are lost, at most.
const SELDOM: Duration = Duration::from_secs(60);

impl Packets {
    pub(super) fn to(address: &str, stream: &str) -> Self {
        let (address, stream) = (address.to_owned(), stream.to_owned());
        let mut packets = Self {
            socket: None,
            pending: None,
            tried: Instant::now(),
            address,
            stream,
            lost: 0,
            told: None,
        };
        packets.look_up();
        if let Err(error) = packets.found(PATIENCE) {
            packets.complain(&format!("no line can be sent yet: {error}"));
        }
        packets
    }

    /// Sends a line. Networks come back, and packets may be lost in any: what cannot be sent is told
    /// and left out.
    pub(super) fn send(&mut self, line: &[u8]) {
        if self.socket.is_none() && self.pending.is_none() && self.tried.elapsed() > LOOK_UP {
            self.look_up();
        }
        let found = self.found(Duration::ZERO);
        let sent = match &self.socket {
            Some(socket) => socket.send(line).map(|_| ()),
            None => found,
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

    /// Begins to look the address up.
    fn look_up(&mut self) {
        self.tried = Instant::now();
        let (found, pending) = crossbeam_channel::bounded(1);
        let address = self.address.clone();
        let look = move || {
            // Nobody may wait for it any more.
            let _ = found.send(connect(&address));
        };
        self.pending = Some(pending);
        // Without a thread the sender is gone, and it is tried again.
        let _ = std::thread::Builder::new().name("look-up".to_owned()).spawn(look);
    }

    /// Takes what a look-up has found, within that time.
    fn found(&mut self, wait: Duration) -> io::Result<()> {
        let unknown = || io::Error::other("its address is not known yet");
        let Some(pending) = &self.pending else {
            return if self.socket.is_some() { Ok(()) } else { Err(unknown()) };
        };
        match pending.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => return Err(unknown()),
            Err(RecvTimeoutError::Disconnected) => self.pending = None,
            Ok(found) => {
                (self.pending, self.tried) = (None, Instant::now());
                self.socket = Some(found?);
                return Ok(());
            }
        }
        Err(unknown())
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
        // No name server need be asked for this one.
        let mut packets = Packets::to("a\0b:9", "s");
        packets.send(b"1\n");
        assert!(packets.socket.is_none() && packets.lost == 1 && packets.told.is_some());
        packets.address = reader.local_addr().unwrap().to_string();
        packets.send(b"2\n");
        assert!(packets.socket.is_none(), "not at once");
        packets.tried -= 2 * LOOK_UP;
        let start = Instant::now();
        while packets.socket.is_none() {
            assert!(start.elapsed() < Duration::from_secs(20), "it is not looked up again");
            packets.send(b"lost\n");
            std::thread::sleep(Duration::from_millis(5));
        }
        packets.send(b"3\n");
        let mut line = [0; 8];
        while reader.recv(&mut line).unwrap() != 2 {}
        assert_eq!(&line[..2], b"3\n");
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
