//! SIGINT and SIGTERM end cleanly, a second one at once; SIGHUP reads the file again, and ends where it
//! says that the terminal is gone.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Receiver;
use rustix::fs::{Mode, OFlags};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
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
    let terminal = if is_ignored(SIGHUP) { None } else { terminal() };
    hear(&[SIGINT, SIGTERM, SIGHUP], terminal)
}

/// The same for work that has no file to read again: SIGHUP stops it, unless whoever started it has
/// it ignored, as `nohup` does.
pub(crate) fn listen_for_end() -> io::Result<Receiver<Signal>> {
    let all = [SIGINT, SIGTERM, SIGHUP];
    hear(if is_ignored(SIGHUP) { &all[..2] } else { &all[..] }, None)
}

/// Whether a signal was ignored when this process began, where Linux tells it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| (mask >> (signal - 1)) & 1 == 1)
}

/// The terminal in whose foreground this process began, if it was in one.
fn terminal() -> Option<OwnedFd> {
    let terminal =
        rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()).then_some(terminal)
}

fn hear(wanted: &[i32], terminal: Option<OwnedFd>) -> io::Result<Receiver<Signal>> {
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
    let mut signals = Signals::new(wanted)?;
    let (sender, receiver) = crossbeam_channel::unbounded();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let is_gone = || terminal.as_ref().is_some_and(|fd| tcgetpgrp(fd).is_err());
            let meant = match signal {
                SIGHUP if !is_gone() => Signal::Reload,
                _ => Signal::Stop,
            };
            if sender.send(meant).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
