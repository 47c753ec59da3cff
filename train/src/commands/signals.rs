//! SIGINT and SIGTERM while a network is trained: the first lets the epoch that is under way end and be
//! saved, the second ends the program at once.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// One of the two signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(i32);

impl Signal {
    /// What a shell gives as the exit status of a program that the signal ended.
    pub(crate) fn exit_status(self) -> u8 {
        128 + self.0 as u8
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == SIGINT { "SIGINT" } else { "SIGTERM" })
    }
}

/// Hears both signals from when it is made.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Whether the next one ends the program.
    heard: Arc<AtomicBool>,
    /// The number of the last one; 0 before.
    number: Arc<AtomicUsize>,
}

impl Signals {
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn listen() -> io::Result<Self> {
        let heard = Arc::new(AtomicBool::new(false));
        let number = Arc::new(AtomicUsize::new(0));
        // What started this program in the background may have it ignore Ctrl-C.
        for signal in [SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal)) {
            // Registered first, so that it runs first: it sees what an earlier signal has set.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                128 + signal,
                Arc::clone(&heard),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&heard))?;
            signal_hook::flag::register_usize(signal, Arc::clone(&number), signal as usize)?;
        }
        Ok(Self { heard, number })
    }

    /// The signal that came, if one did.
    pub(crate) fn first(&self) -> Option<Signal> {
        let number = self.number.load(Ordering::SeqCst);
        (number != 0).then_some(Signal(number as i32))
    }

    /// From now on the first ends the program at once, too: there is nothing left to save.
    pub(crate) fn end_at_once(&self) {
        self.heard.store(true, Ordering::SeqCst);
    }
}

/// Whether a signal was ignored when this program began, where Linux tells it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| (mask >> (signal - 1)) & 1 == 1)
}

/// A run was ended by a signal and is saved.
#[derive(Debug, thiserror::Error)]
#[error("{signal}: {}", rest(*done, *epochs))]
pub(crate) struct Interrupted {
    pub(crate) signal: Signal,
    /// Epochs that are done.
    pub(crate) done: usize,
    /// Epochs that are asked for; none where no more would be trained.
    pub(crate) epochs: Option<usize>,
}

fn rest(done: usize, epochs: Option<usize>) -> String {
    match epochs {
        Some(epochs) => {
            format!("saved after {done} of {epochs} epochs; --resume goes on from there")
        }
        None => "the run is complete, only its report is not written: `fer-train report` does \
                 that"
            .to_owned(),
    }
}
