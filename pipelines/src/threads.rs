//! A thread that the system does not give.

use gst::glib;
use pipelines::speech::tell;

/// What GStreamer warns of when a task gets no thread.
const REFUSED: &str = "failed to create thread";

/// Ends the process when GStreamer gets no thread for a task. GStreamer counts it as running all the
/// same, and whoever waits for its end, as each pipeline does that is taken down, waits for ever.
pub(crate) fn end_where_one_is_refused() {
    let levels = glib::LogLevels::LEVEL_WARNING;
    glib::log_set_handler(Some("GStreamer"), levels, false, false, |domain, level, message| {
        if message.starts_with(REFUSED) {
            tell(&format!(
                "fer: GStreamer {message}; this process may have no more memory or threads \
                 (ulimit -v, ulimit -u), and cannot go on without"
            ));
            // Nothing is put in order: that would wait too. Files that are not whole have other names.
            signal_hook::low_level::exit(1);
        }
        glib::log_default_handler(domain, level, Some(message));
    });
}
