//! Frames as files of one picture.

use gst_video::VideoInfo;

/// How long a frame may take to become a picture.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// A frame as a PNG.
///
/// # Errors
///
/// It cannot be converted: an element is missing, or it takes too long.
pub fn png(sample: &gst::Sample) -> Result<Vec<u8>, gst::glib::Error> {
    encoded(sample, &gst::Caps::new_empty_simple("image/png"))
}

/// A frame as a file of the type `media`, its pixels squares: most who show pictures take them for that.
///
/// # Errors
///
/// It cannot be converted: an element is missing, or it takes too long.
pub(super) fn encoded(
    sample: &gst::Sample,
    media: &gst::Caps,
) -> Result<Vec<u8>, gst::glib::Error> {
    let squares = with_square_pixels(sample)?;
    let picture = gst_video::convert_sample(&squares, media, Some(PATIENCE))?;
    let bytes = picture.buffer().and_then(|buffer| buffer.map_readable().ok());
    bytes.map(|bytes| bytes.to_vec()).ok_or_else(|| {
        gst::glib::Error::new(gst::StreamError::Encode, "the encoder made no picture of a frame")
    })
}

/// Widths of pixels, in their heights, that are believed.
const ASPECTS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// The frame itself where its pixels are squares; else stretched across until they are.
fn with_square_pixels(sample: &gst::Sample) -> Result<gst::Sample, gst::glib::Error> {
    let square = gst::Fraction::new(1, 1);
    let info = sample.caps().and_then(|caps| VideoInfo::from_caps(caps).ok());
    let info = info.filter(|info| info.par() != square);
    let (Some(info), Some(buffer), Some(mut from)) =
        (info, sample.buffer_owned(), sample.caps_owned())
    else {
        return Ok(sample.clone());
    };
    let aspect = f64::from(info.par().numer()) / f64::from(info.par().denom());
    if !ASPECTS.contains(&aspect) {
        return Ok(sample.clone());
    }
    let width = (f64::from(info.width()) * aspect).round().max(1.0) as i32;
    // Were the shape off by as little as the rounding, a black border would be added.
    from.make_mut().set("pixel-aspect-ratio", gst::Fraction::new(width, info.width() as i32));
    let caps = gst::Caps::builder("video/x-raw")
        .field("width", width)
        .field("height", info.height() as i32)
        .field("pixel-aspect-ratio", square)
        .build();
    let exact = gst::Sample::builder().buffer(&buffer).caps(&from).build();
    gst_video::convert_sample(&exact, &caps, Some(PATIENCE))
}
