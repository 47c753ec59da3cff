//! A status line a stream on a terminal; plain lines where there is none.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::status::{Reading, State, Status};
use crate::config::without_passwords;
use crate::speech::{count, tell};

/// The terminal, or what stands in for one: the standard error.
#[derive(Debug, Clone)]
pub(super) struct Console(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// A line a stream.
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    /// What was last told of each stream, where there is no terminal.
    told: Vec<(String, State)>,
}

impl Console {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = terminal.then(|| (MultiProgress::new(), Vec::new()));
        Self(Arc::new(Mutex::new(Inner { bars, told: Vec::new() })))
    }

    /// A line that stays.
    pub(super) fn line(&self, text: &str) {
        let text = &without_passwords(text);
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &inner.bars {
            // Fails when the terminal is gone, and nobody is left to be told.
            Some((bars, _)) => drop(bars.println(text)),
            None => tell(text),
        }
    }

    /// How the streams are doing now.
    pub(super) fn show(&self, streams: &[(String, Status)]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { bars, told } = &mut *inner;
        let width = streams.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        if let Some((all, bars)) = bars {
            while bars.len() < streams.len() {
                let style = ProgressStyle::with_template("{msg}").ok();
                let bar = all.add(ProgressBar::new_spinner());
                bars.push(style.map_or(bar.clone(), |style| bar.with_style(style)));
            }
            for bar in bars.drain(streams.len()..) {
                bar.finish_and_clear();
            }
            for (bar, (name, status)) in bars.iter().zip(streams) {
                bar.set_message(format!("{name:<width$}  {}", text(&status.reading())));
            }
            return;
        }
        for (name, status) in streams {
            let reading = status.reading();
            let state = (name.clone(), reading.state);
            if !told.contains(&state) {
                told.retain(|(other, _)| other != name);
                told.push(state);
                tell(&format!("{name}: {}", text(&reading)));
            }
        }
    }

    /// Leaves the last lines where they are.
    pub(super) fn end(&self) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bars)) = &inner.bars {
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

fn text(reading: &Reading) -> String {
    let Reading { state, frames, fps, faces, emotion, latency, restarts, skipped, reason, .. } =
        reading;
    let mut text = format!("{:<10} {frames:>8} frames", state.name());
    if *state == State::Running {
        text += &format!(
            " {fps:>6.1} fps  {:7}  {}",
            count(*faces as u64, "face"),
            emotion.unwrap_or("–")
        );
        if let Some(late) = latency.recent() {
            text += &format!("  {} ms late", late.as_millis());
        }
    }
    if *restarts > 0 {
        text += &format!("  {}", count(*restarts, "restart"));
    }
    if *skipped > 0 {
        text += &format!("  {skipped} skipped");
    }
    if let Some(reason) = reason {
        text += &format!("  ({})", without_passwords(reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_of_what_runs() {
        let mut reading = Status::default().reading();
        (reading.state, reading.frames, reading.fps) = (State::Running, 12, 24.9);
        assert_eq!(text(&reading), "running          12 frames   24.9 fps  0 faces  –");
        (reading.state, reading.restarts) = (State::Ended, 1);
        assert_eq!(text(&reading), "ended            12 frames  1 restart");
    }
}
