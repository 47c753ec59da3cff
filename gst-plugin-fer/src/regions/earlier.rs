//! What an earlier `ferdetect` said of a frame's faces: a later one says it anew.

use std::ops::ControlFlow::Continue;

use fer_core::geometry::Rect;
use gst::buffer::BufferMetaForeachAction::{Keep, Remove};
use gst_video::VideoRegionOfInterestMeta;

use super::{FACE, NAME, OBJECT_ID, is_face, object_id, place};
use crate::meta;

/// Two boxes that differ by no more than what rounding to pixels makes of one.
const SAME_PLACE: f32 = 0.9;

/// Takes away what an earlier `ferdetect` said: its parameters and, unless they are faces for this one
/// (`upstream`), its regions. To be done while the buffer still has its report, which tells regions that
/// have lost their parameters in a converter from those of others.
pub(crate) fn forget(buffer: &mut gst::BufferRef, upstream: bool, width: u32, height: u32) {
    let report = meta::read(buffer).unwrap_or_default();
    let faces: Vec<(i32, Rect)> = report
        .faces
        .iter()
        .map(|face| (object_id(face.track), face.rect.scaled(width as f32, height as f32)))
        .collect();
    for region in take(buffer, &faces).into_iter().filter(|region| upstream || region.upstream) {
        region.put_back(buffer);
    }
}

/// Takes away the regions that an earlier `ferdetect` attached or completed.
fn take(buffer: &mut gst::BufferRef, faces: &[(i32, Rect)]) -> Vec<Region> {
    // GStreamer keeps those that are locked.
    let is_locked = |flags: gst::MetaFlags| flags.contains(gst::MetaFlags::LOCKED);
    let regions: Vec<Region> = buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|region| !is_locked(region.flags()))
        .filter_map(|region| Region::of(&region, faces))
        .collect();
    if !regions.is_empty() {
        buffer.foreach_meta_mut(|mut meta| {
            let is_locked = is_locked(meta.flags());
            let region = meta.downcast_ref::<VideoRegionOfInterestMeta>();
            let is_taken = region.is_some_and(|region| Region::of(region, faces).is_some());
            Continue(if is_taken && !is_locked { Remove } else { Keep })
        });
    }
    regions
}

/// A region as it was before an earlier `ferdetect` completed it.
struct Region {
    rect: (u32, u32, u32, u32),
    id: i32,
    parent: i32,
    params: Vec<gst::Structure>,
    /// Whether somebody else attached it.
    upstream: bool,
}

impl Region {
    /// `None` for one of which no `ferdetect` has said anything: neither by a parameter nor by a face of its
    /// report, with its id and place.
    fn of(region: &VideoRegionOfInterestMeta, faces: &[(i32, Rect)]) -> Option<Self> {
        let (ours, place) = (region.param(NAME), place(region));
        let is_reported =
            || faces.iter().any(|(id, rect)| *id == region.id() && rect.iou(&place) > SAME_PLACE);
        if !is_face(region) || (ours.is_none() && !is_reported()) {
            return None;
        }
        let track = ours.and_then(|ours| ours.get::<u64>("id").ok()).map(object_id);
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
            upstream: ours.is_some_and(|ours| ours.get("upstream").unwrap_or(true)),
        })
    }

    fn put_back(self, buffer: &mut gst::BufferRef) {
        let mut region = VideoRegionOfInterestMeta::add(buffer, FACE, self.rect);
        region.set_id(self.id);
        region.set_parent_id(self.parent);
        self.params.into_iter().for_each(|param| region.add_param(param));
    }
}
