//! What is written for a frame: [`fer_core::record`] and [`fer_core::onvif`] say how.

use fer_core::record::FrameRecord;
use fer_core::report::FrameReport;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{CAT, FerJson, lock};
use super::settings::Settings;
use super::utc;
use crate::live::is_live;

impl FerJson {
    /// The frame's line of JSON; `None` where it tells nothing and is not wanted then.
    pub(super) fn line(
        &self,
        report: Option<&FrameReport>,
        frame: &gst::BufferRef,
        settings: &Settings,
    ) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let clock = self.running_time_now();
        let live = lock(&self.stream).live;
        // Upstream is not asked while the lock is held.
        let live = live.unwrap_or_else(|| is_live(&self.sinkpad));
        let mut stream = lock(&self.stream);
        stream.live = Some(live);
        let utc = stream.known_utc(frame, clock, utc::now());
        let context = stream.context(frame.pts(), utc, settings.source.as_deref());
        drop(stream);
        let context = context.ok_or_else(|| self.frame_before_caps())?;
        let record = FrameRecord::new(report, &context);
        if settings.skip_empty && record.is_empty() {
            return Ok(None);
        }
        let line = record.to_line().map_err(|error| {
            self.cannot_write(&format!("frame {:?} as JSON: {error}", record.frame))
        })?;
        gst::trace!(CAT, imp = self, "{}", line.trim_end());
        Ok(Some(buffer_like(line.into_bytes(), frame)))
    }

    /// The frame's ONVIF document; `None` without a report too, as ONVIF has no word for a frame
    /// that was not looked at.
    pub(super) fn document(
        &self,
        report: Option<&FrameReport>,
        frame: &gst::BufferRef,
        settings: &Settings,
    ) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let clock = self.running_time_now();
        let mut stream = lock(&self.stream);
        if stream.resolution.is_none() {
            drop(stream);
            return Err(self.frame_before_caps());
        }
        let Some(report) = report else { return Ok(None) };
        if !stream.must_tell(report) && settings.skip_empty {
            return Ok(None);
        }
        let utc = stream.utc(frame, clock, utc::now());
        drop(stream);
        let document = fer_core::onvif::document(report, utc, settings.source.as_deref()).map_err(
            |error| self.cannot_write(&format!("frame {} as XML: {error}", report.frame)),
        )?;
        let mut buffer = buffer_like(document, frame);
        if let Some(buffer) = buffer.get_mut() {
            utc::write_reference(buffer, utc);
        }
        Ok(Some(buffer))
    }

    /// The running time that the clock shows, in nanoseconds; `None` unless the element plays.
    fn running_time_now(&self) -> Option<u64> {
        let element = self.obj();
        let plays = element.current_state() == gst::State::Playing;
        let clock = element.clock().filter(|_| plays)?;
        Some(clock.time().checked_sub(element.base_time()?)?.nseconds())
    }

    fn frame_before_caps(&self) -> gst::FlowError {
        gst::element_imp_error!(
            self,
            gst::CoreError::Negotiation,
            ["a frame came before its caps, which tell its size"]
        );
        gst::FlowError::NotNegotiated
    }

    fn cannot_write(&self, what: &str) -> gst::FlowError {
        gst::element_imp_error!(self, gst::StreamError::Encode, ["cannot write {what}"]);
        gst::FlowError::Error
    }
}

/// A buffer that takes `frame`'s place in the stream.
fn buffer_like(bytes: Vec<u8>, frame: &gst::BufferRef) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
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
