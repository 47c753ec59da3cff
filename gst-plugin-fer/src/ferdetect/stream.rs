//! One run of the element: everything that is forgotten when it stops.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fer_core::detect::BackendError;
use fer_core::event::Event;
use fer_core::report::FrameReport;
use gst_video::VideoInfo;

use super::analysis::{Analysis, Broken, Outcome, upstream_faces};
#[cfg(feature = "v1_24")]
use super::analytics::Analytics;
use super::background::Background;
use super::clock::MediaClock;
use super::messages::When;
use super::settings::Settings;
use super::stats::Stats;
use super::trouble::{Problem, Trouble};
use crate::{meta, regions};

/// What frames that were dropped before us leave: faces go on beyond it. Beyond a longer gap in the
/// data anything may be.
const LONGEST_GAP: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Models, faces and times of one run.
pub(super) struct Stream {
    engine: Engine,
    upstream: bool,
    clock: MediaClock,
    info: Option<VideoInfo>,
    last_pts: Option<gst::ClockTime>,
    /// Frames so far.
    frames: u64,
    /// The last frame's report, without faces and events.
    last: FrameReport,
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// When the last frame was.
    when: When,
    #[cfg(feature = "v1_24")]
    analytics: Analytics,
    stats: Arc<Stats>,
}

/// Who analyses.
enum Engine {
    /// Not known before the first frame.
    Undecided(Analysis),
    /// The streaming thread: every frame waits for its result.
    Inline(Analysis),
    /// Another thread: results ride on later frames.
    Background(Background),
    /// Nobody any more.
    Gone,
}

impl Stream {
    /// Loads what the settings name.
    ///
    /// # Errors
    /// A model, cascade or library can't be loaded, or a setting is not accepted.
    pub(super) fn start(settings: &Settings, stats: &Arc<Stats>) -> Result<Self, BackendError> {
        Ok(Self::new(Analysis::load(settings, stats)?, stats))
    }

    /// A run with an analysis that is ready.
    pub(super) fn new(analysis: Analysis, stats: &Arc<Stats>) -> Self {
        Self {
            upstream: analysis.is_upstream(),
            engine: Engine::Undecided(analysis),
            clock: MediaClock::default(),
            info: None,
            last_pts: None,
            frames: 0,
            last: FrameReport::default(),
            segment: gst::FormattedSegment::new(),
            when: When::default(),
            #[cfg(feature = "v1_24")]
            analytics: Analytics::default(),
            stats: Arc::clone(stats),
        }
    }

    /// Whether it is still to be decided who analyses.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self.engine, Engine::Undecided(_))
    }

    /// Decides who analyses, until the end of the stream.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn decide(&mut self, background: bool) -> std::io::Result<()> {
        match std::mem::replace(&mut self.engine, Engine::Gone) {
            Engine::Undecided(analysis) if background => {
                self.engine = Engine::Background(Background::start(analysis, &self.stats)?);
            }
            Engine::Undecided(analysis) => self.engine = Engine::Inline(analysis),
            engine => self.engine = engine,
        }
        Ok(())
    }

    pub(super) fn set_info(&mut self, info: VideoInfo) {
        self.clock.set_rate(info.fps());
        let sides = |info: &VideoInfo| (info.width(), info.height());
        let is_resized = self.info.as_ref().is_some_and(|old| sides(old) != sides(&info));
        if let Engine::Background(background) = &mut self.engine
            && is_resized
        {
            // What was found in frames of another size is not carried on; an analysis forgets by itself.
            background.reset();
        }
        self.info = Some(info);
    }

    pub(super) const fn info(&self) -> Option<&VideoInfo> {
        self.info.as_ref()
    }

    pub(super) fn set_segment(&mut self, segment: &gst::FormattedSegment<gst::ClockTime>) {
        self.clock.set_segment(segment);
        self.segment = segment.clone();
    }

    /// When the last frame was.
    pub(super) const fn when(&self) -> When {
        self.when
    }

    /// Starts anew where the data break off and time jumps. The mark alone says little: a busy machine
    /// drops frames, a decoder mends what was lost on the way, or plays backwards group by group, and
    /// each marks the frame after that. What is another recording begins with a segment.
    pub(super) fn note_gap(&mut self, buffer: &gst::BufferRef) {
        let last = std::mem::replace(&mut self.last_pts, buffer.pts());
        let (Some(pts), Some(last)) = (buffer.pts(), last) else { return };
        let goes_on = if self.clock.is_reverse() {
            pts.nseconds().abs_diff(last.nseconds()) <= LONGEST_GAP.nseconds()
        } else {
            pts.checked_sub(last).is_some_and(|gap| gap <= LONGEST_GAP)
        };
        if buffer.flags().contains(gst::BufferFlags::DISCONT) && !goes_on {
            self.reset();
        }
    }

    /// Forgets all faces; the next report tells of their loss.
    pub(super) fn reset(&mut self) {
        match &mut self.engine {
            Engine::Undecided(analysis) | Engine::Inline(analysis) => analysis.reset(),
            Engine::Background(background) => background.reset(),
            Engine::Gone => {}
        }
    }

    /// Somebody went to another place: the next frame may be all that is shown of it.
    pub(super) fn sought(&mut self) {
        if let Engine::Background(background) = &mut self.engine {
            background.await_next();
        }
    }

    /// Ends the stream. Gives the loss of each face, and the report that it is to be told with.
    ///
    /// # Errors
    /// The analysis has panicked.
    pub(super) fn finish(&mut self) -> Result<(Vec<Event>, FrameReport), Broken> {
        let events = match std::mem::replace(&mut self.engine, Engine::Gone) {
            Engine::Undecided(mut analysis) | Engine::Inline(mut analysis) => {
                let events = analysis.finish();
                self.engine = Engine::Undecided(analysis);
                events
            }
            Engine::Background(background) => {
                let (events, analysis) = background.finish()?;
                self.engine = Engine::Undecided(analysis);
                events
            }
            Engine::Gone => Vec::new(),
        };
        #[cfg(feature = "v1_24")]
        self.analytics.forget();
        Ok((events, self.last.clone()))
    }

    /// By how much the analysis is behind the video, where that is to be complained of.
    pub(super) fn complaint(&mut self) -> Option<Duration> {
        match &mut self.engine {
            Engine::Background(background) => background.complaint(),
            Engine::Undecided(_) | Engine::Inline(_) | Engine::Gone => None,
        }
    }

    /// Analyses a buffer, or has it analysed, and attaches what is known. One without a report is left as
    /// it was.
    ///
    /// # Errors
    /// The stream is broken.
    pub(super) fn analyze(
        &mut self,
        buffer: &mut gst::BufferRef,
        settings: &Arc<Settings>,
    ) -> Result<Outcome, Broken> {
        self.stats.frames.fetch_add(1, Relaxed);
        let frame = self.frames;
        self.frames += 1;
        let time = self.clock.time(buffer);
        self.when = When::of(buffer, &self.segment);
        let info = self.info.as_ref().ok_or_else(|| Broken("no caps yet".to_owned()))?;
        let faces = if self.upstream { upstream_faces(buffer) } else { Vec::new() };
        let (report, mut problems) = match &mut self.engine {
            Engine::Undecided(analysis) | Engine::Inline(analysis) => {
                analysis.run(buffer, info, time, &faces, settings)?
            }
            Engine::Background(background) => {
                background.run(buffer, info, time, faces, settings)?
            }
            Engine::Gone => return Err(Broken("the analysis is gone".to_owned())),
        };
        let Some(mut report) = report else { return Ok((None, problems)) };
        report.frame = frame;
        let (width, height) = (info.width(), info.height());
        regions::forget(buffer, self.upstream, width, height);
        if let Err(error) = meta::write(buffer, &report) {
            problems.push(Problem::new(Trouble::Metadata, error));
            return Ok((None, problems));
        }
        meta::write_shape(buffer, meta::shape(width, height, info.par()));
        if self.upstream {
            regions::complete(buffer, &report, width, height);
        } else {
            regions::attach(buffer, &report, width, height);
        }
        #[cfg(feature = "v1_24")]
        if let Err(error) = self.analytics.write(buffer, &report, info, self.upstream) {
            problems.push(Problem::new(Trouble::Metadata, error));
        }
        let FrameReport { stream_id, frame, time, .. } = &mut self.last;
        stream_id.clone_from(&report.stream_id);
        (*frame, *time) = (report.frame, report.time);
        Ok((Some(report), problems))
    }
}
