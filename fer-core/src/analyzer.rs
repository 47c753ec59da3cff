//! Frame in, report out: detection → tracking → classification → smoothing → debounce.
//!
//! While known faces are followed, memory is asked for once a frame, for the faces of its report
//! (twice, if the stream has a name), once more by a detector that looks for faces (twice, if it looks
//! everywhere and near small ones) and by a network that classifies them, whose contracts give vectors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::classify::{EmotionClassifier, Scratch, classify};
use crate::config::Config;
use crate::cut::CutDetector;
use crate::debounce::Debouncer;
use crate::detect::{BackendError, Detection, FaceDetector, SAME_FACE, suppress};
use crate::emotion::Probabilities;
use crate::event::{Event, EventKind};
use crate::frame::Frame;
use crate::geometry::Rect;
use crate::motion::MotionDetector;
use crate::one_euro::BoxFilter;
use crate::reclassify::Appearance;
use crate::registry::{Factory, smoothers, trackers};
use crate::report::{FaceEmotion, FaceReport, FrameReport};
use crate::scan::{self, KnownFaces, Missed, Scan, ScanSchedule, Sizes};
use crate::smooth::{Filtered, SmoothOptions, Smoother};
use crate::time::MediaTime;
use crate::track::{Track, Tracker};
use crate::upstream::Upstream;

/// Where faces come from.
pub enum FaceSource {
    /// A detector of ours, run when a scan is due.
    Detector(Box<dyn FaceDetector>),
    /// Somebody upstream, who may look in some frames only, and says nothing of the others.
    Upstream,
}

/// Analyses one stream. Knows no clock: the frames' media times are all the time there is.
pub struct Analyzer {
    config: Config,
    source: FaceSource,
    classifier: Option<Box<dyn EmotionClassifier>>,
    model: Arc<str>,
    tracker: Box<dyn Tracker>,
    smoother: Factory<SmoothOptions, dyn Smoother>,
    faces: BTreeMap<u64, Face>,
    /// Frames so far.
    frames: u64,
    last_time: Option<MediaTime>,
    /// Width and height of the last frame.
    size: (usize, usize),
    /// The highest id that any tracker has given.
    last_id: u64,
    scans: ScanSchedule,
    upstream: Upstream,
    cuts: CutDetector,
    motion: MotionDetector,
    /// Events that no report has told of yet.
    pending: Vec<Event>,
    buffers: Buffers,
}

/// Memory that is used again in every frame.
#[derive(Default)]
struct Buffers {
    places: Vec<Rect>,
    /// Known faces that a look did not find.
    missed: Vec<Rect>,
    found: Vec<Detection>,
    /// The tracks that are classified, and where they are.
    due: Vec<u64>,
    rects: Vec<Rect>,
    scratch: Scratch,
}

/// What is remembered of one confirmed track.
struct Face {
    /// Steadies the box that is told of.
    box_filter: BoxFilter,
    smoother: Box<dyn Smoother>,
    debouncer: Debouncer,
    last: Option<Classification>,
}

/// What was said of a face when it was last classified.
struct Classification {
    appearance: Appearance,
    raw: Probabilities,
    filtered: Filtered,
}

impl Analyzer {
    /// An analyser without history. Without a classifier faces are tracked but not named.
    ///
    /// # Errors
    /// A setting is out of range or names an unknown tracker or smoother.
    pub fn new(
        config: Config,
        source: FaceSource,
        classifier: Option<Box<dyn EmotionClassifier>>,
    ) -> Result<Self, BackendError> {
        check(&config)?;
        let model = classifier.as_ref().map_or("", |c| c.manifest().name.as_str()).into();
        let mut tracker = trackers().build(&config.tracker, &config)?;
        tracker.expect_scans_every(config.inference_interval);
        Ok(Self {
            tracker,
            smoother: smoothers().factory(&config.smoothing)?,
            config,
            source,
            classifier,
            model,
            faces: BTreeMap::new(),
            frames: 0,
            last_time: None,
            size: (0, 0),
            last_id: 0,
            scans: ScanSchedule::default(),
            upstream: Upstream::default(),
            cuts: CutDetector::default(),
            motion: MotionDetector::default(),
            pending: Vec::new(),
            buffers: Buffers::default(),
        })
    }

    /// The settings in force.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Puts new settings in force from the next frame on. Faces keep their ids and labels; where
    /// the smoother, the tracker or their numbers change, those start anew.
    ///
    /// # Errors
    /// As [`new`](Self::new); then the old settings stay.
    pub fn reconfigure(&mut self, config: Config) -> Result<(), BackendError> {
        check(&config)?;
        let smoother = smoothers().factory(&config.smoothing)?;
        let tracker = trackers().build(&config.tracker, &config)?;
        if (&config.tracker, config.track) != (&self.config.tracker, self.config.track) {
            self.reset();
            self.tracker = tracker;
            self.tracker.go_on_after(self.last_id);
        }
        self.tracker.expect_scans_every(config.inference_interval);
        let options = |config| smooth_options(config, self.classifier.as_deref());
        let refilter = (&config.smoothing, options(&config))
            != (&self.config.smoothing, options(&self.config));
        for face in self.faces.values_mut() {
            if refilter {
                face.smoother = smoother(&options(&config))?;
            }
            face.debouncer.set_options(config.debounce);
        }
        self.smoother = smoother;
        self.config = config;
        Ok(())
    }

    /// Forgets all faces and times, as after a seek. The next report tells of their loss.
    pub fn reset(&mut self) {
        self.cuts = CutDetector::default();
        self.forget();
    }

    fn forget(&mut self) {
        self.faces.keys().for_each(|track| lose(&mut self.pending, *track));
        self.faces.clear();
        self.tracker.reset();
        self.last_time = None;
        self.scans.reset();
        self.upstream = Upstream::default();
    }

    /// Ends the stream: forgets everything, and gives what no report will tell of.
    pub fn finish(&mut self) -> Vec<Event> {
        self.reset();
        std::mem::take(&mut self.pending)
    }

    /// Analyses the next frame.
    ///
    /// `upstream` are the faces that an earlier element found in this frame, used with
    /// [`FaceSource::Upstream`] only. Time that runs backwards is a new beginning, and so are a new
    /// scene and frames of another size.
    ///
    /// # Errors
    /// The detector or the classifier failed; the next frame may be tried.
    pub fn analyze(
        &mut self,
        frame: &Frame<'_>,
        now: MediaTime,
        upstream: &[Detection],
    ) -> Result<FrameReport, BackendError> {
        self.frames += 1;
        if self.last_time.is_some_and(|last| now < last) {
            self.reset();
        }
        // Boxes are in pixels.
        let size = (frame.width(), frame.height());
        let is_resized = std::mem::replace(&mut self.size, size) != size;
        if self.cuts.is_cut(frame, now) || is_resized {
            self.forget();
        }
        let passed = self.last_time.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        self.find_faces(frame, now, upstream)?;
        self.follow_faces()?;
        self.classify_due(frame, now)?;
        Ok(self.report(frame, now, passed))
    }

    /// Looks for faces where that is due, else carries the tracks on.
    fn find_faces(
        &mut self,
        frame: &Frame<'_>,
        now: MediaTime,
        upstream: &[Detection],
    ) -> Result<(), BackendError> {
        let Buffers { places, missed, found, .. } = &mut self.buffers;
        found.clear();
        places.clear();
        let FaceSource::Detector(detector) = &mut self.source else {
            let interval = self.config.inference_interval;
            if !self.upstream.has_looked(!upstream.is_empty(), interval, now) {
                self.tracker.predict(now);
                return Ok(());
            }
            found.extend(upstream.iter().filter(|face| face.is_plausible(frame)));
            self.tracker.update(found, now);
            self.scans.done(Scan::Full, None, now);
            return Ok(());
        };
        self.tracker.predict(now);
        let sizes = Sizes::new(self.config.min_face, frame);
        let known = KnownFaces::fill(places, self.tracker.tracks(), sizes, frame);
        let Config { inference_interval, scan_interval, .. } = self.config;
        let has_moved = || self.motion.has_moved(frame, places);
        let knows_faces = !places.is_empty();
        let due = self.scans.due(inference_interval, scan_interval, knows_faces, now, has_moved);
        if due == Scan::None {
            return Ok(());
        }
        // If every scan is of the whole frame, it is there that known faces are found more easily.
        let closely = scan_interval.is_zero() || self.scans.was_whole();
        let near = known.near(places, due, closely);
        let mut scan = scan::scan(&mut **detector, frame, due, near, sizes, found)?;
        missed.clear();
        missed.extend(confirmed(&*self.tracker).map(|track| track.rect));
        scan::scan_for_tilted(&mut **detector, frame, missed, found)?;
        if scan == Scan::Local
            && let Some(small) = escaped(self.tracker.tracks(), self.scans.last(), found, sizes)
        {
            // By the next frame it would be too far from where it was to be known again.
            let has_moved = self.motion.has_moved(frame, places);
            let kind = self.scans.for_escaped(small, has_moved, scan_interval, now);
            scan = scan::scan(&mut **detector, frame, kind, &[], sizes, found)?;
        }
        if scan != Scan::Local {
            self.motion.keep(frame, sizes.small);
        }
        let is_nobody_here = !knows_faces && found.is_empty();
        if is_nobody_here && self.scans.faint_due(scan_interval.max(inference_interval), now) {
            scan::scan_for_faint(&mut **detector, frame, scan, sizes, found)?;
        }
        found.retain(|face| face.is_plausible(frame));
        suppress(found, SAME_FACE);
        self.tracker.update(found, now);
        let missed = self.tracker.tracks().iter().filter(|track| track.last_seen != now);
        let missed = missed.map(|track| sizes.is_small(&track.rect)).reduce(|a, b| a || b);
        let missed = missed.map(|small| if small { Missed::Small } else { Missed::Large });
        self.scans.done(scan, missed, now);
        Ok(())
    }

    /// Brings the remembered faces in line with the tracks.
    fn follow_faces(&mut self) -> Result<(), BackendError> {
        let (tracks, pending) = (self.tracker.tracks(), &mut self.pending);
        self.last_id = tracks.last().map_or(self.last_id, |newest| newest.id.max(self.last_id));
        self.faces.retain(|track, _| {
            let known = tracks.binary_search_by_key(track, |known| known.id);
            let stays = known.is_ok_and(|index| tracks[index].confirmed);
            if !stays {
                lose(pending, *track);
            }
            stays
        });
        for track in confirmed(&*self.tracker).map(|track| track.id) {
            if let std::collections::btree_map::Entry::Vacant(slot) = self.faces.entry(track) {
                let options = smooth_options(&self.config, self.classifier.as_deref());
                slot.insert(Face {
                    box_filter: BoxFilter::default(),
                    smoother: (self.smoother)(&options)?,
                    debouncer: Debouncer::new(self.config.debounce),
                    last: None,
                });
                self.pending.push(Event { track, kind: EventKind::FaceAppeared });
            }
        }
        Ok(())
    }

    /// Classifies, in one batch, the faces that are due. Not those that the last look did not find:
    /// where they should be is somebody's ear, or the wall.
    fn classify_due(&mut self, frame: &Frame<'_>, now: MediaTime) -> Result<(), BackendError> {
        let timeout = self.report_timeout();
        let Buffers { due, rects, scratch, .. } = &mut self.buffers;
        due.clear();
        rects.clear();
        let Some(classifier) = &mut self.classifier else { return Ok(()) };
        let reclassify = &self.config.reclassify;
        let looked = self.scans.last();
        let found = |track: &&Track| is_found(track, looked);
        for track in in_sight(&*self.tracker, timeout, now).filter(found) {
            let last = self.faces.get(&track.id).and_then(|face| face.last.as_ref());
            if last.is_none_or(|it| it.appearance.is_stale(reclassify, frame, &track.rect, now)) {
                due.push(track.id);
                rects.push(track.rect);
            }
        }
        let results = classify(&mut **classifier, frame, rects, scratch)?;
        for ((track, rect), raw) in due.iter().zip(rects).zip(results) {
            if let Some(face) = self.faces.get_mut(track) {
                let filtered = face.smoother.update(raw, now);
                let appearance = Appearance::new(frame, rect, now);
                face.last = Some(Classification { appearance, raw: *raw, filtered });
            }
        }
        Ok(())
    }

    /// For how long a face that is not found is reported. A hidden face keeps its identity for longer than
    /// its box can be trusted; where scans are far apart, by choice or because frames are, it is reported
    /// from scan to scan.
    fn report_timeout(&self) -> Duration {
        let apart = self.config.inference_interval.max(self.scans.apart());
        (self.config.track.lost_after / 2).max(2 * apart)
    }

    /// The report of a frame that comes so long after the last one.
    fn report(&mut self, frame: &Frame<'_>, now: MediaTime, passed: Duration) -> FrameReport {
        let (sx, sy) = (1.0 / frame.width() as f32, 1.0 / frame.height() as f32);
        let hidden = confirmed(&*self.tracker).filter(|it| !is_found(it, self.scans.last()));
        for track in hidden {
            if let Some(face) = self.faces.get_mut(&track.id) {
                face.debouncer.wait(passed);
            }
        }
        let mut faces = Vec::with_capacity(self.faces.len());
        let timeout = self.report_timeout();
        for track in in_sight(&*self.tracker, timeout, now) {
            let Some(face) = self.faces.get_mut(&track.id) else { continue };
            if is_found(track, self.scans.last())
                && let Some(last) = &face.last
                && let Some((from, to)) = face.debouncer.update(&last.filtered, now)
            {
                let kind = EventKind::EmotionChanged { from, to };
                self.pending.push(Event { track: track.id, kind });
            }
            faces.push(FaceReport {
                track: track.id,
                rect: face.box_filter.update(&track.rect, now).scaled(sx, sy),
                confidence: track.confidence,
                detected: track.last_seen == now,
                emotion: face.emotion(&self.model, now, self.buffers.due.contains(&track.id)),
            });
        }
        FrameReport {
            stream_id: self.config.stream_id.clone(),
            frame: self.frames - 1,
            time: now,
            faces,
            events: std::mem::take(&mut self.pending),
            unseen: false,
        }
    }
}

impl Face {
    fn emotion(&self, model: &Arc<str>, now: MediaTime, inferred: bool) -> Option<FaceEmotion> {
        let Classification { appearance, raw, filtered } = self.last.as_ref()?;
        let (stable, since) = self.debouncer.stable()?;
        Some(FaceEmotion {
            stable,
            since,
            smoothed: filtered.probabilities,
            raw: *raw,
            model: Arc::clone(model),
            inferred,
            age: now.since(appearance.time()),
        })
    }
}

fn confirmed(tracker: &dyn Tracker) -> impl Iterator<Item = &Track> {
    tracker.tracks().iter().filter(|track| track.confirmed)
}

/// Whether small faces are among those that the scan before had found and near whose places this one has
/// `found` none; `None` if there are no such faces.
fn escaped(
    tracks: &[Track],
    last: Option<MediaTime>,
    found: &[Detection],
    sizes: Sizes,
) -> Option<bool> {
    let is_there =
        |track: &Track| found.iter().any(|face| face.rect.intersection(&track.rect).is_valid());
    let escaped =
        tracks.iter().filter(|track| track.confirmed && is_found(track, last) && !is_there(track));
    escaped.map(|track| sizes.is_small(&track.rect)).reduce(|a, b| a || b)
}

/// A face is gone. If no report has told of it, as where classification fails, none is to.
fn lose(pending: &mut Vec<Event>, track: u64) {
    let told = pending.len();
    pending.retain(|event| event.track != track);
    if pending.len() == told {
        pending.push(Event { track, kind: EventKind::FaceLost });
    }
}

/// Whether the last look has found a face.
fn is_found(track: &Track, looked: Option<MediaTime>) -> bool {
    Some(track.last_seen) >= looked
}

/// The faces that are told of: those seen within that time.
fn in_sight(
    tracker: &dyn Tracker,
    timeout: Duration,
    now: MediaTime,
) -> impl Iterator<Item = &Track> {
    confirmed(tracker).filter(move |track| now.since(track.last_seen) < timeout)
}

fn smooth_options(config: &Config, classifier: Option<&dyn EmotionClassifier>) -> SmoothOptions {
    let prior = classifier.map_or(Probabilities::UNIFORM, |known| known.manifest().prior());
    SmoothOptions { time_constant: config.smoothing_time, prior }
}

fn check(config: &Config) -> Result<(), BackendError> {
    match config.problems().into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(BackendError::Option {
            option: problem.name,
            value: problem.value.to_string(),
            accepted: format!("{} to {}", problem.low, problem.high),
        }),
    }
}

#[cfg(test)]
mod tests;
