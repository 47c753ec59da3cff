use gst_video::VideoFormat;

use super::super::testing::{Picture, assert_untouched, inside};
use super::*;
use crate::pixels::FORMATS;

#[test]
fn regions_grow_to_even_coordinates_and_stop_at_the_frame() {
    // 20..60 of 100 wide, 25 % of 40 more on each side: 10..70. 31..51 → 26..56.
    let rect = Rect::new(0.20, 0.31, 0.40, 0.20);
    assert_eq!(region(&rect, 100, 100), Some(Area::new(10, 26, 60, 30)));
    // 2.1..8.4 of 21 pixels, ± 1.575 → 0.525..9.975 → 1..10 → 0..10.
    let rect = Rect::new(0.1, 0.1, 0.3, 0.3);
    assert_eq!(region(&rect, 21, 21), Some(Area::new(0, 0, 10, 10)));
    assert_eq!(region(&Rect::new(0.5, 0.5, 9.0, 9.0), 21, 21), Some(Area::new(0, 0, 21, 21)));
    assert_eq!(region(&Rect::new(2.0, 2.0, 0.1, 0.1), 21, 21), None);
}

#[test]
fn the_region_changes_and_nothing_else_in_every_format() {
    let rect = Rect::new(0.3, 0.25, 0.31, 0.37);
    for (width, height) in [(33, 17), (321, 241), (128, 96)] {
        for (format, how) in
            FORMATS.into_iter().zip([Hide::Blur, Hide::Pixelate].into_iter().cycle())
        {
            for how in [how, if how == Hide::Blur { Hide::Pixelate } else { Hide::Blur }] {
                let what = format!("{how:?} {format:?} {width}×{height}");
                let mut picture = Picture::new(format, width, height);
                let before = picture.bytes();
                picture.with_frame(|frame| hide(&mut Canvas::new(frame).unwrap(), &rect, how));
                let after = picture.bytes();
                let area = region(&rect, width as i32, height as i32).unwrap();
                let mask = picture.bytes_of(false, |x, y| inside(&area, x, y));
                assert_untouched(&before, &after, &mask, &what);
                let count = mask.iter().filter(|inside| **inside).count();
                let pairs = before.iter().zip(&after).zip(&mask);
                let same = pairs.filter(|((a, b), inside)| **inside && a == b).count();
                // Noise meets its own mean by chance, about once in a hundred.
                assert!(same * 20 <= count, "{what}: {same} of {count} bytes are as before");
            }
        }
    }
}

/// Different sizes of the same face leave the same few numbers.
#[test]
fn at_most_cells_squared_values_survive_at_any_size() {
    for side in [16, 40, 200, 1000] {
        let mut picture = Picture::new(VideoFormat::Gray8, side, side);
        let rect = Rect::UNIT;
        picture.with_frame(|frame| {
            let mut canvas = Canvas::new(frame).unwrap();
            hide(&mut canvas, &rect, Hide::Pixelate);
            let component = canvas.colours[0];
            let mut edges = 0;
            for x in 1..side as usize {
                let at = |x| canvas.planes[0][component.index(x, 0)];
                edges += usize::from(at(x) != at(x - 1));
            }
            let most = CELLS.min(side as usize / 4) - 1;
            assert!(edges <= most, "{edges} edges in a row of {side} pixels, {most} expected");
        });
    }
}

#[test]
fn cells_are_the_means_that_hand_work_gives() {
    // 16 columns make four cells of 4: columns 0..4 hold 10, 4..8 20 and so on.
    let mut picture = Picture::new(VideoFormat::Gray8, 16, 16);
    picture.with_frame(|frame| {
        let mut canvas = Canvas::new(frame).unwrap();
        let component = canvas.colours[0];
        for y in 0..16 {
            for x in 0..16 {
                let value = if y % 2 == 0 { 10 * (x / 4 + 1) } else { 0 };
                canvas.planes[0][component.index(x, y)] = value as u8;
            }
        }
        hide(&mut canvas, &Rect::UNIT, Hide::Pixelate);
        // Every second row is 0: half of 10, 20, 30, 40.
        for (x, expected) in [(0, 5), (3, 5), (4, 10), (8, 15), (15, 20)] {
            assert_eq!(canvas.planes[0][component.index(x, 9)], expected, "column {x}");
        }
    });
}

#[test]
fn every_sample_is_in_one_cell() {
    for (length, cells) in [(1, 1), (7, 3), (100, 6), (13, 6), (6, 6)] {
        let axis = Axis { length, cells };
        let all: Vec<usize> = (0..cells).flat_map(|cell| axis.samples(cell)).collect();
        assert_eq!(all, (0..length).collect::<Vec<_>>());
        assert!((0..cells).all(|cell| !axis.samples(cell).is_empty()));
    }
}

#[test]
fn blur_is_smooth_and_within_the_cells_range() {
    let axis = Axis { length: 100, cells: CELLS };
    for at in 0..100 {
        let (first, weights) = axis.taps(at);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5 && first + 4 <= CELLS + 4);
        assert!(weights.iter().all(|weight| *weight >= 0.0));
    }
    let mut picture = Picture::new(VideoFormat::Gray8, 256, 256);
    picture.with_frame(|frame| {
        let mut canvas = Canvas::new(frame).unwrap();
        hide(&mut canvas, &Rect::UNIT, Hide::Blur);
        let component = canvas.colours[0];
        for y in 0..256 {
            for x in 1..256 {
                let at = |x| i32::from(canvas.planes[0][component.index(x, y)]);
                assert!((at(x) - at(x - 1)).abs() <= 2, "a step at {x},{y}");
            }
        }
    });
}
