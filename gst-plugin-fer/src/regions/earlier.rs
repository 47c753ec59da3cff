//! What an earlier `ferdetect` said of a frame's faces: a later one says it anew.

use std::ops::ControlFlow::Continue;

use gst::buffer::BufferMetaForeachAction::{Keep, Remove};
use gst_video::VideoRegionOfInterestMeta;

use super::{FACE, NAME, OBJECT_ID, is_face, object_id};

/// A region as it was before an earlier `ferdetect` completed it.
pub(super) struct Region {
    rect: (u32, u32, u32, u32),
    id: i32,
    parent: i32,
    params: Vec<gst::Structure>,
    /// Whether somebody else attached it.
    pub(super) upstream: bool,
}

/// Takes the regions away that an earlier `ferdetect` attached or completed.
pub(super) fn take(buffer: &mut gst::BufferRef) -> Vec<Region> {
    // GStreamer keeps those that are locked.
    let is_locked = |flags: gst::MetaFlags| flags.contains(gst::MetaFlags::LOCKED);
    let regions: Vec<Region> = buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|region| !is_locked(region.flags()))
        .filter_map(|region| Region::of(&region))
        .collect();
    if !regions.is_empty() {
        buffer.foreach_meta_mut(|mut meta| {
            let is_locked = is_locked(meta.flags());
            let region = meta.downcast_ref::<VideoRegionOfInterestMeta>();
            let is_taken = region.is_some_and(|region| Region::of(region).is_some());
            Continue(if is_taken && !is_locked { Remove } else { Keep })
        });
    }
    regions
}

impl Region {
    /// `None` for one of which no `ferdetect` has said anything.
    fn of(region: &VideoRegionOfInterestMeta) -> Option<Self> {
        let ours = region.param(NAME).filter(|_| is_face(region))?;
        let track = ours.get::<u64>("id").map(object_id).ok();
        // One that was there before has another id, or says the same.
        let is_ours = |param: &gst::StructureRef| {
            let is_id = param.name() == OBJECT_ID && param.get::<i32>("id").ok() == track;
            param.name() == NAME || is_id
        };
        Some(Self {
            rect: region.rect(),
            id: region.id(),
            parent: region.parent_id(),
            params: region.params().filter(|it| !is_ours(it)).map(ToOwned::to_owned).collect(),
            upstream: ours.get("upstream").unwrap_or(true),
        })
    }

    pub(super) fn put_back(self, buffer: &mut gst::BufferRef) {
        let mut region = VideoRegionOfInterestMeta::add(buffer, FACE, self.rect);
        region.set_id(self.id);
        region.set_parent_id(self.parent);
        self.params.into_iter().for_each(|param| region.add_param(param));
    }
}
