//! The element: pads, events and state.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use fer_core::report::FrameReport;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::format::FerJsonFormat;
use super::settings::Settings;
use super::stream::Stream;
use crate::pixels::always_pads;
use crate::{chain, meta};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "ferjson",
        gst::DebugColorFlags::empty(),
        Some("Facial expressions to JSON Lines"),
    )
});

/// The subclass behind [`super::FerJson`].
#[derive(Debug)]
pub struct FerJson {
    pub(super) sinkpad: gst::Pad,
    srcpad: gst::Pad,
    // Never held together, nor while anything is pushed or posted.
    settings: Mutex<Settings>,
    pub(super) stream: Mutex<Stream>,
}

/// A panic elsewhere was caught and posted as an error; the plain values behind these locks are
/// whole at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FerJson {
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut report = meta::read(&buffer);
        match &mut report {
            Some(report) => {
                self.look_at_shape(&buffer, report);
                lock(&self.stream).tell_once(report);
            }
            None => self.warn_of_missing_metadata(),
        }
        let settings = lock(&self.settings).clone();
        let format = lock(&self.stream).format;
        let made = match format {
            FerJsonFormat::Json => self.line(report.as_ref(), &buffer, &settings)?,
            FerJsonFormat::Onvif => self.document(report.as_ref(), &buffer, &settings)?,
        };
        match made {
            Some(made) => self.srcpad.push(made),
            None => {
                self.push_gap(&buffer);
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        let settings = lock(&self.settings).clone();
        let start_utc = settings.start_utc().map_err(|problem| {
            gst::element_imp_error!(self, gst::ResourceError::Settings, ("{problem}"));
            gst::StateChangeError
        })?;
        *lock(&self.stream) = Stream::new(settings.format, start_utc);
        Ok(())
    }

    fn warn_of_missing_metadata(&self) {
        if std::mem::replace(&mut lock(&self.stream).warned, true) {
            return;
        }
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            ("Frames without facial expression metadata: their lines of JSON have no objects, \
                 and no ONVIF document is written of them"),
            ["put ferdetect before ferjson; if it is there, an element between them makes new \
                 buffers without copying their metadata: move ferjson before that element"]
        );
    }

    /// Warns once of places that are wrong.
    fn look_at_shape(&self, buffer: &gst::BufferRef, report: &FrameReport) {
        let (shape, told) = {
            let stream = lock(&self.stream);
            (stream.shape, stream.warned_of_shape)
        };
        if report.faces.is_empty() || told {
            return;
        }
        let is_reshaped = shape.is_some_and(|shape| meta::is_reshaped(buffer, shape));
        if !is_reshaped && !chain::is_moved(&self.sinkpad) {
            return;
        }
        lock(&self.stream).warned_of_shape = true;
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            ("The frames were stretched, turned, cropped or given borders after ferdetect: faces may not be where \
                 it is written that they are"),
            ["put ferjson before what does so, or leave pixel-aspect-ratio out of the caps"]
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
                lock(&self.stream).set_segment(segment.segment());
            }
            gst::EventView::FlushStop(_) => lock(&self.stream).flush(),
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
        let mut stream = lock(&self.stream);
        stream.resolution = Some((width, height));
        let ratio =
            caps.structure(0).and_then(|it| it.get::<gst::Fraction>("pixel-aspect-ratio").ok());
        let square = gst::Fraction::new(1, 1);
        stream.shape = Some(meta::shape(width, height, ratio.unwrap_or(square)));
        let caps = stream.format.caps();
        drop(stream);
        self.srcpad.push_event(gst::event::Caps::new(&caps))
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

#[glib::object_subclass]
impl ObjectSubclass for FerJson {
    const NAME: &'static str = "FerJson";
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
                "Facial expressions to JSON Lines or ONVIF metadata",
                "Converter/Video/Metadata",
                "Turns the faces, emotions and events that ferdetect attached to each video frame \
                 into one line of JSON, or into one XML document of ONVIF's metadata stream; the \
                 pixels are not looked at",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let video = gst::Caps::builder("video/x-raw").any_features().build();
            always_pads(&video, &FerJsonFormat::all_caps())
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.start()?;
        }
        let success = self.parent_change_state(transition)?;
        // Only now have the pads stopped, so that no frame can be at work with the old stream.
        if transition == gst::StateChange::PausedToReady {
            *lock(&self.stream) = Stream::default();
        }
        Ok(success)
    }
}
