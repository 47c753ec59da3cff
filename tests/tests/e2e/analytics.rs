//! GStreamer's own `objectdetectionoverlay` draws what `ferdetect` attaches.

use crate::support::{portrait, run};

/// The last picture that comes out of a source, in BGRA with the width of a row, and its first face.
fn last(source: &str, ferdetect: &str, overlay: &str) -> (Vec<u8>, usize, Option<[usize; 4]>) {
    let outcome = run(&format!(
        "{source} ! ferdetect draw=false {ferdetect} ! videoconvert ! video/x-raw,format=BGRA \
         {overlay} ! appsink name=sink sync=false"
    ));
    assert_eq!(outcome.error, None);
    let buffer = outcome.buffers.last().unwrap();
    let (width, height) = (512.0, 512.0);
    let face = gstfer::meta::read(buffer).unwrap().faces.first().map(|face| {
        let rect = face.rect.scaled(width, height);
        [rect.x, rect.y, rect.right(), rect.bottom()].map(|edge| edge.round() as usize)
    });
    (buffer.map_readable().unwrap().to_vec(), width as usize, face)
}

const OVERLAY: &str = "! objectdetectionoverlay";

/// How many pixels of a part of two pictures differ.
fn differing(a: &[u8], b: &[u8], width: usize, [x0, y0, x1, y1]: [usize; 4]) -> usize {
    let pixel = |picture: &[u8], x: usize, y: usize| picture[(y * width + x) * 4..][..4].to_vec();
    (y0..y1)
        .flat_map(|y| (x0..x1).map(move |x| (x, y)))
        .filter(|&(x, y)| pixel(a, x, y) != pixel(b, x, y))
        .count()
}

#[test]
fn objectdetectionoverlay_draws_the_face_and_its_label() {
    let (plain, width, face) = last(&portrait(2), "", "");
    let [x0, y0, x1, y1] = face.unwrap();
    let (drawn, ..) = last(&portrait(2), "", OVERLAY);
    assert_eq!(plain.len(), drawn.len());
    let changed = |part| differing(&plain, &drawn, width, part);
    for (side, part) in [
        ("top", [x0, y0 - 2, x1, y0 + 2]),
        ("bottom", [x0, y1 - 2, x1, y1 + 2]),
        ("left", [x0 - 2, y0, x0 + 2, y1]),
        ("right", [x1 - 2, y0, x1 + 2, y1]),
    ] {
        let length = (part[2] - part[0]).max(part[3] - part[1]);
        assert!(changed(part) >= length, "{side}: {} of {length}", changed(part));
    }
    assert_eq!(changed([x0 + 4, y0 + 4, x1 - 4, y1 - 4]), 0, "the face itself");
    assert_eq!(changed([0, y1 + 4, width, width]), 0, "below");
    let label = [x0, y0 - 24, width, y0 - 3];
    assert!(changed(label) > 50, "{} pixels of a label", changed(label));

    // Without a certain label the overlay writes what was found, `face`.
    let (uncertain, ..) = last(&portrait(2), "min-confidence=1", OVERLAY);
    assert!(differing(&drawn, &uncertain, width, label) > 50, "another label");
    assert_eq!(differing(&drawn, &uncertain, width, [0, y0 + 4, width, width]), 0);
}

#[test]
fn objectdetectionoverlay_draws_nothing_once_nobody_is_there() {
    let source = format!(
        "{} ! queue ! join. videotestsrc pattern=black num-buffers=50 ! \
         video/x-raw,format=I420,width=512,height=512,framerate=25/1 ! queue ! join. \
         concat name=join",
        portrait(2)
    );
    let (plain, ..) = last(&source, "", "");
    let (drawn, _, face) = last(&source, "", OVERLAY);
    assert_eq!(face, None);
    assert!(plain == drawn, "something was drawn");
}
