//! Pipelines that are being taken down, and what is done about one that does not go.
//!
//! GStreamer waits for its threads without a limit, also for those that the system did not give. A
//! process that hangs is worse than one that ends and says why: whoever watches it can start it anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::speech::tell;

/// What a pipeline may take to go, once its files are finished.
const PATIENCE: Duration = Duration::from_secs(30);

const STUCK: &str = "a pipeline cannot be taken down: it waits for a thread that never ends, or that \
                     this process did not get (ulimit -v, ulimit -u)";

/// A pipeline that is going.
struct Going {
    /// Whose it is.
    thread: ThreadId,
    since: Instant,
    /// Whether it was told that it is stuck.
    told: bool,
}

impl Going {
    fn is_stuck(&self) -> bool {
        self.since.elapsed() > PATIENCE
    }
}

static GOING: Mutex<Vec<Going>> = Mutex::new(Vec::new());

fn going() -> MutexGuard<'static, Vec<Going>> {
    GOING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pipeline that this thread takes down, until this is dropped.
#[derive(Debug)]
pub(super) struct Takedown(ThreadId);

impl Takedown {
    pub(super) fn begin() -> Self {
        let thread = std::thread::current().id();
        going().push(Going { thread, since: Instant::now(), told: false });
        Self(thread)
    }
}

impl Drop for Takedown {
    fn drop(&mut self) {
        let mut going = going();
        if let Some(at) = going.iter().position(|pipeline| pipeline.thread == self.0) {
            going.swap_remove(at);
        }
    }
}

/// Says once of each pipeline that it has been going for too long; to be called now and then while
/// other streams go on. Only whoever waits for its end [ends with it](end_if_stuck).
pub(super) fn tell_if_stuck() {
    for pipeline in going().iter_mut() {
        if !pipeline.told && pipeline.is_stuck() {
            pipeline.told = true;
            tell(&format!("fer: error: {STUCK}; its stream stays away, the others go on"));
        }
    }
}

/// Whether the pipeline of a thread has been going for too long.
pub(super) fn is_stuck(thread: ThreadId) -> bool {
    going().iter().any(|pipeline| pipeline.thread == thread && pipeline.is_stuck())
}

/// Ends the process if a pipeline has been going for too long. To be called now and then by whoever
/// waits for all streams there are.
pub(crate) fn end_if_stuck() {
    if going().iter().any(Going::is_stuck) {
        end();
    }
}

/// Ends the process, which would wait for ever.
pub(super) fn end() {
    tell(&format!("fer: error: {STUCK}"));
    // Nothing is put in order: that would wait too. Files that are not whole have other names.
    signal_hook::low_level::exit(1);
}
