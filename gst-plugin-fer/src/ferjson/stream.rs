//! What is known of the stream; forgotten on the way to READY.

use fer_core::record::FrameContext;
use fer_core::report::FrameReport;

use super::format::FerJsonFormat;
use super::utc::{self, Origin};

type Segment = gst::FormattedSegment<gst::ClockTime>;

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// What is written.
    pub(super) format: FerJsonFormat,
    /// When the medium begins, in nanoseconds since 1970, if the user says so.
    start_utc: Option<u64>,
    /// The frame's size in pixels; `None` until caps came.
    pub(super) resolution: Option<(u32, u32)>,
    /// The shape in which frames are shown; `None` until caps came.
    pub(super) shape: Option<f64>,
    /// Whether the user knows that frames lack metadata.
    pub(super) warned: bool,
    /// Whether the user knows that places are wrong.
    pub(super) warned_of_shape: bool,
    /// The report whose events were written last.
    told: Option<FrameReport>,
    /// `None` until a segment came, and for one that doesn't count time.
    segment: Option<Segment>,
    origin: Origin,
    /// Whether frames come at their own pace; `None` until somebody was asked.
    pub(super) live: Option<bool>,
    /// Whether the last document told of faces.
    told_of_faces: bool,
}

impl Stream {
    pub(super) fn new(format: FerJsonFormat, start_utc: Option<u64>) -> Self {
        Self { format, start_utc, ..Self::default() }
    }

    pub(super) fn set_segment(&mut self, segment: &gst::Segment) {
        self.segment = segment.downcast_ref::<gst::ClockTime>().cloned();
    }

    /// Running time begins anew.
    pub(super) fn flush(&mut self) {
        self.segment = None;
        self.origin = Origin::default();
    }

    /// What a frame's record needs besides its report; `None` before caps came.
    pub(super) fn context<'a>(
        &self,
        pts: Option<gst::ClockTime>,
        utc: Option<u64>,
        source: Option<&'a str>,
    ) -> Option<FrameContext<'a>> {
        let (width, height) = self.resolution?;
        let segment = self.segment.as_ref();
        let nanos = |time: Option<gst::ClockTime>| time.map(gst::ClockTime::nseconds);
        Some(FrameContext {
            width,
            height,
            source,
            pts: nanos(pts),
            stream_time: nanos(segment.and_then(|segment| segment.to_stream_time(pts))),
            running_time: nanos(segment.and_then(|segment| segment.to_running_time(pts))),
            utc,
            reverse: segment.is_some_and(|segment| segment.rate() < 0.0),
        })
    }

    /// [When](Self::utc) a frame was taken, if that is known: not of a recording whose beginning nobody
    /// has told.
    pub(super) fn known_utc(
        &mut self,
        frame: &gst::BufferRef,
        clock: Option<u64>,
        wall: u64,
    ) -> Option<u64> {
        let is_known = self.live == Some(true)
            || self.start_utc.is_some()
            || utc::of_reference(frame).is_some();
        is_known.then(|| self.utc(frame, clock, wall))
    }

    /// When a frame was taken, in nanoseconds since 1970: as its source says, else by its place in
    /// a medium whose beginning the user told, else by the wall clock. `clock` is the running time
    /// that the pipeline's clock shows, if it plays.
    pub(super) fn utc(&mut self, frame: &gst::BufferRef, clock: Option<u64>, wall: u64) -> u64 {
        if let Some(utc) = utc::of_reference(frame) {
            return utc;
        }
        let (Some(segment), Some(pts)) = (&self.segment, frame.pts()) else { return wall };
        match self.start_utc {
            Some(start) => {
                let place = segment.to_stream_time_full(pts).map_or(0, signed);
                utc::after(i128::from(start), place)
            }
            None => {
                let running = segment.to_running_time_full(pts).map_or(0, signed);
                self.origin.utc(running, clock, wall)
            }
        }
    }

    /// Takes the events out of the report of a frame that was told of before: who fills gaps, as
    /// `videorate` does, gives copies of a frame out.
    pub(super) fn tell_once(&mut self, report: &mut FrameReport) {
        if report.events.is_empty() {
            return;
        }
        if self.told.as_ref() == Some(report) {
            report.events.clear();
        } else {
            self.told = Some(report.clone());
        }
    }

    /// Whether a document of `report` is needed when those that tell nothing are left out. By
    /// ONVIF's rule they may be only after one without faces: till then readers wait for more.
    pub(super) fn must_tell(&mut self, report: &FrameReport) -> bool {
        let told = std::mem::replace(&mut self.told_of_faces, !report.faces.is_empty());
        told || !report.faces.is_empty() || !report.events.is_empty()
    }
}

fn signed(time: gst::Signed<gst::ClockTime>) -> i128 {
    match time {
        gst::Signed::Positive(time) => i128::from(time.nseconds()),
        gst::Signed::Negative(time) => -i128::from(time.nseconds()),
    }
}
