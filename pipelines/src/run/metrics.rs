//! Prometheus metrics and `/healthz` over HTTP.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Request, Response, Server};

use super::Shown;
use super::latency::BOUNDS;
use super::status::{Reading, State};
use crate::speech::tell;

/// Before it is served anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until the program ends.
pub(super) fn serve(address: SocketAddr, streams: Shown) -> Result<()> {
    let server = Server::http(address)
        .map_err(|error| anyhow!("metrics cannot be served at {address}: {error}"))?;
    let mut server = Some(server);
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            if let Some(server) = server.take() {
                answer_all(&server, &streams);
                tell(&format!(
                    "fer: warning: the metrics at {address} are gone; they are served anew"
                ));
            }
            // It ends for good where a connection cannot be taken, as where a process has too many open.
            std::thread::sleep(PAUSE);
            server = Server::http(address).ok();
        }
    })?;
    Ok(())
}

/// Answers until no more connections can be taken. Each has a thread, as a client that does not read
/// would keep all others waiting.
fn answer_all(server: &Server, streams: &Shown) {
    for request in server.incoming_requests() {
        let streams = Arc::clone(streams);
        let thread = std::thread::Builder::new().name("metrics-client".to_owned());
        // What cannot be answered is closed.
        let _ = thread.spawn(move || answer(request, &streams));
    }
}

fn answer(request: Request, streams: &Shown) {
    let streams = streams.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let readings: Vec<(String, Reading)> =
        streams.iter().map(|(name, status)| (name.clone(), status.reading())).collect();
    let (code, kind, text) = match request.url() {
        "/metrics" => (200, "text/plain; version=0.0.4", metrics(&readings)),
        "/healthz" => health(&readings),
        _ => (404, "text/plain", "there are /metrics and /healthz\n".to_owned()),
    };
    let header = Header::from_bytes("Content-Type", kind).into_iter();
    let response = header
        .fold(Response::from_string(text).with_status_code(code), |response, header| {
            response.with_header(header)
        });
    // Whoever asked may be gone.
    let _ = request.respond(response);
}

/// Well while every stream gives frames or has come to its end, with all of its outputs.
fn health(streams: &[(String, Reading)]) -> (u16, &'static str, String) {
    let ill: Vec<String> = streams
        .iter()
        .filter(|(_, reading)| {
            reading.stopped > 0 || !(reading.is_up() || reading.state == State::Ended)
        })
        .map(|(name, reading)| {
            let mut line = format!("{name}: {}", reading.state.name());
            if reading.state == State::Running && !reading.is_up() {
                line.push_str(" without frames");
            }
            if reading.stopped > 0 {
                // Writing to a string does not fail.
                let _ = write!(line, ", {} of its outputs stopped", reading.stopped);
            }
            line + "\n"
        })
        .collect();
    if ill.is_empty() {
        (200, "text/plain", "ok\n".to_owned())
    } else {
        (503, "text/plain", ill.concat())
    }
}

fn metrics(streams: &[(String, Reading)]) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Reading) -> f64| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (stream, reading) in streams {
            let _ = writeln!(text, "{name}{{stream=\"{stream}\"}} {}", value(reading));
        }
    };
    family("fer_frames_total", "counter", "Frames that came out of the analysis.", &|s| {
        s.frames as f64
    });
    family("fer_frames_per_second", "gauge", "Frames a second, of late.", &|s| s.fps);
    family("fer_faces", "gauge", "Faces in the newest frame.", &|s| s.faces as f64);
    family("fer_classifications_total", "counter", "Faces that the model looked at.", &|s| {
        s.classified as f64
    });
    family("fer_restarts_total", "counter", "How often the source was lost.", &|s| {
        s.restarts as f64
    });
    family(
        "fer_skipped_total",
        "counter",
        "Live frames that there was no time to analyse.",
        &|s| s.skipped as f64,
    );
    family("fer_outputs_stopped", "gauge", "Outputs that have stopped for good.", &|s| {
        s.stopped as f64
    });
    family("fer_up", "gauge", "Whether frames come.", &|s| f64::from(u8::from(s.is_up())));
    let help = "Faces in the newest frame, by their stable label.";
    labelled(&mut text, streams, "fer_faces_by_emotion", "gauge", help, &|s| &s.labels);
    let help = "Labels that became a face's stable one.";
    labelled(&mut text, streams, "fer_emotion_changes_total", "counter", help, &|s| &s.changes);
    latencies(&mut text, streams);
    text
}

/// A family with a value for each emotion.
fn labelled(
    text: &mut String,
    streams: &[(String, Reading)],
    name: &str,
    kind: &str,
    help: &str,
    values: &dyn Fn(&Reading) -> &BTreeMap<&'static str, u64>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (stream, reading) in streams {
        for (emotion, value) in values(reading) {
            let _ = writeln!(text, "{name}{{stream=\"{stream}\",emotion=\"{emotion}\"}} {value}");
        }
    }
}

fn latencies(text: &mut String, streams: &[(String, Reading)]) {
    let name = "fer_latency_seconds";
    let help = "From a live frame's own time to the end of its analysis.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
    for (stream, Reading { latency, .. }) in streams {
        for (bound, count) in BOUNDS.iter().zip(latency.counts) {
            let _ = writeln!(text, "{name}_bucket{{stream=\"{stream}\",le=\"{bound}\"}} {count}");
        }
        let count = latency.count;
        let _ = writeln!(text, "{name}_bucket{{stream=\"{stream}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{stream=\"{stream}\"}} {}", latency.sum);
        let _ = writeln!(text, "{name}_count{{stream=\"{stream}\"}} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::Status;
    use super::*;

    #[test]
    fn a_stream_that_has_lost_an_output_is_not_well() {
        let status = Status::default();
        status.frame(None, None);
        let health = || health(&[("door".to_owned(), status.reading())]);
        assert_eq!(health(), (200, "text/plain", "ok\n".to_owned()));
        status.output_stopped();
        let told = "door: running, 1 of its outputs stopped\n".to_owned();
        assert_eq!(health(), (503, "text/plain", told));
        let text = metrics(&[("door".to_owned(), status.reading())]);
        assert!(text.contains("fer_outputs_stopped{stream=\"door\"} 1\n"), "{text}");
        assert!(text.contains("fer_up{stream=\"door\"} 1\n"), "{text}");
        let still = Reading { is_still: true, ..status.reading() };
        let still = [("door".to_owned(), still)];
        assert!(metrics(&still).contains("fer_up{stream=\"door\"} 0\n"));
        let told = "door: running without frames, 1 of its outputs stopped\n".to_owned();
        assert_eq!(super::health(&still), (503, "text/plain", told));
        // What has not happened yet is there, or its first time would not be seen.
        let none = "fer_emotion_changes_total{stream=\"door\",emotion=\"fear\"} 0\n";
        assert!(text.contains(none), "{text}");
    }
}
