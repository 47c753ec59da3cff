//! The metadata on buffers: a [`FrameReport`] as a `GstCustomMeta`.
//!
//! Places are fractions of the frame and the meta has no tags, so it goes unharmed through
//! conversion, scaling and encoders. Programs in other languages read it with
//! `gst_buffer_get_custom_meta (buffer, "FerReportMeta")` and `gst_custom_meta_get_structure ()`;
//! the structure's fields are listed in `docs/metadata.md`.

use std::sync::{Arc, Once};
use std::time::Duration;

use fer_core::emotion::{Probabilities, StableLabel, label_from_name, label_name};
use fer_core::event::{Event, EventKind};
use fer_core::geometry::Rect;
use fer_core::report::{FaceEmotion, FaceReport, FrameReport};
use fer_core::time::MediaTime;
use gst::glib;

/// The custom meta's registered name, and its structure's.
pub const NAME: &str = "FerReportMeta";

const SHAPE: &str = "display-aspect-ratio";
/// Sizes are whole pixels, and often even ones: shapes that differ by no more than so are the same.
const SAME_SHAPE: f64 = 0.01;

/// Registers the meta with GStreamer; more than once does no harm.
pub fn register() {
    // Not by two threads at once; another copy of this library may have done it.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !gst::meta::CustomMeta::is_registered(NAME) {
            gst::meta::CustomMeta::register(NAME, &[]);
        }
    });
}

/// Attaches a report to a buffer, in place of one that it has.
///
/// # Errors
/// The meta is not registered.
pub fn write(buffer: &mut gst::BufferRef, report: &FrameReport) -> Result<(), glib::BoolError> {
    let mut meta = if gst::meta::CustomMeta::from_buffer(buffer, NAME).is_ok() {
        gst::meta::CustomMeta::from_mut_buffer(buffer, NAME)?
    } else {
        gst::meta::CustomMeta::add(buffer, NAME)?
    };
    let structure = meta.mut_structure();
    structure.set("stream-id", &report.stream_id);
    structure.set("frame", report.frame);
    structure.set("time", report.time.nanos());
    structure.set("faces", gst::Array::new(report.faces.iter().map(face_structure)));
    structure.set("events", gst::Array::new(report.events.iter().map(event_structure)));
    structure.set("unseen", report.unseen);
    Ok(())
}

/// Notes the shape in which a frame with a report is shown: what crops it later, or gives it borders,
/// copies the report as it is, and its places are wrong then.
pub fn write_shape(buffer: &mut gst::BufferRef, shape: f64) {
    if let Ok(mut meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, NAME) {
        meta.mut_structure().set(SHAPE, shape);
    }
}

/// Whether a frame that is shown in this shape had another one when its report was written.
pub fn is_reshaped(buffer: &gst::BufferRef, shape: f64) -> bool {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, NAME);
    let before = meta.ok().and_then(|meta| meta.structure().get::<f64>(SHAPE).ok());
    before.is_some_and(|before| (shape / before - 1.0).abs() > SAME_SHAPE)
}

/// The shape in which a frame is shown: its width divided by its height.
pub fn shape(width: u32, height: u32, pixel_aspect: gst::Fraction) -> f64 {
    let pixel = f64::from(pixel_aspect.numer()) / f64::from(pixel_aspect.denom());
    f64::from(width) * pixel / f64::from(height)
}

/// The report on a buffer; `None` without one, or when somebody has spoilt it.
pub fn read(buffer: &gst::BufferRef) -> Option<FrameReport> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, NAME).ok()?;
    let structure = meta.structure();
    Some(FrameReport {
        stream_id: structure.get("stream-id").ok()?,
        frame: structure.get("frame").ok()?,
        time: time(structure, "time")?,
        faces: all(structure, "faces", face)?,
        events: all(structure, "events", event)?,
        unseen: structure.get("unseen").ok()?,
    })
}

fn face_structure(face: &FaceReport) -> gst::Structure {
    let mut structure = gst::Structure::builder("face")
        .field("id", face.track)
        .field("x", face.rect.x)
        .field("y", face.rect.y)
        .field("w", face.rect.w)
        .field("h", face.rect.h)
        .field("confidence", face.confidence)
        .field("detected", face.detected)
        .build();
    if let Some(emotion) = &face.emotion {
        structure.set("emotion", emotion_structure(emotion));
    }
    structure
}

fn face(structure: &gst::StructureRef) -> Option<FaceReport> {
    let number = |name: &str| structure.get::<f32>(name).ok();
    Some(FaceReport {
        track: structure.get("id").ok()?,
        rect: Rect::new(number("x")?, number("y")?, number("w")?, number("h")?),
        confidence: number("confidence")?,
        detected: structure.get("detected").ok()?,
        emotion: match structure.get::<gst::Structure>("emotion") {
            Ok(inner) => Some(emotion(&inner)?),
            Err(_) => None,
        },
    })
}

fn emotion_structure(emotion: &FaceEmotion) -> gst::Structure {
    let (label, confidence) = emotion.top();
    gst::Structure::builder("emotion")
        .field("label", label.name())
        .field("confidence", confidence)
        .field("stable", label_name(emotion.stable))
        .field("since", emotion.since.nanos())
        .field("probabilities", gst::Array::new(emotion.smoothed.values().iter().copied()))
        .field("raw", gst::Array::new(emotion.raw.values().iter().copied()))
        .field("model", &*emotion.model)
        .field("inferred", emotion.inferred)
        .field("age", u64::try_from(emotion.age.as_nanos()).unwrap_or(u64::MAX))
        .build()
}

fn emotion(structure: &gst::StructureRef) -> Option<FaceEmotion> {
    Some(FaceEmotion {
        stable: label(structure, "stable")?,
        since: time(structure, "since")?,
        smoothed: probabilities(structure, "probabilities")?,
        raw: probabilities(structure, "raw")?,
        model: Arc::from(structure.get::<&str>("model").ok()?),
        inferred: structure.get("inferred").ok()?,
        age: Duration::from_nanos(structure.get("age").ok()?),
    })
}

fn event_structure(event: &Event) -> gst::Structure {
    let mut structure = gst::Structure::builder(event.kind.name()).field("id", event.track).build();
    if let EventKind::EmotionChanged { from, to } = event.kind {
        structure.set("from", label_name(from));
        structure.set("to", label_name(to));
    }
    structure
}

fn event(structure: &gst::StructureRef) -> Option<Event> {
    let kind = match structure.name().as_str() {
        "face-appeared" => EventKind::FaceAppeared,
        "face-lost" => EventKind::FaceLost,
        "emotion-changed" => {
            let (from, to) = (label(structure, "from")?, label(structure, "to")?);
            EventKind::EmotionChanged { from, to }
        }
        _ => return None,
    };
    Some(Event { track: structure.get("id").ok()?, kind })
}

fn all<T>(
    structure: &gst::StructureRef,
    name: &str,
    read: impl Fn(&gst::StructureRef) -> Option<T>,
) -> Option<Vec<T>> {
    let array = structure.get::<gst::ArrayRef<'_>>(name).ok()?;
    array
        .iter()
        .map(|value| {
            let structure: gst::Structure = value.get().ok()?;
            read(&structure)
        })
        .collect()
}

fn time(structure: &gst::StructureRef, name: &str) -> Option<MediaTime> {
    structure.get(name).ok().map(MediaTime::from_nanos)
}

fn label(structure: &gst::StructureRef, name: &str) -> Option<StableLabel> {
    label_from_name(structure.get(name).ok()?)
}

fn probabilities(structure: &gst::StructureRef, name: &str) -> Option<Probabilities> {
    let array = structure.get::<gst::ArrayRef<'_>>(name).ok()?;
    let values: Option<Vec<f32>> = array.iter().map(|value| value.get().ok()).collect();
    Probabilities::exact(values?.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use fer_core::emotion::Emotion;

    use super::*;

    fn report() -> FrameReport {
        let smoothed = Probabilities::from_weights([1., 2., 3., 4., 5., 6., 7.]).unwrap();
        FrameReport {
            stream_id: "hall".to_owned(),
            frame: 41,
            time: MediaTime::from_millis(1640),
            faces: vec![
                FaceReport {
                    track: 3,
                    rect: Rect::new(0.1, 0.2, 0.3, 0.4),
                    confidence: 0.75,
                    detected: true,
                    emotion: Some(FaceEmotion {
                        stable: None,
                        since: MediaTime::from_millis(1000),
                        smoothed,
                        raw: Probabilities::one_hot(Emotion::Fear),
                        model: "m".into(),
                        inferred: false,
                        age: Duration::from_millis(80),
                    }),
                },
                FaceReport {
                    track: 4,
                    rect: Rect::new(-0.1, 0., 0.3, 0.4),
                    confidence: 0.5,
                    detected: false,
                    emotion: None,
                },
            ],
            events: vec![
                Event { track: 4, kind: EventKind::FaceAppeared },
                Event {
                    track: 3,
                    kind: EventKind::EmotionChanged { from: Some(Emotion::Fear), to: None },
                },
                Event { track: 2, kind: EventKind::FaceLost },
            ],
            unseen: false,
        }
    }

    #[test]
    fn what_is_written_is_read_also_from_a_copy() {
        gst::init().unwrap();
        register();
        let mut buffer = gst::Buffer::with_size(16).unwrap();
        assert_eq!(read(&buffer), None);
        write(buffer.get_mut().unwrap(), &report()).unwrap();
        assert_eq!(read(&buffer), Some(report()));
        assert_eq!(read(&buffer.copy_deep().unwrap()), Some(report()));
        let later = FrameReport { frame: 42, unseen: true, ..report() };
        write(buffer.get_mut().unwrap(), &later).unwrap();
        assert_eq!(read(&buffer), Some(later));
    }

    #[test]
    fn another_shape_is_noticed() {
        gst::init().unwrap();
        register();
        let square = gst::Fraction::new(1, 1);
        let mut buffer = gst::Buffer::with_size(16).unwrap();
        // Of a report that does not say it, nothing is known.
        write(buffer.get_mut().unwrap(), &report()).unwrap();
        assert!(!is_reshaped(&buffer, 1.0));
        write_shape(buffer.get_mut().unwrap(), shape(720, 576, gst::Fraction::new(64, 45)));
        for (width, height, reshaped) in [
            (1024, 576, false),
            (1366, 768, false),
            (640, 360, false),
            (640, 480, true),
            (720, 576, true),
        ] {
            let found = is_reshaped(&buffer, shape(width, height, square));
            assert_eq!(found, reshaped, "{width}x{height}");
        }
    }

    #[test]
    fn a_spoilt_meta_is_none() {
        gst::init().unwrap();
        register();
        let spoilt = |spoil: &dyn Fn(&mut gst::StructureRef)| {
            let mut buffer = gst::Buffer::with_size(16).unwrap();
            write(buffer.get_mut().unwrap(), &report()).unwrap();
            let buffer_ref = buffer.get_mut().unwrap();
            let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer_ref, NAME).unwrap();
            spoil(meta.mut_structure());
            read(&buffer)
        };
        assert_eq!(spoilt(&|meta| meta.set("faces", "none")), None);
        // A label that there is none of is not "uncertain".
        let change = |to: &str| {
            let kind = EventKind::EmotionChanged { from: None, to: None };
            let mut change = event_structure(&Event { track: 3, kind });
            change.set("to", to);
            spoilt(&|meta| meta.set("events", gst::Array::new([change.clone()]))).is_some()
        };
        assert!(change("uncertain") && change("fear") && !change("boredom"));
    }
}
