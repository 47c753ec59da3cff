//! What goes out on the bus.

use fer_core::emotion::label_name;
use fer_core::event::{Event, EventKind};
use fer_core::report::FrameReport;

/// The name of our messages' structure.
const NAME: &str = "ferdetect";

/// The bus message of one event.
pub(super) fn message(
    element: &super::FerDetect,
    event: &Event,
    report: &FrameReport,
) -> gst::Message {
    let mut structure = gst::Structure::builder(NAME)
        .field("event", event.kind.name())
        .field("stream-id", &report.stream_id)
        .field("frame", report.frame)
        .field("time", report.time.nanos())
        .field("id", event.track)
        .build();
    if let EventKind::EmotionChanged { from, to } = event.kind {
        structure.set("from", label_name(from));
        structure.set("to", label_name(to));
    }
    if let Some(face) = report.faces.iter().find(|face| face.track == event.track) {
        structure.set("x", face.rect.x);
        structure.set("y", face.rect.y);
        structure.set("w", face.rect.w);
        structure.set("h", face.rect.h);
        if let Some(emotion) = &face.emotion {
            structure.set("confidence", emotion.top().1);
        }
    }
    gst::message::Element::builder(structure).src(element).build()
}
