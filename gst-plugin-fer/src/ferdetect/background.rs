//! The analysis on a thread of its own, so that no frame waits for it where frames follow each other.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use fer_backends::haar;
use fer_core::carry::Carrier;
use fer_core::detect::{Detection, SAME_FACE};
use fer_core::event::Event;
use fer_core::report::FrameReport;
use fer_core::time::MediaTime;
use gst_video::VideoInfo;

use super::analysis::{Analysis, Broken, Outcome};
use super::imp::CAT;
use super::lag::Lag;
use super::settings::Settings;
use super::stats::Stats;
use super::trouble::{Problem, Trouble};
use crate::pixels;

/// By how much the thread steps back: it gets a third of what a busy thread beside it gets. On two cores
/// with a stranger on each it still classified 6.2 times a second instead of 7.6, with 10 twice; 3 did
/// not keep frames from waiting.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// A frame that comes so long after the one before it waits for its own result: with the next one it
/// would come too late to be of any use, and nobody sees a frame of such video wait.
const SELDOM: Duration = Duration::from_millis(500);
/// Half of the time between frames at the most, and no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// For how long a frame may wait for its own result that comes so long after the one before it.
pub(super) fn patience(apart: Duration) -> Duration {
    if apart < SELDOM { Duration::ZERO } else { (apart / 2).min(LONGEST_WAIT) }
}

/// A frame that is to be analysed. Its memory is shared with the buffer that goes on.
struct Job {
    buffer: gst::Buffer,
    info: VideoInfo,
    time: MediaTime,
    /// Of an earlier element, in pixels.
    faces: Vec<Detection>,
    settings: Arc<Settings>,
    /// Frames of another epoch have nothing to do with those before.
    epoch: u64,
}

impl Job {
    /// Takes the place of one that nobody has begun with. An earlier element that looks in some frames
    /// alone has looked there: its faces are not lost with the frame.
    fn replace(&mut self, skipped: Self) {
        if self.faces.is_empty() && skipped.epoch == self.epoch {
            self.faces = skipped.faces;
        }
    }
}

/// What became of a job.
struct Done {
    epoch: u64,
    time: MediaTime,
    outcome: Result<Outcome, Broken>,
}

/// The thread, and what has come from it.
pub(super) struct Background {
    /// Holds one job: the newest that the thread has not begun with.
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<Analysis>>,
    carrier: Carrier,
    lag: Lag,
    epoch: u64,
    /// When the last frame was.
    last: Option<MediaTime>,
    /// Whether the next frame waits for its own result.
    awaits: bool,
    /// The newest frame with faces of an earlier element that the analysis has yet to take in.
    owed: Option<MediaTime>,
    stats: Arc<Stats>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none to give.
    pub(super) fn start(analysis: Analysis, stats: &Arc<Stats>) -> std::io::Result<Self> {
        let (jobs, waiting) = crossbeam_channel::bounded(1);
        let (finished, done) = crossbeam_channel::unbounded();
        let todo = waiting.clone();
        let thread = std::thread::Builder::new()
            .name("ferdetect".to_owned())
            .spawn(move || work(analysis, &todo, &finished))?;
        Ok(Self {
            jobs,
            waiting,
            done,
            thread: Some(thread),
            carrier: Carrier::default(),
            lag: Lag::default(),
            epoch: 0,
            last: None,
            awaits: false,
            owed: None,
            stats: Arc::clone(stats),
        })
    }

    /// Hands a frame over and takes what is done; the report that the frame gets meanwhile.
    ///
    /// # Errors
    /// The thread has panicked.
    pub(super) fn run(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
        time: MediaTime,
        faces: Vec<Detection>,
        settings: &Arc<Settings>,
    ) -> Result<Outcome, Broken> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(panicked());
        }
        let mut problems = self.collect()?;
        self.stats.behind(self.lag.frame(time));
        let gap = self.last.replace(time).map_or(Duration::ZERO, |last| time.since(last));
        match shared(buffer) {
            Ok(buffer) => {
                self.offer(Job {
                    buffer,
                    info: info.clone(),
                    time,
                    faces: faces.clone(),
                    settings: Arc::clone(settings),
                    epoch: self.epoch,
                });
                let awaits = std::mem::take(&mut self.awaits);
                let patience = if awaits { LONGEST_WAIT } else { patience(gap) };
                if !patience.is_zero() {
                    let until = Instant::now() + patience;
                    problems.extend(self.wait_for(time, until)?);
                    self.stats.behind(self.lag.behind());
                }
            }
            Err(problem) => {
                self.stats.errors.fetch_add(1, Relaxed);
                problems.push(Problem::new(Trouble::Memory, problem));
            }
        }
        let mut report = self.carrier.carry(time);
        report.stream_id.clone_from(&settings.analysis.stream_id);
        if has_others(&report, &faces, info) {
            self.owed = Some(time);
        }
        report.unseen |= self.owed.is_some();
        Ok((Some(report), problems))
    }

    /// By how much the analysis is behind the video, where that is to be complained of.
    pub(super) fn complaint(&mut self) -> Option<Duration> {
        self.lag.complaint()
    }

    /// The newest frame takes the place of one that is still waiting.
    fn offer(&self, job: Job) {
        let mut job = job;
        while let Err(TrySendError::Full(back)) = self.jobs.try_send(job) {
            job = back;
            if let Ok(skipped) = self.waiting.try_recv() {
                self.stats.skipped.fetch_add(1, Relaxed);
                job.replace(skipped);
            }
        }
    }

    fn collect(&mut self) -> Result<Vec<Problem>, Broken> {
        let mut problems = Vec::new();
        while let Ok(done) = self.done.try_recv() {
            problems.extend(self.take(done)?);
        }
        Ok(problems)
    }

    /// Collects until the result of the frame at `time` is there.
    fn wait_for(&mut self, time: MediaTime, until: Instant) -> Result<Vec<Problem>, Broken> {
        let mut problems = Vec::new();
        while let Ok(done) = self.done.recv_deadline(until) {
            let is_wanted = done.time == time && done.epoch == self.epoch;
            problems.extend(self.take(done)?);
            if is_wanted {
                break;
            }
        }
        Ok(problems)
    }

    fn take(&mut self, done: Done) -> Result<Vec<Problem>, Broken> {
        let Done { epoch, time, outcome } = done;
        self.lag.analysed(time);
        self.owed = self.owed.filter(|owed| *owed > time);
        let (report, problems) = outcome?;
        match report {
            Some(report) if epoch == self.epoch => self.carrier.take(report),
            // Its faces are of before; that they came and went is told all the same.
            Some(report) => self.carrier.tell(report.events),
            // Who is there now is not known.
            None => self.carrier.forget(),
        }
        Ok(problems)
    }

    /// What comes has nothing to do with what was; the next result tells of the loss of all faces.
    pub(super) fn reset(&mut self) {
        self.epoch += 1;
        self.owed = None;
        self.carrier.forget();
        self.lag.restart();
    }

    /// The next frame waits for its own result.
    pub(super) const fn await_next(&mut self) {
        self.awaits = true;
    }

    /// Waits for the thread to end; what was not told yet, and the analysis, which can be gone on
    /// with.
    ///
    /// # Errors
    /// The thread has panicked.
    pub(super) fn finish(mut self) -> Result<(Vec<Event>, Analysis), Broken> {
        let thread = self.thread.take().ok_or_else(panicked)?;
        // Without a sender the thread has nothing to wait for.
        self.jobs = crossbeam_channel::bounded(0).0;
        let mut analysis = thread.join().map_err(|_| panicked())?;
        self.collect()?;
        let mut events = self.carrier.finish();
        events.extend(analysis.finish());
        Ok((events, analysis))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.jobs = crossbeam_channel::bounded(0).0;
        if let Some(thread) = self.thread.take() {
            // A panic was told of with the next frame, if there was one.
            let _ = thread.join();
        }
    }
}

fn panicked() -> Broken {
    Broken("the analysis panicked".to_owned())
}

/// Whether an earlier element has found a face in a frame that is not among those of the report which the
/// frame gets: the analysis has yet to take it in.
fn has_others(report: &FrameReport, faces: &[Detection], info: &VideoInfo) -> bool {
    let (width, height) = (info.width(), info.height());
    let is_known = |found: &Detection| {
        let place = found.rect.scaled(1.0 / width as f32, 1.0 / height as f32);
        report.faces.iter().any(|face| face.rect.iou(&place) > SAME_FACE)
    };
    let plausible = |face: &&Detection| face.is_plausible_in(width as f32, height as f32);
    faces.iter().filter(plausible).any(|face| !is_known(face))
}

/// A buffer with the same memory and metas, and no hold on the buffer itself. A plain copy has one from
/// newer versions of GStreamer on where the buffer is a pool's, and nothing could be attached to it any
/// more.
fn shared(buffer: &gst::BufferRef) -> Result<gst::Buffer, String> {
    let meta = gst::BufferCopyFlags::META;
    if buffer.iter_memories().any(|memory| memory.flags().contains(gst::MemoryFlags::NO_SHARE)) {
        let deep = gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::DEEP;
        return pixels::copy(buffer, meta | deep);
    }
    let mut shared = pixels::copy(buffer, meta)?;
    let parts = shared.make_mut();
    buffer.iter_memories_owned().for_each(|memory| parts.append_memory(memory));
    Ok(shared)
}

/// Lets the frames go first. A scan on all cores made one frame in a hundred wait for a tick of the
/// system's scheduler, on a busy machine 3 ms; neither the thread's niceness alone nor OpenCV's one
/// thread changed that much, both took it to .2 ms.
fn give_way() {
    if let Err(error) = haar::use_one_thread() {
        gst::warning!(CAT, "OpenCV goes on with several threads: {error}");
    }
    // For Linux each thread has its own niceness, elsewhere the process has.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        gst::warning!(CAT, "the analysis keeps its priority: {error}");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = do_not_preempt() {
        gst::warning!(CAT, "the analysis may interrupt who wakes it: {error}");
    }
}

/// Has the thread begin when its turn comes. By default the frame that wakes it is interrupted at once
/// if both happen to be on one core, and goes on with the scheduler's next tick, 4 ms later: beside a
/// busy core it was 3.7 to 4.2 ms for one frame in a hundred, and .7 to 3.5 so.
#[cfg(target_os = "linux")]
fn do_not_preempt() -> std::io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads the parameters; 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn work(mut analysis: Analysis, todo: &Receiver<Job>, finished: &Sender<Done>) -> Analysis {
    give_way();
    let mut current = 0;
    for Job { buffer, info, time, faces, settings, epoch } in todo {
        if epoch != current {
            analysis.reset();
            current = epoch;
        }
        let outcome = analysis.run(&buffer, &info, time, &faces, &settings);
        // Nobody is there to hear of it while the element stops.
        let _ = finished.send(Done { epoch, time, outcome });
    }
    analysis
}
