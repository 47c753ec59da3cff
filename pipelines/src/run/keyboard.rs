//! Single keys from the terminal, heard without Enter and not echoed.

use std::io::{Stdin, stdin};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::watch::Wish;

/// The terminal at the standard input, as long as this lives; Ctrl-C stays a signal, and lines are
/// written as ever.
pub(super) struct Keyboard {
    terminal: Stdin,
    before: Termios,
}

impl Keyboard {
    /// `None` where there is no terminal to read from.
    pub(super) fn open() -> Option<Self> {
        let terminal = stdin();
        // Not the terminal of this process: a job in the background would be halted by it.
        if !is_ours(&terminal) {
            return None;
        }
        let before = tcgetattr(&terminal).ok()?;
        let mut single = before.clone();
        single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(&terminal, OptionalActions::Now, &single).ok()?;
        Some(Self { terminal, before })
    }

    /// What was asked for since the last call.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let mut ready = [PollFd::new(&self.terminal, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if !is_ours(&self.terminal) || !poll(&mut ready, Some(&at_once)).is_ok_and(|it| it > 0) {
            return Vec::new();
        }
        let mut bytes = [0; 64];
        // A terminal that is gone is told by a signal.
        let count = rustix::io::read(&self.terminal, &mut bytes).unwrap_or(0);
        asked(&bytes[..count])
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if is_ours(&self.terminal) {
            // Fails when the terminal is gone.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

fn is_ours(terminal: &Stdin) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// What typed bytes ask for. Keys without a letter come as Escape and more.
fn asked(bytes: &[u8]) -> Vec<Wish> {
    match bytes {
        [b'\x1b'] => vec![Wish::Quit],
        [b'\x1b', ..] => Vec::new(),
        letters => letters
            .iter()
            .filter_map(|letter| Wish::of_key(char::from(*letter).encode_utf8(&mut [0; 4])))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_escape_ask_for_something() {
        assert_eq!(asked(b"sxS\xd0\xb9q"), [Wish::Save, Wish::Save, Wish::Quit]);
        assert_eq!(asked(b"\x1b"), [Wish::Quit]);
        // An arrow, and F4.
        assert_eq!(asked(b"\x1b[A"), []);
        assert_eq!(asked(b"\x1bOS"), []);
        assert_eq!(asked(b""), []);
    }
}
