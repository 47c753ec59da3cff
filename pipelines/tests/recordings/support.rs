//! Recordings that are made for tests, and what is found in them afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gst::prelude::*;
use pipelines::graph::portrait::Clip;
use serde_json::Value;

/// H.264 in a moment.
pub(crate) const H264: &str = "x264enc speed-preset=ultrafast ! h264parse";

pub(crate) fn fer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.args(arguments).current_dir(folder);
    command.env_remove("G_DEBUG");
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    fer(folder, arguments).output().unwrap()
}

/// Annotates a recording, which must succeed; its JSON Lines.
pub(crate) fn annotate(folder: &Path, input: &str, output: &str) -> Vec<Value> {
    let output_of = run(folder, &["annotate", "--overlay", "none", input, "-o", output]);
    assert!(output_of.status.success(), "{}", text(&output_of.stderr));
    lines(&folder.join(output).with_extension("jsonl"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let place = |path: &Path| path.strip_prefix(folder).unwrap().to_owned();
    files.map(|entry| (place(entry.path()), std::fs::read(entry.path()).unwrap())).collect()
}

pub(crate) fn play(description: &str) -> gst::Pipeline {
    let pipeline = parse(description);
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline
}

fn parse(description: &str) -> gst::Pipeline {
    gst::init().unwrap();
    gst::parse::launch(description).unwrap().downcast().unwrap()
}

pub(crate) fn end(pipeline: &gst::Pipeline) {
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types);
    let message = message.unwrap();
    assert!(matches!(message.view(), gst::MessageView::Eos(_)), "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// A film of the bundled portrait in H.264, with the sound that `sound` makes, in what `muxer`
/// makes. `shown` tells for how long each frame is, in milliseconds.
pub(crate) fn film(path: &Path, muxer: &str, sound: &str, frames: u64, shown: impl Fn(u64) -> u64) {
    let sound = if sound.is_empty() { String::new() } else { format!("{sound} ! queue ! m.") };
    shot(path, H264, &format!("{muxer} name=m"), &sound, frames, shown);
}

/// A film of the bundled portrait that `encode` turns from raw into encoded video, for `muxer`,
/// which is called `m`. `more` are chains that end in the muxer.
pub(crate) fn shot(
    path: &Path,
    encode: &str,
    muxer: &str,
    more: &str,
    frames: u64,
    shown: impl Fn(u64) -> u64,
) {
    let place = path.to_str().unwrap();
    // mp4mux loses the last frame of video without a rate.
    let rate = if muxer.contains("mp4mux") { 25 } else { 0 };
    let pipeline = play(&format!(
        "appsrc name=in format=time \
         caps=video/x-raw,format=RGB,width=640,height=480,framerate={rate}/1 ! videoconvert ! \
         {encode} ! queue ! {muxer} ! filesink location=\"{place}\" {more}"
    ));
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let clip = Clip::load().unwrap();
    let mut time = 0;
    for index in 0..frames {
        let mut frame = clip.frame(index).unwrap();
        let buffer = frame.get_mut().unwrap();
        buffer.set_pts(gst::ClockTime::from_mseconds(time));
        buffer.set_duration(gst::ClockTime::from_mseconds(shown(index)));
        time += shown(index);
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    end(&pipeline);
}

/// A GIF of the bundled portrait, 320 by 240. `shown` tells for how long each frame says it is, in
/// milliseconds.
pub(crate) fn gif(path: &Path, frames: u64, shown: impl Fn(u64) -> u32) {
    use image::codecs::gif::GifEncoder;
    use image::{Delay, DynamicImage, Frame, RgbImage};
    gst::init().unwrap();
    let mut encoder = GifEncoder::new_with_speed(std::fs::File::create(path).unwrap(), 30);
    for index in 0..frames {
        let large = DynamicImage::from(RgbImage::from_raw(640, 480, original(index)).unwrap());
        let delay = Delay::from_numer_denom_ms(shown(index), 1);
        let frame = Frame::from_parts(large.thumbnail(320, 240).to_rgba8(), 0, 0, delay);
        encoder.encode_frame(frame).unwrap();
    }
}

pub(crate) fn steady(path: &Path, frames: u64) {
    film(path, "mp4mux", "", frames, |_| 40);
}

/// Writes into an MP4 of one track that players should turn it: a quarter to the right so many
/// times.
pub(crate) fn say_turned(path: &Path, quarters: usize) {
    const ONE: i32 = 1 << 16;
    let (a, b) = [(ONE, 0), (0, ONE), (-ONE, 0), (0, -ONE)][quarters];
    let matrix = [a, b, 0, -b, a, 0, 0, 0, 1 << 30].map(i32::to_be_bytes).concat();
    let mut bytes = std::fs::read(path).unwrap();
    let header = 4 + bytes.windows(4).position(|word| word == b"tkhd").unwrap();
    // In version 1 the two dates and the duration are longer.
    let at = header + if bytes[header] == 1 { 52 } else { 40 };
    assert_eq!(bytes[at..at + 4], ONE.to_be_bytes(), "the place of the matrix");
    bytes[at..at + matrix.len()].copy_from_slice(&matrix);
    std::fs::write(path, bytes).unwrap();
}

type Packets = Vec<(Option<gst::ClockTime>, Vec<u8>)>;

/// The times and bytes of what a file holds of H.264 video, or of another media type.
pub(crate) fn track(path: &Path, kind: &str) -> Packets {
    let caps = if kind == "video" { "video/x-h264" } else { kind };
    let pipeline = play(&format!(
        "filesrc location=\"{}\" ! parsebin ! {caps} ! appsink name=out sync=false",
        path.display()
    ));
    let found = pulled(&pipeline)
        .into_iter()
        .map(|(time, sample)| (time, sample.buffer().unwrap().map_readable().unwrap().to_vec()));
    found.collect()
}

/// How many tracks of sound a file holds, as its demuxer has it.
pub(crate) fn sounds(path: &Path, demuxer: &str) -> usize {
    let pipeline = parse(&format!("filesrc location=\"{}\" ! {demuxer} name=d", path.display()));
    let demuxer = pipeline.by_name("d").unwrap();
    let (sender, found) = std::sync::mpsc::channel();
    demuxer.connect_no_more_pads(move |demuxer| sender.send(demuxer.src_pads()).unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let pads = found.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    let count = pads.iter().filter(|pad| pad.name().starts_with("audio")).count();
    pipeline.set_state(gst::State::Null).unwrap();
    count
}

/// A decoded frame: when it is shown, width, height, and its pixels as packed RGB.
pub(crate) struct Picture {
    pub(crate) time: Option<gst::ClockTime>,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: Vec<u8>,
}

/// What a player shows of a file that heeds no rotation, scaled to a size, if one is given.
pub(crate) fn pictures(path: &Path, size: Option<(usize, usize)>) -> Vec<Picture> {
    let size = size.map(|(w, h)| format!(",width={w},height={h}")).unwrap_or_default();
    let pipeline = play(&format!(
        "filesrc location=\"{}\" ! decodebin ! videoconvert ! videoscale ! \
         video/x-raw,format=RGB{size} ! appsink name=out sync=false",
        path.display()
    ));
    let picture = |(time, sample): (_, gst::Sample)| {
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let (width, height) = (info.width() as usize, info.height() as usize);
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let rows = map.chunks(info.stride()[0] as usize).take(height);
        let rgb = rows.flat_map(|row| row[..3 * width].to_vec()).collect();
        Picture { time, width, height, rgb }
    };
    pulled(&pipeline).into_iter().map(picture).collect()
}

fn pulled(pipeline: &gst::Pipeline) -> Vec<(Option<gst::ClockTime>, gst::Sample)> {
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let mut found = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
        found.push((segment.to_running_time(sample.buffer().unwrap().pts()), sample));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    found
}

/// The mean difference of two pictures' samples, of 255.
pub(crate) fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

/// The bundled portrait as the camera sees it in one frame, 640 by 480, as packed RGB.
pub(crate) fn original(frame: u64) -> Vec<u8> {
    let buffer = Clip::load().unwrap().frame(frame).unwrap();
    buffer.map_readable().unwrap().to_vec()
}
