//! OpenCV's threads, on which it relies.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

use opencv::Error;
use opencv::core::{StsNoMem, get_num_threads, set_num_threads};

/// As large as the system gives one by default, and twice what TBB asks for.
const STACK: usize = 8 << 20;
/// More than TBB asks for as it begins, in bytes. Where it gets none then, it never comes back.
const BEGINNING: usize = 4 << 20;

/// Has OpenCV scan on one thread where the system refuses more (`ulimit -v`, `ulimit -u`): with TBB,
/// as Debian builds it, OpenCV waits for ever for a thread that does not start. Once it has started
/// it stays, so the first scan alone needs this.
///
/// # Errors
/// There is no memory left to begin with.
pub(super) fn try_once() -> opencv::Result<()> {
    static TRIED: Mutex<bool> = Mutex::new(false);
    // Held until it is known: another stream's first scan waits.
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    if *tried {
        return Ok(());
    }
    if !has_memory() {
        return Err(Error::new(StsNoMem, "this process gets no more memory (ulimit -v)"));
    }
    // Beside the one that scans.
    let others = usize::try_from(get_num_threads()?).unwrap_or(1).saturating_sub(1);
    if others > 0 && !can_start(others, STACK) {
        set_num_threads(1)?;
    }
    *tried = true;
    Ok(())
}

/// Goes on with one thread.
pub(super) fn distrust() {
    if has_memory() {
        // The scan's own error is the one to tell.
        let _ = set_num_threads(1);
    }
}

fn has_memory() -> bool {
    Vec::<u8>::new().try_reserve_exact(BEGINNING).is_ok()
}

/// Whether so many threads can run at once.
fn can_start(count: usize, stack: usize) -> bool {
    let gate = Mutex::new(());
    scope(|scope| {
        let closed = gate.lock();
        let wait = || drop(gate.lock());
        let start = || Builder::new().stack_size(stack).spawn_scoped(scope, wait);
        let all = (0..count).all(|_| start().is_ok());
        drop(closed);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_there_or_refused() {
        assert!(can_start(0, STACK) && can_start(3, STACK));
        assert!(!can_start(1, 1 << 48), "no address space is that large");
    }
}
