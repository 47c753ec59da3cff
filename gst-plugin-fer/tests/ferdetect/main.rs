//! `ferdetect` in a harness: what it promises about buffers, settings and errors. What it sees on
//! real faces is tested end to end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "v1_24")]
mod analytics;
mod load;

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};

const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstfer::plugin_register_static().unwrap();
    });
}

fn smoothers() -> String {
    fer_core::registry::smoothers().names().collect::<Vec<_>>().join(", ")
}

fn element(detector: &str) -> gst::Element {
    init();
    gst::ElementFactory::make("ferdetect").property("detector", detector).build().unwrap()
}

/// A playing element and the bus it posts to.
fn harness(element: &gst::Element) -> (Harness, gst::Bus) {
    // A harness says that it is live, and live sources are analysed in the background.
    harness_in(element, "inline")
}

/// The same in another mode, which holds from the start.
fn harness_in(element: &gst::Element, mode: &str) -> (Harness, gst::Bus) {
    let bus = gst::Bus::new();
    element.set_property_from_str("analysis", mode);
    let harness = Harness::with_element(element, Some("sink"), Some("src"));
    element.set_bus(Some(&bus));
    (harness, bus)
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    init();
    VideoInfo::builder(format, width, height).fps(gst::Fraction::new(25, 1)).build().unwrap()
}

/// A buffer with noise in it, whose rows end `padding` bytes later than caps alone would say.
fn padded(info: &VideoInfo, padding: usize, index: u64) -> gst::Buffer {
    let planes = info.n_planes() as usize;
    let stride: Vec<i32> =
        info.stride()[..planes].iter().map(|stride| stride + padding as i32).collect();
    let mut offset = Vec::new();
    let mut size = 0;
    for (plane, stride) in stride.iter().enumerate() {
        offset.push(size);
        let component = info.format_info().plane().iter().position(|&p| p as usize == plane);
        let rows = info.comp_height(component.unwrap() as u8) as usize;
        size += *stride as usize * rows;
    }
    let bytes: Vec<u8> = (0..size as u64).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let buffer_ref = buffer.get_mut().unwrap();
    let (format, width, height) = (info.format(), info.width(), info.height());
    let flags = gst_video::VideoFrameFlags::empty();
    gst_video::VideoMeta::add_full(buffer_ref, flags, format, width, height, &offset, &stride)
        .unwrap();
    buffer_ref.set_pts(FRAME * index);
    buffer_ref.set_dts(FRAME * index);
    buffer_ref.set_duration(FRAME);
    buffer_ref.set_offset(index);
    buffer
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

fn error(bus: &gst::Bus) -> String {
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    format!("{} {}", error.error(), error.debug().unwrap_or_default())
}

fn warnings(bus: &gst::Bus) -> Vec<String> {
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]))
        .map(|message| match message.view() {
            gst::MessageView::Warning(warning) => {
                format!("{} {}", warning.error(), warning.debug().unwrap_or_default())
            }
            _ => unreachable!(),
        })
        .collect()
}

fn formats() -> Vec<VideoFormat> {
    init();
    let factory = gst::ElementFactory::find("ferdetect").unwrap();
    let templates = factory.static_pad_templates();
    let caps = templates.iter().next().unwrap().caps();
    let list = caps.structure(0).unwrap().get::<gst::List>("format").unwrap();
    list.iter().map(|name| VideoFormat::from_string(name.get::<&str>().unwrap())).collect()
}

#[test]
fn every_format_goes_through_unharmed() {
    assert_eq!(formats().len(), 17);
    for format in formats() {
        for (width, height) in [(16, 16), (33, 17), (321, 241)] {
            let info = info(format, width, height);
            let element = element("haar");
            element.set_property("draw", false);
            let (mut harness, bus) = harness(&element);
            harness.set_src_caps(info.to_caps().unwrap());
            for index in 0..10 {
                let buffer = padded(&info, 7, index);
                let before = bytes(&buffer);
                harness.push(buffer).unwrap();
                let after = harness.pull().unwrap();
                let case = format!("{format:?} {width}×{height}");
                assert_eq!(bytes(&after), before, "{case}");
                assert_eq!(after.pts(), Some(FRAME * index), "{case}");
                assert_eq!(after.dts(), Some(FRAME * index), "{case}");
                assert_eq!(after.duration(), Some(FRAME), "{case}");
                assert_eq!(after.offset(), index, "{case}");
                assert!(gstfer::meta::read(&after).is_some(), "{case}");
            }
            assert_eq!(warnings(&bus), [] as [String; 0]);
        }
    }
}

/// One grey frame with a face that an earlier element found.
fn with_face(info: &VideoInfo, index: u64) -> gst::Buffer {
    let mut buffer = padded(info, 0, index);
    let face = (40, 20, 64, 64);
    VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", face);
    buffer
}

fn events(bus: &gst::Bus) -> Vec<String> {
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
        .filter_map(|message| message.structure()?.get("event").ok())
        .collect()
}

#[test]
fn faces_of_an_earlier_element_are_followed_named_and_told_of() {
    let info = info(VideoFormat::Nv12, 160, 120);
    let (mut harness, bus) = harness(&element("upstream"));
    harness.set_src_caps(info.to_caps().unwrap());
    for index in 0..5 {
        harness.push(with_face(&info, index)).unwrap();
        let after = harness.pull().unwrap();
        let report = gstfer::meta::read(&after).unwrap();
        assert_eq!(report.faces.len(), 1);
        let face = &report.faces[0];
        assert_eq!(face.track, 1);
        assert!((face.rect.x - 0.25).abs() < 1e-6 && (face.rect.w - 0.4).abs() < 1e-6);
        assert!(!face.emotion.as_ref().unwrap().model.is_empty());
        let region = after.meta::<VideoRegionOfInterestMeta>().unwrap();
        let param = region.param("ferdetect").unwrap();
        assert_eq!(
            param.get::<String>("label").unwrap(),
            face.emotion.as_ref().unwrap().top().0.name()
        );
        assert_eq!(param.get::<u64>("id"), Ok(1));
        assert_eq!(region.param("object_id").unwrap().get::<i32>("id"), Ok(1));
    }
    assert_eq!(events(&bus)[0], "face-appeared");
    harness.push_event(gst::event::Eos::new());
    assert_eq!(events(&bus), ["face-lost"]);
}

/// As with `level`: whoever hears of it knows where in the medium and when in the presentation it is.
#[test]
fn messages_have_their_place_on_the_timeline() {
    let info = info(VideoFormat::Gray8, 160, 120);
    let (mut harness, bus) = harness(&element("upstream"));
    harness.set_src_caps(info.to_caps().unwrap());
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(FRAME * 100);
    segment.set_time(FRAME * 10);
    segment.set_base(FRAME * 1000);
    harness.push_event(gst::event::Segment::new(&segment));
    harness.push(with_face(&info, 102)).unwrap();
    harness.push(with_face(&info, 103)).unwrap();
    harness.push_event(gst::event::Eos::new());
    let times: Vec<(String, [Option<u64>; 3])> =
        std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
            .map(|message| {
                let message = message.structure().unwrap();
                let time = |name| message.get::<u64>(name).ok().map(|time| time / FRAME.nseconds());
                (
                    message.get("event").unwrap(),
                    ["timestamp", "stream-time", "running-time"].map(time),
                )
            })
            .collect();
    let of = |event: &str| times.iter().find(|(name, _)| name == event).unwrap().1;
    assert_eq!(of("face-appeared"), [102, 12, 1002].map(Some));
    assert_eq!(of("face-lost"), [103, 13, 1003].map(Some));
}

#[test]
fn drawing_changes_pixels_and_only_then() {
    let info = info(VideoFormat::I420, 160, 120);
    for draw in [true, false] {
        let element = element("upstream");
        element.set_property("draw", draw);
        let (mut harness, _bus) = harness(&element);
        harness.set_src_caps(info.to_caps().unwrap());
        let buffer = with_face(&info, 0);
        let before = bytes(&buffer);
        harness.push(buffer).unwrap();
        assert_eq!(bytes(&harness.pull().unwrap()) != before, draw);
    }
}

#[test]
fn a_flush_a_segment_and_a_discontinuity_start_anew() {
    let info = info(VideoFormat::Gray8, 160, 120);
    let (mut harness, bus) = harness(&element("upstream"));
    harness.set_src_caps(info.to_caps().unwrap());
    let track = |harness: &mut Harness, index: u64, discont: bool| {
        let mut buffer = with_face(&info, index);
        if discont {
            buffer.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
        }
        harness.push(buffer).unwrap();
        gstfer::meta::read(&harness.pull().unwrap()).unwrap().faces[0].track
    };
    assert_eq!(track(&mut harness, 0, false), 1);
    assert_eq!(track(&mut harness, 1, false), 1);
    // Frames were dropped, as a queue does that is full.
    assert_eq!(track(&mut harness, 9, true), 1);
    // Nothing is missing: a decoder has mended something.
    assert_eq!(track(&mut harness, 10, true), 1);
    // More than a second is missing; back in time.
    assert_eq!(track(&mut harness, 200, true), 2);
    assert_eq!(track(&mut harness, 195, true), 3);
    // Slightly back, and nothing breaks off: times are not what they should be.
    assert_eq!(track(&mut harness, 196, false), 3);
    assert_eq!(track(&mut harness, 194, false), 3);
    harness.push_event(gst::event::FlushStart::new());
    harness.push_event(gst::event::FlushStop::new(true));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    harness.push_event(gst::event::Segment::new(&segment));
    assert_eq!(track(&mut harness, 203, false), 4);
    harness.push_event(gst::event::Segment::new(&segment));
    assert_eq!(track(&mut harness, 204, false), 5);
    // Each loss is told of once.
    harness.push_event(gst::event::Eos::new());
    let lost = events(&bus).iter().filter(|event| *event == "face-lost").count();
    assert_eq!(lost, 5);
}

/// Decoders mark the first frame of each group that they play backwards.
#[test]
fn in_reverse_playback_a_face_is_known_from_group_to_group() {
    let info = info(VideoFormat::Gray8, 160, 120);
    let (mut harness, bus) = harness(&element("upstream"));
    harness.set_src_caps(info.to_caps().unwrap());
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_rate(-1.0);
    segment.set_stop(FRAME * 200);
    harness.push_event(gst::event::Segment::new(&segment));
    let mut track = |index: u64, discont: bool| {
        let mut buffer = with_face(&info, index);
        if discont {
            buffer.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
        }
        harness.push(buffer).unwrap();
        gstfer::meta::read(&harness.pull().unwrap()).unwrap().faces[0].track
    };
    for index in (100..150).rev() {
        assert_eq!(track(index, index % 12 == 11), 1, "frame {index}");
    }
    // Two seconds are missing: anybody may be there.
    assert_eq!(track(50, true), 2);
    assert_eq!(events(&bus).iter().filter(|event| *event == "face-lost").count(), 1);
}

/// Live sources of few frames a second: each frame waits for its own result, and sinks are to know.
#[test]
fn for_how_long_frames_are_held_is_part_of_the_latency() {
    let latency = gst::ClockTime::from_mseconds;
    let told = |mode: &str, live: bool, rates: &[(i32, i32)]| {
        let element = element("none");
        let (mut harness, bus) = harness_in(&element, mode);
        // Says nothing of this run.
        element.set_property_from_str("analysis", if mode == "inline" { "auto" } else { "inline" });
        harness.set_live(live);
        harness.set_upstream_latency(latency(30));
        let mut told = Vec::new();
        for (frames, seconds) in rates {
            harness.set_src_caps(
                VideoInfo::builder(VideoFormat::Gray8, 64, 64)
                    .fps(gst::Fraction::new(*frames, *seconds))
                    .build()
                    .unwrap()
                    .to_caps()
                    .unwrap(),
            );
            let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Latency]));
            told.push((harness.query_latency(), messages.count()));
        }
        told
    };
    let rates = [(25, 1), (2, 1), (1, 1), (1, 1), (1, 60), (5, 2), (0, 1)];
    // Half of the time between frames, 3 s at the most.
    let expected = [(30, 0), (280, 1), (530, 1), (530, 0), (3030, 1), (30, 1), (30, 0)]
        .map(|(millis, messages)| (Some(latency(millis)), messages));
    for mode in ["auto", "background"] {
        assert_eq!(told(mode, true, &rates), expected, "{mode}");
    }
    assert_eq!(told("inline", true, &rates[..3]), [(Some(latency(30)), 0); 3]);
    let not_live = told("auto", false, &rates[..3]);
    assert!(not_live.iter().all(|(held, _)| *held == Some(latency(30))), "{not_live:?}");
}

#[test]
fn caps_change_in_mid_stream_and_need_no_frame_rate() {
    let (mut harness, bus) = harness(&element("haar"));
    for (format, width, height) in
        [(VideoFormat::I420, 320, 240), (VideoFormat::Bgrx, 161, 99), (VideoFormat::Yuy2, 64, 48)]
    {
        let info = VideoInfo::builder(format, width, height)
            .fps(gst::Fraction::new(0, 1))
            .build()
            .unwrap();
        harness.set_src_caps(info.to_caps().unwrap());
        for index in 0..3 {
            let mut buffer = padded(&info, 0, index);
            let buffer_ref = buffer.get_mut().unwrap();
            buffer_ref.set_pts(None);
            buffer_ref.set_dts(None);
            buffer_ref.set_duration(None);
            harness.push(buffer).unwrap();
            let out = harness.pull().unwrap();
            assert_eq!(out.pts(), None);
            assert!(gstfer::meta::read(&out).is_some());
        }
    }
    assert_eq!(warnings(&bus), [] as [String; 0]);
}

#[test]
fn every_property_may_change_while_playing() {
    let info = info(VideoFormat::I420, 160, 120);
    let element = element("haar");
    let (mut harness, bus) = harness(&element);
    harness.set_src_caps(info.to_caps().unwrap());
    let changes: [(&str, &str); 14] = [
        ("model-file", "nowhere.yaml"),
        ("detector", "nonsense"),
        ("cascade-file", "nowhere.xml"),
        ("scale-factor", "1.5"),
        ("min-neighbors", "2"),
        ("min-face", "0.5"),
        ("inference-interval", "0"),
        ("reclassify-interval", "0"),
        ("smoothing-time", "0"),
        ("hold-time", "0"),
        ("margin", "0.5"),
        ("min-confidence", "0.9"),
        ("labels-language", "ru"),
        ("stream-id", "x"),
    ];
    for (index, (name, value)) in changes.into_iter().enumerate() {
        element.set_property_from_str(name, value);
        harness.push(padded(&info, 0, index as u64)).unwrap();
        let report = gstfer::meta::read(&harness.pull().unwrap()).unwrap();
        assert_eq!(report.stream_id, if name == "stream-id" { "x" } else { "" });
    }
    assert_eq!(warnings(&bus), [] as [String; 0]);
    // An unknown smoother is told of, and the one before stays.
    element.set_property("smoothing", "median");
    harness.push(padded(&info, 0, 20)).unwrap();
    let told = warnings(&bus);
    assert!(told.len() == 1 && told[0].contains(&smoothers()), "{told:?}");
}

/// Starting with this setting fails with an error that has all these parts; without it, it works.
fn refuses(name: &str, value: &str, parts: &[&str]) {
    let element = element("haar");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let before = element.property_value(name);
    element.set_property_from_str(name, value);
    let _ = element.set_state(gst::State::Paused).unwrap_err();
    let told = error(&bus);
    for part in parts {
        assert!(told.contains(part), "{name}={value}: {part:?} is not in: {told}");
    }
    element.set_state(gst::State::Null).unwrap();
    element.set_property_from_value(name, &before);
    element.set_state(gst::State::Paused).unwrap();
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn what_cannot_be_loaded_fails_the_start_says_why_and_can_be_retried() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    refuses("model-file", "/nowhere/fer.yaml", &["/nowhere/fer.yaml"]);
    refuses("model-file", &path("empty.yaml", b""), &["empty.yaml"]);
    refuses("model-file", &path("other.yaml", b"colour: red"), &["other.yaml", "colour"]);
    refuses("cascade-file", "/nowhere/face.xml", &["/nowhere/face.xml"]);
    refuses("cascade-file", &path("broken.xml", b"<opencv_storage>"), &["broken.xml"]);
    refuses("detector", "mtcnn", &["mtcnn", "haar, yunet, upstream, none"]);
    refuses("smoothing", "median", &["median", &smoothers()]);
    refuses("tracker", "sort", &["sort", "none, iou"]);
    refuses("execution-provider", "abacus", &["abacus", "cpu"]);
    refuses("execution-provider", "coreml", &["coreml"]);
}

#[test]
fn a_buffer_shorter_than_its_caps_is_an_error_not_a_crash() {
    let info = info(VideoFormat::I420, 160, 120);
    let (mut harness, bus) = harness(&element("haar"));
    harness.set_src_caps(info.to_caps().unwrap());
    let short = gst::Buffer::with_size(100).unwrap();
    assert_eq!(harness.push(short), Err(gst::FlowError::Error));
    let told = error(&bus);
    assert!(told.contains("100 bytes") && told.contains("28800"), "{told}");
}

#[test]
fn an_unwritable_folder_is_warned_of_once_and_the_video_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let element = element("upstream");
    element.set_property("save-faces", file.to_string_lossy().as_ref());
    // Every frame is sure of itself, so that a picture is due at once.
    element.set_property("min-confidence", 0.0);
    let info = info(VideoFormat::Rgb, 160, 120);
    let (mut harness, bus) = harness(&element);
    harness.set_src_caps(info.to_caps().unwrap());
    for index in 0..5 {
        // A new face each time, so that each frame tries to save.
        let mut buffer = with_face(&info, 100 * index);
        buffer.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
        harness.push(buffer).unwrap();
        assert!(gstfer::meta::read(&harness.pull().unwrap()).is_some());
    }
    let told = warnings(&bus);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("save-faces") && told[0].contains("file"), "{told:?}");
}

#[test]
fn every_refused_setting_is_warned_of_and_hides_no_other_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let element = element("upstream");
    element.set_property("min-confidence", 0.0);
    let info = info(VideoFormat::Rgb, 160, 120);
    let (mut harness, bus) = harness(&element);
    harness.set_src_caps(info.to_caps().unwrap());
    let (other, file) = (file.join("x"), file.to_string_lossy());
    let changes = [
        ("smoothing", "foo", "foo"),
        ("smoothing", "hmm", ""),
        ("tracker", "bar", "bar"),
        ("save-faces", &*file, "save-faces"),
        ("save-faces", &*other.to_string_lossy(), "save-faces"),
    ];
    for (index, (name, value, part)) in changes.into_iter().enumerate() {
        element.set_property(name, value);
        for frame in 0..3 {
            // Each is of a new face.
            let mut buffer = with_face(&info, 100 * (3 * index as u64 + frame));
            buffer.get_mut().unwrap().set_flags(gst::BufferFlags::DISCONT);
            harness.push(buffer).unwrap();
        }
        let told = warnings(&bus);
        assert_eq!(told.len(), usize::from(!part.is_empty()), "{name}={value}: {told:?}");
        assert!(told.iter().all(|told| told.contains(part)), "{name}={value}: {told:?}");
    }
}

#[test]
fn a_changed_face_is_saved_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let element = element("upstream");
    element.set_property("save-faces", folder.path().to_string_lossy().as_ref());
    element.set_property("stream-id", "door");
    element.set_property("min-confidence", 0.0);
    let info = info(VideoFormat::Uyvy, 160, 120);
    let (mut harness, _bus) = harness(&element);
    harness.set_src_caps(info.to_caps().unwrap());
    harness.push(with_face(&info, 3)).unwrap();
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("door_0000000000120ms_face1_"), "{names:?}");
}

#[test]
fn the_element_describes_itself() {
    let element = element("haar");
    assert!(element.metadata("long-name").is_some());
    for property in element.list_properties() {
        let blurb = property.blurb().unwrap_or_default();
        assert!(blurb.len() >= 10, "{}: {blurb}", property.name());
    }
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("frames"), Ok(0));
}
