//! The C library's memory.

/// Keeps what a step of training has freed for the next one, which needs as much again.
///
/// By default glibc asks the system for each large block and gives it back as soon as it is free: a
/// fifth of a training's time on a CPU went into pages that were mapped, cleared and unmapped anew
/// for every activation.
pub(crate) fn keep_for_next_step() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes two numbers each time, and is called before any other thread is there.
    unsafe {
        // Refused only for numbers that mean nothing to it.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}
