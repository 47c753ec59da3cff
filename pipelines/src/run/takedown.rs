//! Pipelines that are being taken down, and what is done about one that does not go.
//!
//! GStreamer waits for its threads without a limit, also for those that the system did not give. A
//! process that hangs is worse than one that ends and says why: whoever watches it can start it anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a pipeline may take to go, once its files are finished.
const PATIENCE: Duration = Duration::from_secs(30);

const STUCK: &str = "a pipeline cannot be taken down: it waits for a thread that never ends, or that \
                     this process did not get (ulimit -v, ulimit -u)";

/// Since when the pipelines are going that are not gone, and whether that was told.
static GOING: Mutex<Vec<(Instant, bool)>> = Mutex::new(Vec::new());

fn going() -> MutexGuard<'static, Vec<(Instant, bool)>> {
    GOING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pipeline that is being taken down, until this is dropped.
#[derive(Debug)]
pub(super) struct Takedown(Instant);

impl Takedown {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        going().push((now, false));
        Self(now)
    }
}

impl Drop for Takedown {
    fn drop(&mut self) {
        let mut going = going();
        if let Some(at) = going.iter().position(|(since, _)| *since == self.0) {
            going.swap_remove(at);
        }
    }
}

/// Says once of each pipeline that it has been going for too long; to be called now and then while
/// other streams go on. Only whoever waits for its end [ends with it](end_if_stuck).
pub(super) fn tell_if_stuck() {
    for (since, told) in going().iter_mut() {
        if !*told && since.elapsed() > PATIENCE {
            *told = true;
            eprintln!("fer: {STUCK}; its stream stays away, the others go on");
        }
    }
}

/// Ends the process if a pipeline has been going for too long. To be called now and then by whoever
/// waits for streams.
pub(crate) fn end_if_stuck() {
    if going().iter().any(|(since, _)| since.elapsed() > PATIENCE) {
        eprintln!("fer: {STUCK}");
        // Nothing is put in order: that would wait too. Files that are not whole have other names.
        signal_hook::low_level::exit(1);
    }
}
