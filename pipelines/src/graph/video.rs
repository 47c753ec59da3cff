//! The video in files.

use std::path::PathBuf;
use std::sync::Arc;

use gst::prelude::*;

use super::encode::Container;
use super::output::overlay;
use super::split::{Splitter, splitter};
use super::{GraphError, element, sound};
use crate::config::{Rotate, Source, Stream, Video};

/// The files that the videos of an output are written to, one after another.
pub trait Films: Send + Sync {
    /// The file of a new one. One that another pipeline has begun is left as it is.
    fn begin(&self) -> PathBuf;
    /// The one that this pipeline has begun is whole, and the file of the next.
    ///
    /// # Errors
    ///
    /// The one before cannot get its name: the output ends there.
    fn next(&self) -> Result<PathBuf, String>;
}

/// Everything from an output's queue to its files.
pub(super) fn elements(
    head: gst::Element,
    settings: &Video,
    stream: &Stream,
    films: Option<Arc<dyn Films>>,
) -> Result<Vec<gst::Element>, GraphError> {
    let container = Container::of(&settings.file);
    let mut elements = vec![head, overlay(settings.overlay, stream)?];
    elements.extend(container.file_encoder(settings.encoder)?);
    let muxer = container.muxer()?;
    match stream.source {
        // It alone may bring sound.
        Source::File(_) => elements.push(sound::picture_queue()?),
        Source::Files(_) => {}
        _ => container.survive_a_cut(&muxer),
    }
    if let Some(rotate) = settings.rotate {
        container.start_at_zero(&muxer);
        elements.push(cut(&muxer, rotate, films)?.upcast());
    } else {
        let sink = element("filesink")?;
        let file = films.map(|films| films.begin()).unwrap_or_default();
        sink.set_property("location", file.to_string_lossy().as_ref());
        sink.set_property("sync", false);
        elements.extend([muxer, sink]);
    }
    Ok(elements)
}

/// What begins a new file when one is large or long enough.
fn cut(
    muxer: &gst::Element,
    rotate: Rotate,
    films: Option<Arc<dyn Films>>,
) -> Result<gst::Bin, GraphError> {
    let begun = std::sync::atomic::AtomicBool::new(false);
    let Splitter { bin, element: splitter, .. } = splitter(muxer, move |_| match &films {
        None => Ok(PathBuf::new()),
        Some(films) if begun.swap(true, std::sync::atomic::Ordering::Relaxed) => films.next(),
        Some(films) => Ok(films.begin()),
    })?;
    if let Some(size) = rotate.size {
        splitter.set_property("max-size-bytes", size.0);
    }
    if let Some(time) = rotate.time {
        let time = gst::ClockTime::try_from(time.0).unwrap_or(gst::ClockTime::MAX);
        splitter.set_property("max-size-time", time.nseconds());
        // Has no effect beside a size: cuts are at the key frames that come then.
        splitter.set_property("send-keyframe-requests", rotate.size.is_none());
    }
    Ok(bin)
}
