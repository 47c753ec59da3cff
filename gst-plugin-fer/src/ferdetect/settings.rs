//! The properties of `ferdetect`: names, ranges, defaults.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use fer_core::config::Config;
use fer_core::debounce::DebounceOptions;
use fer_core::reclassify::ReclassifyOptions;
use fer_core::registry::{Registry, smoothers, trackers};
use gst::glib;
use gst::prelude::*;

use super::backends::BackendOptions;
use super::imp::CAT;
use super::mode::FerAnalysis;
use crate::draw::FerLanguage;
use crate::strings;

/// What the user has set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) backends: BackendOptions,
    pub(super) analysis: Config,
    pub(super) mode: FerAnalysis,
    pub(super) draw: bool,
    pub(super) language: FerLanguage,
    pub(super) save_faces: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backends: BackendOptions::default(),
            analysis: Config::default(),
            mode: FerAnalysis::default(),
            draw: true,
            language: FerLanguage::default(),
            save_faces: None,
        }
    }
}

const MAX_MILLIS: u32 = 60_000;

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn text(name: &'static str, nick: &'static str, blurb: &'static str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).mutable_ready().build()
}

fn choice(
    name: &'static str,
    nick: &'static str,
    blurb: &'static str,
    default: &'static str,
) -> glib::ParamSpecStringBuilder<'static> {
    glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).default_value(default)
}

/// One of what is in a registry: its names are told.
fn registered<O: ?Sized, T: ?Sized>(
    name: &str,
    nick: &str,
    what: &str,
    registry: &Registry<O, T>,
    default: &str,
) -> glib::ParamSpec {
    let names: Vec<_> = registry.names().collect();
    let blurb = format!("{what}: {}", names.join(", "));
    glib::ParamSpecString::builder(name)
        .nick(nick)
        .blurb(&blurb)
        .default_value(default)
        .mutable_playing()
        .build()
}

fn span(
    name: &'static str,
    nick: &'static str,
    blurb: &'static str,
    default: Duration,
) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .maximum(MAX_MILLIS)
        .default_value(millis(default))
        .mutable_playing()
        .build()
}

fn fraction(
    name: &'static str,
    nick: &'static str,
    blurb: &'static str,
    range: std::ops::RangeInclusive<f64>,
    default: f32,
) -> glib::ParamSpec {
    glib::ParamSpecDouble::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(*range.start())
        .maximum(*range.end())
        // Through its decimal form, or .1 would be shown as .10000000149.
        .default_value(default.to_string().parse().unwrap_or_default())
        .mutable_playing()
        .build()
}

fn backend_properties() -> Vec<glib::ParamSpec> {
    let defaults = BackendOptions::default();
    vec![
        text(
            "model-file",
            "Model manifest",
            "YAML manifest of an ONNX emotion classifier, with the model beside it (unset: the built-in \
             model)",
        ),
        choice(
            "execution-provider",
            "Execution provider",
            "Where ONNX Runtime computes: cpu, cuda, tensorrt, openvino, coreml, directml. It is an \
             error if the runtime library lacks it. All but cpu get the faces of all streams in batches",
            "cpu",
        )
        .mutable_ready()
        .build(),
        choice(
            "detector",
            "Face detector",
            "haar (OpenCV cascades), yunet (a neural network, see detector-model), upstream (faces that \
             an earlier element attached, as regions of interest or, with GStreamer 1.24, GstAnalytics), none",
            "haar",
        )
        .mutable_ready()
        .build(),
        text(
            "cascade-file",
            "Haar cascade",
            "OpenCV cascade in XML (unset: haarcascade_frontalface_default.xml, searched in \
             $FER_CASCADE and OpenCV's folders)",
        ),
        choice(
            "detector-profile",
            "Detector profile",
            "haar: fast (one frontal cascade), thorough (two frontal cascades and one for faces from the \
             side, in both directions; finds more faces and takes five times as long)",
            "fast",
        )
        .mutable_ready()
        .build(),
        glib::ParamSpecBoolean::builder("second-opinion")
            .nick("Second opinion")
            .blurb("haar: a small built-in network rejects false detections of the cascades")
            .default_value(true)
            .mutable_ready()
            .build(),
        text(
            "detector-model",
            "Detector model",
            "yunet: the ONNX file (unset: the one that `fer models get yunet` fetched)",
        ),
        glib::ParamSpecDouble::builder("scale-factor")
            .nick("Scale factor")
            .blurb("haar: factor between searched sizes; smaller finds more faces and is slower")
            .minimum(1.01)
            .maximum(2.0)
            .default_value(defaults.scale_factor)
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt::builder("min-neighbors")
            .nick("Minimum neighbours")
            .blurb(
                "haar: how many overlapping hits beyond the first make a face; more means fewer false \
                 alarms and fewer faces. 4 is a good value without second-opinion",
            )
            .maximum(20)
            .default_value(defaults.min_neighbors)
            .mutable_ready()
            .build(),
    ]
}

fn analysis_properties() -> Vec<glib::ParamSpec> {
    let config = Config::default();
    vec![
        glib::ParamSpecEnum::builder::<FerAnalysis>("analysis")
            .nick("Analysis")
            .blurb("Whether frames wait for the analysis")
            .mutable_ready()
            .build(),
        fraction(
            "min-face",
            "Smallest face",
            "Height of the smallest face, as a fraction of the frame's shorter side; larger is faster. \
             haar searches for faces of less than twice this height four times less often",
            0.01..=1.0,
            config.min_face,
        ),
        span(
            "inference-interval",
            "Inference interval",
            "Media time between two searches for faces, in ms; 0 searches in every frame. In between, \
             known faces are carried on",
            config.inference_interval,
        ),
        span(
            "scan-interval",
            "Scan interval",
            "Media time, in ms, after which the whole frame is searched; before, haar searches near known \
             faces only. The whole frame is searched at once if no face is known, one is missed, or a \
             new scene begins, and four times as late while nothing but known faces moves",
            config.scan_interval,
        ),
        span(
            "reclassify-interval",
            "Reclassify interval",
            "Media time, in ms, after which a face that has neither moved nor changed is classified \
             again; 0 classifies in every frame",
            config.reclassify.interval,
        ),
        registered(
            "tracker",
            "Tracker",
            "How faces keep their identity",
            &trackers(),
            &config.tracker,
        ),
        registered(
            "smoothing",
            "Smoothing",
            "Temporal filter on each face's probabilities",
            &smoothers(),
            &config.smoothing,
        ),
        span(
            "smoothing-time",
            "Smoothing time",
            "Time constant of the filter, in ms: shorter follows sooner, longer is steadier",
            config.smoothing_time,
        ),
        span(
            "hold-time",
            "Hold time",
            "How long, in ms, a new label must lead before it becomes stable, and how long a stable label \
             lasts at least. The larger the lead, the shorter the wait; with a lead of 0.8 there is none",
            config.debounce.hold,
        ),
        fraction(
            "margin",
            "Margin",
            "Lead in probability that a new label needs over the stable one",
            0.0..=1.0,
            config.debounce.margin,
        ),
        fraction(
            "min-confidence",
            "Minimum confidence",
            "Probability below which a face is `uncertain`; a label that has been given is withdrawn a \
             third of margin below it",
            0.0..=1.0,
            config.debounce.min_confidence,
        ),
    ]
}

fn output_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecBoolean::builder("draw")
            .nick("Draw")
            .blurb("Draw boxes and labels into the video; false leaves the pixels alone")
            .default_value(true)
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder::<FerLanguage>("labels-language")
            .nick("Language of labels")
            .blurb("Language of drawn labels; metadata is always English")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("stream-id")
            .nick("Stream id")
            .blurb("Name of this stream in metadata, messages and file names")
            .default_value("")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("save-faces")
            .nick("Save faces")
            .blurb(
                "Folder for a PNG of each face whose stable label changes to an emotion (unset: no picture \
                 is saved)",
            )
            .mutable_playing()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb(
                "Counters since the last start (uint64): frames, skipped (not analysed in the background), \
                 scans (whole frames), searches-near, classifications, faces-classified, errors; sums of \
                 time (double): detect-ms, classify-ms, draw-ms; behind-ms (double), how far the \
                 background analysis is behind the video now",
            )
            .read_only()
            .build(),
    ]
}

/// All properties.
pub(super) static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    let mut properties = backend_properties();
    properties.extend(analysis_properties());
    properties.extend(output_properties());
    properties
});

/// A value of the type that its ParamSpec promises; GObject has checked it.
fn get<'a, T: glib::value::FromValue<'a> + Default>(value: &'a glib::Value) -> T {
    value.get().unwrap_or_default()
}

impl Settings {
    /// Sets one property.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) {
        let duration = || Duration::from_millis(u64::from(get::<u32>(value)));
        let fraction = || get::<f64>(value) as f32;
        let string = || strings::text(value, name, *CAT);
        let Self { backends, analysis, .. } = self;
        let DebounceOptions { margin, hold, min_confidence } = &mut analysis.debounce;
        let ReclassifyOptions { interval: reclassify_interval, .. } = &mut analysis.reclassify;
        match name {
            "model-file" => backends.model_file = strings::path(value),
            "execution-provider" => backends.execution_provider = string(),
            "detector" => backends.detector = string(),
            "cascade-file" => backends.cascade_file = strings::path(value),
            "detector-profile" => backends.detector_profile = string(),
            "second-opinion" => backends.second_opinion = get(value),
            "detector-model" => backends.detector_model = strings::path(value),
            "scale-factor" => backends.scale_factor = get(value),
            "min-neighbors" => backends.min_neighbors = get(value),
            "min-face" => analysis.min_face = fraction(),
            "analysis" => self.mode = value.get().unwrap_or_default(),
            "inference-interval" => analysis.inference_interval = duration(),
            "scan-interval" => analysis.scan_interval = duration(),
            "reclassify-interval" => *reclassify_interval = duration(),
            "tracker" => analysis.tracker = string(),
            "smoothing" => analysis.smoothing = string(),
            "smoothing-time" => analysis.smoothing_time = duration(),
            "hold-time" => *hold = duration(),
            "margin" => *margin = fraction(),
            "min-confidence" => *min_confidence = fraction(),
            "draw" => self.draw = get(value),
            "labels-language" => self.language = value.get().unwrap_or_default(),
            "stream-id" => analysis.stream_id = string(),
            "save-faces" => self.save_faces = strings::path(value),
            // GObject refuses names that are not in PROPERTIES.
            _ => {}
        }
    }

    /// Reads one property; `None` for those that are not settings.
    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        let Self { backends, analysis, .. } = self;
        let debounce = &analysis.debounce;
        let decimal = |value: f32| value.to_string().parse::<f64>().unwrap_or_default().to_value();
        Some(match name {
            "model-file" => backends.model_file.to_value(),
            "execution-provider" => backends.execution_provider.to_value(),
            "detector" => backends.detector.to_value(),
            "cascade-file" => backends.cascade_file.to_value(),
            "detector-profile" => backends.detector_profile.to_value(),
            "second-opinion" => backends.second_opinion.to_value(),
            "detector-model" => backends.detector_model.to_value(),
            "scale-factor" => backends.scale_factor.to_value(),
            "min-neighbors" => backends.min_neighbors.to_value(),
            "min-face" => decimal(analysis.min_face),
            "analysis" => self.mode.to_value(),
            "inference-interval" => millis(analysis.inference_interval).to_value(),
            "scan-interval" => millis(analysis.scan_interval).to_value(),
            "reclassify-interval" => millis(analysis.reclassify.interval).to_value(),
            "tracker" => analysis.tracker.to_value(),
            "smoothing" => analysis.smoothing.to_value(),
            "smoothing-time" => millis(analysis.smoothing_time).to_value(),
            "hold-time" => millis(debounce.hold).to_value(),
            "margin" => decimal(debounce.margin),
            "min-confidence" => decimal(debounce.min_confidence),
            "draw" => self.draw.to_value(),
            "labels-language" => self.language.to_value(),
            "stream-id" => analysis.stream_id.to_value(),
            "save-faces" => self.save_faces.to_value(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_that_can_be_written_is_kept() {
        gst::init().unwrap();
        for property in PROPERTIES.iter().filter(|p| p.flags().contains(glib::ParamFlags::WRITABLE))
        {
            let mut settings = Settings::default();
            let before = settings.get(property.name()).unwrap();
            let other = match property.value_type() {
                glib::Type::STRING => "other".to_value(),
                glib::Type::BOOL => false.to_value(),
                glib::Type::U32 => 7u32.to_value(),
                glib::Type::F64 => 1.0f64.to_value(),
                kind if kind == FerAnalysis::static_type() => FerAnalysis::Inline.to_value(),
                _ => FerLanguage::Ru.to_value(),
            };
            settings.set(property.name(), &other);
            let after = format!("{:?}", settings.get(property.name()).unwrap());
            assert_eq!(after, format!("{other:?}"), "{}", property.name());
            assert_ne!(after, format!("{before:?}"), "{}", property.name());
        }
    }

    /// As C programs may set it, whose files need not be named in UTF-8.
    #[cfg(unix)]
    #[test]
    fn any_bytes_make_a_path_and_no_panic() {
        let latin1 = strings::testing::latin1();
        for property in PROPERTIES.iter().filter(|p| p.value_type() == glib::Type::STRING) {
            let mut settings = Settings::default();
            settings.set(property.name(), &latin1);
            let after = settings.get(property.name()).unwrap().get::<PathBuf>().unwrap();
            let is_path =
                ["-file", "-model", "-faces"].iter().any(|it| property.name().ends_with(it));
            let bytes = if is_path { 9 } else { "/tmp/caf\u{fffd}".len() };
            assert_eq!(after.as_os_str().len(), bytes, "{}", property.name());
        }
    }

    #[test]
    fn defaults_of_properties_are_the_settings_defaults() {
        gst::init().unwrap();
        for property in PROPERTIES.iter().filter(|p| p.flags().contains(glib::ParamFlags::WRITABLE))
        {
            let value = Settings::default().get(property.name()).unwrap();
            let default = property.default_value();
            assert_eq!(format!("{value:?}"), format!("{default:?}"), "{}", property.name());
        }
    }
}
