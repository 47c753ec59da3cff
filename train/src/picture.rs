//! Images side by side in one PNG, to look at.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::dataset::ImageShape;

/// A tile's shorter side is at least this, so that 48×48 faces can be looked at.
const SMALLEST_TILE: usize = 96;
/// Pixels between tiles and around them.
const GAP: usize = 4;
/// Brightness of what is not an image: told from black and from white ones.
const BACKGROUND: u8 = 208;
/// Longest side of the picture that viewers can be expected to open.
const LONGEST_SIDE: usize = 32_768;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Nothing to show, or nowhere to put it.
    #[error(
        "a grid of {images} images of {width}×{height} pixels in {columns} columns; expected at \
         least 1 of each"
    )]
    Empty {
        /// Images there are.
        images: usize,
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
        /// Columns that were asked for.
        columns: usize,
    },
    /// An image is not of the shape that was told.
    #[error("image {index} of the grid has {actual} bytes; expected {expected}, or 0 for a gap")]
    Length {
        /// Its place, from 0.
        index: usize,
        /// Bytes it has.
        actual: usize,
        /// Bytes of the shape.
        expected: usize,
    },
    /// The picture would be too large to open.
    #[error(
        "the grid would be {width}×{height} pixels; at most {LONGEST_SIDE} on a side are written: \
         show fewer images or change the number of columns"
    )]
    Large {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// The PNG could not be encoded.
    #[error("cannot encode the grid as PNG: {0}")]
    Encode(#[from] image::ImageError),
}

/// A PNG of `images` in reading order, `columns` in a row, with thin gaps.
///
/// Each image is planar as [`Images`](crate::dataset::Images) holds it, of `shape`; an empty slice
/// leaves its place empty. Small images are enlarged by a whole factor, every pixel a square.
///
/// # Errors
///
/// [`PictureError`].
pub fn grid(images: &[&[u8]], shape: ImageShape, columns: usize) -> Result<Vec<u8>, PictureError> {
    check(images, shape, columns)?;
    let factor = SMALLEST_TILE.div_ceil(shape.width.min(shape.height)).max(1);
    let columns = columns.min(images.len());
    let across = |pixels: usize, count: usize| count * (pixels * factor + GAP) + GAP;
    let width = across(shape.width, columns);
    let height = across(shape.height, images.len().div_ceil(columns));
    if width.max(height) > LONGEST_SIDE {
        return Err(PictureError::Large { width, height });
    }
    let mut canvas = vec![BACKGROUND; width * height * shape.channels];
    for (index, image) in images.iter().enumerate().filter(|(_, image)| !image.is_empty()) {
        let left = across(shape.width, index % columns);
        let top = across(shape.height, index / columns);
        for y in 0..shape.height * factor {
            let start = ((top + y) * width + left) * shape.channels;
            let row = &mut canvas[start..start + shape.width * factor * shape.channels];
            draw_row(row, image, shape, y / factor, factor);
        }
    }
    let colour = if shape.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&canvas, width as u32, height as u32, colour)?;
    Ok(png)
}

fn check(images: &[&[u8]], shape: ImageShape, columns: usize) -> Result<(), PictureError> {
    if images.is_empty() || shape.is_empty() || columns == 0 {
        let (width, height) = (shape.width, shape.height);
        return Err(PictureError::Empty { images: images.len(), width, height, columns });
    }
    let expected = shape.len();
    let odd = |image: &&[u8]| !image.is_empty() && image.len() != expected;
    match images.iter().position(odd) {
        Some(index) => Err(PictureError::Length { index, actual: images[index].len(), expected }),
        None => Ok(()),
    }
}

/// Row `y` of a planar image as interleaved pixels, each repeated `factor` times.
fn draw_row(row: &mut [u8], image: &[u8], shape: ImageShape, y: usize, factor: usize) {
    let plane = shape.width * shape.height;
    for (x, pixel) in row.chunks_exact_mut(shape.channels).enumerate() {
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = image[channel * plane + y * shape.width + x / factor];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(png: &[u8]) -> image::RgbImage {
        image::load_from_memory(png).unwrap().into_rgb8()
    }

    #[test]
    fn tiles_are_enlarged_and_lie_in_reading_order() {
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        let png = grid(&[&[10, 20], &[30, 40], &[50, 60]], shape, 2).unwrap();
        // The shorter side is 1, so the factor is 96: tiles of 192×96 with gaps of 4.
        let picture = decoded(&png);
        assert_eq!(picture.dimensions(), (2 * 192 + 3 * 4, 2 * 96 + 3 * 4));
        let value = |x, y| picture.get_pixel(x, y)[0];
        assert_eq!(value(3, 50), BACKGROUND);
        assert_eq!([value(4, 4), value(99, 99), value(100, 4), value(195, 99)], [10, 10, 20, 20]);
        assert_eq!(value(196, 50), BACKGROUND);
        assert_eq!([value(200, 4), value(391, 4)], [30, 40]);
        assert_eq!([value(4, 104), value(195, 199)], [50, 60]);
        // The last row's second place is empty.
        assert_eq!(value(200, 104), BACKGROUND);
    }

    #[test]
    fn planes_become_colour_and_large_images_keep_their_size() {
        let shape = ImageShape { width: 100, height: 96, channels: 3 };
        let plane = shape.width * shape.height;
        let red: Vec<u8> = [200, 10, 30].iter().flat_map(|&v| vec![v; plane]).collect();
        let picture = decoded(&grid(&[&[], &red], shape, 9).unwrap());
        assert_eq!(picture.dimensions(), (2 * 100 + 3 * 4, 96 + 2 * 4));
        assert_eq!(picture.get_pixel(4, 4).0, [BACKGROUND; 3]);
        assert_eq!(picture.get_pixel(108, 4).0, [200, 10, 30]);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let shape = ImageShape::grey(2);
        let refused = |images: &[&[u8]], shape, columns| {
            grid(images, shape, columns).unwrap_err().to_string()
        };
        assert!(refused(&[], shape, 1).contains("0 images"));
        assert!(refused(&[&[0; 4]], shape, 0).contains("0 columns"));
        assert!(refused(&[&[0; 4]], ImageShape::grey(0), 1).contains("0×0"));
        let message = refused(&[&[0; 4], &[0; 3]], shape, 1);
        assert!(
            message.contains("image 1") && message.contains("3 bytes; expected 4"),
            "{message}"
        );
        let message = refused(&[&[][..]; 400], shape, 400);
        assert!(message.contains("40004×104"), "{message}");
    }
}
