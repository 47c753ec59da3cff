//! Pipelines that are being taken down, and what is done about one that does not go.
//!
//! GStreamer waits for its threads without a limit, also for those that the system did not give. A
//! process that hangs is worse than one that ends and says why: whoever watches it can start it anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a pipeline may take to go, once its files are finished.
const PATIENCE: Duration = Duration::from_secs(30);

/// Since when the pipelines are going that are not gone.
static GOING: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

fn going() -> MutexGuard<'static, Vec<Instant>> {
    GOING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pipeline that is being taken down, until this is dropped.
#[derive(Debug)]
pub(super) struct Takedown(Instant);

impl Takedown {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        going().push(now);
        Self(now)
    }
}

impl Drop for Takedown {
    fn drop(&mut self) {
        let mut going = going();
        if let Some(at) = going.iter().position(|since| *since == self.0) {
            going.swap_remove(at);
        }
    }
}

/// Ends the process if a pipeline has been going for too long. To be called now and then by whoever
/// waits for streams.
pub(crate) fn end_if_stuck() {
    if going().iter().any(|since| since.elapsed() > PATIENCE) {
        eprintln!(
            "fer: a pipeline cannot be taken down: it waits for a thread that never ends, or that this \
             process did not get (ulimit -v, ulimit -u)"
        );
        // Nothing is put in order: that would wait too. Files that are not whole have other names.
        signal_hook::low_level::exit(1);
    }
}
