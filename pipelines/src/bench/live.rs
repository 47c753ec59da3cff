//! Many live streams at once, at their own pace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use gst::prelude::*;

use super::speed::cpu;
use super::{Frames, start};
use crate::graph::portrait::named;

/// How live streams fared.
#[derive(Debug, Clone)]
pub struct Live {
    /// How many there were.
    pub streams: usize,
    /// Frames that went in, of all together, and that came out.
    pub frames: (u64, u64),
    /// Share of the machine's processors, 0 to 1.
    pub load: f64,
    /// Resident memory a stream beyond the first, in bytes; `None` for a single one, and where it is
    /// not told.
    pub memory: Option<f64>,
    /// Classifications of a face a second, of the streams that got the fewest and the most.
    pub refreshed: (f64, f64),
    /// Share of the frames that the analysis did not look at.
    pub skipped: f64,
    /// By how long `ferdetect` held frames back, in ascending order.
    pub held: Vec<Duration>,
}

impl Live {
    /// A quantile of the time by which frames were held back.
    pub fn held(&self, quantile: f64) -> Duration {
        let last = self.held.len().saturating_sub(1);
        self.held.get((quantile * last as f64).round() as usize).copied().unwrap_or_default()
    }
}

struct Stream {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    detector: gst::Element,
    held: Arc<Mutex<Vec<Duration>>>,
}

/// Feeds streams with the frames again and again, for some time.
///
/// # Errors
///
/// A pipeline cannot be built.
pub fn live(frames: &Frames, streams: usize, length: Duration, settings: &str) -> Result<Live> {
    let first = Stream::start(frames, settings)?;
    let alone = resident();
    let mut all = vec![first];
    for _ in 1..streams {
        all.push(Stream::start(frames, settings)?);
    }
    let (start, before) = (Instant::now(), cpu());
    let sent = feed(&all, frames, length)?;
    let (wall, cpu) = (start.elapsed(), cpu() - before);
    let memory = resident().zip(alone).filter(|_| streams > 1);
    let memory = memory.map(|(all, one)| (all - one) / (streams - 1) as f64);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = |stream: &Stream, name: &str| {
        let stats = stream.detector.property::<gst::Structure>("stats");
        stats.get::<u64>(name).unwrap_or_default() as f64
    };
    let rates = all.iter().map(|one| count(one, "faces-classified") / wall.as_secs_f64());
    let refreshed =
        rates.fold((f64::INFINITY, 0.0), |(least, most), rate| (rate.min(least), rate.max(most)));
    let came: f64 = all.iter().map(|one| count(one, "frames")).sum();
    let skipped: f64 = all.iter().map(|one| count(one, "skipped")).sum();
    let mut held = Vec::new();
    for stream in all {
        held.append(&mut stream.held.lock().unwrap_or_else(PoisonError::into_inner));
        stream.pipeline.set_state(gst::State::Null)?;
    }
    held.sort_unstable();
    Ok(Live {
        streams,
        frames: (sent, held.len() as u64),
        load: cpu.as_secs_f64() / wall.as_secs_f64() / cores as f64,
        memory,
        refreshed,
        skipped: skipped / came.max(1.0),
        held,
    })
}

/// Gives every stream each frame at its time; how many that were.
fn feed(streams: &[Stream], frames: &Frames, length: Duration) -> Result<u64> {
    let start = Instant::now();
    let count = (length.as_nanos() / u128::from(frames.duration.nseconds())) as usize;
    for index in 0..count {
        for (place, stream) in streams.iter().enumerate() {
            // Cameras do not send in step.
            let share = place as f64 / streams.len() as f64;
            let due = frames.duration.nseconds() as f64 * (index as f64 + share) / 1e9;
            let due = Duration::from_secs_f64(due);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            stream.source.push_buffer(frames.frame(index))?;
        }
    }
    // What is on its way comes out.
    std::thread::sleep(Duration::from_millis(500));
    Ok((count * streams.len()) as u64)
}

impl Stream {
    fn start(frames: &Frames, settings: &str) -> Result<Self> {
        let line = format!(
            "appsrc name=in is-live=true ! ferdetect name=fer draw=false {settings} ! \
             fakesink sync=false"
        );
        let pipeline = gst::parse::launch(&line)?
            .downcast::<gst::Pipeline>()
            .map_err(|_| anyhow!("no pipeline"))?;
        let source = named::<gst_app::AppSrc>(&pipeline, "in")?;
        source.set_caps(Some(&frames.caps));
        source.set_format(gst::Format::Time);
        source.set_max_bytes(0);
        let detector = named::<gst::Element>(&pipeline, "fer")?;
        let held = time_held(&detector);
        start(&pipeline)?;
        Ok(Self { pipeline, source, detector, held })
    }
}

/// Notes how long each frame is in an element.
fn time_held(element: &gst::Element) -> Arc<Mutex<Vec<Duration>>> {
    let (entered, held) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Vec::new())));
    let (noted, all) = (Arc::clone(&entered), Arc::clone(&held));
    let probe = |pad: &str, note: Box<dyn Fn() + Send + Sync>| {
        if let Some(pad) = element.static_pad(pad) {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                note();
                gst::PadProbeReturn::Ok
            });
        }
    };
    probe("sink", Box::new(move || *lock(&entered) = Some(Instant::now())));
    probe(
        "src",
        Box::new(move || {
            let start: Option<Instant> = lock(&noted).take();
            lock(&all).extend(start.map(|start| start.elapsed()));
        }),
    );
    held
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory of this process, in bytes, where Linux tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}
