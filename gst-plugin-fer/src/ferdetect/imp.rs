//! GStreamer's side of `ferdetect`.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fer_core::event::Event;
use fer_core::report::FrameReport;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};

use super::background::patience;
use super::clock::apart;
use super::messages::{When, message};
use super::mode::FerAnalysis;
use super::settings::{PROPERTIES, Settings};
use super::stats::Stats;
use super::stream::Stream;
use super::trouble::{Problem, Told, Trouble};
use super::upright;
use crate::draw::{Painter, Style};
use crate::live::is_live;
use crate::pixels;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("ferdetect", gst::DebugColorFlags::empty(), Some("Face expressions"))
});

/// The instance. Lock order: `stream`, then `settings`; messages are posted with neither held.
#[derive(Default)]
pub struct FerDetect {
    settings: Mutex<Arc<Settings>>,
    /// Who waits for whom in this run: as it was set when the run began.
    mode: Mutex<FerAnalysis>,
    stream: Mutex<Option<Stream>>,
    painter: Mutex<Painter>,
    stats: Arc<Stats>,
    /// For how many nanoseconds frames of these caps may be held, if they are live. Not in the stream,
    /// which is locked while they are.
    held: AtomicU64,
    told: Mutex<Told>,
}

/// A lock whose holder panicked guards data that is replaced at the next start anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FerDetect {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&lock(&self.settings))
    }

    fn plugin_folder(&self) -> Option<std::path::PathBuf> {
        let plugin = self.obj().factory()?.plugin()?;
        plugin.filename()?.parent().map(Path::to_owned)
    }

    fn post(&self, events: &[Event], report: &FrameReport, when: &When) {
        for event in events {
            // Without a bus nobody wants to know.
            let _ = self.obj().post_message(message(&self.obj(), event, report, when));
        }
    }

    /// Warns on the bus where that is due, in the log every time.
    fn warn(&self, trouble: Trouble, problem: &str) {
        let is_due = lock(&self.told).is_due(trouble);
        if is_due {
            gst::element_imp_warning!(self, gst::StreamError::Failed, ("{problem}"));
        } else {
            gst::warning!(CAT, imp = self, "{problem}");
        }
    }

    /// Takes the rate of new caps; tells if frames are held for another time than before.
    fn set_rate(&self, rate: gst::Fraction) {
        let held = apart(rate).map_or(Duration::ZERO, |apart| patience(apart.into()));
        let held = held.as_nanos() as u64;
        let is_new = self.held.swap(held, Relaxed) != held;
        if is_new && *lock(&self.mode) != FerAnalysis::Inline {
            let changed = gst::message::Latency::builder().src(&*self.obj()).build();
            // Without a bus nobody wants to know.
            let _ = self.obj().post_message(changed);
        }
    }

    /// Adds the time for which frames may be held. How long the analysis inline holds them, nobody knows
    /// beforehand.
    fn add_latency(&self, query: &mut gst::query::Latency) {
        let (is_live, min, max) = query.result();
        if is_live && *lock(&self.mode) != FerAnalysis::Inline {
            let held = gst::ClockTime::from_nseconds(self.held.load(Relaxed));
            query.set(is_live, min.saturating_add(held), max.map(|max| max.saturating_add(held)));
        }
    }

    /// Says in the log that this machine is too slow.
    fn complain(&self, behind: Duration) {
        gst::warning!(
            CAT,
            imp = self,
            "the analysis is {:.1} s behind the video, {} of {} frames were not looked at; fewer \
             streams, a larger min-face or a longer inference-interval help",
            behind.as_secs_f64(),
            self.stats.skipped.load(Relaxed),
            self.stats.frames.load(Relaxed),
        );
    }

    /// Says that a recording lies on its side.
    fn look_at_orientation(&self, tags: &gst::TagListRef) {
        let sink = self.obj().static_pad("sink");
        if let Some(problem) = sink.and_then(|sink| upright::problem(&sink, tags)) {
            self.warn(Trouble::Orientation, &problem);
        }
    }

    /// Forgets all faces; the next frame's report and messages tell of their loss.
    fn forget(&self) {
        if let Some(stream) = lock(&self.stream).as_mut() {
            stream.reset();
        }
    }

    /// Tells of the loss of all faces now: no frame follows.
    fn finish(&self) {
        let mut guard = lock(&self.stream);
        let Some(stream) = guard.as_mut() else { return };
        let (lost, when) = (stream.finish(), stream.when());
        drop(guard);
        match lost {
            Ok((events, report)) => self.post(&events, &report, &when),
            Err(problem) => {
                gst::element_imp_error!(self, gst::StreamError::Failed, ("{problem}"));
            }
        }
    }

    /// Decides at the first frame whether the video waits for the analysis.
    fn decide(&self) -> Result<(), gst::FlowError> {
        if !lock(&self.stream).as_ref().is_some_and(Stream::is_undecided) {
            return Ok(());
        }
        let mode = *lock(&self.mode);
        let background = match mode {
            FerAnalysis::Auto => self.obj().static_pad("sink").is_some_and(|sink| is_live(&sink)),
            FerAnalysis::Inline => false,
            FerAnalysis::Background => true,
        };
        let decided = lock(&self.stream).as_mut().map(|stream| stream.decide(background));
        if let Some(Err(error)) = decided {
            let problem = format!("no thread for the analysis: {error}");
            gst::element_imp_error!(self, gst::ResourceError::Failed, ("{problem}"));
            return Err(gst::FlowError::Error);
        }
        Ok(())
    }

    fn analyze(
        &self,
        buffer: &mut gst::BufferRef,
        settings: &Arc<Settings>,
    ) -> Result<Option<(FrameReport, VideoInfo)>, gst::FlowError> {
        let mut guard = lock(&self.stream);
        let Some(stream) = guard.as_mut() else { return Err(gst::FlowError::Flushing) };
        let outcome = stream.analyze(buffer, settings);
        let (info, when) = (stream.info().cloned(), stream.when());
        let complaint = stream.complaint();
        drop(guard);
        if let Some(behind) = complaint {
            self.complain(behind);
        }
        let (report, problems) = outcome.map_err(|broken| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{broken}"));
            gst::FlowError::Error
        })?;
        if let Some(report) = &report {
            self.post(&report.events, report, &when);
        }
        for Problem { trouble, text } in problems {
            self.warn(trouble, &text);
        }
        Ok(report.zip(info))
    }

    fn draw(
        &self,
        buffer: &mut gst::BufferRef,
        report: &FrameReport,
        info: &VideoInfo,
        settings: &Settings,
    ) {
        let start = Instant::now();
        let style = Style { language: settings.language.into(), ..Style::default() };
        let drawn = VideoFrameRef::from_buffer_ref_writable(buffer, info)
            .map_err(|error| error.to_string())
            .and_then(|mut frame| {
                let mut painter = lock(&self.painter);
                painter.draw(&mut frame, report, &style).map_err(|error| error.to_string())
            });
        if let Err(error) = drawn {
            self.warn(Trouble::Drawing, &format!("draw: {error}"));
        }
        self.stats.drawn(start.elapsed());
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FerDetect {
    const NAME: &'static str = "FerDetect";
    type Type = super::FerDetect;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for FerDetect {
    fn properties() -> &'static [glib::ParamSpec] {
        &PROPERTIES
    }

    fn constructed(&self) {
        self.parent_constructed();
        // BaseTransform with QoS drops late buffers; here a late frame is never lost.
        self.obj().set_qos(false);
        self.obj().set_gap_aware(false);
    }

    fn set_property(&self, _: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        Arc::make_mut(&mut lock(&self.settings)).set(pspec.name(), value);
        if pspec.name() == "save-faces" {
            // Another folder may fail for another reason.
            lock(&self.told).forget(Trouble::Saving);
        }
        let when_ready = pspec.flags().contains(gst::PARAM_FLAG_MUTABLE_READY);
        if when_ready && self.obj().current_state() > gst::State::Ready {
            gst::warning!(CAT, imp = self, "{} takes effect at the next start", pspec.name());
        }
    }

    fn property(&self, _: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match lock(&self.settings).get(pspec.name()) {
            Some(value) => value,
            None => self.stats.structure().to_value(),
        }
    }
}

impl GstObjectImpl for FerDetect {}

impl ElementImpl for FerDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Facial expression detector",
                "Filter/Analyzer/Video",
                "Finds faces, follows them and names their expression (anger, disgust, fear, \
                 happiness, sadness, surprise, neutral), steadied over time; attaches metadata, \
                 posts messages and, unless draw=false, draws the result",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        pixels::pad_templates()
    }
}

impl BaseTransformImpl for FerDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let mut settings = Settings::clone(&self.settings());
        settings.backends.plugin_folder = self.plugin_folder();
        self.stats.clear();
        lock(&self.told).clear();
        let stream = Stream::start(&settings, &self.stats)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("{error}")))?;
        *lock(&self.stream) = Some(stream);
        *lock(&self.mode) = settings.mode;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.stream) = None;
        lock(&self.painter).reset();
        self.held.store(0, Relaxed);
        Ok(())
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if !BaseTransformImplExt::parent_query(self, direction, query) {
            return false;
        }
        if let gst::QueryViewMut::Latency(latency) = query.view_mut()
            && direction == gst::PadDirection::Src
        {
            self.add_latency(latency);
        }
        true
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "caps {incaps} are no raw video"))?;
        let rate = info.fps();
        if let Some(stream) = lock(&self.stream).as_mut() {
            stream.set_info(info);
        }
        self.set_rate(rate);
        Ok(())
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

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStop(_) => {
                self.forget();
                if let Some(stream) = lock(&self.stream).as_mut() {
                    stream.sought();
                }
                lock(&self.painter).reset();
            }
            gst::EventView::Eos(_) => self.finish(),
            gst::EventView::Tag(event) => self.look_at_orientation(event.tag()),
            gst::EventView::Segment(event) => {
                self.forget();
                let segment = event.segment().downcast_ref::<gst::ClockTime>();
                if let (Some(stream), Some(segment)) = (lock(&self.stream).as_mut(), segment) {
                    stream.set_segment(segment);
                }
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn transform_ip(
        &self,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(stream) = lock(&self.stream).as_mut() {
            stream.note_gap(buffer);
        }
        let settings = self.settings();
        self.decide()?;
        if let Some((report, info)) = self.analyze(buffer, &settings)?
            && settings.draw
            && !report.faces.is_empty()
        {
            self.draw(buffer, &report, &info, &settings);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

#[cfg(test)]
mod tests;
