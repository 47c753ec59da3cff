//! The thread that runs the network for all streams.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use fer_core::classify::{EmotionClassifier, check_output};
use fer_core::detect::BackendError;

use super::Options;

/// The faces of one stream, on their way to the thread and, with what became of them, back.
#[derive(Debug)]
pub(super) struct Job {
    /// `[faces, channels, height, width]`, as [`EmotionClassifier::run`] takes them.
    tensor: Vec<f32>,
    faces: usize,
    /// How many of the faces were run.
    done: usize,
    /// How many are in the batch that is put together.
    share: usize,
    /// `[done, labels]`.
    rows: Result<Vec<f32>, BackendError>,
    since: Instant,
    /// The way back.
    sender: Sender<Job>,
}

impl Job {
    pub(super) fn new(sender: Sender<Self>) -> Self {
        let (tensor, rows) = (Vec::new(), Ok(Vec::new()));
        Self { tensor, faces: 0, done: 0, share: 0, rows, since: Instant::now(), sender }
    }

    pub(super) fn pack(&mut self, batch: &[f32], faces: usize) {
        self.tensor.clear();
        self.tensor.extend_from_slice(batch);
        (self.faces, self.done, self.since) = (faces, 0, Instant::now());
    }

    pub(super) fn unpack(&mut self) -> Result<Vec<f32>, BackendError> {
        std::mem::replace(&mut self.rows, Ok(Vec::new()))
    }

    /// The values of the faces that are its share.
    fn values(&self) -> &[f32] {
        let length = self.tensor.len() / self.faces;
        &self.tensor[length * self.done..][..length * self.share]
    }

    /// Takes the rows of its share; whether it has all now.
    fn take(&mut self, outcome: Result<&[f32], BackendError>) -> bool {
        self.done += std::mem::take(&mut self.share);
        match (&mut self.rows, outcome) {
            (Ok(rows), Ok(more)) => rows.extend_from_slice(more),
            (rows, Err(error)) => *rows = Err(error),
            (Err(_), Ok(_)) => {}
        }
        self.done == self.faces || self.rows.is_err()
    }

    #[cfg(test)]
    pub(super) fn share(&self) -> usize {
        self.share
    }

    fn answer(self) {
        let sender = self.sender.clone();
        // Whoever does not wait for it any more is gone.
        let _ = sender.send(self);
    }
}

/// Runs jobs until nobody is left to send any.
pub(super) fn work(
    mut classifier: impl EmotionClassifier,
    jobs: &Receiver<Job>,
    streams: &AtomicUsize,
    options: Options,
) {
    let (mut waiting, mut batch) = (VecDeque::new(), Vec::new());
    while gather(&mut waiting, jobs, streams, options) {
        let faces = take_turns(&mut waiting, options.most);
        batch.clear();
        for job in &waiting {
            batch.extend_from_slice(job.values());
        }
        let outcome = classifier.run(&batch, faces).and_then(|rows| {
            check_output(classifier.manifest(), &rows, faces)?;
            Ok(rows)
        });
        hand_out(&mut waiting, &outcome, classifier.manifest().output.labels.len());
    }
}

/// Waits until a batch is to start; `false` if there will be none any more.
fn gather(
    waiting: &mut VecDeque<Job>,
    jobs: &Receiver<Job>,
    streams: &AtomicUsize,
    options: Options,
) -> bool {
    if waiting.is_empty() {
        waiting.extend(jobs.recv());
    }
    // A stream has one job at most: nothing comes without end.
    waiting.extend(jobs.try_iter());
    while let Some(oldest) = waiting.iter().map(|job| job.since).min() {
        let faces: usize = waiting.iter().map(|job| job.faces - job.done).sum();
        if faces >= options.most || waiting.len() >= streams.load(Ordering::Relaxed) {
            break;
        }
        match jobs.recv_deadline(oldest + options.wait) {
            Ok(job) => waiting.push_back(job),
            Err(_) => break,
        }
    }
    !waiting.is_empty()
}

/// Lets those who wait put a face each into the batch, in turn, until it is full; how many faces that
/// are.
pub(super) fn take_turns(waiting: &mut VecDeque<Job>, most: usize) -> usize {
    let mut faces = 0;
    loop {
        let before = faces;
        for job in waiting.iter_mut().filter(|job| job.done + job.share < job.faces) {
            if faces == most.max(1) {
                return faces;
            }
            job.share += 1;
            faces += 1;
        }
        if faces == before {
            return faces;
        }
    }
}

/// Gives everybody their rows. Those who have all go back; the others stand behind those whose turn did
/// not come.
fn hand_out(waiting: &mut VecDeque<Job>, outcome: &Result<Vec<f32>, BackendError>, columns: usize) {
    let mut begin = 0;
    for _ in 0..waiting.len() {
        // Turns are taken from the front on.
        if waiting.front().is_none_or(|job| job.share == 0) {
            break;
        }
        let Some(mut job) = waiting.pop_front() else { break };
        let end = begin + job.share * columns;
        let all = job.take(match outcome {
            Ok(rows) => Ok(&rows[begin..end]),
            Err(error) => Err(error.clone()),
        });
        begin = end;
        if all { job.answer() } else { waiting.push_back(job) }
    }
}
