use fer_core::emotion::{Emotion, Language};
use fer_core::geometry::Rect;
use gst_video::VideoFormat;

use super::super::privacy;
use super::super::testing::{Picture, assert_untouched, face, inside, report};
use super::*;
use crate::pixels::FORMATS;

const BOX: Rect = Rect::new(0.21, 0.35, 0.33, 0.41);

fn grown(area: &Area, by: i32) -> Area {
    area.grown(by, by)
}

fn drawn_on(format: VideoFormat, width: u32, height: u32) {
    let mut picture = Picture::new(format, width, height);
    let before = picture.bytes();
    let mut painter = Painter::default();
    let report = report(vec![face(7, BOX, Some(Emotion::Happiness))]);
    let style = Style::default();
    picture.with_frame(|frame| painter.draw(frame, &report, &style)).unwrap();
    let after = picture.bytes();

    let (w, h) = (width as i32, height as i32);
    let sizes = Sizes::new(w, h, 1.0);
    let area = Area::of(&BOX, w, h).unwrap();
    let (outer, inner) = (grown(&area, sizes.shadow), grown(&area, -sizes.line - sizes.radius));
    let boxed: Vec<Area> = painter.scene.taken.iter().map(|a| grown(a, sizes.shadow)).collect();
    assert_eq!(boxed.len(), if sizes.text { 2 } else { 0 }, "label and chart");
    let what = format!("{format:?} {width}×{height}");
    let mask = picture.bytes_of(true, |x, y| {
        (inside(&outer, x, y) && !inside(&inner, x, y)) || boxed.iter().any(|a| inside(a, x, y))
    });
    assert_untouched(&before, &after, &mask, &what);

    // Happiness is (240, 228, 66): luma .299·240 + .587·228 + .114·66 = 213.
    let luma = |[r, g, b]: [i32; 3]| (299 * r + 587 * g + 114 * b) / 1000;
    for (x, y) in [
        (area.x + area.w / 2, area.y),
        (area.x + area.w / 2, area.bottom() - 1),
        (area.x, area.y + area.h / 2),
        (area.right() - 1, area.y + area.h / 2),
    ] {
        // A line of one pixel shares its chroma with a neighbour, so that luma alone is certain,
        // and not that where a pixel of red, green and blue was clipped.
        if picture.info.is_gray() || picture.info.is_rgb() {
            let seen = luma(picture.rgb(x, y));
            assert!((seen - 213).abs() <= 3, "{what}: edge at {x},{y} has luma {seen}");
        }
    }
    let changed = |x: i32, y: i32| {
        let mask = Picture::new(format, width, height).bytes_of(false, |px, py| (px, py) == (x, y));
        before.iter().zip(&after).zip(&mask).any(|((a, b), inside)| *inside && a != b)
    };
    assert!(changed(area.x + area.w / 2, area.y), "{what}: top edge");
    assert!(changed(area.x, area.y + area.h / 2), "{what}: left edge");
}

#[test]
fn only_what_is_drawn_changes_in_every_format() {
    for format in FORMATS {
        drawn_on(format, 33, 17);
        drawn_on(format, 321, 241);
        drawn_on(format, 640, 361);
    }
}

#[test]
fn colours_are_right_in_every_format() {
    for format in FORMATS {
        let mut picture = Picture::new(format, 320, 240);
        picture.flatten(128);
        let mut painter = Painter::default();
        let report = report(vec![face(1, Rect::new(0.25, 0.25, 0.5, 0.5), Some(Emotion::Anger))]);
        // Four times as large: a line of 4 pixels covers whole samples of chroma.
        let style = Style { scale: 4.0, bars: false, ..Style::default() };
        picture.with_frame(|frame| painter.draw(frame, &report, &style)).unwrap();
        let expected = if format == VideoFormat::Gray8 { [119; 3] } else { [213, 94, 0] };
        // Rows 60 to 63 are the top line, column 80 to 83 the left one.
        for (x, y) in [(160, 61), (160, 62), (81, 120), (82, 121)] {
            let seen = picture.rgb(x, y);
            let far = seen.iter().zip(expected).map(|(a, b)| (a - b).abs()).max().unwrap();
            assert!(far <= 4, "{format:?} at {x},{y}: {seen:?}, not {expected:?}");
        }
    }
}

#[test]
fn white_of_limited_luma_is_235() {
    // Neutral is nearly white; white itself on I420: 16 + 219 = 235, chroma 128.
    let mut picture = Picture::new(VideoFormat::I420, 64, 64);
    picture.with_frame(|frame| {
        let mut canvas = Canvas::new(frame).unwrap();
        canvas.blend(canvas.area(), |_, _, row| row.fill(0xffff_ffff));
        assert_eq!(canvas.planes[0][0], 235);
        assert_eq!((canvas.planes[1][0], canvas.planes[2][0]), (128, 128));
        canvas.blend(canvas.area(), |_, _, row| row.fill(0xffff_0000));
        // ITU-R BT.601: red is 81, 90, 240.
        assert_eq!(canvas.planes[0][0], 81);
        assert_eq!((canvas.planes[1][0], canvas.planes[2][0]), (90, 240));
        // Half of black over it: 16/2 + 81/2 = 48.5; chroma halfway to 128.
        canvas.blend(canvas.area(), |_, _, row| row.fill(0x8000_0000));
        assert!((48..=49).contains(&canvas.planes[0][0]), "{}", canvas.planes[0][0]);
        assert_eq!((canvas.planes[1][0], canvas.planes[2][0]), (109, 184));
    });
}

#[test]
fn alpha_grows_where_something_is_drawn() {
    let mut picture = Picture::new(VideoFormat::Rgba, 16, 16);
    picture.with_frame(|frame| {
        let mut canvas = Canvas::new(frame).unwrap();
        canvas.planes[0][..4].copy_from_slice(&[10, 20, 30, 0]);
        canvas.planes[0][4..8].copy_from_slice(&[0, 100, 200, 255]);
        // Half-transparent red, premultiplied.
        canvas.blend(Area::new(0, 0, 2, 1), |_, _, row| row.fill(0x8080_0000));
        // Over nothing it is what it is; over opaque it is the mean: 128, 50, 100.
        assert_eq!(canvas.planes[0][..4], [255, 0, 0, 128]);
        assert_eq!(canvas.planes[0][4..8], [128, 50, 100, 255]);
    });
}

#[test]
fn any_face_on_any_size_is_survived() {
    let rects = [
        Rect::new(-0.5, -0.5, 2.0, 2.0),
        Rect::new(0.9, 0.9, 0.5, 0.5),
        Rect::new(-1e9, 0.0, 2e9, 1e-9),
        Rect::new(f32::NAN, 0.0, 1.0, 1.0),
        Rect::new(0.5, 0.5, 1e-6, 1e-6),
        Rect::new(0.5, 0.5, 0.003, 0.9),
        Rect::new(3.0, 3.0, 1.0, 1.0),
    ];
    let faces = rects
        .into_iter()
        .zip(Emotion::ALL.into_iter().map(Some).chain([None]).cycle())
        .enumerate()
        .map(|(track, (rect, stable))| face(track as u64, rect, stable))
        .collect();
    let report = report(faces);
    for (width, height) in [(16, 16), (17, 16), (16, 65), (64, 64), (65, 4000), (1001, 63)] {
        for format in [VideoFormat::I420, VideoFormat::Yuy2, VideoFormat::Rgb, VideoFormat::Argb] {
            let mut picture = Picture::new(format, width, height);
            for scale in [0.25, 1.0, 4.0] {
                let style = Style { scale, language: Language::Ru, bars: true };
                let mut painter = Painter::default();
                picture.with_frame(|frame| painter.draw(frame, &report, &style)).unwrap();
                for (w, h) in [(10, 1), (1, 10), (64, 45), (i32::MAX, 1)] {
                    picture = picture.with_aspect(w, h);
                    picture.with_frame(|frame| painter.draw(frame, &report, &style)).unwrap();
                }
            }
        }
    }
}

/// Wide PAL is shown as 1024×576.
#[test]
fn wide_pal_looks_like_square_pixels() {
    let report = report(vec![face(1, BOX, Some(Emotion::Fear))]);
    let mut painter = Painter::default();
    let mut places = |mut picture: Picture| {
        picture.with_frame(|frame| painter.draw(frame, &report, &Style::default())).unwrap();
        painter.scene.taken.clone()
    };
    let square = places(Picture::new(VideoFormat::I420, 1024, 576));
    let wide = places(Picture::new(VideoFormat::I420, 720, 576).with_aspect(64, 45));
    assert_eq!((square.len(), wide.len()), (2, 2), "label and chart");
    for (square, wide) in square.iter().zip(&wide) {
        assert_eq!((square.y, square.h), (wide.y, wide.h));
        for (square, wide) in [(square.x, wide.x), (square.right(), wide.right())] {
            let shown = wide as f32 * 64.0 / 45.0;
            // A label is made of three texts, each up to a column wider than it is shown.
            assert!((shown - square as f32).abs() <= 6.0, "{square} is shown at {shown}");
        }
    }
}

#[test]
fn a_format_of_more_bits_is_refused_by_name() {
    gst::init().unwrap();
    let info = gst_video::VideoInfo::builder(VideoFormat::P01010le, 32, 32).build().unwrap();
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame =
        VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &info).unwrap();
    let error = Canvas::new(&mut frame).err().unwrap().to_string();
    assert!(error.contains("P01010le"), "{error}");
}

#[test]
fn what_was_rendered_and_placed_is_kept() {
    let mut picture = Picture::new(VideoFormat::Nv12, 640, 480);
    let mut painter = Painter::default();
    let first = report(vec![face(1, BOX, None), face(2, Rect::new(0.7, 0.1, 0.1, 0.1), None)]);
    let style = Style::default();
    picture.with_frame(|frame| painter.draw(frame, &first, &style)).unwrap();
    let shapes = painter.shapes.len();
    picture.with_frame(|frame| painter.draw(frame, &first, &style)).unwrap();
    assert_eq!((painter.shapes.len(), painter.habits.len()), (shapes, 2));
    picture.with_frame(|frame| painter.draw(frame, &report(vec![]), &style)).unwrap();
    assert!(painter.habits.is_empty());
}

#[test]
fn a_chart_shows_its_colour_where_it_faces_its_face() {
    // Free on all sides it stands right of its face; at the frame's right edge, left of it.
    for (left, place, edges) in [(0.3, 0, [true, false]), (0.75, 1, [false, true])] {
        let mut picture = Picture::new(VideoFormat::Rgb, 640, 480);
        let mut painter = Painter::default();
        let report = report(vec![face(1, Rect::new(left, 0.3, 0.25, 0.4), Some(Emotion::Anger))]);
        picture.with_frame(|frame| painter.draw(frame, &report, &Style::default())).unwrap();
        assert_eq!(painter.habits[&1].chart, Some(place));
        let chart = painter.scene.taken[1];
        let middle = chart.y + chart.h / 2;
        let seen = [chart.x, chart.right() - 1].map(|x| picture.rgb(x, middle) == [213, 94, 0]);
        assert_eq!(seen, edges, "at {left}");
    }
}

/// Time on a processor, not on the wall: other work on the machine does not count.
fn processor_time() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = stat.split_whitespace().next().unwrap().parse().unwrap();
    std::time::Duration::from_nanos(nanos)
}

fn eight_faces(round: u16) -> FrameReport {
    let faces = (0..8_u8).map(|index| {
        let (x, y) = (f32::from(index % 4) * 0.24, f32::from(index / 4) * 0.5);
        let rect = Rect::new(x + f32::from(round) * 1e-4, y + 0.1, 0.1, 0.2);
        face(index.into(), rect, Emotion::from_index(index.into()))
    });
    report(faces.collect())
}

#[test]
#[ignore = "prints how long drawing takes; run in release with --ignored --nocapture"]
fn how_long_eight_faces_on_full_hd_take() {
    const ROUNDS: u16 = 200;
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Bgrx, VideoFormat::Rgba] {
        let mut picture = Picture::new(format, 1920, 1080);
        let mut painter = Painter::default();
        for bars in [false, true] {
            let style = Style { bars, ..Style::default() };
            let first = processor_time();
            picture.with_frame(|frame| painter.draw(frame, &eight_faces(0), &style)).unwrap();
            let start = processor_time();
            for round in 0..ROUNDS {
                let report = eight_faces(round);
                picture.with_frame(|frame| painter.draw(frame, &report, &style)).unwrap();
            }
            let mean = (processor_time() - start) / u32::from(ROUNDS);
            println!("{format:?} bars {bars}: first {:?}, then {mean:?} a frame", start - first);
        }
        picture.with_frame(|frame| {
            let mut canvas = Canvas::new(frame).unwrap();
            let start = processor_time();
            for round in 0..ROUNDS {
                for face in &eight_faces(round).faces {
                    privacy::hide(&mut canvas, &face.rect, privacy::Hide::Blur);
                }
            }
            let mean = (processor_time() - start) / u32::from(ROUNDS);
            println!("{format:?} blur: {mean:?} a frame");
        });
    }
}
