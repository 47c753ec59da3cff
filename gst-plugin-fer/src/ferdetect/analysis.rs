//! What is done to one frame, whichever thread does it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::config::Config;
use fer_core::detect::{BackendError, Detection};
use fer_core::event::Event;
use fer_core::report::FrameReport;
use fer_core::time::MediaTime;
use gst_video::{VideoFrameRef, VideoInfo};

use super::backends::{UPSTREAM, classifier, detectors};
use super::save;
use super::settings::Settings;
use super::stats::{Stats, Timed};
use super::trouble::{Problem, Trouble};
use crate::{pixels, regions};

/// Models and faces of one run.
pub(super) struct Analysis {
    analyzer: Analyzer,
    /// Whether faces come with the buffers.
    upstream: bool,
    /// Settings that were not accepted: told of once.
    refused: Option<Config>,
    stats: Arc<Stats>,
}

/// What is known of a frame: its report, if it could be analysed, and what went wrong.
pub(super) type Outcome = (Option<FrameReport>, Vec<Problem>);

/// The buffer can't be what the caps say, or the analysis is gone: the stream is broken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub(super) String);

impl Analysis {
    /// Loads what the settings name.
    ///
    /// # Errors
    /// A model, cascade or library can't be loaded, or a setting is not accepted.
    pub(super) fn load(settings: &Settings, stats: &Arc<Stats>) -> Result<Self, BackendError> {
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

    /// With an analyser that is ready.
    pub(super) fn new(analyzer: Analyzer, upstream: bool, stats: &Arc<Stats>) -> Self {
        Self { analyzer, upstream, refused: None, stats: Arc::clone(stats) }
    }

    /// Whether faces come with the buffers.
    pub(super) const fn is_upstream(&self) -> bool {
        self.upstream
    }

    /// Forgets all faces; the next report tells of their loss.
    pub(super) fn reset(&mut self) {
        self.analyzer.reset();
    }

    /// Ends the stream. Gives the loss of each face.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        self.analyzer.finish()
    }

    /// Analyses a buffer's picture as the settings say. Settings that are not accepted are a problem,
    /// and those before them stay in force.
    ///
    /// # Errors
    /// The picture can't be read.
    pub(super) fn run(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
        time: MediaTime,
        faces: &[Detection],
        settings: &Settings,
    ) -> Result<Outcome, Broken> {
        let mut problems = Vec::new();
        if let Err(error) = self.reconfigure(settings) {
            let text =
                format!("{error}; until that is mended, no change to the analysis takes effect");
            problems.push(Problem::new(Trouble::Settings, text));
        }
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|_| Broken(unreadable(buffer, info)))?;
        let view = pixels::view(&frame).map_err(|error| Broken(error.to_string()))?;
        let report = match self.analyzer.analyze(&view, time, faces) {
            Ok(report) => report,
            Err(error) => {
                self.stats.errors.fetch_add(1, Relaxed);
                problems.push(Problem::new(Trouble::Analysis, error));
                return Ok((None, problems));
            }
        };
        if let Some(folder) = &settings.save_faces
            && let Err((path, error)) = save::save_changes(folder, &view, &report)
        {
            self.stats.errors.fetch_add(1, Relaxed);
            let path = path.display();
            let text =
                format!("save-faces: {path}: {error}; the video goes on without the picture");
            problems.push(Problem::new(Trouble::Saving, text));
        }
        Ok((Some(report), problems))
    }

    fn reconfigure(&mut self, settings: &Settings) -> Result<(), BackendError> {
        let wanted = &settings.analysis;
        if self.refused.as_ref() == Some(wanted) {
            return Ok(());
        }
        self.refused = None;
        if self.analyzer.config() == wanted {
            return Ok(());
        }
        self.analyzer.reconfigure(wanted.clone()).inspect_err(|_| {
            self.refused = Some(wanted.clone());
        })
    }
}

/// The faces that an earlier element attached, in pixels: as regions of interest and, with the feature
/// `v1_24`, as GstAnalytics detections; what is there as both is one.
pub(super) fn upstream_faces(buffer: &gst::BufferRef) -> Vec<Detection> {
    let faces = regions::faces(buffer);
    #[cfg(feature = "v1_24")]
    let faces = super::analytics::with_detections(faces, buffer);
    faces
}

fn unreadable(buffer: &gst::BufferRef, info: &VideoInfo) -> String {
    let bytes = buffer.size();
    if buffer.map_readable().is_err() {
        return format!("the memory of a buffer of {bytes} bytes cannot be read");
    }
    format!(
        "a buffer of {bytes} bytes can't be mapped as {} {}×{}, which takes {}",
        info.format(),
        info.width(),
        info.height(),
        info.size()
    )
}
