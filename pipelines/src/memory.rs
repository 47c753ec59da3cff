//! The C library's memory.

/// Keeps to one of the arenas that glibc hands out among threads.
///
/// GStreamer has dozens of threads, and each pipeline that is built anew has new ones. By default
/// they spread over eight arenas a core, of which each keeps what it ever held: a stream that was
/// reached again every few seconds grew by an eighth in three minutes, and not at all with one. What
/// costs time here is not to get memory.
pub(crate) fn keep_together() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes two numbers, and is called before any other thread is there.
    unsafe {
        // Refused only for numbers that mean nothing to it.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
