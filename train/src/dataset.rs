//! FER2013 as it was published: one CSV of `emotion,pixels,Usage`, plain or zstd-compressed.
//!
//! Reading is strict. A row that is not exactly a 48×48 image of bytes with a known class and a
//! known usage is an error that names the row, because a silently skipped row would change the
//! figures that are compared across publications.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use fer_core::emotion::Emotion;

/// Width and height of a FER2013 image in pixels.
pub const SIDE: usize = 48;
/// Pixels in a FER2013 image.
pub const PIXELS: usize = SIDE * SIDE;

/// The first bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What can be wrong with a data set file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The file could not be opened or read.
    #[error("cannot read the data set `{path}`: {source}")]
    Io {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The first line is not FER2013's header.
    #[error("the data set starts with `{found}`; expected the header `emotion,pixels,Usage`")]
    Header {
        /// The line that was found.
        found: String,
    },
    /// A row does not have the three fields.
    #[error("row {row}: {found} fields; expected 3 (`emotion,pixels,Usage`)")]
    Fields {
        /// Row of the file, the header being row 1.
        row: usize,
        /// Fields in the row.
        found: usize,
    },
    /// The class is not one of FER2013's.
    #[error("row {row}: emotion `{value}`; expected 0 (anger) to 6 (neutral)")]
    Emotion {
        /// Row of the file, the header being row 1.
        row: usize,
        /// The text that was found.
        value: String,
    },
    /// A pixel is not a byte.
    #[error("row {row}: pixel {index} is `{value}`; expected a whole number from 0 to 255")]
    Pixel {
        /// Row of the file, the header being row 1.
        row: usize,
        /// Position of the pixel, from 0.
        index: usize,
        /// The text that was found.
        value: String,
    },
    /// The image is not 48×48.
    #[error("row {row}: {found} pixels; expected {PIXELS} (48×48)")]
    PixelCount {
        /// Row of the file, the header being row 1.
        row: usize,
        /// Pixels in the row.
        found: usize,
    },
    /// The usage is not one of FER2013's.
    #[error("row {row}: usage `{value}`; expected Training, PublicTest or PrivateTest")]
    Usage {
        /// Row of the file, the header being row 1.
        row: usize,
        /// The text that was found.
        value: String,
    },
    /// The file has no row of a split that is needed.
    #[error("the data set has no {split} rows; expected at least one")]
    EmptySplit {
        /// Name of the split, as in the CSV.
        split: Split,
    },
}

/// The three parts that FER2013 was published in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Rows to learn from.
    Training,
    /// Validation: everything that is selected or fitted is selected on it.
    PublicTest,
    /// Test: scored once, for the model that was selected.
    PrivateTest,
}

impl Split {
    /// The name that the CSV's `Usage` column has.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::PublicTest => "PublicTest",
            Self::PrivateTest => "PrivateTest",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Training, Self::PublicTest, Self::PrivateTest]
            .into_iter()
            .find(|split| split.name() == name)
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Labelled 48×48 luma images, kept as bytes in one piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    pixels: Vec<u8>,
    labels: Vec<Emotion>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All pixels, image after image, row-major, 0 to 255.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The class of each image.
    pub fn labels(&self) -> &[Emotion] {
        &self.labels
    }

    /// The 2,304 pixels of image `index`, which must be below [`Self::len`].
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * PIXELS..(index + 1) * PIXELS]
    }

    /// The images one by one.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Emotion)> {
        self.pixels.chunks_exact(PIXELS).zip(self.labels.iter().copied())
    }

    /// Adds one image; `pixels` is 2,304 long.
    pub fn push(&mut self, pixels: &[u8], label: Emotion) {
        debug_assert_eq!(pixels.len(), PIXELS);
        self.pixels.extend_from_slice(pixels);
        self.labels.push(label);
    }

    /// The images for which `keep` says yes, in order.
    pub fn filtered(&self, mut keep: impl FnMut(&[u8]) -> bool) -> Self {
        let mut kept = Self::default();
        for (pixels, label) in self.iter().filter(|(pixels, _)| keep(pixels)) {
            kept.push(pixels, label);
        }
        kept
    }

    /// How many images each class has, in the order of [`Emotion::ALL`].
    pub fn class_counts(&self) -> [usize; Emotion::ALL.len()] {
        let mut counts = [0; Emotion::ALL.len()];
        for label in &self.labels {
            counts[label.index()] += 1;
        }
        counts
    }
}

/// FER2013, split as it was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// 28,709 rows in the published file.
    pub training: Images,
    /// 3,589 rows in the published file.
    pub public_test: Images,
    /// 3,589 rows in the published file.
    pub private_test: Images,
}

/// What [`Dataset::clean_training`] took out of the training split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Training rows that are pixel-identical to a PublicTest or PrivateTest row.
    pub twins: usize,
    /// Training images in which all pixels are equal.
    pub constant: usize,
}

impl Dataset {
    /// Reads a file: plain CSV, or CSV in a zstd frame (told apart by its first bytes).
    ///
    /// # Errors
    ///
    /// Every [`DatasetError`]; the first row that is wrong is named.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let io = |source| DatasetError::Io { path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
        let compressed = file.fill_buf().map_err(io)?.starts_with(&ZSTD_MAGIC);
        let reader: Box<dyn Read> = if compressed {
            Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(io)?)
        } else {
            Box::new(file)
        };
        Self::parse(BufReader::with_capacity(1 << 20, reader), path)
    }

    /// Reads CSV text; `path` is only used to name the source in errors.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(mut reader: impl BufRead, path: &Path) -> Result<Self, DatasetError> {
        let mut dataset = Self::default();
        let mut line = Vec::new();
        let mut pixels = Vec::with_capacity(PIXELS);
        for row in 1.. {
            line.clear();
            let read = reader
                .read_until(b'\n', &mut line)
                .map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
            let text = line.trim_ascii_end();
            match (read, row) {
                (0, 1) => return Err(DatasetError::Header { found: String::new() }),
                (0, _) => break,
                (_, 1) => check_header(text)?,
                _ if text.is_empty() => {}
                _ => {
                    let (label, split) = parse_row(text, row, &mut pixels)?;
                    dataset.images_mut(split).push(&pixels, label);
                }
            }
        }
        Ok(dataset)
    }

    /// The images of one split.
    pub fn images(&self, split: Split) -> &Images {
        match split {
            Split::Training => &self.training,
            Split::PublicTest => &self.public_test,
            Split::PrivateTest => &self.private_test,
        }
    }

    fn images_mut(&mut self, split: Split) -> &mut Images {
        match split {
            Split::Training => &mut self.training,
            Split::PublicTest => &mut self.public_test,
            Split::PrivateTest => &mut self.private_test,
        }
    }

    /// The training split without what makes a score dishonest or teaches nothing.
    ///
    /// `twins` drops rows that are pixel-identical to a row of either test split; `constant`
    /// drops images of one value.
    ///
    /// # Errors
    ///
    /// [`DatasetError::EmptySplit`] where no row is left.
    pub fn clean_training(
        &self,
        twins: bool,
        constant: bool,
    ) -> Result<(Images, Removed), DatasetError> {
        let tests: HashSet<&[u8]> =
            self.public_test.iter().chain(self.private_test.iter()).map(|(p, _)| p).collect();
        let mut removed = Removed::default();
        let kept = self.training.filtered(|pixels| {
            let twin = twins && tests.contains(pixels);
            let flat = constant && is_constant(pixels);
            removed.twins += usize::from(twin);
            removed.constant += usize::from(flat && !twin);
            !twin && !flat
        });
        if kept.is_empty() {
            return Err(DatasetError::EmptySplit { split: Split::Training });
        }
        Ok((kept, removed))
    }

    /// The rows of a test split that have no pixel-identical row in the published Training split.
    pub fn without_training_twins(&self, split: Split) -> Images {
        let training: HashSet<&[u8]> = self.training.iter().map(|(pixels, _)| pixels).collect();
        self.images(split).filtered(|pixels| !training.contains(pixels))
    }
}

fn is_constant(pixels: &[u8]) -> bool {
    pixels.windows(2).all(|pair| pair[0] == pair[1])
}

fn text_of(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}

fn check_header(line: &[u8]) -> Result<(), DatasetError> {
    if line == b"emotion,pixels,Usage" {
        Ok(())
    } else {
        Err(DatasetError::Header { found: text_of(line) })
    }
}

/// Takes one row apart; its image is left in `pixels`.
fn parse_row(
    line: &[u8],
    row: usize,
    pixels: &mut Vec<u8>,
) -> Result<(Emotion, Split), DatasetError> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b',').collect();
    let [emotion, image, usage] = fields[..] else {
        return Err(DatasetError::Fields { row, found: fields.len() });
    };
    let emotion = parse_byte(emotion)
        .and_then(|value| Emotion::ALL.get(usize::from(value)).copied())
        .ok_or_else(|| DatasetError::Emotion { row, value: text_of(emotion) })?;
    let split = std::str::from_utf8(usage)
        .ok()
        .and_then(Split::from_name)
        .ok_or_else(|| DatasetError::Usage { row, value: text_of(usage) })?;
    pixels.clear();
    for (index, text) in image.split(|&byte| byte == b' ').enumerate() {
        let value = parse_byte(text).ok_or_else(|| DatasetError::Pixel {
            row,
            index,
            value: text_of(text),
        })?;
        pixels.push(value);
    }
    if pixels.len() != PIXELS {
        return Err(DatasetError::PixelCount { row, found: pixels.len() });
    }
    Ok((emotion, split))
}

/// One to three digits, 0 to 255. Written out because 83 million of them are read.
fn parse_byte(text: &[u8]) -> Option<u8> {
    if text.is_empty() || text.len() > 3 {
        return None;
    }
    let mut value = 0_u16;
    for &digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).ok()
}
