//! Whether frames come at their own pace.

use gst::prelude::*;

/// Whether what is before a sink pad is live: it gives frames when they come, not when they are asked
/// for.
pub(crate) fn is_live(sink: &gst::Pad) -> bool {
    let mut query = gst::query::Latency::new();
    sink.peer_query(&mut query) && query.result().0
}
