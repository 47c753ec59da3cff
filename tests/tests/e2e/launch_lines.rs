//! Every `gst-launch-1.0` line of the documents, run to its end without a camera, a window or a
//! network: what stands in for an element is in [`STAND_INS`], files lie in a temporary folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;

use crate::support::{documents, init, portrait, record, root};

/// What precedes a pipeline in a document.
const PROGRAMS: [&str; 2] = ["gst-launch-1.0 ", "./fer gst -- "];

/// Elements that need a device, a network or a display, and what they become. `PORTRAIT` is the
/// bundled picture as a live source, in a camera's usual format.
const STAND_INS: [(&str, &str); 4] = [
    ("v4l2src", "PORTRAIT"),
    ("rtspsrc", "PORTRAIT ! videoconvert ! x264enc tune=zerolatency ! rtph264pay"),
    ("autovideosink", "fakesink"),
    // Of gst-plugins-rs, which distributions lack.
    ("rtponvifmetadatapay", "application/x-onvif-metadata ! rtpgstpay"),
];

/// Elements that GStreamer has only from a minor version on.
const NEWER: [(&str, u32); 1] = [("objectdetectionoverlay", 24)];

/// The page that has the lines about metadata.
const METADATA: &str = "docs/metadata.md";

/// Properties that name a file, which becomes one of the temporary folder.
const FILES: [&str; 2] = ["location", "model-file"];

/// The lines of a document that this GStreamer can run; those that it can't are said aloud.
fn runnable(text: &str) -> Vec<String> {
    let (major, minor, ..) = gst::version();
    assert_eq!(major, 1);
    let is_old = |line: &String| {
        let newer = NEWER.iter().find(|(name, _)| line.contains(name));
        let missing = newer.filter(|(_, since)| minor < *since);
        if let Some((name, since)) = missing {
            eprintln!("skipped: {name} needs GStreamer 1.{since}: {line}");
        }
        missing.is_some()
    };
    lines(text).iter().map(|line| bare(line)).filter(|line| !is_old(line)).collect()
}

/// The pipelines that a document's text has, in the order in which they stand there.
fn lines(text: &str) -> Vec<String> {
    // Doc comments become text, continued lines one line.
    let text = text.replace("//! ", "").replace("\\\n", " ");
    let pipeline = |line: &str| {
        let after = PROGRAMS.iter().find_map(|name| line.split_once(name))?.1;
        let whole = after.split('`').next()?.trim();
        // `./fer gst -- ARGS` is how it is called, no pipeline.
        whole.contains(" ! ").then(|| whole.to_owned())
    };
    text.lines().filter_map(pipeline).collect()
}

/// A line without gst-launch's own options and the shell's quotes.
fn bare(line: &str) -> String {
    let words = line.split_whitespace().skip_while(|word| word.starts_with('-'));
    words.collect::<Vec<_>>().join(" ").replace(['\'', '"'], "")
}

/// A bare line that needs nothing but the files in a folder.
fn without_hardware(line: &str, folder: &Path) -> String {
    let camera = format!("{} ! videoconvert ! video/x-raw,format=YUY2", portrait(50))
        .replace("imagefreeze", "imagefreeze is-live=true");
    let parts = line.split(" ! ").map(|part| {
        let mut words = part.split_whitespace().peekable();
        let stand_in =
            STAND_INS.iter().find(|(name, _)| words.peek() == Some(name)).map(|(_, to)| *to);
        if let Some(stand_in) = stand_in {
            // Its own properties go, what begins another branch stays.
            let rest = words.skip(1).filter(|word| !word.contains('='));
            let all: Vec<&str> = [stand_in].into_iter().chain(rest).collect();
            return all.join(" ").replace("PORTRAIT", &camera);
        }
        words.map(|word| word_without_hardware(word, folder)).collect::<Vec<_>>().join(" ")
    });
    parts.collect::<Vec<_>>().join(" ! ")
}

fn word_without_hardware(word: &str, folder: &Path) -> String {
    match word.split_once('=') {
        Some((name, file)) if FILES.contains(&name) => {
            format!("{name}={}", folder.join(file).display())
        }
        // Any free one.
        Some(("port", _)) => "port=0".to_owned(),
        _ => word.to_owned(),
    }
}

/// A folder with everything that a line reads: its recordings, with sound, and the model.
fn folder_for(line: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for model in ["fer.yaml", "fer.onnx"] {
        std::fs::copy(root().join("models").join(model), folder.path().join(model)).unwrap();
    }
    for part in line.split(" ! ").filter(|part| part.starts_with("filesrc ")) {
        let name = part.split_once("location=").unwrap().1;
        record(&folder.path().join(name));
    }
    folder
}

/// What a pipeline did.
struct Played {
    /// Its sinks, and how many buffers each got.
    sinks: Vec<(String, u64)>,
    /// Whether `ferdetect` told of a face.
    face: bool,
    error: Option<String>,
}

/// Runs a pipeline to its end, or to its first error.
fn play(description: &str) -> Played {
    init();
    let pipeline = gst::parse::launch(description)
        .unwrap_or_else(|error| panic!("{description}: {error}"))
        .downcast::<gst::Pipeline>()
        .unwrap();
    let counters: Vec<(String, Arc<AtomicU64>)> = pipeline
        .iterate_sinks()
        .into_iter()
        .map(|sink| {
            let sink = sink.unwrap();
            let count = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&count);
            let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            sink.static_pad("sink").unwrap().add_probe(mask, move |_, _| {
                counted.fetch_add(1, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
            (sink.name().to_string(), count)
        })
        .collect();
    let bus = pipeline.bus().unwrap();
    // As gst-launch-1.0 does. A failure to start is told on the bus.
    if pipeline.set_state(gst::State::Paused) == Ok(gst::StateChangeSuccess::Async) {
        let _ = pipeline.state(gst::ClockTime::from_seconds(30));
    }
    let _ = pipeline.set_state(gst::State::Playing);
    let (mut face, mut error) = (false, None);
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(30));
        let Some(message) = message else {
            error = Some("nothing happened in 30 seconds".to_owned());
            break;
        };
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(told) => {
                error = Some(format!("{} {}", told.error(), told.debug().unwrap_or_default()));
                break;
            }
            gst::MessageView::Element(told) => {
                let event = told.structure().and_then(|told| told.get::<&str>("event").ok());
                face |= event == Some("face-appeared");
            }
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let sinks = counters.into_iter().map(|(name, count)| (name, count.load(Ordering::Relaxed)));
    Played { sinks: sinks.collect(), face, error }
}

/// Runs every line of a document, which has at least `least`.
fn runs(document: &str, least: usize) {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let lines = runnable(&text);
    assert!(lines.len() >= least, "{document} has {} lines: {lines:?}", lines.len());
    for line in lines {
        let folder = folder_for(&line);
        let played = play(&without_hardware(&line, folder.path()));
        assert_eq!(played.error, None, "{document}: {line}");
        assert!(!played.sinks.is_empty(), "{document}: {line}");
        for (sink, buffers) in played.sinks {
            assert!(buffers > 0, "{document}: nothing came to {sink} of {line}");
        }
        assert!(played.face, "{document}: no face was found by {line}");
    }
}

#[test]
fn lines_are_found_wherever_they_stand() {
    let text = "```sh\ngst-launch-1.0 -e a ! b \\\n  ! c\n```\n3. Try: `./fer gst -- a ! d`.\n\
                | `./fer gst -- ARGS` | `gst-launch-1.0 ARGS` |\n//! gst-launch-1.0 a \\\n//!     ! e\n";
    let found: Vec<String> = lines(text).iter().map(|line| bare(line)).collect();
    assert_eq!(found, ["a ! b ! c", "a ! d", "a ! e"]);
}

#[test]
fn the_readmes_lines_run() {
    runs("README.md", 6);
}

#[test]
fn the_metadata_pages_lines_run() {
    runs(METADATA, 2);
}

#[test]
fn the_other_documents_lines_run() {
    runs("CONTRIBUTING.md", 1);
    let models = ["models/README.md", "train/README.md"].map(str::to_owned);
    for document in documents().into_iter().chain(models) {
        // These have tests of their own.
        if !["README.md", "CONTRIBUTING.md", METADATA].contains(&document.as_str()) {
            runs(&document, 0);
        }
    }
}

#[test]
fn the_elements_own_lines_run() {
    for (element, least) in [("ferdetect", 1), ("feroverlay", 2), ("ferjson", 4)] {
        runs(&format!("gst-plugin-fer/src/{element}/mod.rs"), least);
    }
}

/// Whether a sink of a pipeline waits for its first frame before the pipeline counts as paused. Where
/// none does, as GStreamer 1.22 has it, `decodebin`'s word that it is paused may overtake the change to
/// playing: then the end is not told, and gst-launch-1.0 never returns.
fn waits_for_frames(pipeline: &gst::Element) -> bool {
    let Some(bin) = pipeline.downcast_ref::<gst::Bin>() else { return true };
    let mut sinks = bin.iterate_sinks().into_iter().map(Result::unwrap);
    sinks.any(|sink| !sink.has_property("async") || sink.property::<bool>("async"))
}

/// The stand-ins hide what a line says about its own source and sink: that must exist, too.
#[test]
fn every_line_parses_as_it_stands() {
    init();
    let elements = ["ferdetect", "feroverlay", "ferjson"]
        .map(|name| format!("gst-plugin-fer/src/{name}/mod.rs"));
    for document in documents().into_iter().chain(elements) {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for line in runnable(&text) {
            match gst::parse::launch(&line) {
                Ok(pipeline) => {
                    assert!(
                        waits_for_frames(&pipeline),
                        "{document}: no sink of {line} waits for a frame"
                    );
                }
                Err(error) => {
                    // A camera's element may be missing on this machine; ours may not.
                    let absent = error.matches(gst::ParseError::NoSuchElement);
                    let told = error.to_string();
                    let foreign = STAND_INS.iter().any(|(name, _)| told.contains(name));
                    assert!(absent && foreign, "{document}: {line}: {error}");
                }
            }
        }
    }
}
