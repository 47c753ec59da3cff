//! More than is usual: very large frames, and very many streams.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn frames_of_8k_go_through_and_are_analysed() {
    for format in [VideoFormat::Nv12, VideoFormat::I420] {
        let info = info(format, 7680, 4320);
        let (mut harness, bus) = harness(&element("upstream"));
        harness.set_src_caps(info.to_caps().unwrap());
        let mut buffer = padded(&info, 0, 0);
        let face = (7000, 4000, 640, 320);
        VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", face);
        harness.push(buffer).unwrap();
        let report = gstfer::meta::read(&harness.pull().unwrap()).unwrap();
        assert!(report.faces[0].emotion.is_some(), "{format:?}");

        let detector = element("haar");
        let (mut harness, _) = super::harness(&detector);
        harness.set_src_caps(info.to_caps().unwrap());
        harness.push(padded(&info, 0, 0)).unwrap();
        assert!(gstfer::meta::read(&harness.pull().unwrap()).is_some(), "{format:?}");
        let stats = detector.property::<gst::Structure>("stats");
        // Where nobody is found, faint faces are looked for too, small ones and large ones.
        assert_eq!(stats.get::<u64>("scans"), Ok(3), "{format:?}");
        assert_eq!(warnings(&bus), [] as [String; 0], "{format:?}");
    }
}

fn count(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).unwrap()
}

/// All together ask for far more than a machine can give: each classifies every frame.
#[test]
fn sixty_four_streams_lose_no_frame_and_share_what_there_is() {
    const STREAMS: usize = 64;
    let info = info(VideoFormat::Gray8, 160, 120);
    let mut streams: Vec<(gst::Element, Harness)> = (0..STREAMS)
        .map(|_| {
            let element = element("upstream");
            for interval in ["inference-interval", "reclassify-interval"] {
                element.set_property(interval, 0u32);
            }
            let (mut harness, _) = harness_in(&element, "background");
            harness.set_src_caps(info.to_caps().unwrap());
            (element, harness)
        })
        .collect();
    let start = Instant::now();
    let classified = |streams: &[(gst::Element, Harness)]| -> Vec<u64> {
        streams.iter().map(|(element, _)| count(element, "faces-classified")).collect()
    };
    let mut frames = 0;
    while classified(&streams).iter().sum::<u64>() < 20 * STREAMS as u64 {
        for (_, harness) in &mut streams {
            harness.push(with_face(&info, frames)).unwrap();
            assert_eq!(harness.pull().unwrap().pts(), Some(FRAME * frames));
        }
        frames += 1;
        assert!(start.elapsed() < Duration::from_secs(120), "nothing is classified");
    }
    let each = classified(&streams);
    let (least, most) = (each.iter().min().unwrap(), each.iter().max().unwrap());
    // Twenty each on average.
    assert!(*least >= 5 && *most <= 80, "{least} to {most}: {each:?}");
    for (element, _) in &streams {
        assert_eq!(count(element, "frames"), frames);
    }
    eprintln!("{frames} frames each; classified {least} to {most}");
}
