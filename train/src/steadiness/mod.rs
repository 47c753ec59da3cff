//! How steady the labels of each smoother are, on clips in which every change is known.
//!
//! The clips go through `fer-core`'s analyser as a stream would: tracked, classified when due,
//! smoothed, debounced. Only the detector is missing: its boxes come with the frames.

mod clip;
mod figures;

use std::path::Path;
use std::time::Duration;

use fer_backends::onnx::OnnxClassifier;
use fer_core::analyzer::{Analyzer, FaceSource};
use fer_core::classify::EmotionClassifier;
use fer_core::config::Config;
use fer_core::detect::{BackendError, Detection};
use fer_core::emotion::Emotion;
use fer_core::frame::{Frame, FrameError};
use fer_core::geometry::Rect;
use fer_core::manifest::emotion_of_label;
use fer_core::registry::smoothers;
use fer_core::report::FaceEmotion;
use fer_core::time::MediaTime;
use serde::Serialize;

pub use self::clip::{Shown, frozen, spliced};
pub use self::figures::{Calibration, Figures, changes_per_minute};
use crate::dataset::{Dataset, Images, Split};
use crate::evaluate::single_thread;

/// The picture's side is so many times the face's: what happens to a face is no new scene.
const AROUND: usize = 5;
/// Faces that are shown frozen, and for how long each, in seconds.
const FROZEN: (usize, f64) = (20, 10.0);
/// The same, to see how often it is right about them.
const ASKED: (usize, f64) = (300, 2.0);

/// Why steadiness cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SteadinessError {
    /// ONNX Runtime, the ONNX file, its manifest or a setting.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// An image is not what its shape says.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A clip needs expressions that change.
    #[error(
        "{found} classes with images that are emotions of the model; expected at least 2, in grey images"
    )]
    Classes {
        /// How many there are.
        found: usize,
    },
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Length of the clip.
    pub minutes: f64,
    /// Frames a second.
    pub rate: f64,
    /// Of the clip.
    pub seed: u64,
    /// The analyser's settings; its smoother is set to each in turn.
    pub config: Config,
}

impl Default for Options {
    fn default() -> Self {
        Self { minutes: 10.0, rate: 30.0, seed: 1, config: Config::default() }
    }
}

/// Figures of all ways to make a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Steadiness {
    /// Changes a minute of what is shown.
    pub true_changes_per_minute: f64,
    /// Name and figures: what is likeliest in each frame by itself, then each smoother with
    /// hysteresis.
    pub rows: Vec<(String, Figures)>,
    /// Switches of all frozen faces together, with the smoother that `Options::config` names.
    pub frozen_switches: usize,
    /// What is reported of faces that have been frozen for two seconds.
    pub frozen: Calibration,
}

/// Measures the ONNX file `model` on clips spliced from a split.
///
/// # Errors
///
/// [`SteadinessError`].
pub fn steadiness(
    model: &Path,
    dataset: &Dataset,
    split: Split,
    options: &Options,
) -> Result<Steadiness, SteadinessError> {
    let bench = Bench::new(model, dataset, split, options)?;
    let shown = spliced(bench.images, &bench.known, options.minutes, options.rate, options.seed);
    let classes: Vec<usize> = shown.iter().map(|shown| shown.class).collect();
    let figures = |known: &[Option<FaceEmotion>],
                   label: &dyn Fn(&FaceEmotion) -> Option<Emotion>| {
        let labels: Vec<Option<usize>> = known
            .iter()
            .map(|known| known.as_ref().and_then(label))
            .map(|it| it.and_then(|it| bench.class(it)))
            .collect();
        Figures::new(&classes, &labels, options.rate)
    };

    let mut alone = options.config.clone();
    "none".clone_into(&mut alone.smoothing);
    alone.reclassify.interval = Duration::ZERO;
    let known = bench.expressions(&shown, alone)?;
    let likeliest = |known: &FaceEmotion| Some(known.raw.top().0);
    let mut rows = vec![("each frame alone".to_owned(), figures(&known, &likeliest))];

    for smoother in smoothers().names() {
        let config = Config { smoothing: smoother.to_owned(), ..options.config.clone() };
        let known = bench.expressions(&shown, config)?;
        rows.push((smoother.to_owned(), figures(&known, &|known| known.stable)));
    }
    let mut frozen_switches = 0;
    let (faces, seconds) = FROZEN;
    for image in bench.some(faces) {
        let still = frozen(bench.images, image, seconds, options.rate);
        let known = bench.expressions(&still, options.config.clone())?;
        let labels = known.into_iter().map(|known| known.and_then(|known| known.stable));
        // The first label is no switch.
        let labels: Vec<_> = labels.skip_while(Option::is_none).collect();
        frozen_switches += labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    }
    let true_changes_per_minute = changes_per_minute(&classes, options.rate);
    let frozen = bench.calibration(&options.config)?;
    Ok(Steadiness { true_changes_per_minute, rows, frozen_switches, frozen })
}

/// What all clips have in common.
struct Bench<'a> {
    model: &'a Path,
    images: &'a Images,
    emotions: Vec<Option<Emotion>>,
    /// The classes that the model can tell.
    known: Vec<usize>,
    rate: f64,
    /// The box for which the classifier sees exactly the image.
    face: Rect,
}

impl<'a> Bench<'a> {
    fn new(
        model: &'a Path,
        dataset: &'a Dataset,
        split: Split,
        options: &Options,
    ) -> Result<Self, SteadinessError> {
        let images = dataset.images(split);
        let emotions = dataset.classes.emotions();
        let classifier = OnnxClassifier::load(model, &single_thread())?;
        let labels = &classifier.manifest().output.labels;
        let told: Vec<Emotion> =
            labels.iter().filter_map(|label| emotion_of_label(label)).collect();
        let is_told = |class: &usize| {
            images.labels().contains(class)
                && emotions[*class].is_some_and(|emotion| told.contains(&emotion))
        };
        let known: Vec<usize> = (0..emotions.len()).filter(is_told).collect();
        let shape = images.shape();
        if known.len() < 2 || shape.channels != 1 {
            return Err(SteadinessError::Classes { found: known.len() });
        }
        let start = (shape.width * (AROUND - 1) / 2) as f32;
        let image = Rect::new(start, start, shape.width as f32, shape.height as f32);
        // The crop's margin taken off again.
        let margin = classifier.manifest().input.crop.margin;
        let face = image.expanded(-margin / (1.0 + 2.0 * margin));
        Ok(Self { model, images, emotions, known, rate: options.rate, face })
    }

    /// What the analyser says of the face in each frame, once it has said something.
    fn expressions(
        &self,
        shown: &[Shown],
        config: Config,
    ) -> Result<Vec<Option<FaceEmotion>>, SteadinessError> {
        let classifier = Box::new(OnnxClassifier::load(self.model, &single_thread())?);
        let mut analyzer = Analyzer::new(config, FaceSource::Upstream, Some(classifier))?;
        let side = AROUND * self.images.shape().width;
        let mut canvas = background(side);
        let mut expressions = Vec::with_capacity(shown.len());
        for (index, shown) in shown.iter().enumerate() {
            self.draw(&mut canvas, side, shown.image);
            let frame = Frame::grey(side, side, &canvas)?;
            let time = MediaTime::from_nanos((index as f64 * 1e9 / self.rate) as u64);
            let found = Detection { rect: self.found(shown), confidence: 1.0 };
            let report = analyzer.analyze(&frame, time, &[found])?;
            expressions.push(report.faces.into_iter().next().and_then(|face| face.emotion));
        }
        Ok(expressions)
    }

    /// So many images, from all over the split.
    fn some(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let all = self.images.len();
        (0..all).step_by((all / count).max(1)).take(count)
    }

    /// The position of an emotion among the data's classes.
    fn class(&self, emotion: Emotion) -> Option<usize> {
        self.emotions.iter().position(|&class| class == Some(emotion))
    }

    /// How often it is right about faces that do not move.
    fn calibration(&self, config: &Config) -> Result<Calibration, SteadinessError> {
        let (faces, seconds) = ASKED;
        let mut reported = Vec::new();
        for image in self.some(faces) {
            let class = self.images.labels()[image];
            let still = frozen(self.images, image, seconds, self.rate);
            let last = self.expressions(&still, config.clone())?.pop().flatten();
            reported.extend(last.and_then(|known| {
                let (emotion, probability) = known.top();
                Some((class, self.class(emotion)?, f64::from(probability)))
            }));
        }
        Ok(Calibration::new(&reported))
    }

    fn draw(&self, canvas: &mut [u8], side: usize, image: usize) {
        let shape = self.images.shape();
        let start = shape.width * (AROUND - 1) / 2;
        for (y, row) in self.images.image(image).chunks_exact(shape.width).enumerate() {
            let at = (start + y) * side + start;
            canvas[at..at + shape.width].copy_from_slice(row);
        }
    }

    /// The face's box, as far off as a detector's.
    fn found(&self, shown: &Shown) -> Rect {
        let Rect { x, y, w, h } = self.face;
        let [left, right, top, bottom] = shown.off;
        Rect::new(x + left * w, y + top * h, w * (1.0 + right - left), h * (1.0 + bottom - top))
    }
}

/// A room with stripes of light, which stays the same.
fn background(side: usize) -> Vec<u8> {
    (0..side * side).map(|at| (60 + (at % side * 3 + at / side * 2) % 140) as u8).collect()
}
