//! What no schema can say: what must not be there together, and what must be there outside of the
//! file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::document::{Document, escaped};
use super::files::matching;
use super::{
    File, Files, Json, Output, PipelineFile, Problem, Restream, Secret, Source, Stream, Video,
    name_at,
};

/// Everything that is wrong with a file of the right form.
pub(super) fn problems(file: &PipelineFile, document: &Document) -> Vec<Problem> {
    let mut check = Check {
        document,
        recordings: recordings(file),
        targets: BTreeMap::new(),
        logins: BTreeMap::new(),
        problems: Vec::new(),
    };
    let outputs = &file.defaults.outputs;
    for (index, output) in outputs.iter().enumerate() {
        check.output(output, &format!("/defaults/outputs/{index}"));
    }
    for (name, stream) in &file.streams {
        check.stream(name, stream, outputs);
    }
    check.problems
}

/// The recordings that streams read, and the first stream that reads each.
fn recordings(file: &PipelineFile) -> BTreeMap<String, String> {
    let mut recordings = BTreeMap::new();
    for (name, stream) in &file.streams {
        let read = match &stream.source {
            Source::File(file) => vec![file.path.clone()],
            Source::Files(files) => files.recordings(),
            _ => Vec::new(),
        };
        for path in read {
            recordings.entry(plain(&path.to_string_lossy())).or_insert_with(|| name.clone());
        }
    }
    recordings
}

struct Check<'a> {
    document: &'a Document,
    recordings: BTreeMap<String, String>,
    /// Where each place that something is written to is named.
    targets: BTreeMap<String, String>,
    /// Who may watch at each port, and the first output there.
    logins: BTreeMap<u16, (&'a Restream, String)>,
    problems: Vec<Problem>,
}

/// A place without what makes no difference to it, as in `./out//a.jsonl`, and by links.
fn plain(target: &str) -> String {
    if target.contains("://") {
        return target.to_owned();
    }
    let whole = std::path::absolute(target).unwrap_or_else(|_| PathBuf::from(target));
    // Of what is not there yet, the part that is.
    let there = whole.ancestors().find_map(|path| Some((path, path.canonicalize().ok()?)));
    let rest = there.as_ref().and_then(|(path, _)| whole.strip_prefix(path).ok());
    let plain = there.as_ref().zip(rest).map(|((_, there), rest)| there.join(rest));
    let plain = plain.unwrap_or_else(|| whole.clone());
    let parts = plain.components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

impl<'a> Check<'a> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(Problem::at(self.document.place(pointer), pointer, message));
    }

    fn stream(&mut self, name: &str, stream: &'a Stream, shared: &'a [Output]) {
        let pointer = format!("/streams/{}", escaped(name));
        self.source(&stream.source, &format!("{pointer}/source"));
        for (index, output) in stream.outputs.iter().enumerate() {
            let pointer = format!("{pointer}/outputs/{index}");
            self.output(output, &pointer);
            self.target(output, name, &pointer);
            self.pace(output, &stream.source, &pointer);
            self.whole(output, &stream.source, &pointer);
        }
        if stream.outputs.is_empty() {
            for (index, output) in shared.iter().enumerate() {
                let pointer = format!("/defaults/outputs/{index}");
                self.target(output, name, &pointer);
                self.pace(output, &stream.source, &pointer);
                self.whole(output, &stream.source, &pointer);
            }
        }
    }

    fn source(&mut self, source: &Source, pointer: &str) {
        let (kind, password, password_file) = match source {
            Source::Rtsp(rtsp) => ("rtsp", &rtsp.password, &rtsp.password_file),
            Source::Http(http) => ("http", &http.password, &http.password_file),
            Source::Files(files) => {
                for (index, pattern) in files.paths.iter().enumerate() {
                    if let Err(message) = matching(pattern) {
                        self.problem(&format!("{pointer}/files/paths/{index}"), message);
                    }
                }
                return;
            }
            Source::File(file) => {
                self.recording(&file.path, &format!("{pointer}/file/path"));
                return;
            }
            _ => return,
        };
        let pointer = format!("{pointer}/{kind}");
        self.secret(password.as_ref(), password_file.as_deref(), &pointer);
    }

    fn secret(&mut self, password: Option<&Secret>, file: Option<&Path>, pointer: &str) {
        if password.is_some() && file.is_some() {
            self.problem(pointer, "`password` and `password-file`; expected one of the two");
        }
        // What is no plain file can be read but once, or is not written yet.
        let text = file.map(|file| {
            let read = std::fs::metadata(file).and_then(|data| match data.is_file() {
                true => std::fs::read_to_string(file),
                false if data.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
                false => Ok("unknown".to_owned()),
            });
            (file, read)
        });
        let wrong = match text {
            Some((file, Err(error))) => format!("`{}`: {error}", file.display()),
            Some((file, Ok(text))) if text.trim_end_matches(['\r', '\n']).is_empty() => {
                format!("`{}` is empty; expected the password in it", file.display())
            }
            _ => return,
        };
        self.problem(&format!("{pointer}/password-file"), wrong);
    }

    fn recording(&mut self, path: &Path, pointer: &str) {
        match std::fs::metadata(path) {
            Err(error) => self.problem(pointer, format!("`{}`: {error}", path.display())),
            Ok(data) if !data.is_file() => {
                self.problem(
                    pointer,
                    format!("`{}` is no file; expected a recording", path.display()),
                );
            }
            Ok(_) => {}
        }
    }

    fn output(&mut self, output: &'a Output, pointer: &str) {
        match output {
            Output::Json(json) => self.json(json, &format!("{pointer}/json")),
            Output::Rtsp(restream) => self.restream(restream, &format!("{pointer}/rtsp")),
            _ => {}
        }
    }

    fn restream(&mut self, restream: &'a Restream, pointer: &str) {
        let Restream { user, password, password_file, .. } = restream;
        self.secret(password.as_ref(), password_file.as_deref(), pointer);
        if user.is_some() != (password.is_some() || password_file.is_some()) {
            self.problem(pointer, "expected `user` and a password, or neither");
        }
        if password.as_ref().is_some_and(|password| password.reveal().is_empty()) {
            self.problem(&format!("{pointer}/password"), "it is empty: everybody knows that one");
        }
        let (first, place) =
            self.logins.entry(restream.port).or_insert_with(|| (restream, pointer.to_owned()));
        if (&first.user, &first.password, &first.password_file) != (user, password, password_file) {
            let place = place.trim_start_matches('/').replace('/', ".");
            let message = format!(
                "another login than {place} at port {}; expected the same one, or another port",
                restream.port
            );
            self.problem(pointer, message);
        }
    }

    /// Whether whoever watches could follow.
    fn pace(&mut self, output: &Output, source: &Source, pointer: &str) {
        let (Source::File(File { realtime, .. }) | Source::Files(Files { realtime, .. })) = source
        else {
            return;
        };
        if matches!(output, Output::Rtsp(_)) && !realtime {
            let message = "the source is read as fast as possible; give it `realtime: true`";
            self.problem(&format!("{pointer}/rtsp"), message);
        }
    }

    /// Whether what is to be cut can be.
    fn whole(&mut self, output: &Output, source: &Source, pointer: &str) {
        if let (Output::Video(Video { rotate: Some(_), .. }), Source::File(_)) = (output, source) {
            let message = "the video of a `file` has its sound, which is not cut; leave it out";
            self.problem(&format!("{pointer}/video/rotate"), message);
        }
    }

    fn json(&mut self, json: &Json, pointer: &str) {
        let Json { file, stdout, tcp_server, udp, rotate, .. } = json;
        let targets = [file.is_some(), *stdout, tcp_server.is_some(), udp.is_some()];
        match targets.iter().filter(|&&there| there).count() {
            1 => {}
            0 => self.problem(pointer, "no target; expected one of file, stdout, tcp-server, udp"),
            _ => self.problem(
                pointer,
                "several targets; expected one of file, stdout, tcp-server, udp (for more, write \
                 more outputs)",
            ),
        }
        if rotate.is_some() && file.is_none() {
            self.problem(&format!("{pointer}/rotate"), "there is no `file` to begin anew");
        }
        for (key, address) in [("tcp-server", tcp_server), ("udp", udp)] {
            let Some(address) = address else { continue };
            // A server may take any port that is free; to send to, there must be one.
            let least = u16::from(key == "udp");
            let is_whole = |(host, port): (&str, &str)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port >= least)
            };
            if !address.rsplit_once(':').is_some_and(is_whole) {
                let message = format!("`{address}`; expected HOST:PORT, as in 127.0.0.1:5000");
                self.problem(&format!("{pointer}/{key}"), message);
            }
        }
    }

    /// Whether a name can be made of it.
    fn name(&mut self, output: &Output, stream: &str, pointer: &str) {
        let (Output::Json(Json { file: Some(file), .. }) | Output::Video(Video { file, .. })) =
            output
        else {
            return;
        };
        if let Err(message) = name_at(file, stream, &jiff::ZonedDateTime::now()) {
            self.problem(&format!("{pointer}/{}/file", output.kind()), message);
        }
    }

    /// Whether somebody else writes there.
    fn target(&mut self, output: &Output, stream: &str, pointer: &str) {
        let Some(target) = output.target() else { return };
        self.name(output, stream, pointer);
        let target = target.replace("{stream}", stream);
        // Lines of several streams may share a pipe.
        if target == "stdout" {
            return;
        }
        let pointer = format!("{pointer}/{}", output.kind());
        if let Some(reader) = self.recordings.get(&plain(&target)) {
            let message =
                format!("`{target}` is the recording that {reader} reads; expected another");
            self.problem(&pointer, message);
        }
        let writer = format!("{stream} ({})", output.kind());
        if let Some(other) = self.targets.insert(plain(&target), writer) {
            let hint = "give it another name, or put {stream} into it";
            self.problem(&pointer, format!("`{target}` is written by {other} too; {hint}"));
        }
    }
}
