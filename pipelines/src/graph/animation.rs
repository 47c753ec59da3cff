//! Animated GIFs. GStreamer before 1.26 gives all frames of one the time 0 and never comes to its
//! end, so they are decoded here.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gst::prelude::*;
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, Delay, ImageDecoder, ImageError, Limits};

use super::{GraphError, recordings};
use crate::integrity;

/// Browsers show a frame that claims to be shorter than that for [`USUAL`].
const LEAST: gst::ClockTime = gst::ClockTime::from_mseconds(20);
/// How long a frame is shown that does not say it.
const USUAL: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Pixels a side, as of all frames; a few bytes may claim any size.
const LARGEST: u32 = 8192;

/// Whether a file begins as GIFs do.
pub(super) fn is_gif(path: &Path) -> bool {
    let mut head = [0; 6];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    // What cannot be read is told when it is played.
    read.is_ok() && [b"GIF87a", b"GIF89a"].contains(&&head)
}

/// A GIF's frames once, each at its time; of one that is cut off, those that are there, as demuxers do.
pub(super) fn source(path: &Path) -> Result<gst::Element, GraphError> {
    let film = recordings::pushed()?;
    let waiting = Mutex::new(Some(path.to_owned()));
    film.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |film, _| {
                let path: Option<PathBuf> = waiting.lock().ok().and_then(|mut path| path.take());
                if let Some(path) = path {
                    recordings::in_a_thread(film, move |film| play(film, &path));
                }
            })
            .build(),
    );
    Ok(film.upcast())
}

fn play(film: &gst_app::AppSrc, path: &Path) {
    if let Err(error) = push_frames(film, path)
        && !integrity::flaw(path).is_ok_and(|flaw| flaw.is_some())
    {
        gst::element_error!(film, gst::StreamError::Decode, ("{error}"));
    }
    // Refused when the pipeline has gone meanwhile.
    let _ = film.end_of_stream();
}

fn push_frames(film: &gst_app::AppSrc, path: &Path) -> Result<(), ImageError> {
    let mut decoder = GifDecoder::new(BufReader::new(File::open(path)?))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LARGEST), Some(LARGEST));
    decoder.set_limits(limits)?;
    let (width, height) = decoder.dimensions();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGBx")
        .field("width", width as i32)
        .field("height", height as i32)
        .field("framerate", gst::Fraction::new(0, 1))
        .build();
    film.set_caps(Some(&caps));
    let mut time = gst::ClockTime::ZERO;
    for frame in decoder.into_frames() {
        let frame = frame?;
        let duration = duration(frame.delay());
        let mut buffer = gst::Buffer::from_mut_slice(frame.into_buffer().into_raw());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time);
            buffer.set_duration(duration);
        }
        time += duration;
        if film.push_buffer(buffer).is_err() {
            // Nobody wants more.
            break;
        }
    }
    Ok(())
}

fn duration(delay: Delay) -> gst::ClockTime {
    let (numerator, denominator) = delay.numer_denom_ms();
    let stated = gst::ClockTime::MSECOND * u64::from(numerator) / u64::from(denominator);
    if stated < LEAST { USUAL } else { stated }
}
