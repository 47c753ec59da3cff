//! The element: caps, settings, and which buffers need any work.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use fer_core::geometry::Rect;
use fer_core::report::FrameReport;
use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{BaseTransformImplExt, GenerateOutputSuccess};
use gst_base::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::settings::{self, Settings};
use crate::draw::{Canvas, DrawError, Painter, privacy};
use crate::{chain, meta, pixels};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "feroverlay",
        gst::DebugColorFlags::empty(),
        Some("Draws facial expressions, or hides faces"),
    )
});

/// The subclass behind [`super::FerOverlay`].
#[derive(Default)]
pub struct FerOverlay {
    // Never held together, nor while anything is pushed or posted.
    settings: Mutex<Settings>,
    stream: Mutex<Stream>,
}

/// What is known of the stream; forgotten on the way to READY.
#[derive(Default)]
struct Stream {
    /// `None` until caps came.
    info: Option<VideoInfo>,
    painter: Painter,
    /// What the user knows of already.
    warned: Vec<Doubt>,
}

/// Why a frame's metadata is no help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Doubt {
    #[error(
        "frames without facial expression metadata: nothing is drawn on them, and they are hidden as a whole \
         where privacy is asked for; put ferdetect before feroverlay, and nothing between them that makes new \
         buffers without their metadata (frames that ferdetect could not analyse, which it says itself, have none either)"
    )]
    Missing,
    #[error(
        "the frames were stretched, turned, cropped or given borders after ferdetect, and which of these nobody knows: boxes \
         may lie in wrong places, and frames with faces are hidden as a whole where privacy is asked for; put \
         feroverlay before what does so, or leave pixel-aspect-ratio out of the caps"
    )]
    Reshaped,
}

/// A panic elsewhere was caught and posted as an error; what these locks hold is whole at every
/// moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a buffer could not be drawn on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a frame came before its caps, which tell its size and format")]
    NoCaps,
    #[error(
        "a buffer of {actual} bytes can't be mapped for writing as {format:?} of \
         {width}×{height}, which needs {needed} bytes"
    )]
    Map { actual: usize, needed: usize, format: gst_video::VideoFormat, width: u32, height: u32 },
    #[error("{0}")]
    Copy(String),
    #[error(transparent)]
    Draw(#[from] DrawError),
}

impl FerOverlay {
    /// Hides and draws as the settings say; with nothing to do the buffer is neither copied nor
    /// mapped.
    fn process(&self, mut buffer: gst::Buffer) -> Result<gst::Buffer, Failure> {
        let settings = *lock(&self.settings);
        let (style, hide) = (settings.style(), settings.hide());
        if style.is_none() && hide.is_none() {
            return Ok(buffer);
        }
        let report = meta::read(&buffer);
        let doubt = self.doubt(&buffer, report.as_ref());
        if let Some(doubt) = doubt {
            self.warn_of(doubt);
        }
        // Where faces are to be hidden, and nobody says where there are any, all is.
        let is_unknown = hide.is_some()
            && (doubt.is_some() || report.as_ref().is_none_or(|report| report.unseen));
        let report = report.unwrap_or_default();
        if report.faces.is_empty() && !is_unknown {
            return Ok(buffer);
        }
        let mut stream = lock(&self.stream);
        let Stream { info, painter, .. } = &mut *stream;
        let info = info.as_ref().ok_or(Failure::NoCaps)?;
        let actual = buffer.size();
        if !buffer.is_writable() {
            buffer = crate::pixels::copy(&buffer, gst::BUFFER_COPY_ALL).map_err(Failure::Copy)?;
        }
        let mut frame =
            VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), info).map_err(|_| {
                Failure::Map {
                    actual,
                    needed: info.size(),
                    format: info.format(),
                    width: info.width(),
                    height: info.height(),
                }
            })?;
        if let Some(how) = hide {
            let all = [Rect::new(0.0, 0.0, 1.0, 1.0)];
            let faces: Vec<Rect> = report.faces.iter().map(|face| face.rect).collect();
            hide_all(&mut frame, if is_unknown { &all } else { &faces }, how)?;
        }
        if let Some(style) = style {
            painter.draw(&mut frame, &report, &style)?;
        }
        drop(frame);
        Ok(buffer)
    }
}

impl FerOverlay {
    fn doubt(&self, buffer: &gst::BufferRef, report: Option<&FrameReport>) -> Option<Doubt> {
        let Some(report) = report else { return Some(Doubt::Missing) };
        // Where there is no face, none is in a wrong place.
        if report.faces.is_empty() {
            return None;
        }
        let shape = {
            let stream = lock(&self.stream);
            let info = stream.info.as_ref()?;
            meta::shape(info.width(), info.height(), info.par())
        };
        let is_wrong = meta::is_reshaped(buffer, shape) || chain::is_moved(self.obj().sink_pad());
        is_wrong.then_some(Doubt::Reshaped)
    }

    /// Warns on the bus the first time.
    fn warn_of(&self, doubt: Doubt) {
        let mut stream = lock(&self.stream);
        if stream.warned.contains(&doubt) {
            return;
        }
        stream.warned.push(doubt);
        drop(stream);
        gst::element_imp_warning!(self, gst::StreamError::Format, ("{doubt}"));
    }
}

fn hide_all(
    frame: &mut VideoFrameRef<&mut gst::BufferRef>,
    faces: &[Rect],
    how: privacy::Hide,
) -> Result<(), DrawError> {
    let mut canvas = Canvas::new(frame)?;
    for face in faces {
        privacy::hide(&mut canvas, face, how);
    }
    Ok(())
}

#[glib::object_subclass]
impl ObjectSubclass for FerOverlay {
    const NAME: &'static str = "FerOverlay";
    type Type = super::FerOverlay;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for FerOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        settings::properties()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if let Err(error) = lock(&self.settings).set(pspec.name(), value) {
            gst::error!(CAT, imp = self, "{error}");
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let value = lock(&self.settings).get(pspec.name());
        value.unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for FerOverlay {}

impl ElementImpl for FerOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Facial expression overlay",
                "Filter/Effect/Video",
                "Draws faces' boxes, expressions and probabilities, or blurs the faces, from the \
                 metadata that ferdetect attached",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        crate::pixels::pad_templates()
    }
}

/// The base class, unlike `GstVideoFilter`, leaves quality of service off: late frames are drawn
/// on, never dropped.
impl BaseTransformImpl for FerOverlay {
    const MODE: gst_base::subclass::BaseTransformMode =
        gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|error| {
            gst::loggable_error!(CAT, "caps {incaps} are no raw video: {error}")
        })?;
        gst::debug!(CAT, imp = self, "drawing on {incaps}");
        lock(&self.stream).info = Some(info);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.stream) = Stream::default();
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if matches!(event.type_(), gst::EventType::FlushStop | gst::EventType::StreamStart) {
            lock(&self.stream).painter.reset();
        }
        self.parent_sink_event(event)
    }

    fn propose_allocation(
        &self,
        decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        self.parent_propose_allocation(decide_query, query)?;
        pixels::settle_metas(&*self.obj(), query);
        Ok(())
    }

    /// Replaces the whole in-place machinery of the base class, which would copy each shared
    /// buffer before it is known whether anything is drawn on it.
    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(buffer) = self.take_queued_buffer() else {
            return Ok(GenerateOutputSuccess::NoOutput);
        };
        match self.process(buffer) {
            Ok(buffer) => Ok(GenerateOutputSuccess::Buffer(buffer)),
            Err(failure) => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::Failed,
                    ("Drawing on a frame failed"),
                    ["{failure}"]
                );
                Err(gst::FlowError::Error)
            }
        }
    }
}
