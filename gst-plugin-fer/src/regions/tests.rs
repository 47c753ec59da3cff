use std::ptr;

use gst_video::ffi::gst_buffer_add_video_region_of_interest_meta_id;

use super::*;

/// A region whose type is the number 0, or one that stands for bytes that are no text.
fn add_odd(buffer: &mut gst::BufferRef, kind: u32) {
    // SAFETY: writes to the buffer, which is writable.
    let added = unsafe {
        gst_buffer_add_video_region_of_interest_meta_id(buffer.as_mut_ptr(), kind, 1, 2, 30, 40)
    };
    assert_ne!(added, ptr::null_mut());
}

#[test]
fn faces_of_an_earlier_element_are_read_and_others_not() {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    let buffer = buffer.get_mut().unwrap();
    // SAFETY: the bytes end with a zero.
    let latin1 = unsafe { gst::glib::ffi::g_quark_from_string(c"visage\xe9".as_ptr()) };
    for kind in [0, latin1] {
        add_odd(buffer, kind);
    }
    VideoRegionOfInterestMeta::add(buffer, "face", (1, 2, 30, 40));
    VideoRegionOfInterestMeta::add(buffer, "car", (5, 6, 70, 80));
    let found = faces(buffer);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rect, Rect::new(1., 2., 30., 40.));
    complete(buffer, &FrameReport::default(), 100, 100);
}

fn report(track: u64) -> FrameReport {
    let face = FaceReport {
        track,
        rect: Rect::new(0.1, 0.1, 0.4, 0.4),
        confidence: 1.0,
        detected: true,
        emotion: None,
    };
    FrameReport { faces: vec![face], ..FrameReport::default() }
}

/// Of each region: its id, what `object_id` says, and the ids that `ferdetect` gave, in this order.
fn ids(buffer: &gst::BufferRef) -> Vec<(i32, Vec<i32>, Vec<u64>)> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    regions
        .map(|region| {
            let of = |name: &'static str| region.params().filter(move |it| it.name() == name);
            let objects = of(OBJECT_ID).map(|it| it.get("id").unwrap()).collect();
            (region.id(), objects, of(NAME).map(|it| it.get("id").unwrap()).collect())
        })
        .collect()
}

/// What one `ferdetect` does to a frame of 100 × 100 pixels.
fn detect(buffer: &mut gst::BufferRef, track: u64, upstream: bool) {
    crate::meta::register();
    forget(buffer, upstream, 100, 100);
    let report = report(track);
    crate::meta::write(buffer, &report).unwrap();
    if upstream { complete(buffer, &report, 100, 100) } else { attach(buffer, &report, 100, 100) }
}

/// Consumers read the first parameter of a name.
#[test]
fn a_later_ferdetect_replaces_what_an_earlier_one_said() {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    let buffer = buffer.get_mut().unwrap();
    for track in [3, 4] {
        detect(buffer, track, false);
        let id = track as i32;
        assert_eq!(ids(buffer), [(id, vec![id], vec![track])]);
    }
    for track in [5, 6] {
        detect(buffer, track, true);
        assert_eq!(ids(buffer), [(4, vec![track as i32], vec![track])]);
    }
}

/// As by GStreamer 1.22's converters.
#[test]
fn a_region_whose_parameters_were_dropped_is_known_by_the_report() {
    gst::init().unwrap();
    for (id, place, regions) in [
        (3, (10, 10, 40, 40), 1),
        (3, (11, 10, 39, 40), 1),
        (3, (50, 10, 40, 40), 2),
        (9, (10, 10, 40, 40), 2),
    ] {
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        crate::meta::register();
        crate::meta::write(buffer, &report(3)).unwrap();
        VideoRegionOfInterestMeta::add(buffer, FACE, place).set_id(id);
        detect(buffer, 4, false);
        assert_eq!(ids(buffer).len(), regions, "{id} {place:?}");
    }
}

#[test]
fn a_region_of_another_element_stays_and_gets_the_tracks_id() {
    gst::init().unwrap();
    for theirs in [None, Some(70)] {
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        let mut region = VideoRegionOfInterestMeta::add(buffer, FACE, (10, 10, 40, 40));
        region.set_id(7);
        let object =
            theirs.map(|id: i32| gst::Structure::builder(OBJECT_ID).field("id", id).build());
        object.into_iter().for_each(|param| region.add_param(param));
        region.add_param(gst::Structure::builder("detection").field("confidence", 0.5).build());
        for track in [3, 4] {
            detect(buffer, track, true);
            let object = theirs.unwrap_or(track as i32);
            assert_eq!(ids(buffer), [(7, vec![object], vec![track])]);
        }
        detect(buffer, 5, false);
        let theirs = (7, Vec::from_iter(theirs), vec![]);
        assert_eq!(ids(buffer), [theirs, (5, vec![5], vec![5])]);
        assert_eq!(faces(buffer)[0].confidence, 0.5);
    }
}
