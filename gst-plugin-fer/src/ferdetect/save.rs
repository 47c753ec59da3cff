//! Crops of faces whose stable emotion changed, as PNG files in a folder of the user's.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fer_core::event::EventKind;
use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use fer_core::report::FrameReport;

/// What is saved around the detected face, as a fraction of its size.
const MARGIN: f32 = 0.2;
/// Bytes of the stream id that names begin with. File systems take names of 255 bytes, of which all
/// that follows the id needs less than half.
const LONGEST_ID: usize = 128;

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
        let region = face.rect.scaled(frame.width() as f32, frame.height() as f32).expanded(MARGIN);
        let Some(crop) = Crop::new(frame, &region) else { continue };
        crop.save(folder, &name)?;
    }
    Ok(())
}

/// Makes the first file of these that is not there yet: no other element can have it then.
fn claim(
    folder: &Path,
    names: impl Iterator<Item = String>,
) -> Result<(fs::File, PathBuf), (PathBuf, io::Error)> {
    for path in names.map(|name| folder.join(name)) {
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err((path, error)),
        }
    }
    Err((folder.to_owned(), io::ErrorKind::AlreadyExists.into()))
}

/// Gives a whole picture the first of these names that is not there yet.
fn publish(
    part: &Path,
    folder: &Path,
    mut names: impl Iterator<Item = String>,
) -> Result<(), (PathBuf, io::Error)> {
    for path in names.by_ref().map(|name| folder.join(name)) {
        match fs::hard_link(part, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(()) => return Ok(()),
            // File systems without links: the name is there for a moment without the picture.
            Err(_) => {
                let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
                return claim(folder, own.into_iter().chain(names))
                    .and_then(|(_, path)| move_to(part, path));
            }
        }
    }
    Err((folder.to_owned(), io::ErrorKind::AlreadyExists.into()))
}

/// The stream id with everything that means something to a file system taken out.
fn file_name(stream_id: &str) -> String {
    let plain: String = stream_id[..stream_id.floor_char_boundary(LONGEST_ID)]
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '-' { c } else { '-' })
        .collect();
    if plain.is_empty() { "stream".to_owned() } else { plain }
}

/// A picture that is to be written.
struct Crop {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Crop {
    /// What of a region lies in the frame; `None` where nothing does.
    fn new(frame: &Frame<'_>, region: &Rect) -> Option<Self> {
        let inside = region.touched_pixels(frame.width() as u32, frame.height() as u32)?;
        let [x, y, across, height] =
            [inside.x, inside.y, inside.w, inside.h].map(|pixels| pixels as usize);
        // Most who show a PNG take its pixels for squares.
        let width = ((across as f32 * frame.pixel_aspect()).round() as usize).max(1);
        let mut rgb = Vec::with_capacity(3 * width * height);
        for row in y..y + height {
            for column in 0..width {
                rgb.extend(frame.rgb(x + column * across / width, row));
            }
        }
        Some(Self { width, height, rgb })
    }

    /// Writes the picture under a name that none has yet, as times and numbers begin anew with each
    /// start: first under another one, so that whoever watches the folder sees no half of it.
    fn save(&self, folder: &Path, name: &str) -> Result<(), (PathBuf, io::Error)> {
        fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
        let process = std::process::id();
        let parts = (0_u64..).map(|count| format!("{name}-{process}-{count}.png.part"));
        let (file, part) = claim(folder, parts)?;
        let plain = std::iter::once(format!("{name}.png"));
        let numbered = (2_u64..).map(|count| format!("{name}-{count}.png"));
        let saved = self
            .write(file)
            .map_err(|error| (part.clone(), error))
            .and_then(|()| publish(&part, folder, plain.chain(numbered)));
        // Its other name stays, or the first error is the one to tell.
        let _ = fs::remove_file(&part);
        saved
    }

    fn write(&self, file: fs::File) -> io::Result<()> {
        let mut file = BufWriter::new(file);
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(&self.rgb).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        file.flush()
    }
}

/// Puts a file in the place of the empty one at `path`; takes that away where it cannot.
fn move_to(part: &Path, path: PathBuf) -> Result<(), (PathBuf, io::Error)> {
    fs::rename(part, &path).map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&path);
        (path, error)
    })
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::{Emotion, StableLabel};
    use fer_core::event::Event;
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

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Cameras of one wall, or the same one after a restart, may have the same name.
    #[test]
    fn several_elements_lose_no_picture_in_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = [90; 40 * 30];
        let save_all = || {
            let frame = Frame::grey(40, 30, &data).unwrap();
            for _ in 0..50 {
                save_changes(folder.path(), &frame, &report(Some(Emotion::Fear))).unwrap();
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(save_all))));
        let names = names(folder.path());
        assert_eq!(names.len(), 200);
        for name in names {
            let file = io::BufReader::new(fs::File::open(folder.path().join(name)).unwrap());
            assert!(
                png::Decoder::new(file).read_info().unwrap().next_frame(&mut [0; 4096]).is_ok()
            );
        }
    }

    #[test]
    fn a_name_is_as_long_as_file_systems_take_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = [90; 40 * 30];
        let frame = Frame::grey(40, 30, &data).unwrap();
        for letter in ["a", "\u{e9}", "\u{4e09}", "\u{20000}"] {
            let mut report = report(Some(Emotion::Happiness));
            report.stream_id = format!("b{}", letter.repeat(300));
            report.time = MediaTime::from_nanos(u64::MAX);
            report.faces[0].track = u64::MAX;
            report.events[0].track = u64::MAX;
            save_changes(folder.path(), &frame, &report).unwrap();
        }
        let names = names(folder.path());
        assert_eq!(names.len(), 4);
        assert!(names.iter().all(|name| (125..255).contains(&name.len())), "{names:?}");
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
