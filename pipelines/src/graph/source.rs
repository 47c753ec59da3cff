//! The source of a stream, up to decoded video.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_base::prelude::BaseSrcExt;

use super::sound::Sound;
use super::{GraphError, animation, element, fragment, link_decoded, portrait, recordings, webcam};
use crate::config::{Pattern, Reconnect, Secret, Source, Test, Transport};

/// A recording that is read at full speed and gives no frame for so long has a demuxer or decoder
/// that hangs.
pub(super) const STUCK: Duration = Duration::from_secs(60);

/// How long packets are waited for by UDP before a camera is asked for them by TCP.
const UDP_ALONE: Duration = Duration::from_secs(2);

impl Source {
    /// Whether frames come at their own pace, and are skipped rather than waited for.
    pub fn is_live(&self) -> bool {
        match self {
            Self::Webcam(_) | Self::Rtsp(_) | Self::Test(_) => true,
            // One that cannot be built is told of where it is.
            Self::Gst(text) => fragment(text, "src").is_ok_and(|bin| has_live_source(&bin)),
            Self::File(_) | Self::Files(_) | Self::Http(_) => false,
        }
    }

    /// Whether a recording is played at its own speed.
    pub fn is_paced(&self) -> bool {
        match self {
            Self::File(file) => file.realtime,
            Self::Files(files) => files.realtime,
            _ => false,
        }
    }

    /// Whether the source has no end of its own.
    pub fn is_endless(&self) -> bool {
        matches!(self, Self::Webcam(_) | Self::Rtsp(_))
    }

    /// How long there may be no frame before the source counts as lost; `None` where there may be
    /// none for as long as it likes.
    pub fn patience(&self) -> Option<Duration> {
        match self {
            Self::File(file) => (!file.realtime).then_some(STUCK),
            _ => {
                let usual = if matches!(self, Self::Http(_)) { 30_000 } else { 5_000 };
                let timeout = self.reconnect()?.timeout.unwrap_or(usual);
                Some(Duration::from_millis(u64::from(timeout)))
            }
        }
    }

    /// By how much longer than for any other the first frame is waited for: with `transport: auto`
    /// there may be none until TCP has been tried.
    pub fn head_start(&self) -> Duration {
        match self {
            Self::Rtsp(rtsp) if rtsp.transport == Transport::Auto => 2 * UDP_ALONE,
            _ => Duration::ZERO,
        }
    }

    /// How the source is reached again when it is lost; `None` for one that ends for good.
    pub fn reconnect(&self) -> Option<Reconnect> {
        match self {
            Self::Rtsp(rtsp) => Some(rtsp.reconnect),
            Self::Http(http) => Some(http.reconnect),
            Self::Webcam(_) => Some(Reconnect::default()),
            Self::File(_) | Self::Files(_) | Self::Test(_) | Self::Gst(_) => None,
        }
    }
}

/// What schemes of addresses begin with from which frames come at their own pace.
const LIVE_SCHEMES: [&str; 4] = ["rtsp", "rtmp", "srt", "udp"];

/// Whether elements of GStreamer's syntax have a camera, or a stream of the network, among them.
fn has_live_source(bin: &gst::Bin) -> bool {
    bin.iterate_recurse().into_iter().flatten().any(|element| {
        if let Some(source) = element.downcast_ref::<gst_base::BaseSrc>() {
            return source.is_live();
        }
        let address = ["location", "uri"]
            .into_iter()
            .filter(|name| element.has_property_with_type(name, String::static_type()))
            .find_map(|name| element.property::<Option<String>>(name));
        match address {
            Some(address) => {
                let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_lowercase());
                scheme.is_some_and(|scheme| LIVE_SCHEMES.iter().any(|it| scheme.starts_with(it)))
            }
            // As libcamerasrc.
            None => element.metadata("klass").is_some_and(|klass| klass.contains("Source/Video")),
        }
    })
}

/// Adds a source to a pipeline and links it to `entry`, at once or when its video turns up. A
/// recording's sound goes the way of `sound`.
pub(super) fn attach(
    pipeline: &gst::Pipeline,
    source: &Source,
    entry: &gst::Element,
    sound: &Sound,
) -> Result<(), GraphError> {
    match source {
        Source::Webcam(camera) => link(pipeline, &webcam::source(camera)?, entry),
        Source::Gst(text) => link(pipeline, fragment(text, "src")?.upcast_ref(), entry),
        Source::Test(test) if test.pattern == Pattern::Face => {
            link(pipeline, &portrait::source(test)?, entry)
        }
        Source::Test(test) => link(pipeline, pattern(test)?.upcast_ref(), entry),
        Source::Rtsp(rtsp) => {
            let password = password(rtsp.password.as_ref(), rtsp.password_file.as_deref())?;
            let rtsp = rtsp.clone();
            decode(pipeline, &rtsp.url.clone(), entry, None, move |source| {
                source.set_property("latency", rtsp.latency);
                if rtsp.transport == Transport::Auto {
                    source.set_property("timeout", UDP_ALONE.as_micros() as u64);
                }
                let protocols = match rtsp.transport {
                    Transport::Auto => "tcp+udp",
                    Transport::Tcp => "tcp",
                    Transport::Udp => "udp",
                };
                source.set_property_from_str("protocols", protocols);
                login(source, "user-pw", rtsp.user.as_deref(), password.as_ref());
            })
        }
        Source::Http(http) => {
            let password = password(http.password.as_ref(), http.password_file.as_deref())?;
            let user = http.user.clone();
            time_frames(entry);
            decode(pipeline, &http.url.clone(), entry, None, move |source| {
                login(source, "user-pw", user.as_deref(), password.as_ref());
            })
        }
        Source::File(file) => recording(pipeline, &file.path, entry, Some(sound)),
        Source::Files(files) => link(pipeline, &recordings::source(files.recordings())?, entry),
    }
}

/// Adds a recording to a pipeline and links its video to `entry` when it turns up.
pub(super) fn recording(
    pipeline: &gst::Pipeline,
    path: &Path,
    entry: &gst::Element,
    sound: Option<&Sound>,
) -> Result<(), GraphError> {
    let io = |source| GraphError::File { path: path.to_owned(), source };
    let path = path.canonicalize().map_err(io)?;
    if animation::is_gif(&path) {
        return link(pipeline, &animation::source(&path)?, entry);
    }
    let uri = glib::filename_to_uri(&path, None)
        .map_err(|error| io(std::io::Error::other(error.to_string())))?;
    decode(pipeline, &uri, entry, sound, |_| {})
}

fn link(
    pipeline: &gst::Pipeline,
    source: &gst::Element,
    entry: &gst::Element,
) -> Result<(), GraphError> {
    pipeline.add(source)?;
    Ok(source.link(entry)?)
}

/// Whatever GStreamer decodes at an address; `set_up` sees the element that reads it.
fn decode(
    pipeline: &gst::Pipeline,
    uri: &str,
    entry: &gst::Element,
    sound: Option<&Sound>,
    set_up: impl Fn(&gst::Element) + Send + Sync + 'static,
) -> Result<(), GraphError> {
    stay_in_main_memory();
    let decoder = element("uridecodebin")?;
    decoder.set_property("uri", uri);
    let mut caps = gst::Caps::builder("video/x-raw").any_features().build();
    if let Some(sound) = sound {
        sound.add_caps(&mut caps);
    }
    decoder.set_property("caps", caps);
    decoder.set_property("expose-all-streams", false);
    if let Some(bin) = decoder.downcast_ref::<gst::Bin>() {
        bin.connect_deep_element_added(|_, _, inside| {
            // Else it waits for more streams until it has two megabytes, many seconds of a camera.
            if inside.factory().is_some_and(|factory| factory.name() == "multipartdemux") {
                inside.set_property("single-stream", true);
            }
        });
    }
    decoder.connect("source-setup", false, move |values| {
        if let Some(source) = values.get(1).and_then(|value| value.get::<gst::Element>().ok()) {
            set_up(&source);
        }
        None
    });
    pipeline.add(&decoder)?;
    link_decoded(&decoder, entry, sound);
    Ok(())
}

/// Gives frames that have no time, as those of cameras that send JPEGs by HTTP, the one at which they
/// come.
fn time_frames(entry: &gst::Element) {
    let Some(pad) = entry.static_pad("sink") else { return };
    let entry = entry.downgrade();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut().filter(|buffer| buffer.pts().is_none()) {
            // Before it plays there is no clock, or one that does not know yet when it began.
            let playing = entry.upgrade().filter(|it| it.current_state() == gst::State::Playing);
            let now = playing.and_then(|entry| entry.current_running_time());
            buffer.make_mut().set_pts(now.unwrap_or(gst::ClockTime::ZERO));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Leaves NVIDIA's decoders out where one is chosen: since GStreamer 1.24 they come before all others
/// and leave frames in the card's memory, where nothing here can read them.
fn stay_in_main_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let kind = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
        for factory in gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL) {
            if factory.plugin_name().is_some_and(|plugin| plugin == "nvcodec") {
                factory.set_rank(gst::Rank::NONE);
            }
        }
    });
}

fn login(
    source: &gst::Element,
    password_property: &str,
    user: Option<&str>,
    password: Option<&Secret>,
) {
    for (property, value) in [("user-id", user), (password_property, password.map(Secret::reveal))]
    {
        if let Some(value) = value.filter(|_| source.has_property(property)) {
            source.set_property(property, value);
        }
    }
}

/// A password that is given, or that a file holds.
///
/// # Errors
///
/// [`GraphError::File`].
pub(crate) fn password(
    given: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, GraphError> {
    let Some(path) = file else { return Ok(given.cloned()) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| GraphError::File { path: path.to_owned(), source })?;
    Ok(Some(Secret::from(text.trim_end_matches(['\r', '\n']).to_owned())))
}

fn pattern(test: &Test) -> Result<gst::Bin, GraphError> {
    let pattern = match test.pattern {
        Pattern::Smpte => "smpte",
        Pattern::Ball => "ball",
        Pattern::Black | Pattern::Face => "black",
    };
    let [width, height] = test.size;
    let count = test.frames.map(|frames| format!("num-buffers={frames}")).unwrap_or_default();
    let text = format!(
        "videotestsrc is-live=true pattern={pattern} {count} ! \
         capsfilter caps=video/x-raw,format=I420,width={width},height={height},framerate={}/1",
        test.rate
    );
    fragment(&text, "src")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_in_gstreamers_syntax_is_live() {
        gst::init().unwrap();
        for (text, is_live) in [
            ("videotestsrc", false),
            ("videotestsrc is-live=true ! videoconvert", true),
            ("v4l2src", true),
            ("rtspsrc location=rtsp://camera/stream ! decodebin ! videoconvert", true),
            ("filesrc location=a.mp4 ! decodebin ! videoconvert", false),
            ("no such element", false),
        ] {
            assert_eq!(Source::Gst(text.to_owned()).is_live(), is_live, "{text}");
        }
    }
}
