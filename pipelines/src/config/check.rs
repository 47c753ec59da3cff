//! What no schema can say: what must not be there together, and what must be there outside of the
//! file.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::{Document, escaped};
use super::{Json, Output, PipelineFile, Problem, Source, Stream};

/// Everything that is wrong with a file of the right form.
pub(super) fn problems(file: &PipelineFile, document: &Document) -> Vec<Problem> {
    let mut check = Check { document, targets: BTreeMap::new(), problems: Vec::new() };
    let outputs = &file.defaults.outputs;
    for (index, output) in outputs.iter().enumerate() {
        check.output(output, &format!("/defaults/outputs/{index}"));
    }
    for (name, stream) in &file.streams {
        check.stream(name, stream, outputs);
    }
    check.problems
}

struct Check<'a> {
    document: &'a Document,
    /// Where each place that something is written to is named.
    targets: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(Problem::at(self.document.place(pointer), pointer, message));
    }

    fn stream(&mut self, name: &str, stream: &Stream, shared: &[Output]) {
        let pointer = format!("/streams/{}", escaped(name));
        self.source(&stream.source, &format!("{pointer}/source"));
        for (index, output) in stream.outputs.iter().enumerate() {
            let pointer = format!("{pointer}/outputs/{index}");
            self.output(output, &pointer);
            self.target(output, name, &pointer);
        }
        if stream.outputs.is_empty() {
            for (index, output) in shared.iter().enumerate() {
                self.target(output, name, &format!("/defaults/outputs/{index}"));
            }
        }
    }

    fn source(&mut self, source: &Source, pointer: &str) {
        let (kind, login) = match source {
            Source::Rtsp(rtsp) => ("rtsp", Some((&rtsp.password, &rtsp.password_file))),
            Source::Http(http) => ("http", Some((&http.password, &http.password_file))),
            Source::File(file) => {
                self.existing(&file.path, &format!("{pointer}/file/path"));
                ("file", None)
            }
            _ => return,
        };
        if let Some((password, file)) = login {
            if password.is_some() && file.is_some() {
                let both = "`password` and `password-file`; expected one of the two";
                self.problem(&format!("{pointer}/{kind}"), both);
            }
            if let Some(file) = file {
                self.existing(file, &format!("{pointer}/{kind}/password-file"));
            }
        }
    }

    fn existing(&mut self, path: &Path, pointer: &str) {
        if let Err(error) = std::fs::metadata(path) {
            self.problem(pointer, format!("`{}`: {error}", path.display()));
        }
    }

    fn output(&mut self, output: &Output, pointer: &str) {
        let Output::Json(json) = output else { return };
        let Json { file, stdout, tcp_server, udp, rotate, .. } = json;
        let targets = [file.is_some(), *stdout, tcp_server.is_some(), udp.is_some()];
        let pointer = format!("{pointer}/json");
        match targets.iter().filter(|&&there| there).count() {
            1 => {}
            0 => self.problem(&pointer, "no target; expected one of file, stdout, tcp-server, udp"),
            _ => self.problem(
                &pointer,
                "several targets; expected one of file, stdout, tcp-server, udp (for more, write \
                 more outputs)",
            ),
        }
        if rotate.is_some() && file.is_none() {
            self.problem(&format!("{pointer}/rotate"), "there is no `file` to begin anew");
        }
        for (key, address) in [("tcp-server", tcp_server), ("udp", udp)] {
            let Some(address) = address else { continue };
            if address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                let message = format!("`{address}`; expected HOST:PORT, as in 127.0.0.1:5000");
                self.problem(&format!("{pointer}/{key}"), message);
            }
        }
    }

    /// Whether somebody else writes there.
    fn target(&mut self, output: &Output, stream: &str, pointer: &str) {
        let Some(target) = output.target() else { return };
        let target = target.replace("{stream}", stream);
        // Lines of several streams may share a pipe.
        if target == "stdout" {
            return;
        }
        let pointer = format!("{pointer}/{}", output.kind());
        let writer = format!("{stream} ({})", output.kind());
        if let Some(other) = self.targets.insert(target.clone(), writer) {
            let hint = "give it another name, or put {stream} into it";
            self.problem(&pointer, format!("`{target}` is written by {other} too; {hint}"));
        }
    }
}
