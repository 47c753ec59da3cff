//! `feroverlay` as an application sees it: through pads and properties.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use fer_core::emotion::{Emotion, Probabilities};
use fer_core::geometry::Rect;
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst::prelude::*;
use gst_check::Harness;

const FORMATS: [&str; 17] = [
    "GRAY8", "I420", "YV12", "NV12", "NV21", "YUY2", "UYVY", "RGB", "BGR", "RGBx", "BGRx", "xRGB",
    "xBGR", "RGBA", "BGRA", "ARGB", "ABGR",
];

fn init() {
    gst::init().unwrap();
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| gstfer::plugin_register_static().unwrap());
}

fn report() -> FrameReport {
    let smoothed = Probabilities::from_weights([1., 1., 1., 14., 1., 1., 1.]).unwrap();
    let face = FaceReport {
        track: 4,
        rect: Rect::new(0.25, 0.25, 0.5, 0.5),
        confidence: 0.9,
        detected: true,
        emotion: Some(FaceEmotion {
            stable: Some(Emotion::Happiness),
            since: MediaTime::ZERO,
            smoothed,
            raw: smoothed,
            model: "test".into(),
            inferred: true,
            age: Duration::ZERO,
        }),
    };
    FrameReport { faces: vec![face], ..FrameReport::default() }
}

fn harness(launch: &str, format: &str, width: i32, height: i32) -> (Harness, gst_video::VideoInfo) {
    init();
    let mut harness = Harness::new_parse(launch);
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(25, 1))
        .build();
    harness.set_src_caps(caps.clone());
    (harness, gst_video::VideoInfo::from_caps(&caps).unwrap())
}

fn buffer(info: &gst_video::VideoInfo, index: u64, report: Option<&FrameReport>) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![77; info.size()]);
    let target = buffer.get_mut().unwrap();
    target.set_pts(gst::ClockTime::from_mseconds(40 * index));
    target.set_dts(gst::ClockTime::from_mseconds(40 * index + 1));
    target.set_duration(gst::ClockTime::from_mseconds(40));
    target.set_offset(index);
    if index.is_multiple_of(3) {
        target.set_flags(gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::MARKER);
    }
    if let Some(report) = report {
        gstfer::meta::write(target, report).unwrap();
    }
    buffer
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

#[test]
fn a_hundred_in_are_a_hundred_out_with_their_times() {
    let (mut harness, info) = harness("feroverlay", "NV12", 321, 241);
    for index in 0..100 {
        let report = report();
        let input = buffer(&info, index, (index % 2 == 0).then_some(&report));
        let flags = input.flags();
        let before = bytes(&input);
        assert_eq!(harness.push(input), Ok(gst::FlowSuccess::Ok));
        let output = harness.pull().unwrap();
        assert_eq!(output.pts(), Some(gst::ClockTime::from_mseconds(40 * index)));
        assert_eq!(output.dts(), Some(gst::ClockTime::from_mseconds(40 * index + 1)));
        assert_eq!(output.duration(), Some(gst::ClockTime::from_mseconds(40)));
        assert_eq!((output.offset(), output.flags()), (index, flags));
        assert_eq!(bytes(&output) != before, index % 2 == 0);
        assert_eq!(gstfer::meta::read(&output).is_some(), index % 2 == 0);
    }
    assert_eq!(harness.buffers_in_queue(), 0);
}

#[test]
fn every_format_is_drawn_on_and_hidden_in() {
    for format in FORMATS {
        for launch in ["feroverlay", "feroverlay draw=false privacy=blur"] {
            let (mut harness, info) = harness(launch, format, 37, 29);
            let mut input = buffer(&info, 0, Some(&report()));
            // A face of one colour looks the same when it is blurred.
            let target = input.get_mut().unwrap();
            for (index, byte) in target.map_writable().unwrap().iter_mut().enumerate() {
                *byte = (index * 89 % 251) as u8;
            }
            let before = bytes(&input);
            harness.push(input).unwrap();
            assert_ne!(bytes(&harness.pull().unwrap()), before, "{launch} on {format}");
        }
    }
}

/// As where an analysis has failed: what cannot be looked for cannot be left to be seen.
#[test]
fn without_a_report_all_is_hidden() {
    let unseen = FrameReport { unseen: true, ..FrameReport::default() };
    for (how, report) in [("blur", None), ("pixelate", None), ("blur", Some(&unseen))] {
        let (mut harness, info) = harness(&format!("feroverlay privacy={how}"), "GRAY8", 60, 60);
        let mut input = buffer(&info, 0, report);
        let target = input.get_mut().unwrap();
        for (index, byte) in target.map_writable().unwrap().iter_mut().enumerate() {
            *byte = if index % 2 == 0 { 0 } else { 200 };
        }
        harness.push(input).unwrap();
        let output = bytes(&harness.pull().unwrap());
        assert!(output.iter().all(|byte| (95..=105).contains(byte)), "{how}: {:?}", &output[..60]);
    }
}

/// As by `videoscale`, which adds borders unless it is told not to, and by whatever crops.
#[test]
fn where_faces_are_elsewhere_by_now_all_is_hidden() {
    for (shape, is_whole) in [(1.0, false), (16.0 / 9.0, true)] {
        let (mut harness, info) =
            harness("feroverlay draw=false privacy=pixelate", "GRAY8", 60, 60);
        let bus = gst::Bus::new();
        harness.element().unwrap().set_bus(Some(&bus));
        for index in 0..2 {
            let mut input = buffer(&info, index, Some(&report()));
            let target = input.get_mut().unwrap();
            for (index, byte) in target.map_writable().unwrap().iter_mut().enumerate() {
                *byte = if index % 2 == 0 { 0 } else { 200 };
            }
            gstfer::meta::write_shape(target, shape);
            harness.push(input).unwrap();
            let output = bytes(&harness.pull().unwrap());
            // The first pixel is in no face.
            assert_eq!(output[0] != 0, is_whole, "{shape}");
        }
        let warnings = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]));
        assert_eq!(warnings.count(), usize::from(is_whole), "{shape}");
    }
}

/// As by a `videoflip` that mirrors, or a `videocrop` that leaves the middle: neither changes the report.
#[test]
fn where_faces_were_moved_in_a_frame_of_the_same_shape_all_is_hidden() {
    for (between, is_whole) in [
        ("identity", false),
        ("videoflip video-direction=identity", false),
        ("videoflip video-direction=horiz", true),
        ("videocrop left=6 right=6 top=6 bottom=6", true),
    ] {
        let line = format!("{between} ! feroverlay draw=false privacy=pixelate");
        let (mut harness, info) = harness(&line, "GRAY8", 60, 60);
        let mut input = buffer(&info, 0, Some(&report()));
        let target = input.get_mut().unwrap();
        for (index, byte) in target.map_writable().unwrap().iter_mut().enumerate() {
            *byte = if index % 2 == 0 { 0 } else { 200 };
        }
        harness.push(input).unwrap();
        let output = bytes(&harness.pull().unwrap());
        // The first two pixels are in no face.
        assert_eq!(output[0].abs_diff(output[1]) < 100, is_whole, "{between}");
    }
}

/// The very same memory comes out, although somebody else holds the buffer as well.
#[test]
fn what_needs_nothing_is_not_copied() {
    let empty = FrameReport::default();
    let full = report();
    for (launch, report) in [
        ("feroverlay", None),
        ("feroverlay privacy=pixelate", Some(&empty)),
        ("feroverlay draw=false", Some(&full)),
    ] {
        let (mut harness, info) = harness(launch, "I420", 64, 48);
        let input = buffer(&info, 0, report);
        let held = input.clone();
        harness.push(input).unwrap();
        let output = harness.pull().unwrap();
        assert_eq!(output.as_ptr(), held.as_ptr(), "{launch}");
    }
}

#[test]
fn a_shared_buffer_is_copied_before_it_is_drawn_on() {
    let (mut harness, info) = harness("feroverlay", "RGB", 64, 48);
    let input = buffer(&info, 0, Some(&report()));
    let held = input.clone();
    harness.push(input).unwrap();
    let output = harness.pull().unwrap();
    assert!(bytes(&held).iter().all(|byte| *byte == 77));
    assert_ne!(bytes(&output), bytes(&held));
}

#[test]
fn a_writable_buffer_is_drawn_on_in_place() {
    let (mut harness, info) = harness("feroverlay", "RGB", 64, 48);
    let input = buffer(&info, 0, Some(&report()));
    let address = input.map_readable().unwrap().as_ptr();
    harness.push(input).unwrap();
    assert_eq!(harness.pull().unwrap().map_readable().unwrap().as_ptr(), address);
}

#[test]
fn properties_hold_from_the_next_buffer_and_caps_may_change() {
    let (mut harness, info) = harness("feroverlay name=o draw=false", "GRAY8", 640, 480);
    let bin = harness.element().unwrap().downcast::<gst::Bin>().unwrap();
    let element = bin.by_name("o").unwrap();
    let drawn = |harness: &mut Harness, info: &gst_video::VideoInfo| {
        harness.push(buffer(info, 0, Some(&report()))).unwrap();
        bytes(&harness.pull().unwrap())
    };
    let plain = drawn(&mut harness, &info);
    assert!(plain.iter().all(|byte| *byte == 77));
    element.set_property("draw", true);
    let english = drawn(&mut harness, &info);
    assert_ne!(english, plain);
    element.set_property_from_str("labels-language", "ru");
    let russian = drawn(&mut harness, &info);
    assert_ne!(russian, english);
    element.set_property("bars", false);
    assert_ne!(drawn(&mut harness, &info), russian);
    let larger =
        gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgba, 800, 600).build().unwrap();
    harness.set_src_caps(larger.to_caps().unwrap());
    let colourful = drawn(&mut harness, &larger);
    assert_eq!(colourful.len(), 800 * 600 * 4);
    assert!(colourful.iter().any(|byte| *byte != 77));
}

/// Pixels twice as wide as high need half as many columns as rows for the same thickness.
#[test]
fn lines_are_equally_thick_as_shown() {
    // Lines are side · scale / 270 + .2 thick; the side is 540, but 320 where 640 are shown as that.
    for (aspect, columns, rows) in [((1, 1), 8, 8), ((2, 1), 4, 8), ((1, 2), 10, 5)] {
        let (mut harness, info) = harness("feroverlay bars=false scale=4", "GRAY8", 640, 540);
        let caps = info.to_caps().unwrap();
        let mut caps = caps.copy();
        let par = gst::Fraction::new(aspect.0, aspect.1);
        caps.make_mut().set("pixel-aspect-ratio", par);
        harness.set_src_caps(caps);
        harness.push(buffer(&info, 0, Some(&report()))).unwrap();
        let output = bytes(&harness.pull().unwrap());
        // Happiness is (240, 228, 66): luma .299·240 + .587·228 + .114·66 = 213.
        let coloured = |x: usize, y: usize| output[y * 640 + x] == 213;
        // The box is 160..480 × 135..405.
        let left = (160..200).filter(|&x| coloured(x, 270)).count();
        let right = (440..480).filter(|&x| coloured(x, 270)).count();
        let bottom = (365..405).filter(|&y| coloured(400, y)).count();
        assert_eq!((left, right, bottom), (columns, columns, rows), "{aspect:?}");
    }
}

/// Caps without a framerate, buffers without times: a still picture from a file.
#[test]
fn a_picture_without_framerate_or_time_is_drawn_on() {
    init();
    let mut harness = Harness::new_parse("feroverlay");
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGB")
        .field("width", 64)
        .field("height", 48)
        .build();
    harness.set_src_caps(caps);
    let mut input = gst::Buffer::from_mut_slice(vec![77; 64 * 3 * 48]);
    gstfer::meta::write(input.get_mut().unwrap(), &report()).unwrap();
    harness.push(input).unwrap();
    let output = harness.pull().unwrap();
    assert_eq!(output.pts(), None);
    assert!(bytes(&output).iter().any(|byte| *byte != 77));
}

#[test]
fn a_buffer_that_is_too_short_is_an_element_error_that_says_so() {
    let (mut harness, _) = harness("feroverlay", "RGB", 64, 48);
    let element = harness.element().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut short = gst::Buffer::from_mut_slice(vec![0; 100]);
    gstfer::meta::write(short.get_mut().unwrap(), &report()).unwrap();
    assert_eq!(harness.push(short), Err(gst::FlowError::Error));
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    let debug = error.debug().unwrap();
    assert!(debug.contains("100 bytes") && debug.contains("needs 9216"), "{debug}");
}

#[test]
fn late_buffers_are_not_dropped() {
    init();
    let element = gst::ElementFactory::make("feroverlay").build().unwrap();
    assert!(!element.property::<bool>("qos"));
    let (mut harness, info) = harness("feroverlay", "I420", 64, 48);
    let late = gst::event::Qos::builder(gst::QOSType::Underflow, 4.0, 500_000_000)
        .timestamp(gst::ClockTime::from_seconds(100))
        .build();
    harness.push_upstream_event(late);
    for index in 0..10 {
        harness.push(buffer(&info, index, Some(&report()))).unwrap();
        assert!(harness.try_pull().is_some(), "buffer {index}");
    }
}

/// Upstream may pad its rows, and need not copy pictures into tight ones, if whoever gets them next
/// can read those.
#[test]
fn upstream_may_pad_rows_where_downstream_can_read_them() {
    for name in ["feroverlay", "ferdetect"] {
        for can_read in [false, true] {
            let (mut harness, info) = harness(name, "I420", 321, 241);
            let crop = <gst_video::VideoCropMeta as gst::MetaAPI>::meta_api();
            harness.add_propose_allocation_meta(crop, None);
            if can_read {
                let meta = <gst_video::VideoMeta as gst::MetaAPI>::meta_api();
                harness.add_propose_allocation_meta(meta, None);
            }
            let mut query = gst::query::Allocation::new(Some(&info.to_caps().unwrap()), true);
            assert!(harness.srcpad().unwrap().peer_query(&mut query), "{name}");
            let may = query.find_allocation_meta::<gst_video::VideoMeta>().is_some();
            assert_eq!(may, can_read, "{name}");
            // Nobody crops what is looked at as a whole.
            assert!(query.find_allocation_meta::<gst_video::VideoCropMeta>().is_none(), "{name}");
        }
    }
}

#[test]
fn the_element_reads_like_its_documentation() {
    init();
    let factory = gst::ElementFactory::find("feroverlay").unwrap();
    assert_eq!(factory.rank(), gst::Rank::NONE);
    assert_eq!(factory.metadata("klass"), Some("Filter/Effect/Video"));
    let element = factory.create().build().unwrap();
    for name in ["draw", "bars", "labels-language", "scale", "privacy"] {
        let property = element.find_property(name).unwrap();
        assert!(property.blurb().is_some_and(|blurb| blurb.len() > 20), "{name}");
        assert!(property.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING), "{name}");
    }
    element.set_property_from_str("privacy", "pixelate");
}
