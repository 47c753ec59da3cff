//! Everything at once, while it plays.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::*;

const CHANGES: [(&str, [&str; 2]); 12] = [
    ("min-face", ["0.2", "0.05"]),
    ("scale-factor", ["1.1", "1.5"]),
    ("min-neighbors", ["0", "5"]),
    ("inference-interval", ["0", "300"]),
    ("scan-interval", ["0", "1000"]),
    ("reclassify-interval", ["0", "500"]),
    ("smoothing", ["ema", "hmm"]),
    ("smoothing-time", ["0", "900"]),
    ("hold-time", ["0", "900"]),
    ("draw", ["true", "false"]),
    ("labels-language", ["ru", "en"]),
    ("stream-id", ["left", "right"]),
];

#[test]
fn properties_change_from_several_threads_while_it_plays() {
    for analysis in ["inline", "background"] {
        let frames = often(300) as u64;
        let pipeline = pipeline(&format!(
            "videotestsrc num-buffers={frames} ! video/x-raw,width=160,height=120 \
             ! ferdetect name=d analysis={analysis} ! feroverlay name=o \
             ! fakesink name=sink sync=false"
        ));
        let element = pipeline.by_name("d").unwrap();
        let ended = AtomicBool::new(false);
        let came = std::thread::scope(|scope| {
            for seed in 0..3 {
                let (element, ended) = (&element, &ended);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    while !ended.load(Relaxed) {
                        let (name, values) = CHANGES[random.usize(..CHANGES.len())];
                        element.set_property_from_str(name, values[random.usize(..2)]);
                        let _ = element.property_value("stats");
                        let _ = element.property_value(name);
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
            }
            // The threads must end whatever happens, or a failure would hang.
            let came = std::panic::catch_unwind(|| play_to_the_end(&pipeline));
            ended.store(true, Relaxed);
            came
        });
        assert_eq!(came.unwrap(), frames, "{analysis}");
        assert_healthy(&pipeline);
    }
}

#[test]
fn the_element_is_taken_out_and_put_back_while_it_plays() {
    let pipeline = pipeline(
        "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=100/1 \
         ! identity name=before ! ferdetect name=d ! fakesink name=sink sync=false",
    );
    pipeline.set_state(gst::State::Playing).unwrap();
    let [before, element, sink] =
        ["before", "d", "sink"].map(|name| pipeline.by_name(name).unwrap());
    let tap = before.static_pad("src").unwrap();
    for round in 0..often(20) {
        let (done, wait) = std::sync::mpsc::channel();
        let (pipeline, before, element, sink) = (&pipeline, &before, &element, &sink);
        let blocked = tap.add_probe(gst::PadProbeType::BLOCK_DOWNSTREAM, move |_, _| {
            let _ = done.send(());
            gst::PadProbeReturn::Ok
        });
        wait.recv_timeout(Duration::from_secs(10)).unwrap();
        if round % 2 == 0 {
            before.unlink(element);
            element.unlink(sink);
            element.set_state(gst::State::Null).unwrap();
            pipeline.remove(element).unwrap();
            before.link(sink).unwrap();
        } else {
            before.unlink(sink);
            pipeline.add(element).unwrap();
            before.link(element).unwrap();
            element.link(sink).unwrap();
            element.sync_state_with_parent().unwrap();
        }
        let so_far = rendered(pipeline);
        tap.remove_probe(blocked.unwrap());
        let start = std::time::Instant::now();
        while rendered(pipeline) < so_far + 3 {
            assert!(start.elapsed() < Duration::from_secs(10), "nothing comes after round {round}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_healthy(&pipeline);
}
