//! The thread of one stream: pipelines one after another, until it ends or is told to stop.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::backoff::Backoff;
use super::outputs::Outputs;
use super::session::{self, Outcome};
use super::status::{State, Status};
use super::{Log, Order};
use crate::config::Stream;

/// A stream at work.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) status: Status,
    orders: Sender<Order>,
    thread: JoinHandle<bool>,
}

impl Worker {
    /// Starts a stream.
    pub(super) fn start(name: &str, stream: &Stream, log: Log) -> std::io::Result<Self> {
        let (orders, received) = crossbeam_channel::unbounded();
        let status = Status::default();
        let life = Life {
            name: name.to_owned(),
            stream: stream.clone(),
            status: status.clone(),
            orders: received,
            log,
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || life.run())?;
        Ok(Self { name: name.to_owned(), stream: stream.clone(), status, orders, thread })
    }

    /// Tells the stream to stop; it finishes its files first.
    pub(super) fn stop(&self) {
        // Fails when it has ended by itself.
        let _ = self.orders.send(Order::Stop);
    }

    /// Whether the stream has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end; whether everything went well.
    pub(super) fn join(self) -> bool {
        self.thread.join().unwrap_or(false)
    }
}

struct Life {
    name: String,
    stream: Stream,
    status: Status,
    orders: Receiver<Order>,
    log: Log,
}

impl Life {
    /// Whether everything went well.
    fn run(self) -> bool {
        let mut outputs = Outputs::open(&self.name, &self.stream);
        let count = self.stream.outputs.len();
        for index in 0..count {
            if let Some(reason) = outputs.stopped(index) {
                let kind = self.stream.outputs[index].kind();
                self.log.error(&format!("output {index} ({kind}) does not start: {reason}"));
            }
        }
        let mut backoff = self.stream.source.reconnect().map(Backoff::new);
        let well = loop {
            let before = self.status.reading().frames;
            let outcome = session::run(
                &self.name,
                &self.stream,
                &mut outputs,
                &self.status,
                &self.orders,
                &self.log,
            );
            let reason = match outcome {
                Outcome::Ended | Outcome::Stopped => break true,
                Outcome::Flawed => break false,
                Outcome::Lost(reason) => reason,
            };
            let Some(backoff) = &mut backoff else {
                self.log.error(&reason);
                self.status.set(State::Failed, Some(reason));
                return false;
            };
            if self.status.reading().frames > before {
                backoff.succeeded();
            }
            let pause = backoff.pause();
            self.log.warn(&format!("lost: {reason}; next try in {} ms", pause.as_millis()));
            self.status.set(State::Waiting, Some(reason));
            match self.orders.recv_timeout(pause) {
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(_) => break true,
            }
        };
        self.status.set(State::Ended, None);
        well && (0..count).all(|index| outputs.stopped(index).is_none())
    }
}
