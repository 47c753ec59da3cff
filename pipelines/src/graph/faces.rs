//! Pictures of faces, cut out of the frames in which their stable emotion changed.

use fer_core::emotion::StableLabel;
use fer_core::event::{Event, EventKind};
use fer_core::geometry::{PixelRect, Rect};
use fer_core::report::FrameReport;
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo};
use gstfer::meta;

use super::output::{FaceTaker, sink_for};
use super::{GraphError, element, picture};
use crate::config::{Faces, PictureFormat};

/// A face whose stable emotion changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its track.
    pub track: u64,
    /// The label until now; `None` is `uncertain`.
    pub from: StableLabel,
    /// The label from now on.
    pub to: StableLabel,
    /// Media time of the frame, in nanoseconds.
    pub time: u64,
}

/// Everything from an output's queue to its pictures. Frames without a change do not enter the queue.
pub(super) fn elements(
    head: gst::Element,
    settings: &Faces,
    taker: FaceTaker,
) -> Result<Vec<gst::Element>, GraphError> {
    let (encoder, media) = match settings.format {
        PictureFormat::Png => ("pngenc", "image/png"),
        PictureFormat::Jpeg => ("jpegenc", "image/jpeg"),
    };
    // Each picture gets an encoder of its own; one that is missing is better told now than then.
    element(encoder)?;
    let rgb = element("capsfilter")?;
    rgb.set_property("caps", gst::Caps::builder("video/x-raw").field("format", "RGB").build());
    if let Some(pad) = head.static_pad("sink") {
        pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
            let report = info.buffer().and_then(|buffer| meta::read(buffer));
            let changes = report.is_some_and(|report| report.events.iter().any(is_change));
            if changes { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
        });
    }
    let (margin, media) = (settings.margin, gst::Caps::new_empty_simple(media));
    let sink = sink_for(move |sample| {
        let Some(report) = sample.buffer().and_then(meta::read) else { return Ok(()) };
        for (change, rect) in changes(&report) {
            if let Some(crop) = cut(sample, &rect.expanded(margin), &media)? {
                taker(&change, &crop)?;
            }
        }
        Ok(())
    });
    Ok(vec![head, element("videoconvert")?, rgb, sink])
}

fn is_change(event: &Event) -> bool {
    matches!(event.kind, EventKind::EmotionChanged { .. })
}

/// The changes that a report tells of, and where the faces are, as fractions of the frame.
fn changes(report: &FrameReport) -> impl Iterator<Item = (Change, Rect)> {
    report.events.iter().filter_map(|event| {
        let EventKind::EmotionChanged { from, to } = event.kind else { return None };
        let face = report.faces.iter().find(|face| face.track == event.track)?;
        let change = Change { track: event.track, from, to, time: report.time.nanos() };
        Some((change, face.rect))
    })
}

/// What lies within `rect` as a picture; `None` for what lies outside of the frame.
fn cut(sample: &gst::SampleRef, rect: &Rect, media: &gst::Caps) -> Result<Option<Vec<u8>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("a picture cannot be made: {error}");
    let info = sample.caps().and_then(|caps| VideoInfo::from_caps(caps).ok());
    let (Some(info), Some(buffer)) = (info, sample.buffer()) else {
        return Err(failed(&"the frame is no raw video"));
    };
    let rect = rect.scaled(info.width() as f32, info.height() as f32);
    let Some(place) = rect.touched_pixels(info.width(), info.height()) else { return Ok(None) };
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|e| failed(&e))?;
    let crop = cropped(&frame, place).map_err(|error| failed(&error))?;
    picture::encoded(&crop, media).map(Some).map_err(|error| failed(&error))
}

/// A part of an RGB frame.
fn cropped(
    frame: &VideoFrameRef<&gst::BufferRef>,
    PixelRect { x, y, w: width, h: height }: PixelRect,
) -> Result<gst::Sample, gst::glib::BoolError> {
    let info =
        VideoInfo::builder(VideoFormat::Rgb, width, height).par(frame.info().par()).build()?;
    let mut crop = gst::Buffer::with_size(info.size())?;
    {
        let mut to = VideoFrameRef::from_buffer_ref_writable(crop.make_mut(), &info)?;
        let strides = (frame.plane_stride()[0] as usize, to.plane_stride()[0] as usize);
        let (from, to) = (frame.plane_data(0)?, to.plane_data_mut(0)?);
        let (x, y, width) = (x as usize, y as usize, width as usize);
        let rows = from.chunks(strides.0).skip(y).zip(to.chunks_mut(strides.1));
        for (from, to) in rows {
            to[..3 * width].copy_from_slice(&from[3 * x..3 * (x + width)]);
        }
    }
    Ok(gst::Sample::builder().buffer(&crop).caps(&info.to_caps()?).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of four coloured quarters: the picture shows the one that was asked for, as wide as it
    /// is where its pixels are shown.
    fn assert_shows_what_was_there(pixel_aspect: gst::Fraction, width: u32) {
        gst::init().unwrap();
        let info = VideoInfo::builder(VideoFormat::Rgb, 40, 40).par(pixel_aspect).build().unwrap();
        let mut bytes = vec![0_u8; 40 * 40 * 3];
        for (index, pixel) in bytes.chunks_exact_mut(3).enumerate() {
            let (x, y) = (index % 40, index / 40);
            pixel.copy_from_slice(&[
                if x < 20 { 250 } else { 10 },
                if y < 20 { 250 } else { 10 },
                7,
            ]);
        }
        let frame = gst::Buffer::from_mut_slice(bytes);
        let sample = gst::Sample::builder().buffer(&frame).caps(&info.to_caps().unwrap()).build();
        let png = gst::Caps::new_empty_simple("image/png");
        let picture = cut(&sample, &Rect::new(0.5, 0.0, 0.5, 0.5), &png).unwrap().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let shown = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((shown.width, shown.height), (width, 20));
        let all = pixels[..shown.buffer_size()].chunks_exact(shown.color_type.samples());
        assert!(all.into_iter().all(|pixel| pixel[..3] == [10, 250, 7]));
        assert_eq!(cut(&sample, &Rect::new(2.0, 0.0, 0.5, 0.5), &png), Ok(None));
    }

    #[test]
    fn a_picture_shows_what_was_there() {
        assert_shows_what_was_there(gst::Fraction::new(1, 1), 20);
        assert_shows_what_was_there(gst::Fraction::new(64, 45), 28);
        assert_shows_what_was_there(gst::Fraction::new(1, 2), 10);
    }
}
