//! `fer graph`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use pipelines::config::{PipelineFile, Stream, without_passwords};
use pipelines::graph::{self, Nowhere, StreamGraph};
use pipelines::report;
use pipelines::speech::tell;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The pipeline file.
    file: PathBuf,
    /// Only this stream.
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// The picture: `.dot`, or `.svg`, which needs Graphviz (default: dot, on the standard output).
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Change a value first, for instance `streams.door.source.rtsp.latency=50`.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    sets: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::init()?;
    let Arguments { file, stream, out, sets } = arguments;
    let ending = out.as_deref().map(|out| ending(out)).transpose()?;
    let pipelines = PipelineFile::load(file, sets, &|name| std::env::var(name).ok())?;
    let chosen = chosen(&pipelines, stream.as_deref())?;
    let mut graphs = Vec::new();
    for (name, stream) in chosen {
        let graph =
            StreamGraph::build(name, stream, &Nowhere).with_context(|| format!("stream {name}"))?;
        for (index, error) in &graph.failed {
            let error = without_passwords(&error.to_string());
            tell(&format!("fer: warning: {name}: output {index} cannot be made here: {error}"));
        }
        graphs.push((name, stream, graph));
    }
    let dot = graph::dot(graphs.iter().map(|(name, stream, graph)| (*name, *stream, graph)));
    for (.., graph) in graphs {
        graph.end();
    }
    match (out, ending) {
        (Some(out), Some("svg")) => report::save(out, &svg(&dot)?),
        (Some(out), _) => report::save(out, &dot),
        (None, _) => {
            super::print(dot.trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    .with_context(|| out.as_deref().unwrap_or(Path::new("")).display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn ending(out: &Path) -> Result<&'static str> {
    match out.extension().and_then(|ending| ending.to_str()) {
        Some("dot") => Ok("dot"),
        Some("svg") => Ok("svg"),
        _ => bail!("{}: the name must end in .dot or .svg", out.display()),
    }
}

fn chosen<'a>(file: &'a PipelineFile, wanted: Option<&str>) -> Result<Vec<(&'a str, &'a Stream)>> {
    let all = file.streams.iter().map(|(name, stream)| (name.as_str(), stream));
    let chosen: Vec<_> = all.filter(|(name, _)| wanted.is_none_or(|w| w == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = file.streams.keys().map(String::as_str).collect();
        bail!("there is no stream `{}`; there are: {}", wanted.unwrap_or(""), names.join(", "));
    }
    Ok(chosen)
}

/// Has Graphviz draw it.
fn svg(dot: &str) -> Result<String> {
    let mut graphviz = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(
            "Graphviz draws the SVG, and its program `dot` does not start (Debian and Ubuntu: \
             apt-get install graphviz); -o OUT.dot needs none",
        )?;
    // It reads everything before it writes anything, so that neither waits for the other.
    if let Some(mut input) = graphviz.stdin.take() {
        input.write_all(dot.as_bytes()).context("Graphviz' `dot` takes no input")?;
    }
    let output = graphviz.wait_with_output()?;
    if !output.status.success() {
        bail!("Graphviz' `dot` failed: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
