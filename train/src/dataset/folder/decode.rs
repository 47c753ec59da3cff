//! From image files to bytes of one shape.

use std::fs;
use std::io::Cursor;
use std::num::NonZero;
use std::path::Path;
use std::thread;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::listing::ImageFile;
use crate::dataset::{ImageShape, resample};

/// An image file at the data set's shape.
pub(super) struct Decoded {
    /// Planar, of the shape asked for.
    pub(super) bytes: Vec<u8>,
    /// Width and height in the file, turned upright.
    pub(super) size: (u32, u32),
}

/// Decodes files on all cores, in order; an error is the reason. A core holds one whole image at a
/// time.
pub(super) fn decode_all(
    root: &Path,
    files: &[ImageFile],
    shape: ImageShape,
) -> Vec<Result<Decoded, String>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(cores).max(1);
    let one = |file: &ImageFile| decode(&root.join(&file.path), shape);
    thread::scope(|scope| {
        let shares: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || files.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined = shares.into_iter().map(|share| match share.join() {
            Ok(decoded) => decoded,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

fn decode(path: &Path, shape: ImageShape) -> Result<Decoded, String> {
    let image = open(path)?;
    let (width, height) = (image.width(), image.height());
    let native = ImageShape {
        width: width as usize,
        height: height as usize,
        channels: if image.color().has_color() { 3 } else { 1 },
    };
    let pixels = planar(image);
    let mut bytes = Vec::with_capacity(shape.len());
    resample(&pixels, native, shape, &mut bytes).map_err(|error| error.to_string())?;
    Ok(Decoded { bytes, size: (width, height) })
}

/// The image, upright. Its kind is told by its first bytes, not by its name.
fn open(path: &Path) -> Result<DynamicImage, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let upright = || {
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
        let format = reader.format();
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok((image, format))
    };
    let (image, format) = upright().map_err(|error: image::ImageError| error.to_string())?;
    if format == Some(ImageFormat::Jpeg) && is_cut_off(&bytes) {
        return Err("the JPEG ends before its end marker".to_owned());
    }
    Ok(image)
}

/// Whether a JPEG has no end marker (ITU-T T.81, annex B). The decoder fills what is missing with
/// grey and says nothing.
fn is_cut_off(jpeg: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, second]) = jpeg.get(at..at + 2) {
        at += match (first, second) {
            (0xff, 0xd9) => return false,
            (0xff, 0xff) => 1,
            // A byte of 0xff in the image's data, or a marker without a segment.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd7) => 2,
            (0xff, _) => match jpeg.get(at + 2..at + 4) {
                Some(&[high, low]) => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return true,
            },
            _ => 1,
        };
    }
    true
}

/// All of a channel before the next.
fn planar(image: DynamicImage) -> Vec<u8> {
    let has_alpha = image.color().has_alpha();
    if !image.color().has_color() {
        return match has_alpha {
            true => image.into_luma_alpha8().pixels().map(|p| before_grey(p[0], p[1])).collect(),
            false => image.into_luma8().into_raw(),
        };
    }
    if !has_alpha {
        let pixels = image.into_rgb8().into_raw();
        return (0..3).flat_map(|plane| pixels.iter().skip(plane).step_by(3).copied()).collect();
    }
    let pixels = image.into_rgba8();
    (0..3).flat_map(|plane| pixels.pixels().map(move |p| before_grey(p[plane], p[3]))).collect()
}

/// A channel's value before mid-grey. What lies under a transparent pixel is by chance: black, white,
/// or the background that somebody cut away.
fn before_grey(value: u8, alpha: u8) -> u8 {
    const GREY: u16 = 128;
    let (value, alpha) = (u16::from(value), u16::from(alpha));
    ((value * alpha + GREY * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_by_hand() {
        assert_eq!([before_grey(200, 255), before_grey(0, 255)], [200, 0]);
        assert_eq!([before_grey(200, 0), before_grey(255, 0)], [128, 128]);
        // A fifth: 200 · 0.2 + 128 · 0.8 = 142.4.
        assert_eq!(before_grey(200, 51), 142);
        let pixels = [[200, 10, 30, 51], [200, 10, 30, 255]].concat();
        let image = image::RgbaImage::from_raw(2, 1, pixels).map(DynamicImage::from);
        // 10 · 0.2 + 102.4 = 104.4, 30 · 0.2 + 102.4 = 108.4.
        assert_eq!(planar(image.unwrap()), [142, 200, 104, 10, 108, 30]);
        let grey = image::GrayAlphaImage::from_raw(2, 1, vec![9, 0, 9, 255]);
        assert_eq!(planar(grey.map(DynamicImage::from).unwrap()), [128, 9]);
    }

    #[test]
    fn a_jpeg_ends_at_its_own_end_marker() {
        // A segment that holds an end marker, as thumbnails do; a scan with 0xff and a restart.
        let whole = [
            &[0xff, 0xd8][..],
            &[0xff, 0xe1, 0, 4, 0xff, 0xd9],
            &[0xff, 0xda, 0, 2, 7, 0xff, 0, 7, 0xff, 0xd0, 7],
            &[0xff, 0xd9],
        ]
        .concat();
        assert!(!is_cut_off(&whole));
        assert!(!is_cut_off(&[&whole[..], &[1, 2, 3]].concat()));
        for length in 0..whole.len() {
            assert!(is_cut_off(&whole[..length]), "{length}");
        }
    }
}
