//! The sound of a recording, carried over to the videos that are made of it.

use std::sync::{Arc, Mutex, PoisonError};

use gst::glib;
use gst::prelude::*;

use super::branch::entry;
use super::encode::{Container, MUXER};
use super::{GraphError, element};

/// Sound that fits into a container as it is: media type, with what tells it from others of that
/// type, and its parser.
const CARRIED: [(&str, &str); 4] = [
    ("audio/x-opus", "opusparse"),
    // AAC as broadcast, of MPEG-2 or in LATM, is not for MP4, and is decoded for all.
    ("audio/mpeg,mpegversion=4,stream-format={raw,adts}", "aacparse"),
    ("audio/mpeg,mpegversion=1", "mpegaudioparse"),
    ("audio/x-ac3", "ac3parse"),
];

/// The way of a recording's sound to the videos of its stream.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    videos: Vec<glib::WeakRef<gst::Bin>>,
    carried: &'static [(&'static str, &'static str)],
    inlets: Arc<Mutex<Vec<gst::Pad>>>,
}

impl Sound {
    /// Nowhere yet, for containers that each takes.
    pub(super) fn new(videos: &[gst::Bin], containers: &[Container]) -> Self {
        let carried = match containers.contains(&Container::WebM) {
            true => &CARRIED[..1],
            false => &CARRIED[..],
        };
        let videos = videos.iter().map(ObjectExt::downgrade).collect();
        Self { videos, carried, inlets: Arc::default() }
    }

    /// What a decoder need not decode: all of it where the containers take it.
    pub(super) fn add_caps(&self, caps: &mut gst::Caps) {
        if self.videos.is_empty() {
            return;
        }
        let kinds = self.carried.iter().map(|(kind, _)| *kind).chain(["audio/x-raw"]);
        caps.merge(kinds.filter_map(|kind| kind.parse::<gst::Caps>().ok()).collect());
    }

    /// Where sound enters the pipeline.
    pub(super) fn inlets(&self) -> Vec<gst::Pad> {
        self.inlets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes one of the recording's tracks to all videos.
    pub(super) fn carry(&self, pad: &gst::Pad, caps: &gst::Caps) -> Result<(), GraphError> {
        let pipeline = pad.parent_element().and_then(|decoder| decoder.parent());
        let pipeline = pipeline.and_then(|parent| parent.downcast::<gst::Bin>().ok());
        let pipeline = pipeline.ok_or_else(|| glib::bool_error!("the pipeline is gone"))?;
        let mut chain = self.fitting(caps)?;
        let tee = element("tee")?;
        tee.set_property("allow-not-linked", true);
        chain.push(tee.clone());
        pipeline.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        for video in self.videos.iter().filter_map(glib::WeakRef::upgrade) {
            into_video(&tee, &video)?;
        }
        let inlet = chain.first().and_then(|first| first.static_pad("sink"));
        let inlet = inlet.ok_or_else(|| glib::bool_error!("the sound has no entry"))?;
        // Awake first: asleep, opusenc does not know what it takes.
        chain.iter().rev().try_for_each(ElementExt::sync_state_with_parent)?;
        pad.link(&inlet).map_err(|error| glib::bool_error!("{error}"))?;
        self.inlets.lock().unwrap_or_else(PoisonError::into_inner).push(inlet);
        Ok(())
    }

    /// The elements that make a track fit for the containers.
    fn fitting(&self, caps: &gst::Caps) -> Result<Vec<gst::Element>, GraphError> {
        let fits =
            |kind: &str| kind.parse::<gst::Caps>().is_ok_and(|kind| kind.can_intersect(caps));
        match self.carried.iter().find(|(kind, _)| fits(kind)) {
            Some((_, parser)) => Ok(vec![element(parser)?]),
            None => {
                let encoder = ["audioconvert", "audioresample", "opusenc"].map(element);
                decoder(caps)?.into_iter().map(Ok).chain(encoder).collect()
            }
        }
    }
}

/// What decodes a track that is not raw: a parser may tell what it is only once it is here.
fn decoder(caps: &gst::Caps) -> Result<Option<gst::Element>, GraphError> {
    if caps.structure(0).is_some_and(|kind| kind.name() == "audio/x-raw") {
        return Ok(None);
    }
    let kind = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_AUDIO;
    // The best one comes first.
    let decoders = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL);
    let fitting = decoders.into_iter().find(|factory| factory.can_sink_any_caps(caps));
    let fitting = fitting.ok_or_else(|| glib::bool_error!("nothing decodes its sound, {caps}"))?;
    Ok(Some(element(&fitting.name())?))
}

/// Where sound has ended or is missing, demuxers send gaps, and these write each as an empty packet,
/// which is no sound; those of GStreamer 1.22 pass over them.
const WRITES_GAPS: [&str; 2] = ["matroskamux", "webmmux"];
/// Encoded pictures and sound wait in so many bytes for each other.
const WAITING_BYTES: u32 = 256_000_000;
/// The name of the queue of encoded pictures.
const PICTURES: &str = "pictures";

/// Keeps gaps from the muxer behind `pad`, as long as there is room for pictures to wait in.
fn without_gaps(pad: &gst::Pad, video: &gst::Bin) {
    let pictures = video.by_name(PICTURES).map(|queue| queue.downgrade());
    let has_room = move || {
        let pictures = pictures.as_ref().and_then(glib::WeakRef::upgrade);
        let waiting = pictures.map(|queue| queue.property::<u32>("current-level-bytes"));
        waiting.is_none_or(|bytes| bytes < WAITING_BYTES / 2)
    };
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| match info.event() {
        Some(event) if event.type_() == gst::EventType::Gap && has_room() => {
            gst::PadProbeReturn::Handled
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

/// Where encoded pictures wait while there is no sound.
pub(super) fn picture_queue() -> Result<gst::Element, GraphError> {
    let queue = waiting_queue()?;
    queue.set_property("name", PICTURES);
    Ok(queue)
}

/// A muxer takes pictures and sound in the order of their times; analysis and encoding take theirs.
fn waiting_queue() -> Result<gst::Element, GraphError> {
    let queue = element("queue")?;
    queue.set_property("max-size-buffers", 0_u32);
    queue.set_property("max-size-bytes", WAITING_BYTES);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}

/// From the tee of a track into one video.
fn into_video(tee: &gst::Element, video: &gst::Bin) -> Result<(), GraphError> {
    let none = || glib::bool_error!("`{}` takes no sound", video.name());
    let queue = waiting_queue()?;
    video.add(&queue)?;
    let muxer = video.by_name(MUXER).ok_or_else(none)?;
    if muxer.factory().is_some_and(|factory| WRITES_GAPS.contains(&factory.name().as_str())) {
        without_gaps(&queue.static_pad("src").ok_or_else(none)?, video);
    }
    queue.link_pads(Some("src"), &muxer, Some("audio_%u"))?;
    queue.sync_state_with_parent()?;
    let inside = queue.static_pad("sink").ok_or_else(none)?;
    let name = format!("sound_{}", video.num_sink_pads());
    let pad = entry(video, &inside, &name)?;
    let feed = tee.request_pad_simple("src_%u").ok_or_else(none)?;
    feed.link(&pad).map_err(|error| glib::bool_error!("{error}"))?;
    Ok(())
}
