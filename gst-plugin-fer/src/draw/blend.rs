//! Blending premultiplied colours onto a canvas.

use super::area::Area;
use super::canvas::{Canvas, Component};
use super::colour::Mix;

/// `x / 255`, rounded; for 0..=65535.
#[inline]
const fn div255(x: i32) -> i32 {
    (x + 127) / 255
}

/// A premultiplied 0xAARRGGBB pixel as r, g, b, a.
#[inline]
const fn split(pixel: u32) -> [i32; 4] {
    [
        (pixel >> 16 & 255) as i32,
        (pixel >> 8 & 255) as i32,
        (pixel & 255) as i32,
        (pixel >> 24) as i32,
    ]
}

impl Mix {
    /// The component's premultiplied value times 65536.
    #[inline]
    const fn apply(&self, [r, g, b, a]: [i32; 4]) -> i32 {
        self.r * r + self.g * g + self.b * b + self.a * a
    }
}

/// What drawing does to a sample: most neighbours are of one colour, so that it is worth keeping.
#[derive(Clone, Copy)]
struct Over {
    drawn: i32,
    /// 255 minus alpha.
    keep: i32,
}

impl Over {
    const NOTHING: Self = Self { drawn: 0, keep: 255 };

    /// For the mean of `1 << shift` pixels, given their sum.
    #[inline]
    const fn new(mix: &Mix, sum: [i32; 4], shift: u32) -> Self {
        let keep = 255 - ((sum[3] + (1 << shift >> 1)) >> shift);
        Self { drawn: ((mix.apply(sum) >> shift) + 32768) >> 16, keep }
    }

    #[inline]
    const fn onto(self, sample: u8) -> u8 {
        clamp(self.drawn + div255(sample as i32 * self.keep))
    }
}

#[inline]
const fn clamp(value: i32) -> u8 {
    if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value as u8
    }
}

/// Two rows of drawn pixels, so that whole samples of chroma are at hand.
struct Band<'p> {
    pixels: &'p [u32],
    width: usize,
    /// 1 at the bottom of a frame of odd height.
    rows: usize,
    /// Of the first pixel, in the frame; even.
    x: usize,
    y: usize,
}

impl Band<'_> {
    fn row(&self, row: usize) -> &[u32] {
        &self.pixels[row * self.width..][..self.width]
    }
}

impl Canvas<'_> {
    /// Blends the part of `area` that lies inside the frame. `fill(x, y, row)` must set all of
    /// `row` to premultiplied 0xAARRGGBB pixels, the first of which is at (`x`, `y`) in the frame.
    /// Where alpha is 0 nothing is written.
    ///
    /// A sample that several pixels share is blended with their mean, pixels outside `area`
    /// counting as transparent: areas that meet should meet at even coordinates.
    pub(crate) fn blend(&mut self, area: Area, fill: impl Fn(i32, i32, &mut [u32])) {
        let area = area.intersection(&self.area());
        if area.is_empty() {
            return;
        }
        let left = area.x & !1;
        let right = ((area.right() + 1) & !1).min(self.width);
        let width = (right - left) as usize;
        let mut pixels = std::mem::take(&mut self.scratch);
        for y in (area.y & !1..area.bottom()).step_by(2) {
            let rows = (self.height - y).min(2);
            pixels.clear();
            pixels.resize(width * rows as usize, 0);
            for py in y.max(area.y)..(y + rows).min(area.bottom()) {
                let start = (py - y) as usize * width + (area.x - left) as usize;
                fill(area.x, py, &mut pixels[start..start + area.w as usize]);
            }
            let (x, y) = (left as usize, y as usize);
            self.blend_band(&Band { pixels: &pixels, width, rows: rows as usize, x, y });
        }
        self.scratch = pixels;
    }

    fn blend_band(&mut self, band: &Band<'_>) {
        for index in 0..self.colours.len() {
            let component = self.colours[index];
            match self.alpha {
                Some(alpha) => self.blend_over_alpha(&component, &alpha, band),
                None if component.x_shift > 0 => self.blend_shared(&component, band),
                None => self.blend_single(&component, band),
            }
        }
        if let Some(alpha) = self.alpha {
            self.blend_single(&alpha, band);
        }
    }

    fn blend_single(&mut self, to: &Component, band: &Band<'_>) {
        for row in 0..band.rows {
            let samples = &mut self.planes[to.plane][to.index(band.x, band.y + row)..];
            let (mut last, mut over) = (0, Over::NOTHING);
            for (sample, &pixel) in samples.iter_mut().step_by(to.step).zip(band.row(row)) {
                if pixel != last {
                    (last, over) = (pixel, Over::new(&to.mix, split(pixel), 0));
                }
                if over.keep < 255 {
                    *sample = over.onto(*sample);
                }
            }
        }
    }

    /// Samples of two columns and, with `y_shift`, both rows of the band.
    fn blend_shared(&mut self, to: &Component, band: &Band<'_>) {
        let down = if to.y_shift > 0 { band.rows } else { 1 };
        for top in (0..band.rows).step_by(down) {
            let start = to.index(band.x >> to.x_shift, (band.y + top) >> to.y_shift);
            let samples = self.planes[to.plane][start..].iter_mut().step_by(to.step);
            let (upper, lower) = (band.row(top), band.row(top + down - 1));
            let (mut last, mut over) = ([0; 4], Over::NOTHING);
            for (sample, (upper, lower)) in samples.zip(upper.chunks(2).zip(lower.chunks(2))) {
                // At odd edges the last pixel counts twice, which leaves its mean as it is.
                let end = upper.len() - 1;
                let block = [upper[0], upper[end], lower[0], lower[end]];
                if block != last {
                    let sum = block.map(split).into_iter().fold([0; 4], |sum, pixel| {
                        [0, 1, 2, 3].map(|channel| sum[channel] + pixel[channel])
                    });
                    (last, over) = (block, Over::new(&to.mix, sum, 2));
                }
                if over.keep < 255 {
                    *sample = over.onto(*sample);
                }
            }
        }
    }

    /// Raw video with alpha is not premultiplied: Porter and Duff's "over", divided by the new
    /// alpha. The alpha component must still hold its old value.
    fn blend_over_alpha(&mut self, to: &Component, alpha: &Component, band: &Band<'_>) {
        for row in 0..band.rows {
            let (mut last, mut over) = (0, Over::NOTHING);
            for (x, &pixel) in band.row(row).iter().enumerate() {
                if pixel != last {
                    (last, over) = (pixel, Over::new(&to.mix, split(pixel), 0));
                }
                if over.keep == 255 {
                    continue;
                }
                let old = self.planes[alpha.plane][alpha.index(band.x + x, band.y + row)];
                let sample = &mut self.planes[to.plane][to.index(band.x + x, band.y + row)];
                if old == 255 {
                    *sample = over.onto(*sample);
                    continue;
                }
                let below = div255(i32::from(old) * over.keep);
                let above = 255 - over.keep + below;
                let sum = over.drawn * 255 + i32::from(*sample) * below;
                *sample = clamp((sum + above / 2) / above);
            }
        }
    }
}
