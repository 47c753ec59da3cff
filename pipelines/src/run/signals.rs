//! SIGINT and SIGTERM end cleanly, a second one at once; SIGHUP reads the file again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Stop,
    Reload,
}

/// Hears signals from now on.
pub(crate) fn listen() -> io::Result<Receiver<Signal>> {
    // Registered first, so that it runs first: it ends the process when `stopping` is set already.
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            128 + signal,
            Arc::clone(&stopping),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&stopping))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (sender, receiver) = crossbeam_channel::unbounded();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let meant = if signal == SIGHUP { Signal::Reload } else { Signal::Stop };
            if sender.send(meant).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
