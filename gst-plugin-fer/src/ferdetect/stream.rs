//! One run of the element: everything that is forgotten when it stops.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::detect::BackendError;
use fer_core::event::Event;
use fer_core::report::FrameReport;
use gst::glib;
use gst_video::{VideoFrameRef, VideoInfo};

use super::backends::{UPSTREAM, classifier, detectors};
use super::clock::MediaClock;
use super::settings::Settings;
use super::stats::{Stats, Timed};
use super::{messages, save};
use crate::{meta, pixels};

/// Models, faces and times of one run.
pub(super) struct Stream {
    analyzer: Analyzer,
    upstream: bool,
    clock: MediaClock,
    info: Option<VideoInfo>,
    last: FrameReport,
    stats: Arc<Stats>,
}

/// Why a frame was not analysed as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameProblem {
    /// The video goes on; the frame carries no report or misses its picture on disk.
    #[error("{0}")]
    Skipped(String),
    /// The buffer can't be what the caps say: the stream is broken.
    #[error("{0}")]
    Fatal(String),
}

impl Stream {
    /// Loads what the settings name.
    ///
    /// # Errors
    /// A model, cascade or library can't be loaded, or a setting is not accepted.
    pub(super) fn start(settings: &Settings, stats: &Arc<Stats>) -> Result<Self, BackendError> {
        let options = &settings.backends;
        let detector = detectors().build(&options.detector, options)?;
        let upstream = options.detector == UPSTREAM;
        let source = if upstream {
            FaceSource::Upstream
        } else {
            let timed = Timed { inner: detector, stats: Arc::clone(stats) };
            FaceSource::Detector(Box::new(timed))
        };
        let classifier = Timed { inner: classifier(options)?, stats: Arc::clone(stats) };
        let analyzer =
            Analyzer::new(settings.analysis.clone(), source, Some(Box::new(classifier)))?;
        Ok(Self::new(analyzer, upstream, stats))
    }

    /// A run with an analyser that is ready.
    pub(super) fn new(analyzer: Analyzer, upstream: bool, stats: &Arc<Stats>) -> Self {
        Self {
            analyzer,
            upstream,
            clock: MediaClock::default(),
            info: None,
            last: FrameReport::default(),
            stats: Arc::clone(stats),
        }
    }

    /// Puts changed settings in force.
    ///
    /// # Errors
    /// One is not accepted; the old ones stay.
    pub(super) fn reconfigure(&mut self, settings: &Settings) -> Result<(), BackendError> {
        if *self.analyzer.config() == settings.analysis {
            return Ok(());
        }
        self.analyzer.reconfigure(settings.analysis.clone())
    }

    pub(super) fn set_info(&mut self, info: VideoInfo) {
        self.clock.set_rate(info.fps());
        self.info = Some(info);
    }

    pub(super) const fn info(&self) -> Option<&VideoInfo> {
        self.info.as_ref()
    }

    pub(super) fn set_segment(&mut self, segment: &gst::FormattedSegment<gst::ClockTime>) {
        self.clock.set_segment(segment);
    }

    /// Forgets all faces; the next report tells of their loss.
    pub(super) fn reset(&mut self) {
        self.analyzer.reset();
    }

    /// Ends the stream. Gives the loss of each face, and the report that it is to be told with.
    pub(super) fn finish(&mut self) -> (Vec<Event>, FrameReport) {
        (self.analyzer.finish(), FrameReport { faces: Vec::new(), ..self.last.clone() })
    }

    /// Analyses a buffer and attaches what was found.
    ///
    /// # Errors
    /// See [`FrameProblem`]; a skipped frame is left as it was.
    pub(super) fn analyze(
        &mut self,
        buffer: &mut gst::BufferRef,
        settings: &Settings,
    ) -> Result<(FrameReport, Option<FrameProblem>), FrameProblem> {
        self.stats.frames.fetch_add(1, Relaxed);
        let time = self.clock.time(buffer);
        let info = self.info.as_ref().ok_or_else(|| FrameProblem::Fatal("no caps yet".into()))?;
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|_| FrameProblem::Fatal(too_short(buffer, info)))?;
        let view = pixels::view(&frame).map_err(|e| FrameProblem::Fatal(e.to_string()))?;
        let faces = if self.upstream { messages::upstream_faces(buffer) } else { Vec::new() };
        let report = self.analyzer.analyze(&view, time, &faces).map_err(|error| {
            self.stats.errors.fetch_add(1, Relaxed);
            FrameProblem::Skipped(error.to_string())
        })?;
        let saved = match &settings.save_faces {
            Some(folder) => save::save_changes(folder, &view, &report).err(),
            None => None,
        };
        drop(frame);
        self.attach(buffer, &report).map_err(|error| FrameProblem::Skipped(error.to_string()))?;
        self.last = report.clone();
        let problem = saved.map(|(path, error)| {
            self.stats.errors.fetch_add(1, Relaxed);
            FrameProblem::Skipped(format!(
                "save-faces: {}: {error}; the video goes on without the picture",
                path.display()
            ))
        });
        Ok((report, problem))
    }

    fn attach(
        &self,
        buffer: &mut gst::BufferRef,
        report: &FrameReport,
    ) -> Result<(), glib::BoolError> {
        meta::write(buffer, report)?;
        if let (Some(info), false) = (&self.info, self.upstream) {
            messages::attach_regions(buffer, report, info.width(), info.height());
        }
        Ok(())
    }
}

fn too_short(buffer: &gst::BufferRef, info: &VideoInfo) -> String {
    format!(
        "a buffer of {} bytes can't be mapped as {} {}×{}, which takes {}",
        buffer.size(),
        info.format(),
        info.width(),
        info.height(),
        info.size()
    )
}
