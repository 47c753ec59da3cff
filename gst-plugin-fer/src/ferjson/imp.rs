//! The element: pads, events and state. What a line says is [`fer_core::record`]'s business.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use fer_core::record::{FrameContext, FrameRecord, SCHEMA_VERSION};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::settings::Settings;
use crate::pixels::always_pads;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "ferjson",
        gst::DebugColorFlags::empty(),
        Some("Facial expressions to JSON Lines"),
    )
});

/// The subclass behind [`super::FerJson`].
#[derive(Debug)]
pub struct FerJson {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    // Never held together, nor while anything is pushed or posted.
    settings: Mutex<Settings>,
    stream: Mutex<Stream>,
}

/// What is known of the stream; forgotten on the way to READY.
#[derive(Debug, Default)]
struct Stream {
    /// The frame's size in pixels; `None` until caps came.
    resolution: Option<(u32, u32)>,
    /// `None` until a segment came, and for one that doesn't count time.
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// Whether the user knows that frames lack metadata.
    warned: bool,
}

impl Stream {
    fn stream_time(&self, pts: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
        self.segment.as_ref()?.to_stream_time(pts)
    }

    fn running_time(&self, pts: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
        self.segment.as_ref()?.to_running_time(pts)
    }
}

/// A panic elsewhere was caught and posted as an error; the plain values behind these locks are
/// whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FerJson {
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let report = crate::meta::read(&buffer);
        if report.is_none() {
            self.warn_of_missing_metadata();
        }
        let settings = lock(&self.settings).clone();
        let record = self.record(report.as_ref(), &buffer, settings.source.as_deref())?;
        if settings.skip_empty && record.is_empty() {
            self.push_gap(&buffer);
            return Ok(gst::FlowSuccess::Ok);
        }
        let line = record.to_line().map_err(|error| {
            gst::element_imp_error!(
                self,
                gst::StreamError::Encode,
                ["frame {:?} cannot be written as JSON: {error}", record.frame]
            );
            gst::FlowError::Error
        })?;
        gst::trace!(CAT, imp = self, "{}", line.trim_end());
        self.srcpad.push(line_buffer(line, &buffer))
    }

    fn record(
        &self,
        report: Option<&fer_core::report::FrameReport>,
        buffer: &gst::BufferRef,
        source: Option<&str>,
    ) -> Result<FrameRecord, gst::FlowError> {
        let stream = lock(&self.stream);
        let Some((width, height)) = stream.resolution else {
            drop(stream);
            gst::element_imp_error!(
                self,
                gst::CoreError::Negotiation,
                ["a frame came before its caps, which tell its size"]
            );
            return Err(gst::FlowError::NotNegotiated);
        };
        let pts = buffer.pts();
        let context = FrameContext {
            width,
            height,
            source,
            pts: pts.map(gst::ClockTime::nseconds),
            stream_time: stream.stream_time(pts).map(gst::ClockTime::nseconds),
            running_time: stream.running_time(pts).map(gst::ClockTime::nseconds),
            reverse: stream.segment.as_ref().is_some_and(|segment| segment.rate() < 0.0),
        };
        drop(stream);
        Ok(FrameRecord::new(report, &context))
    }

    fn warn_of_missing_metadata(&self) {
        if std::mem::replace(&mut lock(&self.stream).warned, true) {
            return;
        }
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            ("Frames without facial expression metadata: their lines have no objects"),
            ["put ferdetect before ferjson; if it is there, an element between them makes new \
                 buffers without copying their metadata: move ferjson before that element"]
        );
    }

    /// Says that time went on without a line.
    fn push_gap(&self, frame: &gst::BufferRef) {
        if let Some(pts) = frame.pts() {
            let gap = gst::event::Gap::builder(pts).duration(frame.duration()).build();
            // Where it is refused, the next line tells the same.
            let _ = self.srcpad.push_event(gap);
        }
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Caps(caps) => return self.set_caps(caps.caps()),
            gst::EventView::Segment(segment) => {
                lock(&self.stream).segment =
                    segment.segment().downcast_ref::<gst::ClockTime>().cloned();
            }
            gst::EventView::FlushStop(_) => lock(&self.stream).segment = None,
            _ => (),
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn set_caps(&self, caps: &gst::CapsRef) -> bool {
        let side = |key| {
            let side = caps.structure(0)?.get::<i32>(key).ok()?;
            u32::try_from(side).ok().filter(|side| *side > 0)
        };
        let (Some(width), Some(height)) = (side("width"), side("height")) else {
            gst::error!(CAT, imp = self, "caps without a width and height above 0: {caps}");
            return false;
        };
        gst::debug!(CAT, imp = self, "frames of {width}×{height} pixels");
        lock(&self.stream).resolution = Some((width, height));
        self.srcpad.push_event(gst::event::Caps::new(&json_caps()))
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut() {
            // Any padding and stride will do, so upstream need not copy frames to remove them.
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return true;
        }
        gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Qos {
            // Passed on, it would make decoders drop frames because of a late line.
            return true;
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }
}

/// The line as a buffer that takes `frame`'s place in the stream.
fn line_buffer(line: String, frame: &gst::BufferRef) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(line.into_bytes());
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(frame.pts());
        buffer.set_dts(frame.dts());
        buffer.set_duration(frame.duration());
        // The others speak of pixels.
        let flags = gst::BufferFlags::DISCONT | gst::BufferFlags::RESYNC | gst::BufferFlags::LIVE;
        buffer.set_flags(frame.flags() & flags);
    }
    buffer
}

/// As with GStreamer's other JSON elements, `format` names what the JSON says.
fn json_caps() -> gst::Caps {
    gst::Caps::builder("application/x-json")
        .field("format", "fer-frame")
        .field("schema-version", SCHEMA_VERSION as i32)
        .build()
}

#[glib::object_subclass]
impl ObjectSubclass for FerJson {
    const NAME: &'static str = "GstFerJson";
    type Type = super::FerJson;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        Self {
            sinkpad: sink_pad(klass),
            srcpad: src_pad(klass),
            settings: Mutex::default(),
            stream: Mutex::default(),
        }
    }
}

/// A pad of the template that is named after it. Without one, which was logged, it takes any caps.
fn pad_builder(
    klass: &<FerJson as ObjectSubclass>::Class,
    name: &str,
    direction: gst::PadDirection,
) -> gst::PadBuilder<gst::Pad> {
    match klass.pad_template(name) {
        Some(template) => gst::Pad::builder_from_template(&template),
        None => gst::Pad::builder(direction).name(name),
    }
}

fn sink_pad(klass: &<FerJson as ObjectSubclass>::Class) -> gst::Pad {
    pad_builder(klass, "sink", gst::PadDirection::Sink)
        .chain_function(|_, parent, buffer| {
            FerJson::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |this| this.chain(buffer),
            )
        })
        .event_function(|pad, parent, event| {
            FerJson::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
        })
        .query_function(|pad, parent, query| {
            FerJson::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
        })
        .build()
}

fn src_pad(klass: &<FerJson as ObjectSubclass>::Class) -> gst::Pad {
    pad_builder(klass, "src", gst::PadDirection::Src)
        .event_function(|pad, parent, event| {
            FerJson::catch_panic_pad_function(parent, || false, |this| this.src_event(pad, event))
        })
        .build()
}

impl ObjectImpl for FerJson {
    fn properties() -> &'static [glib::ParamSpec] {
        Settings::properties()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !lock(&self.settings).set(pspec.name(), value) {
            gst::warning!(CAT, imp = self, "property {} refused {value:?}", pspec.name());
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let value = lock(&self.settings).get(pspec.name());
        value.unwrap_or_else(|| pspec.default_value().clone())
    }

    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.sinkpad, &self.srcpad] {
            if let Err(error) = self.obj().add_pad(pad) {
                gst::error!(CAT, imp = self, "no pad {}: {error}", pad.name());
            }
        }
    }
}

impl GstObjectImpl for FerJson {}

impl ElementImpl for FerJson {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Facial expressions to JSON Lines",
                "Converter/Video/Metadata",
                "Turns the faces, emotions and events that ferdetect attached to each video frame \
                 into one line of JSON; the pixels are not looked at",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let video = gst::Caps::builder("video/x-raw").any_features().build();
            always_pads(&video, &json_caps())
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let success = self.parent_change_state(transition)?;
        // Only now have the pads stopped, so that no frame can be at work with the old stream.
        if transition == gst::StateChange::PausedToReady {
            *lock(&self.stream) = Stream::default();
        }
        Ok(success)
    }
}
