//! `fer demo` as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn demo(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fer"))
        .arg("demo")
        .args(arguments)
        .current_dir(folder)
        .env_remove("G_DEBUG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_results(folder: &Path, frames: usize) {
    let read = |name: &str| std::fs::read(folder.join("out/demo").join(name)).unwrap();
    assert_eq!(text(&read("faces.jsonl")).lines().count(), frames);
    assert!(read("frame.png").starts_with(b"\x89PNG"));
    let video = read("annotated.mp4");
    assert_eq!(&video[4..8], b"ftyp");
    assert!(video.windows(4).any(|word| word == b"moov"), "the film was not finished");
}

#[test]
fn the_bundled_portrait_smiles() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &[]);
    let table = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_results(folder.path(), 125);
    assert!(table.contains("face 1") && table.contains("happiness from"), "{table}");
    assert!(!table.contains("face 2"), "{table}");
    // What fails takes nothing away.
    std::fs::write(folder.path().join("broken.mp4"), "no film at all").unwrap();
    assert_eq!(demo(folder.path(), &["broken.mp4"]).status.code(), Some(1));
    assert_results(folder.path(), 125);
    assert_eq!(std::fs::read_dir(folder.path().join("out/demo")).unwrap().count(), 3);
}

#[test]
fn what_it_reads_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("annotated.mp4"), "a recording").unwrap();
    let output = demo(folder.path(), &["annotated.mp4", "-o", "."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it would be replaced"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(folder.path().join("annotated.mp4")).unwrap(), b"a recording");
}

/// GStreamer before 1.26 never comes to a GIF's end.
#[test]
fn a_gif_has_an_end() {
    use image::codecs::gif::GifEncoder;
    use image::{Delay, Frame, RgbaImage};
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("a.gif")).unwrap();
    let mut encoder = GifEncoder::new_with_speed(file, 30);
    for shade in [10, 120, 240] {
        let picture = RgbaImage::from_pixel(160, 120, [shade, shade, shade, 255].into());
        let delay = Delay::from_numer_denom_ms(40, 1);
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    let output = demo(folder.path(), &["a.gif"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_results(folder.path(), 3);
}

/// It used to wait for good, as its film was fed into a pipeline that had not started.
#[test]
fn without_a_runtime_it_ends_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_fer"))
        .arg("demo")
        .current_dir(folder.path())
        .env_remove("G_DEBUG")
        .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let given_up = Instant::now() + Duration::from_secs(60);
    let status = loop {
        match demo.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > given_up => {
                demo.kill().unwrap();
                panic!("it still runs");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    assert_eq!(status.code(), Some(1));
    let told = std::fs::read_to_string(log).unwrap();
    assert!(told.contains("/nowhere/libonnxruntime.so"), "{told}");
}

#[test]
fn a_picture_of_odd_size_is_a_film_of_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(folder.path().join("odd.png")).unwrap();
    let mut encoder = png::Encoder::new(&mut file, 163, 121);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[120; 163 * 121]).unwrap();
    let output = demo(folder.path(), &["odd.png", "--language", "ru"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_results(folder.path(), 1);
}

#[test]
fn what_is_no_video_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no film at all").unwrap();
    for file in ["missing.mp4", "notes.txt"] {
        let output = demo(folder.path(), &[file]);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(told.starts_with("fer: ") && told.contains(file), "{told}");
    }
    let output = demo(folder.path(), &["--language", "tlh"]);
    assert_eq!(output.status.code(), Some(2));
}
