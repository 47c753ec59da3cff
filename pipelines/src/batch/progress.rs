//! How far a batch is: a bar a recording and one for all on a terminal, lines where there is none.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::config::without_passwords;
use crate::run::status::Reading;
use crate::run::worker::Ending;
use crate::speech::{count, tell};

/// What is shown of one recording.
const ONE: &str = "{wide_msg} {bar:24.cyan/blue} {percent:>3}%  {prefix}";
/// What is shown of all.
const ALL: &str = "{msg} {bar:24.green/blue} {percent:>3}%  {elapsed} gone, {eta} left";

/// The terminal, or what stands in for one: the standard error.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bars: Option<(MultiProgress, ProgressBar)>,
    /// The last line.
    told: Arc<Mutex<String>>,
}

impl Progress {
    /// For `count` recordings of so many bytes together.
    pub(super) fn new(count: usize, bytes: u64) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let bars = MultiProgress::new();
            let all = match count {
                0 | 1 => ProgressBar::hidden(),
                _ => bars.add(styled(ProgressBar::new(bytes), ALL)),
            };
            all.set_message(format!("{count} recordings"));
            (bars, all)
        });
        Self { bars, told: Arc::default() }
    }

    /// A line that stays.
    pub(super) fn line(&self, text: &str) {
        let text = &without_passwords(text);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(text);
        match &self.bars {
            // Fails when the terminal is gone, and nobody is left to be told.
            Some((bars, _)) => drop(bars.println(text)),
            None => tell(text),
        }
    }

    /// Whether the last line said this.
    pub(super) fn has_told(&self, reason: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).ends_with(reason)
    }

    /// A recording of so many bytes is taken up.
    pub(super) fn begin(&self, name: &str, bytes: u64) -> Bar {
        let one = self.bars.as_ref().map(|(bars, _)| {
            let bar = bars.insert_from_back(1, styled(ProgressBar::new(100), ONE));
            bar.set_message(without_passwords(name));
            bar
        });
        Bar { progress: self.clone(), one, name: name.to_owned(), bytes, start: Instant::now() }
    }

    /// Leaves the last lines where they are.
    pub(super) fn end(&self) {
        if let Some((_, all)) = &self.bars {
            all.finish_and_clear();
        }
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// How far a recording is.
#[derive(Debug)]
pub(super) struct Bar {
    progress: Progress,
    one: Option<ProgressBar>,
    name: String,
    bytes: u64,
    start: Instant,
}

impl Bar {
    pub(super) fn show(&self, reading: &Reading) {
        let Some(bar) = &self.one else { return };
        let millis = |time: Option<gst::ClockTime>| time.map_or(0, gst::ClockTime::mseconds);
        let (position, length) = (millis(reading.position), millis(reading.length));
        bar.set_length(length.max(position).max(1));
        bar.set_position(position);
        bar.set_prefix(format!("{:.0} frames/s", reading.fps));
    }

    /// The recording has ended, one way or the other.
    pub(super) fn end(&self, reading: &Reading, ending: &Result<Ending, String>) {
        if let Some((_, all)) = &self.progress.bars {
            all.inc(self.bytes);
        }
        if let Some(bar) = &self.one {
            bar.finish_and_clear();
        }
        let name = &self.name;
        match ending {
            Ok(Ending::Ended | Ending::Flawed(_)) => {
                self.progress.line(&format!("{name}: {}", speed(reading, self.start.elapsed())))
            }
            // A failure is told where it happens, and summed up at the end.
            Ok(Ending::Stopped) | Err(_) => {}
        }
    }
}

fn speed(reading: &Reading, wall: Duration) -> String {
    let wall = wall.as_secs_f64().max(1e-3);
    let shown = reading.position.map_or(0.0, |position| position.nseconds() as f64 / 1e9);
    format!(
        "{} in {wall:.1} s ({:.0} a second, {:.1} times its own speed)",
        count(reading.frames, "frame"),
        reading.frames as f64 / wall,
        shown / wall
    )
}
