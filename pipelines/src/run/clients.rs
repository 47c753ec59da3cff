//! Whoever connects to an output, and gets its lines.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long all clients together may take for a line; those that have not taken it by then are let go.
const PATIENCE: Duration = Duration::from_millis(500);
/// With so many, those go that have closed their side and may be reading still: while there is nothing
/// to write, nobody would notice that they are gone.
const MANY: usize = 64;
/// Until the next try, where a client cannot be let in: there may be no more file handles.
const PAUSE: Duration = Duration::from_millis(200);

/// A TCP server and its clients. Dropped, it has let go of its port.
#[derive(Debug)]
pub(super) struct Clients {
    connected: Arc<Mutex<Vec<TcpStream>>>,
    /// Closed, it ends the thread.
    open: Option<UnixStream>,
    server: Option<JoinHandle<()>>,
}

impl Clients {
    pub(super) fn listen(address: &str) -> Result<Self, String> {
        let told = |error: io::Error| format!("nobody can connect to {address}: {error}");
        let listener = TcpListener::bind(address).map_err(told)?;
        // Between being told of a client and letting it in, the client may have gone.
        listener.set_nonblocking(true).map_err(told)?;
        let (open, closed) = UnixStream::pair().map_err(told)?;
        let connected = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&connected);
        let server = std::thread::Builder::new()
            .name("json-clients".to_owned())
            .spawn(move || serve(&listener, &closed, &taken))
            .map_err(told)?;
        Ok(Self { connected, open: Some(open), server: Some(server) })
    }

    /// A client that is gone, or too slow, gets no more.
    pub(super) fn write(&mut self, line: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        let mut clients = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = Vec::new();
        let mut done = Vec::new();
        for client in clients.drain(..) {
            hand_out(Delivery { client, rest: line }, &mut waiting, &mut done);
        }
        while !waiting.is_empty() && wait(&waiting, deadline) {
            for delivery in std::mem::take(&mut waiting) {
                hand_out(delivery, &mut waiting, &mut done);
            }
        }
        *clients = done;
    }
}

/// What is left of a line for a client.
struct Delivery<'a> {
    client: TcpStream,
    rest: &'a [u8],
}

/// Hands a client what it takes; one that is gone is let go.
fn hand_out<'a>(
    mut delivery: Delivery<'a>,
    waiting: &mut Vec<Delivery<'a>>,
    done: &mut Vec<TcpStream>,
) {
    while !delivery.rest.is_empty() {
        match delivery.client.write(delivery.rest) {
            Ok(0) => return,
            Ok(taken) => delivery.rest = &delivery.rest[taken..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                waiting.push(delivery);
                return;
            }
            Err(_) => return,
        }
    }
    done.push(delivery.client);
}

/// Waits until a client takes more; whether there is one by then.
fn wait(waiting: &[Delivery<'_>], deadline: Instant) -> bool {
    let mut clients: Vec<PollFd<'_>> =
        waiting.iter().map(|delivery| PollFd::new(&delivery.client, PollFlags::OUT)).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return false;
    }
    let Ok(left) = Timespec::try_from(left) else { return false };
    match poll(&mut clients, Some(&left)) {
        // Until the deadline there is still to be looked at.
        Err(rustix::io::Errno::INTR) => true,
        Ok(ready) => ready > 0,
        Err(_) => false,
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.open.take());
        if let Some(server) = self.server.take() {
            // It has nothing to panic about.
            let _ = server.join();
        }
    }
}

fn serve(listener: &TcpListener, closed: &UnixStream, connected: &Mutex<Vec<TcpStream>>) {
    loop {
        let mut waiting =
            [PollFd::new(listener, PollFlags::IN), PollFd::new(closed, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        if !waiting[1].revents().is_empty() {
            return;
        }
        match accept(listener) {
            Ok(client) => {
                let mut connected = connected.lock().unwrap_or_else(PoisonError::into_inner);
                if connected.len() >= MANY {
                    connected.retain_mut(|client| !has_ended(client));
                }
                connected.push(client);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether a client will send no more; most of those are gone.
fn has_ended(client: &TcpStream) -> bool {
    matches!(client.peek(&mut [0]), Ok(0))
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (client, _) = listener.accept()?;
    client.set_nonblocking(true)?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn whoever_connects_gets_the_lines_and_may_leave() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut clients = Clients::listen(&address).unwrap();
        clients.write(b"nobody\n");
        let client = TcpStream::connect(&address).unwrap();
        while clients.connected.lock().unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        clients.write(b"{}\n");
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        assert_eq!(line, "{}\n");
        for _ in 0..100 {
            clients.write(&[b'x'; 10_000]);
        }
        assert!(Clients::listen(&address).unwrap_err().contains("nobody can connect"));
        // One that never reads is let go, and holds up nobody for longer.
        let stuck = TcpStream::connect(&address).unwrap();
        let reader = TcpStream::connect(&address).unwrap();
        while clients.connected.lock().unwrap().len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let read = std::thread::spawn(move || BufReader::new(reader).lines().count());
        let mut count = 0;
        while clients.connected.lock().unwrap().len() > 1 {
            clients.write(&[&[b'x'; 99_999][..], b"\n"].concat());
            count += 1;
            assert!(count < 10_000, "it is never let go");
        }
        drop(stuck);
        clients.connected.lock().unwrap().clear();
        assert_eq!(read.join().unwrap(), count);
        // A machine that only looks whether somebody listens.
        for _ in 0..200 {
            drop(TcpStream::connect(&address).unwrap());
        }
        let last = TcpStream::connect(&address).unwrap();
        let is_in = |stream: &TcpStream| stream.peer_addr().ok() == last.local_addr().ok();
        while !clients.connected.lock().unwrap().iter().any(is_in) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(clients.connected.lock().unwrap().len() <= MANY + 1);
        // As a stream that is begun anew does, whose client is still there.
        let _client = TcpStream::connect(&address).unwrap();
        drop(clients);
        Clients::listen(&address).unwrap();
    }
}
