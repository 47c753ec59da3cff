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

/// Gives a frame's memory back as soon as it is free: each gets pages of its own.
///
/// For streams that run for months. By default glibc puts what has once been freed in that size among
/// everything else, where small things that stay keep its pages: eight streams, a camera of theirs lost
/// each minute, grew by 7 MB an hour, though nothing was held that had not been before. New pages cost
/// 5 % of the processor time of a recording, so recordings do without.
pub(crate) fn give_frames_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes two numbers.
    unsafe {
        // The size from which on that is so by default, until something larger is freed.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}
