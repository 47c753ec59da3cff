//! Faces of an earlier element while the analysis is at work in the background.

use std::sync::mpsc::{Receiver, Sender, channel};

use gst_video::VideoRegionOfInterestMeta;

use super::*;

type Place = (u32, u32, u32, u32);

const A: Place = (2, 2, 24, 24);
const B: Place = (36, 36, 24, 24);
const C: Place = (36, 2, 24, 24);

/// An element whose network tells when it begins, and goes on when it is let.
fn held() -> (gst_check::Harness, Receiver<()>, Sender<()>) {
    let (begins, begun) = channel();
    let (release, held) = channel::<()>();
    let (mut harness, element, _bus) = harness(|_| Ok(Vec::new()), |_| vec![0.0; 7]);
    let classify = move |_: &[f32]| {
        // Who does not want to know has gone; without a sender there is nothing to wait for.
        let _ = begins.send(());
        let _ = held.recv();
        vec![0.0; 7]
    };
    let classifier = Box::new(FnClassifier::new(classify));
    let analyzer =
        Analyzer::new(Config::default(), FaceSource::Upstream, Some(classifier)).unwrap();
    let imp = element.imp();
    let analysis = Analysis::new(analyzer, true, &imp.stats);
    *lock(&imp.stream) = Some(Stream::new(analysis, &imp.stats));
    set_mode(&element, FerAnalysis::Background);
    harness.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=30/1");
    (harness, begun, release)
}

fn report(harness: &mut gst_check::Harness, index: u64, faces: &[Place]) -> FrameReport {
    let mut buffer = frame(index);
    for face in faces {
        VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "face", *face);
    }
    harness.push(buffer).unwrap();
    crate::meta::read(&harness.pull().unwrap()).unwrap()
}

fn has(report: &FrameReport, (x, y, w, h): Place) -> bool {
    let place = Rect::new(x as f32, y as f32, w as f32, h as f32).scaled(1.0 / 64.0, 1.0 / 64.0);
    report.faces.iter().any(|face| face.rect.iou(&place) > 0.9)
}

/// It looks in some frames only, and the analysis may be at work on another one for as long.
#[test]
fn faces_of_a_frame_that_is_skipped_are_not_lost() {
    let (mut harness, begun, release) = held();
    assert!(report(&mut harness, 0, &[A]).unseen);
    begun.recv().unwrap();
    assert!(report(&mut harness, 1, &[B]).unseen);
    for index in 2..5 {
        report(&mut harness, index, &[]);
    }
    drop(release);
    let found = (5..3000).find(|index| {
        std::thread::sleep(Duration::from_millis(1));
        // Time stands still, or nobody would have seen them for too long.
        let mut buffer = frame(5);
        buffer.get_mut().unwrap().set_offset(*index);
        harness.push(buffer).unwrap();
        let report = crate::meta::read(&harness.pull().unwrap()).unwrap();
        has(&report, A) && has(&report, B)
    });
    assert!(found.is_some());
}

#[test]
fn a_face_that_the_analysis_has_yet_to_take_in_is_unseen() {
    let (mut harness, _begun, release) = held();
    drop(release);
    report(&mut harness, 0, &[A]);
    let known = (0..3000).find(|_| {
        std::thread::sleep(Duration::from_millis(1));
        has(&report(&mut harness, 1, &[]), A)
    });
    assert!(known.is_some());
    assert!(!report(&mut harness, 2, &[]).unseen);
    assert!(!report(&mut harness, 3, &[A]).unseen);
    // None can be there.
    assert!(!report(&mut harness, 4, &[(70, 0, 24, 24), A, (0, 0, u32::MAX, u32::MAX)]).unseen);
    assert!(report(&mut harness, 5, &[A, C]).unseen);
    // Nor is it seen in the frames after that, until it is taken in.
    let taken_in = (6..3000).find(|&index| {
        let report = report(&mut harness, index, &[]);
        assert!(report.unseen || has(&report, C), "{report:?}");
        has(&report, C)
    });
    assert!(taken_in.is_some());
}
