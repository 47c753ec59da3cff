//! The thread of one stream: pipelines one after another, until it ends or is told to stop.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::backoff::Backoff;
use super::outputs::Outputs;
use super::session::{self, Outcome};
use super::status::{State, Status};
use super::watch::Wish;
use super::{Log, Order, takedown};
use crate::config::Stream;

/// How often it is looked at whether a stream has ended.
const WAIT: Duration = Duration::from_millis(10);

/// How long a camera is left alone that has refused a login: many lock out who tries often.
const LOCKOUT: Duration = Duration::from_secs(60);

const UNHEARD: &str = "no output is left: the stream ends";

/// A stream at work.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(crate) status: Status,
    orders: Sender<Order>,
    /// What is asked for in its windows.
    pub(super) wishes: Receiver<Wish>,
    thread: JoinHandle<Result<Ending, String>>,
}

/// How a stream ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The source has no more frames.
    Ended,
    /// It has no more, and a part of it was missing or broken: why.
    Flawed(String),
    /// It was told to stop.
    Stopped,
}

impl Worker {
    /// Starts a stream.
    pub(crate) fn start(name: &str, stream: &Stream, log: Log) -> std::io::Result<Self> {
        let (orders, received) = crossbeam_channel::unbounded();
        // Few are enough: nobody may be there to read them.
        let (asked, wishes) = crossbeam_channel::bounded(16);
        let status = Status::of_patience(stream.source.patience());
        let life = Life {
            name: name.to_owned(),
            stream: stream.clone(),
            status: status.clone(),
            orders: received,
            wishes: asked,
            log,
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || life.run())?;
        Ok(Self { name: name.to_owned(), stream: stream.clone(), status, orders, wishes, thread })
    }

    /// Tells the stream to stop; it finishes its files first.
    pub(crate) fn stop(&self) {
        // Fails when it has ended by itself.
        let _ = self.orders.send(Order::Stop);
    }

    /// Tells the stream to keep what its window shows as a picture.
    pub(super) fn save(&self) {
        // Fails when it has ended by itself.
        let _ = self.orders.send(Order::Save);
    }

    /// Whether the stream has come to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether its pipeline cannot be taken down, so that it never ends.
    pub(super) fn is_stuck(&self) -> bool {
        !self.is_done() && takedown::is_stuck(self.thread.thread().id())
    }

    /// Waits until the stream has ended, or is known never to.
    pub(super) fn wait(&self) {
        while !self.is_done() && !self.is_stuck() {
            std::thread::sleep(WAIT);
        }
    }

    /// Waits for the end; an error says what did not go well. Ends the process where it never comes.
    pub(crate) fn join(self) -> Result<Ending, String> {
        while !self.is_done() {
            if self.is_stuck() {
                takedown::end();
            }
            std::thread::sleep(WAIT);
        }
        self.thread.join().unwrap_or_else(|_| Err("its thread panicked".to_owned()))
    }

    /// Waits for the end; whether nothing went wrong.
    pub(super) fn ends_well(self) -> bool {
        matches!(self.join(), Ok(Ending::Ended | Ending::Stopped))
    }
}

struct Life {
    name: String,
    stream: Stream,
    status: Status,
    orders: Receiver<Order>,
    wishes: Sender<Wish>,
    log: Log,
}

impl Life {
    fn run(self) -> Result<Ending, String> {
        let mut outputs = Outputs::open(&self.name, &self.stream);
        let count = self.stream.outputs.len();
        for index in 0..count {
            if let Some(reason) = outputs.stopped(index) {
                let kind = self.stream.outputs[index].kind();
                self.log.error(&format!("output {index} ({kind}) does not start: {reason}"));
                self.status.output_stopped();
            }
        }
        let mut backoff = self.stream.source.reconnect().map(Backoff::new);
        let ending = loop {
            if count > 0 && (0..count).all(|index| outputs.stopped(index).is_some()) {
                self.log.say(UNHEARD);
                break Ending::Ended;
            }
            let before = self.status.reading().frames;
            let outcome = session::run(
                &self.name,
                &self.stream,
                &mut outputs,
                &self.status,
                (&self.orders, &self.wishes),
                &self.log,
            );
            let lost = match outcome {
                Outcome::Ended => break Ending::Ended,
                Outcome::Stopped => break Ending::Stopped,
                Outcome::Flawed(flaw) => break Ending::Flawed(flaw),
                Outcome::Unheard => {
                    self.log.say(UNHEARD);
                    break Ending::Ended;
                }
                Outcome::Failed(reason) => return Err(self.failed(reason)),
                Outcome::Lost(reason) => (reason, Duration::ZERO),
                Outcome::Refused(reason) => (reason, LOCKOUT),
            };
            let (reason, least) = lost;
            let Some(backoff) = &mut backoff else { return Err(self.failed(reason)) };
            if self.status.reading().frames > before {
                backoff.succeeded();
            }
            let pause = backoff.pause().max(least);
            self.log.warn(&format!("lost: {reason}; next try in {} ms", pause.as_millis()));
            self.status.set(State::Waiting, Some(reason));
            if self.is_stopped_within(pause) {
                break Ending::Stopped;
            }
        };
        match outputs.failure() {
            Some(reason) => {
                self.status.set(State::Failed, Some(reason.to_owned()));
                Err(reason.to_owned())
            }
            None => {
                self.status.set(State::Ended, None);
                Ok(ending)
            }
        }
    }

    fn failed(&self, reason: String) -> String {
        self.log.error(&reason);
        self.status.set(State::Failed, Some(reason.clone()));
        reason
    }

    fn is_stopped_within(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            match self.orders.recv_deadline(end) {
                Ok(Order::Save) => self.log.error("nothing is shown that could be saved"),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
