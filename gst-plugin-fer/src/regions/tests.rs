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
