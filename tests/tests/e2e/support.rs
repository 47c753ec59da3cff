//! What the end-to-end tests share.

use std::path::Path;
use std::sync::Once;

use fer_core::report::FrameReport;
use gst::prelude::*;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The documents of the repository's root and of `docs/`, by their paths from the root.
pub(crate) fn documents() -> Vec<String> {
    let mut documents = Vec::new();
    for folder in ["", "docs/"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                documents.push(format!("{folder}{name}"));
            }
        }
    }
    documents.sort();
    documents
}

/// GStreamer with our elements in it.
pub(crate) fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
    });
}

/// A source of `frames` frames, 25 a second, of the bundled portrait, in `gst-launch` syntax.
pub(crate) fn portrait(frames: u32) -> String {
    let path = root().join("pipelines/assets/astronaut.png");
    format!(
        "filesrc location={} ! pngdec ! videoconvert ! video/x-raw,format=I420 ! \
         imagefreeze num-buffers={frames} ! video/x-raw,framerate=25/1",
        path.display()
    )
}

/// A clip of `../shared`, decoded; `None`, said aloud, where it isn't there.
pub(crate) fn clip(name: &str) -> Option<String> {
    let path = root().join("../shared/media/videos").join(name);
    if !path.is_file() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(format!("filesrc location={} ! decodebin ! videoconvert", path.display()))
}

/// Writes an MP4 file of two seconds of the bundled portrait, with sound.
pub(crate) fn record(file: &Path) {
    init();
    let pipeline = gst::parse::launch(&format!(
        "{} ! x264enc tune=zerolatency ! mp4mux name=mux ! filesink location={} \
         audiotestsrc num-buffers=86 ! audioconvert ! avenc_aac ! mux.",
        portrait(50),
        file.display()
    ))
    .unwrap();
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{}: {end:?}", file.display());
    pipeline.set_state(gst::State::Null).unwrap();
}

/// What came out of a pipeline.
pub(crate) struct Outcome {
    /// All buffers that reached `appsink name=sink`.
    pub(crate) buffers: Vec<gst::Buffer>,
    /// The text of the first error on the bus.
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// The reports on the buffers.
    pub(crate) fn reports(&self) -> Vec<FrameReport> {
        self.buffers.iter().filter_map(|buffer| gstfer::meta::read(buffer)).collect()
    }
}

/// Runs a pipeline, which must have an `appsink name=sink`, to its end.
pub(crate) fn run(description: &str) -> Outcome {
    init();
    let pipeline = gst::parse::launch(description)
        .unwrap_or_else(|error| panic!("{description}: {error}"))
        .downcast::<gst::Pipeline>()
        .unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let bus = pipeline.bus().unwrap();
    // A failure to start is told on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut buffers = Vec::new();
    let mut error = None;
    loop {
        if let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(20)) {
            buffers.push(sample.buffer_owned().unwrap());
        } else if sink.is_eos() {
            break;
        }
        if let Some(message) = bus.pop_filtered(&[gst::MessageType::Error]) {
            let gst::MessageView::Error(told) = message.view() else { unreachable!() };
            error = Some(format!("{} {}", told.error(), told.debug().unwrap_or_default()));
            break;
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    Outcome { buffers, error }
}
