//! The playlist of an HLS output (RFC 8216), and the segments that it names.

use std::collections::VecDeque;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::{Existing, Hls};
use crate::files::write_atomically;
use crate::graph::Segments;
use crate::run::place::{self, Claim};

/// What players open.
const NAME: &str = "index.m3u8";
/// A playlist that grows. It outlives the pipelines of its stream: what a new one makes goes after
/// what is there.
#[derive(Debug)]
pub(super) struct Playlist(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    _claim: Claim,
    folder: PathBuf,
    /// Longest segment, in seconds, so far.
    longest: u64,
    keep: Option<usize>,
    listed: VecDeque<Segment>,
    /// No longer listed, the oldest first.
    leaving: VecDeque<PathBuf>,
    /// Segments and breaks before the first one that is listed.
    gone: (u64, u64),
    current: Option<Current>,
    /// How far the pipeline's video reaches, be it written yet or not.
    reached: gst::ClockTime,
    /// How many segments were begun.
    count: u64,
    /// Whether a pipeline has begun since the last segment was.
    breaks: bool,
}

#[derive(Debug)]
struct Segment {
    name: String,
    seconds: f64,
    /// Whether times do not go on from the one before.
    breaks: bool,
}

#[derive(Debug)]
struct Current {
    name: String,
    breaks: bool,
    start: gst::ClockTime,
}

impl Playlist {
    /// Makes the folder; what another run has written there is refused or replaced, what this one has
    /// is gone on with.
    pub(super) fn open(settings: &Hls, stream: &str) -> Result<Self, String> {
        let folder = PathBuf::from(settings.folder.replace("{stream}", stream));
        let told = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(told)?;
        let list = folder.join(NAME);
        let written = written(&folder).map_err(told)?;
        let mut listed = VecDeque::new();
        let mut longest = u64::from(settings.segment);
        if place::is_left(&list) && settings.keep.is_none() {
            listed = read(&list).map_err(told)?;
            longest = listed.iter().fold(longest, |most, it| most.max(it.seconds.round() as u64));
        } else if place::is_left(&list) || settings.existing == Existing::Replace {
            // A window on what is live begins anew.
            written.iter().try_for_each(fs::remove_file).map_err(told)?;
        } else if let Some(path) = written.iter().max() {
            // Without their playlist, too, segments would be written over.
            return Err(place::is_there(path));
        }
        let last = listed.back().and_then(|last| number(&last.name));
        let count = last.map_or(0, |last| last + 1);
        let breaks = !listed.is_empty();
        Ok(Self(Mutex::new(Inner {
            _claim: Claim::stake(&list),
            folder: folder.clone(),
            longest,
            keep: settings.keep,
            listed,
            leaving: VecDeque::new(),
            gone: (0, 0),
            current: None,
            reached: gst::ClockTime::ZERO,
            count,
            breaks,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing here is left half-changed by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipeline has come to its end: its last segment is listed. What went wrong.
    pub(super) fn finish(&self) -> Option<String> {
        let mut inner = self.inner();
        inner.close(None);
        (inner.breaks, inner.reached) = (true, gst::ClockTime::ZERO);
        inner.write(false).err()
    }
}

impl Segments for Playlist {
    fn next(&self, start: gst::ClockTime) -> Result<PathBuf, String> {
        self.inner().next(start)
    }

    fn reach(&self, end: gst::ClockTime) {
        let mut inner = self.inner();
        inner.reached = inner.reached.max(end);
    }
}

impl Drop for Playlist {
    fn drop(&mut self) {
        let mut inner = self.inner();
        inner.close(None);
        // Nobody is left to be told of a problem.
        let _ = inner.write(true);
    }
}

impl Inner {
    fn next(&mut self, start: gst::ClockTime) -> Result<PathBuf, String> {
        self.close(Some(start));
        self.write(false)?;
        let name = format!("segment-{:06}.ts", self.count);
        self.count += 1;
        let path = self.folder.join(&name);
        let breaks = std::mem::take(&mut self.breaks) && self.count > 1;
        self.current = Some(Current { name, breaks, start });
        Ok(path)
    }

    /// Lists the segment that is being written; it ends where the next one starts.
    fn close(&mut self, next: Option<gst::ClockTime>) {
        let Some(Current { name, breaks, start }) = self.current.take() else { return };
        let length = next.unwrap_or(self.reached).saturating_sub(start);
        if length.is_zero() {
            self.leaving.push_back(self.folder.join(name));
            return;
        }
        let seconds = length.nseconds() as f64 / 1e9;
        self.longest = self.longest.max(seconds.round() as u64);
        self.listed.push_back(Segment { name, seconds, breaks });
        while self.keep.is_some_and(|keep| self.listed.len() > keep) {
            let Some(first) = self.listed.pop_front() else { return };
            self.gone = (self.gone.0 + 1, self.gone.1 + u64::from(first.breaks));
            self.leaving.push_back(self.folder.join(first.name));
        }
    }

    fn write(&mut self, ended: bool) -> Result<(), String> {
        if self.listed.is_empty() {
            return Ok(());
        }
        let told = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
        let path = self.folder.join(NAME);
        write_atomically(&path, self.text(ended).as_bytes()).map_err(|error| told(&path, error))?;
        // A player may have read the longest playlist that named it just before it went (RFC 8216,
        // 6.2.2): it stays for as long as that lasts, and its own time.
        while self.leaving.len() > self.keep.map_or(0, |keep| keep + 1) {
            let Some(path) = self.leaving.pop_front() else { break };
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(told(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn text(&self, ended: bool) -> String {
        let (segments, breaks) = self.gone;
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{segments}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{breaks}\n",
            self.longest
        );
        for Segment { name, seconds, breaks } in &self.listed {
            if *breaks {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "#EXTINF:{seconds:.3},\n{name}\n");
        }
        if ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

/// What an earlier run wrote into a folder: its segments, and their playlist.
fn written(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == NAME || name.to_str().and_then(number).is_some() {
            written.push(entry.path());
        }
    }
    Ok(written)
}

/// The number in a segment's name.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".ts")?;
    let is_number = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// The segments of a playlist that [`Inner::text`] wrote; none where it came to no first one.
fn read(list: &Path) -> io::Result<VecDeque<Segment>> {
    let (mut segments, mut seconds, mut breaks) = (VecDeque::new(), 0.0, false);
    let text = match fs::read_to_string(list) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        text => text.unwrap_or_default(),
    };
    for line in text.lines() {
        if let Some(length) = line.strip_prefix("#EXTINF:") {
            seconds = length.trim_end_matches(',').parse().unwrap_or_default();
        } else if line == "#EXT-X-DISCONTINUITY" {
            breaks = true;
        } else if !line.starts_with('#') {
            segments.push_back(Segment { name: line.to_owned(), seconds, breaks });
            breaks = false;
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overlay;

    fn settings(folder: &Path, keep: Option<usize>, existing: Existing) -> Hls {
        let folder = folder.join("{stream}").to_string_lossy().into_owned();
        let encoder = crate::config::Encoder::Software;
        Hls { folder, segment: 4, keep, existing, overlay: Overlay::None, encoder }
    }

    fn at(millis: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(millis)
    }

    fn segments(playlist: &Playlist, starts: &[u64], end: u64) {
        for &start in starts {
            fs::write(playlist.next(at(start)).unwrap(), b"ts").unwrap();
        }
        playlist.reach(at(end));
        assert_eq!(playlist.finish(), None);
    }

    #[test]
    fn a_new_pipeline_goes_on_where_the_last_one_ended() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        let read = || fs::read_to_string(folder.join(NAME)).unwrap();
        let playlist =
            Playlist::open(&settings(root.path(), Some(3), Existing::Refuse), "a").unwrap();
        segments(&playlist, &[1000, 5000], 6500);
        let first = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n\
                     #EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXTINF:4.000,\nsegment-000000.ts\n\
                     #EXTINF:1.500,\nsegment-000001.ts\n";
        assert_eq!(read(), first);
        segments(&playlist, &[0, 4000, 8000], 9000);
        let text = read();
        assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-DISCONTINUITY\n#EXTINF:4.000,\nsegment-000002.ts\n"), "{text}");
        segments(&playlist, &[0, 4000, 8000, 12_000], 13_000);
        drop(playlist);
        let text = read();
        assert!(
            text.contains("#EXT-X-MEDIA-SEQUENCE:6\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXTINF"),
            "{text}"
        );
        assert!(text.ends_with("segment-000008.ts\n#EXT-X-ENDLIST\n"), "{text}");
        // Three that are listed, four that players may be reading still, the playlist.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 8);
    }

    #[test]
    fn a_playlist_that_cannot_be_written_is_told_with_the_next_segment() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path(), None, Existing::Refuse);
        let playlist = Playlist::open(&settings, "a").unwrap();
        playlist.next(at(0)).unwrap();
        fs::remove_dir_all(root.path().join("a")).unwrap();
        let told = playlist.next(at(4000)).unwrap_err();
        assert!(told.contains("a/index.m3u8: "), "{told}");
    }

    #[test]
    fn what_is_there_is_refused_or_replaced() {
        let root = tempfile::tempdir().unwrap();
        let open = |existing| Playlist::open(&settings(root.path(), None, existing), "a");
        let folder = root.path().join("a");
        fs::create_dir(&folder).unwrap();
        for name in ["segment-000000.ts", NAME, "mine.ts"] {
            fs::write(folder.join(name), b"there").unwrap();
            let refused = open(Existing::Refuse).err();
            assert!(refused.is_some_and(|told| told.contains("is there already")), "{name}");
            if name == NAME {
                // Whoever moves the playlist away as told keeps what it names.
                fs::remove_file(folder.join(NAME)).unwrap();
            }
        }
        open(Existing::Replace).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn what_this_process_streamed_is_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        // A camera that never came.
        drop(Playlist::open(&settings(root.path(), None, Existing::Refuse), "b").unwrap());
        for (existing, segment) in [(Existing::Refuse, 4), (Existing::Replace, 2)] {
            let settings = Hls { segment, ..settings(root.path(), None, existing) };
            segments(&Playlist::open(&settings, "b").unwrap(), &[0, 4000], 5000);
        }
        let text = fs::read_to_string(root.path().join("b").join(NAME)).unwrap();
        let listed = "#EXTINF:4.000,\nsegment-000000.ts\n#EXTINF:1.000,\nsegment-000001.ts\n\
                      #EXT-X-DISCONTINUITY\n#EXTINF:4.000,\nsegment-000002.ts\n\
                      #EXTINF:1.000,\nsegment-000003.ts\n#EXT-X-ENDLIST\n";
        assert!(text.ends_with(listed) && text.contains("TARGETDURATION:4\n"), "{text}");
    }
}
