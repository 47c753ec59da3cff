//! Crops of faces whose stable emotion changed, as PNG files in a folder of the user's.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fer_core::event::EventKind;
use fer_core::frame::Frame;
use fer_core::report::FrameReport;

/// What is saved around the detected face, as a fraction of its size.
const MARGIN: f32 = 0.2;

/// Saves the face of every change to a named emotion that `report` tells of.
///
/// # Errors
/// The first file that can't be written, with its path; nothing half-written stays.
pub(super) fn save_changes(
    folder: &Path,
    frame: &Frame<'_>,
    report: &FrameReport,
) -> Result<(), (PathBuf, io::Error)> {
    for event in &report.events {
        let EventKind::EmotionChanged { to: Some(emotion), .. } = event.kind else { continue };
        let Some(face) = report.faces.iter().find(|face| face.track == event.track) else {
            continue;
        };
        let name = format!(
            "{}_{:013}ms_face{}_{emotion}",
            file_name(&report.stream_id),
            report.time.nanos() / 1_000_000,
            event.track,
        );
        let path = free(folder, &name);
        let region = face.rect.scaled(frame.width() as f32, frame.height() as f32).expanded(MARGIN);
        save(&path, frame, &region).map_err(|error| (path, error))?;
    }
    Ok(())
}

/// A name that no picture has yet: times and numbers begin anew with each start.
fn free(folder: &Path, name: &str) -> PathBuf {
    let plain = std::iter::once(format!("{name}.png"));
    let numbered = (2_u32..).map(|count| format!("{name}-{count}.png"));
    let mut paths = plain.chain(numbered).map(|name| folder.join(name));
    paths.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

/// The stream id with everything that means something to a file system taken out.
fn file_name(stream_id: &str) -> String {
    let plain: String = stream_id
        .chars()
        .take(64)
        .map(|c| if c.is_alphanumeric() || c == '-' { c } else { '-' })
        .collect();
    if plain.is_empty() { "stream".to_owned() } else { plain }
}

fn save(path: &Path, frame: &Frame<'_>, region: &fer_core::geometry::Rect) -> io::Result<()> {
    let Some(inside) = region.touched_pixels(frame.width() as u32, frame.height() as u32) else {
        return Ok(());
    };
    let [x, y, across, height] =
        [inside.x, inside.y, inside.w, inside.h].map(|pixels| pixels as usize);
    // Most who show a PNG take its pixels for squares.
    let width = ((across as f32 * frame.pixel_aspect()).round() as usize).max(1);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for row in y..y + height {
        for column in 0..width {
            pixels.extend(frame.rgb(x + column * across / width, row));
        }
    }
    let partial = path.with_extension("png.part");
    let written = write_png(&partial, width as u32, height as u32, &pixels)
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The write's own error is the one to tell; the remains may not exist at all.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn write_png(path: &Path, width: u32, height: u32, rgb: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(fs::File::create(path)?);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer.write_image_data(rgb).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::{Emotion, StableLabel};
    use fer_core::event::Event;
    use fer_core::geometry::Rect;
    use fer_core::report::FaceReport;
    use fer_core::time::MediaTime;

    use super::*;

    fn report(to: StableLabel) -> FrameReport {
        FrameReport {
            stream_id: "../door 1".to_owned(),
            time: MediaTime::from_millis(1234),
            faces: vec![FaceReport {
                track: 7,
                rect: Rect::new(-0.1, 0.5, 0.5, 0.9),
                confidence: 1.0,
                detected: true,
                emotion: None,
            }],
            events: vec![Event { track: 7, kind: EventKind::EmotionChanged { from: None, to } }],
            ..FrameReport::default()
        }
    }

    #[test]
    fn a_crop_at_the_border_is_saved_under_a_harmless_name() {
        let folder = tempfile::tempdir().unwrap();
        let data = [90; 40 * 30];
        let frame = Frame::grey(40, 30, &data).unwrap();
        save_changes(folder.path(), &frame, &report(Some(Emotion::Fear))).unwrap();
        save_changes(folder.path(), &frame, &report(None)).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["---door-1_0000000001234ms_face7_fear.png"]);
        let file = io::BufReader::new(fs::File::open(folder.path().join(&names[0])).unwrap());
        let reader = png::Decoder::new(file).read_info().unwrap();
        // x from 0 to 20, y from 15 − 5.4 to 30 in a frame of 40 × 30.
        assert_eq!((reader.info().width, reader.info().height), (20, 21));
        // Of pixels twice as wide as high; the picture that is there stays.
        let wide = frame.with_pixel_aspect(2.0);
        save_changes(folder.path(), &wide, &report(Some(Emotion::Fear))).unwrap();
        let next = folder.path().join("---door-1_0000000001234ms_face7_fear-2.png");
        let file = io::BufReader::new(fs::File::open(next).unwrap());
        let reader = png::Decoder::new(file).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (40, 21));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let data = [90; 40 * 30];
        let frame = Frame::grey(40, 30, &data).unwrap();
        let (path, _) = save_changes(&file, &frame, &report(Some(Emotion::Fear))).unwrap_err();
        assert!(path.starts_with(&file));
    }
}
