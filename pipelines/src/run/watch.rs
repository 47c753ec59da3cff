//! One stream in a window, and what whoever watches it asks for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use crossbeam_channel::RecvTimeoutError;

use super::console::Console;
use super::display::Display;
use super::keyboard::Keyboard;
use super::{Shown, Streams, Worker, place, signals, takedown};
use crate::config::{Defaults, PipelineFile, Stream};
use crate::files::write_atomically;
use crate::graph::png;

/// How often keys are looked for.
const TICK: Duration = Duration::from_millis(50);
/// The names of pictures, in the current folder.
const PICTURE: &str = "fer-%Y%m%d-%H%M%S.png";

/// What is asked for with a key, or by closing the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Enough was seen.
    Quit,
    /// The frame is kept as it is shown.
    Save,
}

impl Wish {
    /// What a key stands for, by its name in X11.
    pub(super) fn of_key(name: &str) -> Option<Self> {
        match name {
            "q" | "Q" | "Escape" => Some(Self::Quit),
            "s" | "S" => Some(Self::Save),
            _ => None,
        }
    }
}

/// Shows the stream called `name`, whose one output is a window, until it ends, a signal comes,
/// the window is closed, or `q` or Escape is pressed in the window or at the terminal; whether all
/// went well. `s` keeps the frame in the current folder.
///
/// # Errors
///
/// There is no display, or signals cannot be heard.
pub fn watch(name: &str, stream: &Stream) -> Result<bool> {
    let _display = Display::open().map_err(|reason| {
        anyhow!("{reason}; `fer run` with another output, such as `video` or `json`, needs none")
    })?;
    let signals = signals::listen()?;
    let console = Console::new();
    let mut streams = Streams { workers: Vec::new(), console, shown: Shown::default(), well: true };
    let file = PipelineFile {
        version: 1,
        defaults: Defaults::default(),
        streams: BTreeMap::from([(name.to_owned(), stream.clone())]),
    };
    // Given back before the stream is stopped: a second signal ends the process there and then.
    let keyboard = Keyboard::open();
    streams.console.line("q quits, s saves the frame");
    streams.take(&file);
    // Any signal: a terminal that is closed sends SIGHUP.
    while let Err(RecvTimeoutError::Timeout) = signals.recv_timeout(TICK) {
        takedown::end_if_stuck();
        streams.console.show(&streams.shown());
        let typed = keyboard.as_ref().map(Keyboard::wishes).unwrap_or_default();
        let pressed = streams.workers.iter().flat_map(|worker| worker.wishes.try_iter());
        let wishes: Vec<Wish> = typed.into_iter().chain(pressed).collect();
        if wishes.contains(&Wish::Save) {
            streams.workers.iter().for_each(Worker::save);
        }
        if wishes.contains(&Wish::Quit) || streams.workers.iter().all(Worker::is_done) {
            break;
        }
    }
    drop(keyboard);
    streams.stop_all();
    Ok(streams.well)
}

/// Keeps a frame as a picture in the current folder; under which name.
pub(super) fn save(sample: &gst::Sample) -> Result<PathBuf, String> {
    let plain = place::name(PICTURE, "")?;
    let free = (1..).map(|count| place::numbered(&plain, count)).find(|path| !path.exists());
    let path = free.unwrap_or(plain);
    let picture = png(sample).map_err(|error| error.to_string())?;
    write_atomically(&path, &picture).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
