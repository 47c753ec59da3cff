//! State changes in any order, from anywhere, of any number of elements.

use std::time::Duration;

use super::*;

const STATES: [gst::State; 4] =
    [gst::State::Null, gst::State::Ready, gst::State::Paused, gst::State::Playing];
/// Both ways to analyse, with everything behind it.
const LINES: [&str; 2] = [
    "videotestsrc ! video/x-raw,width=160,height=120 ! ferdetect analysis=inline ! feroverlay \
     ! tee name=t ! queue ! fakesink name=sink t. ! queue ! ferjson ! fakesink",
    "videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! ferdetect analysis=background \
     ! fakesink name=sink",
];

#[test]
fn states_change_in_any_order() {
    let mut random = fastrand::Rng::with_seed(1);
    for line in LINES {
        let pipeline = pipeline(line);
        for _ in 0..often(100) {
            let state = STATES[random.usize(..4)];
            pipeline.set_state(state).unwrap();
            // Half of the changes are overtaken by the next one.
            if random.bool() {
                let (changed, current, _) = pipeline.state(PATIENCE);
                changed.unwrap();
                assert_eq!(current, state);
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_healthy(&pipeline);
    }
}

#[test]
fn states_change_from_several_threads_at_once() {
    for line in LINES {
        let pipeline = pipeline(line);
        std::thread::scope(|scope| {
            for seed in 0..3 {
                let pipeline = &pipeline;
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..often(30) {
                        // Who comes second may be told that it cannot be; nobody may hang or crash.
                        let _ = pipeline.set_state(STATES[random.usize(..4)]);
                        std::thread::sleep(Duration::from_millis(random.u64(..5)));
                    }
                });
            }
        });
        pipeline.set_state(gst::State::Null).unwrap();
        // And afterwards all is as it was.
        pipeline.set_state(gst::State::Playing).unwrap();
        pipeline.state(PATIENCE).0.unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn two_hundred_instances_come_and_go() {
    init();
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
    // What libraries start once is not counted.
    let first = make("ferdetect");
    first.set_state(gst::State::Paused).unwrap();
    let before = threads();
    let mut elements: Vec<gst::Element> = Vec::new();
    for index in 0..often(200) {
        let element = make(["ferdetect", "feroverlay", "ferjson"][index % 3]);
        match index % 4 {
            0 => {}
            1 => element.set_state(gst::State::Ready).map(|_| ()).unwrap(),
            _ => element.set_state(gst::State::Paused).map(|_| ()).unwrap(),
        }
        elements.push(element);
        // Some are dropped early, in no order.
        if index % 5 == 4 {
            let gone = elements.swap_remove(index % elements.len());
            gone.set_state(gst::State::Null).unwrap();
        }
    }
    let weak: Vec<_> = elements.iter().map(gst::prelude::ObjectExt::downgrade).collect();
    for element in elements {
        element.set_state(gst::State::Null).unwrap();
    }
    assert!(weak.iter().all(|element| element.upgrade().is_none()), "an element outlives its user");
    first.set_state(gst::State::Null).unwrap();
    assert!(threads() <= before, "{} threads, {before} before", threads());
}
