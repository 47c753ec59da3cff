//! Memory that cannot be had: frames that cannot be read, drawn on or copied.

use std::os::raw::c_void;

use gst::ffi::{GstMemory, gst_memory_init};
use gst::glib;
use gst::glib::translate::{IntoGlib, ToGlibPtr};
use gst::subclass::prelude::*;
use gst_check::Harness;
use gst_video::VideoRegionOfInterestMeta;

use super::*;

const SIDE: usize = 64;

/// What a piece of memory refuses.
#[derive(Clone, Copy, Debug, Default)]
struct Refuses {
    read: bool,
    write: bool,
    /// It cannot be shared either, so that who copies a buffer must copy it too.
    copy: bool,
}

/// An allocator's memory, as C lays such things out.
#[repr(C)]
struct Block {
    memory: GstMemory,
    bytes: [u8; SIDE * SIDE],
    refuses: Refuses,
}

#[derive(Default)]
struct Stubborn;

#[glib::object_subclass]
impl ObjectSubclass for Stubborn {
    const NAME: &'static str = "FerStubbornAllocator";
    type Type = StubbornAllocator;
    type ParentType = gst::Allocator;
}

glib::wrapper! {
    struct StubbornAllocator(ObjectSubclass<Stubborn>) @extends gst::Allocator, gst::Object;
}

impl ObjectImpl for Stubborn {
    fn constructed(&self) {
        self.parent_constructed();
        let allocator: *mut gst::ffi::GstAllocator =
            self.obj().upcast_ref::<gst::Allocator>().to_glib_none().0;
        // SAFETY: nobody else has this allocator yet.
        unsafe {
            (*allocator).mem_map = Some(map);
            (*allocator).mem_unmap = Some(unmap);
            (*allocator).mem_copy = Some(copy);
        }
    }
}

impl GstObjectImpl for Stubborn {}

// SAFETY: memory is only made by `buffer` below, as a `Block`, and freed as one.
unsafe impl AllocatorImpl for Stubborn {
    unsafe fn alloc(&self, _: usize, _: &gst::AllocationParams) -> *mut GstMemory {
        std::ptr::null_mut()
    }

    unsafe fn free(&self, memory: *mut GstMemory) {
        // SAFETY: see above.
        drop(unsafe { Box::from_raw(memory.cast::<Block>()) });
    }
}

unsafe extern "C" fn map(
    memory: *mut GstMemory,
    _: usize,
    flags: gst::ffi::GstMapFlags,
) -> *mut c_void {
    // SAFETY: each memory of this allocator is a `Block`.
    let block = unsafe { &mut *memory.cast::<Block>() };
    let refused = (flags & gst::ffi::GST_MAP_READ != 0 && block.refuses.read)
        || (flags & gst::ffi::GST_MAP_WRITE != 0 && block.refuses.write);
    if refused { std::ptr::null_mut() } else { block.bytes.as_mut_ptr().cast() }
}

unsafe extern "C" fn unmap(_: *mut GstMemory) {}

unsafe extern "C" fn copy(_: *mut GstMemory, _: isize, _: isize) -> *mut GstMemory {
    std::ptr::null_mut()
}

/// A frame with a face in it, in memory that refuses some of what is done to memory.
fn buffer(index: u64, refuses: Refuses) -> gst::Buffer {
    let allocator = glib::Object::new::<StubbornAllocator>();
    // SAFETY: a memory is plain data until it is initialised.
    let memory = unsafe { std::mem::zeroed() };
    let block = Box::into_raw(Box::new(Block { memory, bytes: [100; SIDE * SIDE], refuses }));
    let flags = if refuses.copy { gst::MemoryFlags::NO_SHARE } else { gst::MemoryFlags::empty() };
    // SAFETY: initialises what begins with a `GstMemory`; it keeps the allocator alive.
    let memory = unsafe {
        let allocator: *mut gst::ffi::GstAllocator =
            allocator.upcast_ref::<gst::Allocator>().to_glib_none().0;
        let length = SIDE * SIDE;
        gst_memory_init(
            block.cast(),
            flags.into_glib(),
            allocator,
            std::ptr::null_mut(),
            length,
            0,
            0,
            length,
        );
        gst::Memory::from_glib_full(block.cast::<GstMemory>())
    };
    let mut buffer = gst::Buffer::new();
    let writable = buffer.get_mut().unwrap();
    writable.append_memory(memory);
    writable.set_pts(gst::ClockTime::from_mseconds(40) * index);
    VideoRegionOfInterestMeta::add(writable, "face", (10, 10, 30, 30));
    buffer
}

fn harness(line: &str) -> (Harness, gst::Bus) {
    init();
    let element = gst::parse::bin_from_description(line, true).unwrap();
    let bus = gst::Bus::new();
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    element.set_bus(Some(&bus));
    harness.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    (harness, bus)
}

/// All errors and warnings, in words that begin with which.
fn told(bus: &gst::Bus) -> Vec<String> {
    let kinds = [gst::MessageType::Error, gst::MessageType::Warning];
    std::iter::from_fn(|| bus.pop_filtered(&kinds)).map(|m| format!("{:?}", m.view())).collect()
}

/// The only error or warning, which is a `kind` and says `words`.
fn assert_told(bus: &gst::Bus, kind: &str, words: &str) {
    let told = told(bus);
    let fits = told.len() == 1 && told[0].starts_with(kind) && told[0].contains(words);
    assert!(fits, "{kind}, {words}: {told:?}");
}

/// The first frame that ends the flow: in the background, what is wrong comes with a later one.
fn fails(harness: &mut Harness, refuses: Refuses) -> bool {
    (0..2000).any(|index| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        harness.push(buffer(index, refuses)) == Err(gst::FlowError::Error)
    })
}

#[test]
fn frames_that_cannot_be_read_are_an_error_that_says_so() {
    for mode in ["inline", "background"] {
        let (mut harness, bus) = harness(&format!("ferdetect detector=upstream analysis={mode}"));
        let refuses = Refuses { read: true, write: true, ..Refuses::default() };
        assert!(fails(&mut harness, refuses), "{mode}");
        assert_told(&bus, "Error", "cannot be read");
    }
}

#[test]
fn frames_that_cannot_be_drawn_on_are_told_of() {
    let refuses = Refuses { write: true, ..Refuses::default() };
    let element = "ferdetect detector=upstream analysis=inline min-confidence=0";
    let (mut harness, bus) = harness(&format!("{element} draw=true"));
    for index in 0..5 {
        harness.push(buffer(index, refuses)).unwrap();
        assert!(gstfer::meta::read(&harness.pull().unwrap()).is_some());
    }
    assert_told(&bus, "Warning", "draw: ");
    let (mut harness, bus) = self::harness(&format!("{element} draw=false ! feroverlay"));
    assert_eq!(harness.push(buffer(0, refuses)), Err(gst::FlowError::Error));
    assert_told(&bus, "Error", "can't be mapped for writing");
}

/// In the background a frame is shared with the thread that analyses it, and what cannot be shared is
/// copied.
#[test]
fn frames_that_can_be_neither_shared_nor_copied_are_not_analysed() {
    let refuses = Refuses { copy: true, ..Refuses::default() };
    let (mut harness, bus) = harness("ferdetect detector=upstream analysis=background draw=false");
    for index in 0..5 {
        harness.push(buffer(index, refuses)).unwrap();
        harness.pull().unwrap();
    }
    assert_told(&bus, "Warning", "cannot be copied");
}

/// A frame that others hold too must be copied before it is drawn on.
#[test]
fn the_overlay_says_so_where_no_copy_can_be_had() {
    let refuses = Refuses { copy: true, ..Refuses::default() };
    let element = "ferdetect detector=upstream analysis=inline min-confidence=0 draw=false";
    let (mut harness, bus) = harness(&format!("{element} ! identity name=i ! feroverlay"));
    let bin = harness.element().unwrap().downcast::<gst::Bin>().unwrap();
    let pad = bin.by_name("i").unwrap().static_pad("src").unwrap();
    let held = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let holder = std::sync::Arc::clone(&held);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
            holder.lock().unwrap().push(buffer.clone());
        }
        gst::PadProbeReturn::Ok
    });
    assert_eq!(harness.push(buffer(0, refuses)), Err(gst::FlowError::Error));
    assert_eq!(held.lock().unwrap().len(), 1);
    assert_told(&bus, "Error", "cannot be copied");
}
