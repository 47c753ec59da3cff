//! The bundled portrait through whole pipelines.

use crate::support::{Outcome, init, portrait, run};

fn faces(outcome: &Outcome) -> Vec<fer_core::report::FaceReport> {
    assert_eq!(outcome.error, None);
    outcome.reports().into_iter().flat_map(|report| report.faces).collect()
}

#[test]
fn the_portrait_has_one_steady_face_with_a_smile() {
    let source = portrait(50);
    let outcome = run(&format!("{source} ! ferdetect draw=false ! appsink name=sink sync=false"));
    let reports = outcome.reports();
    assert_eq!(reports.len(), 50);
    // Eileen Collins' face, by eye: about 175..285 × 60..210 of 512 × 512.
    let last = reports.last().unwrap();
    assert_eq!(last.faces.len(), 1, "{last:?}");
    let (x, y) = last.faces[0].rect.center();
    assert!((0.38..0.50).contains(&x) && (0.16..0.33).contains(&y), "{last:?}");
    let emotion = last.faces[0].emotion.as_ref().unwrap();
    assert_eq!(emotion.stable.map(|label| label.name()), Some("happiness"));
    // A frozen picture never changes its label.
    let changes = reports
        .iter()
        .flat_map(|report| &report.events)
        .filter(|event| event.kind.name() == "emotion-changed")
        .count();
    assert_eq!(changes, 1);
}

#[test]
fn pixels_that_are_not_square_change_neither_the_face_nor_its_emotion() {
    let of = |scaled: &str| {
        let outcome = run(&format!(
            "{} ! {scaled} ! ferdetect analysis=inline ! appsink name=sink sync=false",
            portrait(5)
        ));
        assert_eq!(outcome.error, None);
        faces(&outcome).pop().unwrap()
    };
    let square = of("identity");
    // 512 columns as 360 wide ones, which is what PAL does with 16:9.
    let wide = of("videoscale ! video/x-raw,width=360,height=512,pixel-aspect-ratio=64/45");
    assert!(square.rect.iou(&wide.rect) > 0.85, "{:?} {:?}", square.rect, wide.rect);
    let happiness = |face: &fer_core::report::FaceReport| {
        face.emotion.as_ref().unwrap().raw.of(fer_core::emotion::Emotion::Happiness)
    };
    let (square, wide) = (happiness(&square), happiness(&wide));
    assert!((square - wide).abs() < 0.15, "{square} {wide}");
}

#[test]
fn metadata_survives_conversion_scaling_and_an_encoder() {
    let source = portrait(30);
    let plain = run(&format!("{source} ! ferdetect draw=false ! appsink name=sink sync=false"));
    let coded = run(&format!(
        "{source} ! ferdetect draw=false ! videoconvert ! videoscale ! \
         video/x-raw,width=320,height=240 ! x264enc tune=zerolatency ! h264parse ! avdec_h264 ! \
         appsink name=sink sync=false"
    ));
    assert_eq!(coded.error, None);
    assert_eq!(coded.reports(), plain.reports());
    assert_eq!(coded.reports().len(), 30);
    assert!(!faces(&coded).is_empty());
}

#[test]
fn the_overlay_draws_from_metadata_after_scaling() {
    let source = portrait(20);
    let chain = "ferdetect draw=false ! videoscale ! video/x-raw,width=256,height=256 ! tee name=t \
                 t. ! queue ! fakesink t. ! queue";
    let bare = run(&format!("{source} ! {chain} ! appsink name=sink sync=false"));
    let drawn = run(&format!("{source} ! {chain} ! feroverlay ! appsink name=sink sync=false"));
    let bytes = |outcome: &Outcome| outcome.buffers[19].map_readable().unwrap().to_vec();
    let (bare, drawn) = (bytes(&bare), bytes(&drawn));
    assert_eq!(bare.len(), drawn.len());
    let changed = bare.iter().zip(&drawn).filter(|(a, b)| a != b).count();
    assert!(changed > 500, "{changed} bytes changed");
    // The bottom rows hold neither face nor label: 16 rows of luma.
    assert_eq!(bare[240 * 256..256 * 256], drawn[240 * 256..256 * 256]);
}

#[test]
fn two_runs_write_the_same_bytes() {
    let source = portrait(40);
    let text = || {
        let line = format!("{source} ! ferdetect ! ferjson ! appsink name=sink sync=false");
        let outcome = run(&line);
        assert_eq!(outcome.buffers.len(), 40);
        outcome
            .buffers
            .iter()
            .flat_map(|buffer| buffer.map_readable().unwrap().to_vec())
            .collect::<Vec<u8>>()
    };
    assert_eq!(text(), text());
}

/// With a synced sink and a detector that can't keep up, frames are late but none is lost.
#[test]
fn a_slow_detector_loses_no_frame() {
    init();
    let line = "videotestsrc num-buffers=60 is-live=true pattern=ball ! \
                video/x-raw,format=I420,width=640,height=480,framerate=60/1 ! \
                ferdetect analysis=inline inference-interval=0 min-face=0.05 scale-factor=1.05 name=fer ! \
                appsink name=sink sync=true";
    let outcome = run(line);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.buffers.len(), 60);
    let mut times: Vec<_> = outcome.buffers.iter().map(|buffer| buffer.pts().unwrap()).collect();
    assert!(times.is_sorted());
    times.dedup();
    assert_eq!(times.len(), 60);
}

#[test]
fn a_single_picture_is_analysed_too() {
    let source = portrait(1);
    let outcome = run(&format!("{source} ! ferdetect ! appsink name=sink sync=false"));
    let faces = faces(&outcome);
    assert_eq!(faces.len(), 1);
    assert!(faces[0].emotion.is_some());
}

#[test]
fn a_missing_runtime_library_is_an_error_that_says_where_it_was_looked_for() {
    // In a process of its own: the library is loaded once.
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", "pipelines::without_runtime", "--ignored", "--nocapture"])
        .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("/nowhere/libonnxruntime.so"), "{text}");
}

#[test]
#[ignore = "run by the test above, with ORT_DYLIB_PATH set wrongly"]
#[allow(clippy::print_stdout, reason = "its parent reads it")]
fn without_runtime() {
    let source = portrait(1);
    let outcome = run(&format!("{source} ! ferdetect ! appsink name=sink sync=false"));
    println!("{}", outcome.error.unwrap());
}
