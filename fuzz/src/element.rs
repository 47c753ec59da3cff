//! `ferdetect` itself: caps, buffers and metadata of any kind come out again, or are a flow error.

use gst::glib::translate::IntoGlib;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};

const FORMATS: [VideoFormat; 6] = [
    VideoFormat::Gray8,
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Yuy2,
    VideoFormat::Rgb,
    VideoFormat::Bgra,
];

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| {
            let Some((first, rest)) = self.0.split_first() else { return 0 };
            self.0 = rest;
            *first
        })
    }

    fn byte(&mut self) -> usize {
        usize::from(self.bytes::<1>()[0])
    }

    /// Whether the next byte is one of every `of`.
    fn is_chosen(&mut self, of: usize) -> bool {
        self.byte().is_multiple_of(of)
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    /// Most often `usual` and a little more or less, sometimes anything.
    fn near(&mut self, usual: i64) -> i64 {
        match self.byte() as i64 {
            0..=127 => usual,
            255 => i64::from(self.word() as i32),
            254 => i64::from_le_bytes(self.bytes()),
            little => usual.saturating_add(little - 191),
        }
    }
}

/// Pushes up to four buffers, made out of `data`, through one element.
pub fn run(data: &[u8]) {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        if let Err(error) = gst::init() {
            panic!("{error}");
        }
        if let Err(error) = gstfer::plugin_register_static() {
            panic!("{error}");
        }
        // Models stay loaded while an element is there that has loaded them.
        std::mem::forget(harness("none").1);
    });
    let mut input = Input(data);
    let (_element, mut harness) = harness(if input.is_chosen(4) { "none" } else { "upstream" });
    let format = FORMATS[input.byte() % FORMATS.len()];
    let (width, height) = (16 + input.byte() as u32 % 60, 16 + input.byte() as u32 % 60);
    let Ok(info) = VideoInfo::builder(format, width, height).build() else { return };
    let Ok(caps) = info.to_caps() else { return };
    harness.set_src_caps(caps);
    for _ in 0..4 {
        if input.0.is_empty() {
            break;
        }
        let buffer = buffer(&mut input, &info);
        if harness.push(buffer).is_err() {
            break;
        }
        assert!(harness.pull().is_ok(), "a frame that goes in comes out");
    }
}

/// A playing element.
fn harness(detector: &str) -> (gst::Element, gst_check::Harness) {
    let made = gst::ElementFactory::make("ferdetect").property("detector", detector).build();
    let Ok(element) = made else { panic!("no ferdetect") };
    element.set_property_from_str("analysis", "inline");
    element.set_property("inference-interval", 0_u32);
    let harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    (element, harness)
}

fn buffer(input: &mut Input<'_>, info: &VideoInfo) -> gst::Buffer {
    // In one piece or in two.
    let size = input.near(info.size() as i64).clamp(0, 1 << 18) as usize;
    let mut bytes: Vec<u8> = (0..size).map(|index| (index * 37) as u8).collect();
    let tail = if input.is_chosen(4) { bytes.split_off(size / 2) } else { Vec::new() };
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let Some(writable) = buffer.get_mut() else { return buffer };
    if !tail.is_empty() {
        writable.append_memory(gst::Memory::from_mut_slice(tail));
    }
    if !input.is_chosen(4) {
        writable.set_pts(gst::ClockTime::from_nseconds(u64::from(input.word())));
    }
    if !input.is_chosen(2) {
        add_video_meta(input, writable, info);
    }
    for _ in 0..input.byte() % 4 {
        let kind = if !input.is_chosen(4) { "face" } else { "car" };
        let mut side = |limit: u32| {
            let number = input.word();
            if number & 3 > 0 { number / 4 % limit } else { number }
        };
        let rect = (side(80), side(80), side(80), side(80));
        let mut region = VideoRegionOfInterestMeta::add(writable, kind, rect);
        if !input.is_chosen(2) {
            let confidence = f64::from_le_bytes(input.bytes());
            region.add_param(
                gst::Structure::builder("detection").field("confidence", confidence).build(),
            );
        }
    }
    buffer
}

/// A video meta that need not fit: what the safe function refuses comes from elements in C.
fn add_video_meta(input: &mut Input<'_>, buffer: &mut gst::BufferRef, info: &VideoInfo) {
    let planes = info.n_planes();
    let mut offsets = [0_usize; 4];
    let mut strides = [0_i32; 4];
    for plane in 0..planes as usize {
        offsets[plane] = input.near(info.offset()[plane] as i64) as usize;
        strides[plane] = input.near(i64::from(info.stride()[plane])) as i32;
    }
    // A smaller picture GStreamer refuses itself, with a critical message that ends tests.
    let width = (input.near(i64::from(info.width())) as u32).max(info.width());
    let height = (input.near(i64::from(info.height())) as u32).max(info.height());
    let format = info.format().into_glib();
    // SAFETY: the buffer is writable, and the arrays have the four entries that are read at most.
    unsafe {
        gst_video::ffi::gst_buffer_add_video_meta_full(
            buffer.as_mut_ptr(),
            gst_video::ffi::GST_VIDEO_FRAME_FLAG_NONE,
            format,
            width,
            height,
            planes,
            &raw const offsets,
            &raw const strides,
        );
    }
}
