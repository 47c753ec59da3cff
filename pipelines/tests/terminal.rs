//! The program in a real terminal, and its windows on a real display.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtyPair, PtySize, native_pty_system};
use serde_json::Value;

const FER: &str = env!("CARGO_BIN_EXE_fer");

/// A terminal in which the program runs.
struct Terminal {
    pair: PtyPair,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(folder: &Path, arguments: &[&str], display: Option<&str>) -> Self {
        let size = PtySize { rows: 24, cols: 120, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(FER);
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm");
        command.env("DISPLAY", display.unwrap_or_default());
        for name in ["WAYLAND_DISPLAY", "G_DEBUG"] {
            command.env_remove(name);
        }
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let all = Arc::clone(&written);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { pair, child, keys, written }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits until `done` is true of what was written, for at most a minute.
    fn until(&self, what: &str, done: impl Fn(&str) -> bool) {
        until(|| done(&self.text()), || format!("{what} did not come:\n{}", self.text()));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// How keys are heard: echoed, and line by line, or not.
    fn is_plain(&self) -> bool {
        let fresh = native_pty_system().openpty(PtySize::default()).unwrap();
        self.pair.master.get_termios() == fresh.master.get_termios()
    }

    /// The exit code; the terminal is as it was.
    fn end(mut self) -> u32 {
        let code = self.child.wait().unwrap().exit_code();
        assert!(self.is_plain(), "the terminal was not restored:\n{}", self.text());
        code
    }
}

fn until(done: impl Fn() -> bool, failure: impl Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", failure());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const FACE: &str = "version: 1
streams:
  face:
    source: { test: { pattern: face, frames: 1000000 } }
    analysis: { min-face: 0.2 }
    outputs: [ { json: { file: out.jsonl } } ]
";

#[test]
fn who_closes_the_terminal_ends_what_runs_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), FACE).unwrap();
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(FER);
    command.args(["run", "p.yaml"]);
    command.cwd(folder.path());
    command.env_remove("G_DEBUG");
    let mut child = pair.slave.spawn_command(command).unwrap();
    let hang_up = || {
        let pid = child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    let mut screen = pair.master.try_clone_reader().unwrap();
    let mut written = String::new();
    let mut until = |part: &str| {
        while !written.contains(part) {
            let mut bytes = [0; 4096];
            let count = screen.read(&mut bytes).unwrap();
            assert!(count > 0, "{written}");
            written += &String::from_utf8_lossy(&bytes[..count]);
        }
    };
    until("face  running");
    // Asked to read its file again, it goes on.
    hang_up();
    until("was read again");
    drop((pair, screen));
    // As a shell does that is told so itself.
    hang_up();
    child.wait().unwrap();
    lines(&folder.path().join("out.jsonl"));
}

#[test]
fn a_stream_has_a_line_on_a_terminal_and_ctrl_c_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), FACE).unwrap();
    let mut terminal = Terminal::start(folder.path(), &["run", "p.yaml"], None);
    terminal.until("the line of the stream", |text| {
        let lines = || text.split(['\r', '\n']);
        let has = |line: &str, part: &str| line.contains(part);
        let is_there = lines().any(|line| {
            has(line, "face  running") && has(line, " fps  1 face   happiness") && has(line, "late")
        });
        // Drawn again and again in its place: the cursor goes back.
        is_there && text.contains("\x1b[")
    });
    terminal.press("\x03");
    terminal.until("the end", |text| text.contains("face  ended"));
    assert_eq!(terminal.end(), 0);
    assert!(!lines(&folder.path().join("out.jsonl")).is_empty());
}

#[test]
fn a_stream_has_plain_lines_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), FACE.replace("1000000", "30")).unwrap();
    let output =
        Command::new(FER).args(["run", "p.yaml"]).current_dir(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let states: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("face: ")).collect();
    assert!(states.iter().any(|state| state.starts_with("running")), "{told}");
    assert!(states.last().unwrap().starts_with("ended"), "{told}");
    assert!(!told.contains('\x1b') && !told.contains('\r'), "{told}");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "version: 1
streams:
  a:
    source: { gst: videotestsrc is-live=true }
    analysis: { detector: none }
    outputs:
      - gst: { pipeline: identity sleep-time=8000000 ! fakesink }
";
    std::fs::write(folder.path().join("p.yaml"), slow).unwrap();
    let mut terminal = Terminal::start(folder.path(), &["run", "p.yaml"], None);
    terminal.until("a frame", |text| text.contains("a  running"));
    terminal.press("\x03");
    std::thread::sleep(Duration::from_millis(500));
    assert!(terminal.child.try_wait().unwrap().is_none(), "there was nothing to wait for");
    let second = Instant::now();
    terminal.press("\x03");
    assert_eq!(terminal.end(), 130);
    assert!(second.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_batch_has_bars() {
    let folder = tempfile::tempdir().unwrap();
    let clip = |name: &str| {
        format!(
            "  {name}:\n    source: {{ gst: videotestsrc num-buffers=150 }}\n    analysis: {{ \
             detector: none }}\n    outputs: [ {{ video: {{ file: clips/{name}.mkv }} }} ]\n"
        )
    };
    let yaml = format!("version: 1\nstreams:\n{}{}", clip("a"), clip("b"));
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let run = |arguments: &[&str]| Terminal::start(folder.path(), arguments, None);
    assert_eq!(run(&["run", "p.yaml"]).end(), 0);
    let terminal = run(&["batch", "clips", "--jobs", "1"]);
    terminal.until("the end", |text| text.contains("2 done, 0 failed"));
    let text = terminal.text();
    let has = |parts: &[&str]| {
        text.split(['\r', '\n']).any(|line| parts.iter().all(|part| line.contains(part)))
    };
    for name in ["a.mkv", "b.mkv"] {
        assert!(has(&[name, "%  ", " frames/s"]), "{text}");
    }
    assert!(has(&["2 recordings", "50%", " gone, ", " left"]), "{text}");
    assert_eq!(terminal.end(), 0);
}

/// A display of the test's own.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open() -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { server, name: format!(":{}", number.trim()) }
    }

    /// `xdotool` with these arguments, once it succeeds.
    fn xdotool(&self, arguments: &[&str]) -> String {
        let run = || {
            let mut command = Command::new("xdotool");
            command.args(arguments).env("DISPLAY", &self.name).output().unwrap()
        };
        until(|| run().status.success(), || format!("{:?}", run()));
        String::from_utf8(run().stdout).unwrap()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect()
}

/// Width, height, and pixels in the colour of a happy face's box.
fn picture(path: &Path) -> (u32, u32, usize) {
    let decoder = png::Decoder::new(BufReader::new(std::fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let is_box = |pixel: &&[u8]| BOX.iter().zip(*pixel).all(|(a, b)| a.abs_diff(*b) < 24);
    let channels = info.color_type.samples();
    (info.width, info.height, bytes.chunks(channels).filter(is_box).count())
}
const BOX: [u8; 3] = [240, 228, 66];

/// The greatest number of frames that a status line tells; not every number is shown.
fn most_frames(text: &str) -> u64 {
    let before = text.match_indices(" frames").map(|(at, _)| &text[..at]);
    let numbers = before.filter_map(|before| before.rsplit(' ').next()?.parse().ok());
    numbers.max().unwrap_or(0)
}

#[test]
fn keys_at_the_terminal_save_the_frame_and_quit() {
    let (folder, display) = (tempfile::tempdir().unwrap(), Display::open());
    let arguments = ["watch", "--test", "--size", "320x240", "--set", "min-face=0.2"];
    let mut terminal = Terminal::start(folder.path(), &arguments, Some(&display.name));
    terminal.until("a smile", |text| text.contains("1 face   happiness"));
    // Showing is no reason to analyse less.
    terminal.until("many frames", |text| most_frames(text) >= 60);
    assert!(!terminal.is_plain(), "keys would wait for Enter");
    terminal.press("xs");
    terminal.until("the picture", |text| text.contains("test: saved fer-"));
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    let pictures = pictures(folder.path());
    assert_eq!(pictures.len(), 1, "{pictures:?}");
    let (width, height, drawn) = picture(&pictures[0]);
    assert_eq!((width, height), (320, 240));
    assert!(drawn > 100, "no face is drawn in: {drawn}");
}

#[test]
fn ctrl_c_ends_watching() {
    let (folder, display) = (tempfile::tempdir().unwrap(), Display::open());
    let mut terminal = Terminal::start(folder.path(), &["watch", "--test"], Some(&display.name));
    terminal.until("a frame", |text| text.contains("test  running"));
    terminal.press("\x03");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn keys_in_the_window_save_the_frame_and_quit() {
    let (folder, display) = (tempfile::tempdir().unwrap(), Display::open());
    let terminal = Terminal::start(folder.path(), &["watch", "--test"], Some(&display.name));
    terminal.until("a frame", |text| text.contains("test  running"));
    let windows = display.xdotool(&["search", "--onlyvisible", "--name", "."]);
    let window = windows.lines().next().unwrap();
    display.xdotool(&["key", "--window", window, "s"]);
    terminal.until("the picture", |text| text.contains("test: saved fer-"));
    assert_eq!(pictures(folder.path()).len(), 1);
    let mut quit = Command::new("xdotool");
    quit.args(["key", "--window", window, "q"]).env("DISPLAY", &display.name);
    assert!(quit.status().unwrap().success());
    let text = Arc::clone(&terminal.written);
    assert_eq!(terminal.end(), 0);
    let text = String::from_utf8_lossy(&text.lock().unwrap()).into_owned();
    assert!(!text.contains("CRITICAL") && !text.contains("WARNING"), "{text}");
}

#[test]
fn what_has_no_display_is_told_what_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    for (display, reason) in [("", "there is no display"), (":4711", "cannot be opened")] {
        let mut command = Command::new(FER);
        command.args(["watch", "--test"]).current_dir(folder.path()).env("DISPLAY", display);
        let output = command.env_remove("WAYLAND_DISPLAY").output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(reason) && told.contains("`fer run`"), "{told}");
    }
}
