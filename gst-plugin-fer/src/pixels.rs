//! A mapped GStreamer frame as `fer-core` sees frames.

use std::sync::LazyLock;

use fer_core::frame::{Component, Frame, FrameError, LumaRange, Pixels};
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef};

/// The raw formats that every element of this plugin takes.
pub(crate) const FORMATS: [VideoFormat; 17] = [
    VideoFormat::I420,
    VideoFormat::Yv12,
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Gray8,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Xrgb,
    VideoFormat::Xbgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Argb,
    VideoFormat::Abgr,
];

/// Least and greatest width and height, in pixels.
pub(crate) const SIDES: std::ops::RangeInclusive<i32> = 16..=8192;

/// Caps of all formats and sizes taken.
pub(crate) fn caps() -> gst::Caps {
    let sides = gst::IntRange::new(*SIDES.start(), *SIDES.end());
    gst_video::VideoCapsBuilder::new()
        .format_list(FORMATS)
        .field("width", sides)
        .field("height", sides)
        .build()
}

/// Always-pads `sink` and `src` with those caps.
pub(crate) fn pad_templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
        LazyLock::new(|| always_pads(&caps(), &caps()));
    &TEMPLATES
}

/// Templates of the always-pads `sink` and `src`. One that GStreamer refuses is left out and
/// logged: a class that is being registered cannot fail.
pub(crate) fn always_pads(sink: &gst::Caps, src: &gst::Caps) -> Vec<gst::PadTemplate> {
    let template = |name: &str, direction, caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
            .inspect_err(|error| gst::error!(gst::CAT_RUST, "no pad template {name}: {error}"))
            .ok()
    };
    let pads = [("sink", gst::PadDirection::Sink, sink), ("src", gst::PadDirection::Src, src)];
    pads.into_iter().filter_map(|(name, direction, caps)| template(name, direction, caps)).collect()
}

/// A buffer with these parts of another: it shares memory, or has a copy of what cannot be shared.
///
/// `to_owned` and `make_mut` have no way to say that there was no memory for one: they would go on
/// with a buffer at address 0.
///
/// # Errors
/// The memory could be neither shared nor copied.
pub(crate) fn copy(
    buffer: &gst::BufferRef,
    parts: gst::BufferCopyFlags,
) -> Result<gst::Buffer, String> {
    buffer.copy_region(parts, ..).map_err(|_| {
        format!(
            "a frame of {} bytes cannot be copied: its memory refuses, or none is left",
            buffer.size()
        )
    })
}

/// Offers upstream to pad its rows as it likes, so that it need not copy pictures into tight ones:
/// where downstream takes that too, which gets the very buffers. That frames are cropped by a meta is
/// refused, whatever downstream says: here the whole is looked at.
pub(crate) fn settle_metas(element: &impl IsA<gst::Element>, query: &mut gst::query::Allocation) {
    while let Some(index) = query.find_allocation_meta::<gst_video::VideoCropMeta>() {
        query.remove_nth_allocation_meta(index);
    }
    let mut asked = gst::query::Allocation::new(query.get_owned().0.as_ref(), false);
    let pad = element.static_pad("src");
    let takes_any = pad.is_some_and(|pad| pad.peer_query(&mut asked))
        && asked.find_allocation_meta::<gst_video::VideoMeta>().is_some();
    if takes_any && query.find_allocation_meta::<gst_video::VideoMeta>().is_none() {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
    }
}

/// How many bytes of a plane may be touched; `None` where it does not lie in the buffer.
///
/// GStreamer believes what a video meta says, and the bindings give as many bytes as that makes.
pub(crate) fn plane_length(frame: &impl VideoFrameExt, plane: u32) -> Option<usize> {
    let stride = usize::try_from(*frame.plane_stride().get(plane as usize)?).ok()?;
    let stated = stride * frame.plane_height(plane) as usize;
    let buffer = frame.buffer();
    if buffer.meta::<gst_video::VideoMeta>().is_none() {
        // Mapping has held the caps against the buffer's size.
        return Some(stated);
    }
    let offset = frame.plane_offset()[plane as usize];
    let (memories, skip) = buffer.find_memory(offset..offset.checked_add(1)?)?;
    let there = buffer.peek_memory(memories.start).size().checked_sub(skip)?;
    // The last row need not be as long as the others.
    (stated < there + stride).then_some(stated.min(there))
}

/// Borrows the planes of a mapped frame; nothing is copied.
///
/// # Errors
/// The buffer is shorter than its caps or video meta say.
pub(crate) fn view<'a>(frame: &'a VideoFrameRef<&gst::BufferRef>) -> Result<Frame<'a>, FrameError> {
    let info = frame.format_info();
    let component = |index: usize| -> Component<'a> {
        let plane = info.plane()[index];
        // A plane that is missing or too short is refused by `Frame::new`.
        let data = plane_length(frame, plane)
            .and_then(|length| frame.plane_data(plane).ok()?.get(..length))
            .unwrap_or_default();
        let offset = (info.poffset()[index] as usize).min(data.len());
        Component::new(
            &data[offset..],
            frame.plane_stride()[plane as usize].max(0) as usize,
            info.pixel_stride()[index].max(0) as usize,
            info.w_sub()[index],
            info.h_sub()[index],
        )
    };
    let pixels = if info.is_gray() {
        Pixels::Grey(component(0))
    } else if info.is_rgb() {
        Pixels::Rgb { r: component(0), g: component(1), b: component(2) }
    } else {
        Pixels::Yuv { y: component(0), u: component(1), v: component(2) }
    };
    let colorimetry = frame.info().colorimetry();
    let range = match colorimetry.range() {
        VideoColorRange::Range16_235 if !info.is_rgb() => LumaRange::Limited,
        _ => LumaRange::Full,
    };
    let bt709 = colorimetry.matrix() == VideoColorMatrix::Bt709;
    let view = Frame::new(frame.width() as usize, frame.height() as usize, pixels)?;
    let aspect = frame.info().par();
    let aspect = aspect.numer() as f32 / aspect.denom() as f32;
    Ok(view.with_colorimetry(range, bt709).with_pixel_aspect(aspect))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GStreamer holds caps against the size of a buffer, but no video meta.
    #[test]
    fn planes_that_a_video_meta_places_outside_of_the_buffer_are_not_touched() {
        gst::init().unwrap();
        let info = gst_video::VideoInfo::builder(VideoFormat::Nv12, 32, 16).build().unwrap();
        // Rows of 40 bytes; the last one of chroma may end after 32.
        let fits = |size: usize| {
            let mut buffer = gst::Buffer::from_mut_slice(vec![100_u8; 40 * 24]);
            let writable = buffer.get_mut().unwrap();
            let flags = gst_video::VideoFrameFlags::empty();
            let (format, offset, stride) = (info.format(), [0, 40 * 16], [40, 40]);
            gst_video::VideoMeta::add_full(writable, flags, format, 32, 16, &offset, &stride)
                .unwrap();
            writable.set_size(size);
            let readable = VideoFrameRef::from_buffer_ref_readable(&buffer, &info)
                .is_ok_and(|frame| view(&frame).is_ok());
            let writable = buffer.get_mut().unwrap();
            let drawable = VideoFrameRef::from_buffer_ref_writable(writable, &info)
                .is_ok_and(|mut frame| crate::draw::Canvas::new(&mut frame).is_ok());
            assert_eq!(readable, drawable, "{size}");
            readable
        };
        assert!(fits(40 * 24) && fits(40 * 24 - 8));
        for size in [40 * 24 - 9, 40 * 22, 40 * 16 + 1, 40 * 16, 100] {
            assert!(!fits(size), "{size}");
        }
    }

    /// Red, in every format, by GStreamer's own conversion, is red for us.
    #[test]
    fn every_format_shows_the_same_colour() {
        gst::init().unwrap();
        let size = (37u32, 23u32);
        let rgb = gst_video::VideoInfo::builder(VideoFormat::Rgb, size.0, size.1).build().unwrap();
        let mut red = gst::Buffer::with_size(rgb.size()).unwrap();
        {
            let buffer = red.get_mut().unwrap();
            let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer, &rgb).unwrap();
            let stride = frame.plane_stride()[0] as usize;
            for row in frame.plane_data_mut(0).unwrap().chunks_mut(stride) {
                for pixel in row[..3 * size.0 as usize].chunks_exact_mut(3) {
                    pixel.copy_from_slice(&[200, 40, 60]);
                }
            }
        }
        for format in FORMATS {
            let info = gst_video::VideoInfo::builder(format, size.0, size.1).build().unwrap();
            let sample = gst::Sample::builder().buffer(&red).caps(&rgb.to_caps().unwrap()).build();
            let converted =
                gst_video::convert_sample(&sample, &info.to_caps().unwrap(), gst::ClockTime::NONE)
                    .unwrap();
            let buffer = converted.buffer().unwrap();
            let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).unwrap();
            let view = view(&frame).unwrap();
            // .299·200 + .587·40 + .114·60 = 90.1
            for (x, y) in [(0, 0), (36, 22), (18, 11)] {
                let luma = i32::from(view.luma(x, y));
                assert!((luma - 90).abs() <= 3, "{format:?} {luma}");
                let [r, g, b] = view.rgb(x, y).map(i32::from);
                let expected = if format == VideoFormat::Gray8 { [90; 3] } else { [200, 40, 60] };
                let [er, eg, eb] = expected;
                let far = (r - er).abs().max((g - eg).abs()).max((b - eb).abs());
                assert!(far <= 6, "{format:?} {r} {g} {b}");
            }
        }
    }
}
